//! Where events leave: one at a time, and a reader that does not read is given up.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use tokio::sync::mpsc;

/// Pieces on their way to a reader. One more is with the connection.
const PIECES_AHEAD: usize = 1;
/// How long a reader may take to read what is on its way.
const READS_WITHIN: Duration = Duration::from_secs(30);

/// The reader has gone, or has stopped reading.
#[derive(Debug, PartialEq, Eq)]
pub struct ReaderGone;

pub struct Outlet {
    pieces: mpsc::Sender<Bytes>,
}

impl Outlet {
    /// With the other end: the body of the answer.
    pub fn open() -> (Self, impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static) {
        let (pieces, mut ahead) = mpsc::channel(PIECES_AHEAD);
        (Self { pieces }, stream::poll_fn(move |cx| ahead.poll_recv(cx)).map(Ok))
    }

    pub async fn send(&self, text: impl Into<Bytes>) -> Result<(), ReaderGone> {
        self.pieces.send_timeout(text.into(), READS_WITHIN).await.map_err(|_| ReaderGone)
    }

    /// Completes when the reader has gone.
    pub async fn closed(&self) {
        self.pieces.closed().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_stops_reading_is_given_up() {
        let (outlet, frames) = Outlet::open();
        outlet.send("one").await.expect("room");
        assert_eq!(outlet.send("two").await, Err(ReaderGone), "it was not read in time");
        drop(frames);
        outlet.closed().await;
        assert_eq!(outlet.send("three").await, Err(ReaderGone));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_gets_everything() {
        let (outlet, frames) = Outlet::open();
        let reading = tokio::spawn(frames.map(|piece| piece.expect("never fails")).collect::<Vec<_>>());
        for piece in ["one", "two", "three"] {
            outlet.send(piece).await.expect("read");
        }
        drop(outlet);
        assert_eq!(reading.await.expect("no panic"), ["one", "two", "three"]);
    }
}
