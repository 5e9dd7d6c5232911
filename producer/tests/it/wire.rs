//! The API on a real socket: a server, and a client that says exactly what it is told to.

mod bodies;
mod crowd;
mod framing;
mod http2;
mod slow;
mod stop;
mod streams;

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use bootstrap::{Server, ServerLimits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::bench::{ANY, Bench};

pub const PATIENCE: Duration = Duration::from_secs(20);
/// A deadline that tests wait for.
pub const SHORT: Duration = Duration::from_millis(300);

/// An API that listens.
pub struct Served {
    pub bench: Bench,
    pub address: SocketAddr,
    pub stop: CancellationToken,
    pub serving: JoinHandle<()>,
}

impl Served {
    pub async fn new() -> Self {
        Self::within(ServerLimits::default()).await
    }

    pub async fn within(limits: ServerLimits) -> Self {
        Self::of(Bench::new().await, limits).await
    }

    pub async fn of(bench: Bench, limits: ServerLimits) -> Self {
        let router = bench.router.clone();
        Self::with(bench, router, limits).await
    }

    /// With another router than the bench's.
    pub async fn with(bench: Bench, router: Router, limits: ServerLimits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("bound");
        let (stop, metrics) = (CancellationToken::new(), bench.metrics.clone());
        let serving = tokio::spawn(Server { listener, router, limits, metrics }.serve(stop.clone()));
        Self { bench, address, stop, serving }
    }

    pub async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).await.expect("connects"))
    }

    /// A request's head under the bench's key.
    pub fn head(&self, path: &str, more: &str) -> String {
        format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n{more}\r\n",
            self.bench.key
        )
    }

    /// A submission, whole.
    pub fn submission(&self) -> String {
        let body = format!(r#"{{"kind":"{ANY}","payload":1}}"#);
        format!("{}{body}", self.head("/v1/jobs", &format!("content-length: {}\r\n", body.len())))
    }

    pub fn connections(&self) -> i64 {
        self.bench.metrics.http_connections.get()
    }
}

/// One connection.
pub struct Client(pub TcpStream);

/// One answer, as text.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Client {
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.expect("sends");
    }

    /// Says that nothing more will come.
    pub async fn half_close(&mut self) {
        self.0.shutdown().await.expect("shuts its half");
    }

    /// The next answer.
    pub async fn reply(&mut self) -> Reply {
        let reading = async {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(self.0.read_u8().await.expect("a head"));
            }
            let head = String::from_utf8(head).expect("UTF-8").to_ascii_lowercase();
            let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
            let length =
                head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |text| text.parse().expect("a number"));
            let mut body = vec![0; length];
            self.0.read_exact(&mut body).await.expect("a body");
            Reply { status, head, body: String::from_utf8(body).expect("UTF-8") }
        };
        tokio::time::timeout(PATIENCE, reading).await.expect("an answer in time")
    }

    /// What came before the connection ended, however it ended.
    pub async fn rest(mut self) -> String {
        let mut bytes = Vec::new();
        let reading = async { while self.0.read_buf(&mut bytes).await.is_ok_and(|read| read > 0) {} };
        tokio::time::timeout(PATIENCE, reading).await.expect("the connection ends in time");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Reply {
    /// Whether this is a refusal that programs understand.
    pub fn is_problem(&self, status: u16, code: &str) -> bool {
        self.status == status && self.head.contains("application/problem+json") && self.body.contains(&format!(r#""code":"{code}""#))
    }
}
