//! How do we ask RabbitMQ's management API? With HTTP/1.0, one connection per question, and a deadline.
//!
//! HTTP/1.0, because its answers end with the connection and come in one piece.

use std::io::{Error, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// More than any answer a test asks for.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

/// A server on the loopback interface, and who asks.
#[derive(Debug, Clone)]
pub struct Api {
    port: u16,
    authorization: String,
}

impl Api {
    pub fn new(port: u16, user: &str, password: &str) -> Self {
        Self { port, authorization: format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))) }
    }

    /// Asks, with a body of JSON if there is one.
    ///
    /// # Errors
    /// When there is no whole answer `within` the time.
    pub fn call(&self, method: &str, path: &str, body: Option<&str>, within: Duration) -> std::io::Result<Answer> {
        let deadline = Instant::now() + within;
        let mut stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)), within)?;
        let body = body.unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.0\r\nhost: 127.0.0.1\r\nauthorization: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.authorization,
            body.len()
        );
        stream.set_write_timeout(Some(within))?;
        stream.write_all(request.as_bytes())?;
        answer(&read_all(&mut stream, deadline)?)
    }
}

/// One part of a path, with everything but letters, digits, `-`, `_` and `.` percent-encoded.
pub fn segment(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    text.bytes().map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn read_all(stream: &mut TcpStream, deadline: Instant) -> std::io::Result<Vec<u8>> {
    let (mut all, mut part) = (Vec::new(), [0; 16 * 1024]);
    loop {
        let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero());
        stream.set_read_timeout(Some(left.ok_or(ErrorKind::TimedOut)?))?;
        let count = stream.read(&mut part)?;
        all.extend_from_slice(&part[..count]);
        if count == 0 {
            return Ok(all);
        }
        if all.len() > ANSWER_BYTES_MAX {
            return Err(Error::other("the answer is too long"));
        }
    }
}

fn answer(bytes: &[u8]) -> std::io::Result<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").ok_or(ErrorKind::UnexpectedEof)?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(ErrorKind::InvalidData)?;
    let mut headers = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let length = headers.find(|(name, _)| name.eq_ignore_ascii_case("content-length")).and_then(|(_, length)| length.trim().parse().ok());
    let body = bytes[end + 4..].to_vec();
    match length {
        Some(length) if body.len() < length => Err(ErrorKind::UnexpectedEof.into()),
        _ => Ok(Answer { status, body }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let found = answer(b"HTTP/1.1 201 Created\r\nServer: x\r\ncontent-length: 2\r\n\r\n{}").expect("whole");
        assert_eq!((found.status, found.body.as_slice()), (201, &b"{}"[..]));
        assert!(answer(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}").is_err(), "cut off");
        assert!(answer(b"AMQP\0\0\x09\x01").is_err());
    }

    #[test]
    fn parts_of_a_path_are_encoded() {
        assert_eq!(segment("a/b c.p1"), "a%2Fb%20c.p1");
    }

    #[test]
    fn silence_has_an_end() {
        let silent = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = silent.local_addr().expect("bound").port();
        let asked = Api::new(port, "a", "b").call("GET", "/", None, Duration::from_millis(50));
        let kind = asked.expect_err("nobody answers").kind();
        assert!(matches!(kind, ErrorKind::TimedOut | ErrorKind::WouldBlock), "{kind:?}");
    }
}
