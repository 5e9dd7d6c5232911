//! How does data get from one side to the other? Piece by piece and in order, each when the mode of its arrival lets it.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::{Instant, sleep_until, timeout};

use super::link::Link;
use super::mode::{Mode, Slow, Towards};

const PIECE_BYTES: usize = 64 * 1024;
/// What may be on its way in one direction; more waits with its sender.
const PIECES_MAX: usize = 2_048;
/// A slow line is carried in so many pieces a second, not in lumps.
const PIECES_PER_SEC: u32 = 20;
/// A reply has been said in full when the server says nothing more for this long: only then is what it confirms surely done.
const REPLY_IS_OVER: Duration = Duration::from_millis(100);

/// What is to become of a piece.
pub enum Fate {
    Carry,
    /// Neither it nor anything after it arrives: the connection is closed.
    Close,
    /// The same, but what is being said is heard to its end before.
    Swallow,
    /// Neither it nor anything after it arrives, and the connection stays open until its other end goes.
    CarryNoMore,
}

/// Why nothing more comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// A side has closed its connection.
    Closed,
    /// A planned loss.
    Lost,
}

/// One direction of one connection.
pub struct Pump<'a> {
    pub link: &'a Link,
    pub towards: Towards,
    /// The connection's number.
    pub connection: u64,
}

/// When the line of a direction is free again; its connections share it.
#[derive(Debug, Default)]
pub struct Line(Mutex<Option<Instant>>);

impl Pump<'_> {
    /// Carries until a side ends, or `fate` ends it.
    pub async fn run(&self, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, mut fate: impl FnMut(&[u8]) -> Fate) -> Over {
        let (mut pieces, mut waiting) = (0, VecDeque::<(Instant, Vec<u8>)>::new());
        let (mut buffer, mut is_over) = (vec![0; PIECE_BYTES], false);
        while !is_over || !waiting.is_empty() {
            let room = self.room(&mut buffer);
            tokio::select! {
                biased;
                () = due(waiting.front()), if !waiting.is_empty() => {
                    let Some((_, piece)) = waiting.pop_front() else { continue };
                    if self.pass_on(&piece, &mut to).await.is_err() {
                        return Over::Closed;
                    }
                }
                read = from.read(room), if !is_over && waiting.len() < PIECES_MAX => match read {
                    Ok(count) if count > 0 => match fate(&room[..count]) {
                        Fate::Carry => {
                            waiting.push_back((self.arrival(count, pieces), room[..count].to_vec()));
                            pieces += 1;
                        }
                        Fate::Close => return Over::Lost,
                        Fate::CarryNoMore => {
                            while let Ok(1..) = from.read(room).await {}
                            return Over::Closed;
                        }
                        Fate::Swallow => {
                            while let Ok(Ok(1..)) = timeout(REPLY_IS_OVER, from.read(room)).await {}
                            return Over::Lost;
                        }
                    },
                    _ => is_over = true,
                },
            }
        }
        Over::Closed
    }

    fn slow(&self) -> Option<Slow> {
        self.link.mode().slow(self.towards)
    }

    /// Where to read to.
    fn room<'b>(&self, buffer: &'b mut [u8]) -> &'b mut [u8] {
        let rate = self.slow().and_then(Slow::bytes_per_sec);
        let most = rate.map_or(PIECE_BYTES, |rate| (rate / PIECES_PER_SEC) as usize).clamp(1, PIECE_BYTES);
        &mut buffer[..most]
    }

    /// When a piece of so many bytes, which is here now, is there.
    fn arrival(&self, bytes: usize, piece: u64) -> Instant {
        let now = Instant::now();
        let Some(slow) = self.slow() else { return now };
        let sent = slow.bytes_per_sec().map_or(now, |rate| self.link.line(self.towards).take(now, bytes, rate));
        self.link.tally.bite();
        sent + slow.late(self.towards, self.connection, piece)
    }

    async fn pass_on(&self, piece: &[u8], to: &mut WriteHalf<'_>) -> std::io::Result<()> {
        if self.link.mode() == Mode::HalfOpen {
            self.link.tally.bite();
            return Ok(());
        }
        self.link.tally.carried(self.towards, piece.len());
        to.write_all(piece).await
    }
}

impl Line {
    /// Takes the line for so many bytes, as soon as it is free; when they are through.
    fn take(&self, now: Instant, bytes: usize, bytes_per_sec: u32) -> Instant {
        let mut free = self.0.lock();
        let begins = free.map_or(now, |free| free.max(now));
        let through = begins + Duration::from_secs_f64(bytes as f64 / f64::from(bytes_per_sec));
        *free = Some(through);
        through
    }
}

/// Until the first of those that wait is due. A timer is a millisecond late: what is due needs none.
async fn due(first: Option<&(Instant, Vec<u8>)>) {
    if let Some((at, _)) = first
        && *at > Instant::now()
    {
        sleep_until(*at).await;
    }
}
