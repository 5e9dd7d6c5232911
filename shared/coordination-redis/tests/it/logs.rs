//! What does an absence of Redis leave in the log? One line per connection, however often it is tried again.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use testkit::servers::through;
use testkit::{FaultProxy, Mode, eventually};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;
use tracing::Level;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

use crate::bench::{Bench, LONG, connected};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Lines {
    /// Collects what this thread logs from now on, while the guard lives.
    fn collect() -> (Self, DefaultGuard) {
        let lines = Self::default();
        let subscriber = tracing_subscriber::fmt().with_writer(lines.clone()).with_max_level(Level::TRACE).with_ansi(false).finish();
        (lines, tracing::subscriber::set_default(subscriber))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).expect("text")
    }
}

/// I10: and no password is among them.
#[tokio::test]
async fn an_absence_is_told_once() {
    let (lines, _guard) = Lines::collect();
    // Takes connections, and closes them at once.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let attempts = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&attempts);
    let accepting = AbortOnDropHandle::new(tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            drop(connection);
        }
    }));
    let bench = Bench::on(&format!("redis://:hunter2@127.0.0.1:{port}"));
    eventually("it is tried again and again", LONG, async || attempts.load(Ordering::SeqCst) >= 8).await;
    drop((bench, accepting));
    let text = lines.text();
    assert_eq!(text.matches("WARN").count(), 2, "{text}");
    assert!(text.contains("Redis is away, which costs no job") && !text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn loss_and_return_are_told() {
    let Some(server) = testkit::servers::redis() else { testkit::skip!("redis", testkit::servers::HOW) };
    let (lines, _guard) = Lines::collect();
    let way = FaultProxy::start(server.port()).await;
    let bench = Bench::on(&through(&server.url(), way.port()));
    connected(&bench.process).await;
    assert_eq!(lines.text(), "", "a start is no return");
    let told = |word: &str| lines.text().matches(word).count();
    way.set(Mode::Cut);
    eventually("both losses are told", LONG, async || told("Redis is away") == 2).await;
    way.set(Mode::Pass);
    eventually("both returns are told", LONG, async || told("Redis is back") == 2).await;
    assert_eq!((told("WARN"), told("INFO")), (2, 2), "{}", lines.text());
}
