//! The smallest client that can load the API: HTTP/1.1 on one kept connection, requests made beforehand.
//!
//! The generator shares two cores with what it measures, so what it spends is what the fleet lacks.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

/// One connection, one request at a time.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What came back.
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

/// A request's bytes.
pub fn post(path: &str, key: &str, body: &str) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body.as_bytes()].concat()
}

pub fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes()
}

impl Connection {
    pub async fn open(port: u16) -> anyhow::Result<Self> {
        let stream = timeout(ANSWERED_WITHIN, TcpStream::connect(("127.0.0.1", port))).await??;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(4_096) })
    }

    /// Sends a request and reads its answer.
    pub async fn call(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        timeout(ANSWERED_WITHIN, self.exchange(request)).await.context("no answer in time")?
    }

    /// The same for a submission, which must be taken.
    pub async fn submit(&mut self, request: &[u8]) -> anyhow::Result<()> {
        let Answer { status, body } = self.call(request).await?;
        if !(200..300).contains(&status) {
            bail!("a submission was answered with {status}: {}", String::from_utf8_lossy(&body));
        }
        Ok(())
    }

    async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let head = loop {
            let found = self.buffer.windows(4).position(|window| window == b"\r\n\r\n");
            match found {
                Some(at) => break at + 4,
                None => self.more().await?,
            }
        };
        let (status, length) = understood(&self.buffer[..head]).context("the answer is not understood")?;
        while self.buffer.len() < head + length {
            self.more().await?;
        }
        Ok(Answer { status, body: self.buffer[head..head + length].to_vec() })
    }

    async fn more(&mut self) -> anyhow::Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            bail!("the connection was closed");
        }
        Ok(())
    }
}

/// The same, for a thread that has nothing else to do.
pub struct BlockingConnection {
    stream: std::net::TcpStream,
    buffer: Vec<u8>,
}

impl BlockingConnection {
    pub fn open(port: u16) -> anyhow::Result<Self> {
        let stream = std::net::TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWERED_WITHIN))?;
        stream.set_write_timeout(Some(ANSWERED_WITHIN))?;
        Ok(Self { stream, buffer: Vec::with_capacity(4_096) })
    }

    /// Sends a submission, which must be taken.
    pub fn submit(&mut self, request: &[u8]) -> anyhow::Result<()> {
        self.stream.write_all(request)?;
        self.buffer.clear();
        loop {
            let head = self.buffer.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4);
            if let Some(head) = head {
                let (status, length) = understood(&self.buffer[..head]).context("the answer is not understood")?;
                if self.buffer.len() >= head + length {
                    ensure!((200..300).contains(&status), "a submission was answered with {status}");
                    return Ok(());
                }
            }
            let mut more = [0; 4_096];
            let read = self.stream.read(&mut more)?;
            ensure!(read > 0, "the connection was closed");
            self.buffer.extend_from_slice(&more[..read]);
        }
    }
}

/// Status and length.
fn understood(head: &[u8]) -> Option<(u16, usize)> {
    let text = std::str::from_utf8(head).ok()?;
    let status = text.split_whitespace().nth(1)?.parse().ok()?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    length.map(|length| (status, length))
}
