//! The bytes of one connection: which version of HTTP do they begin with, and do they flow?

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::pulse::Pulse;

/// What a client sends first that speaks HTTP/2 without having asked (RFC 9113, 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

/// A stream that tells the pulse of its connection.
pub(super) struct Wire {
    stream: TcpStream,
    /// Read to learn the version; the protocol reads it once more.
    ahead: [u8; PREFACE.len()],
    /// Of `ahead`: how much there was, and how much of that was read once more.
    filled: usize,
    given: usize,
    pulse: Arc<Pulse>,
}

impl Wire {
    pub(super) fn new(stream: TcpStream, pulse: Arc<Pulse>) -> Self {
        Self { stream, ahead: [0; PREFACE.len()], filled: 0, given: 0, pulse }
    }

    /// Waits until what has come tells the version.
    ///
    /// # Errors
    /// If the connection ends before anything came, or breaks.
    pub(super) async fn version(&mut self) -> io::Result<Version> {
        while self.filled < PREFACE.len() {
            let read = self.stream.read(&mut self.ahead[self.filled..]).await?;
            self.filled += read;
            if self.filled == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if read == 0 || !PREFACE.starts_with(&self.ahead[..self.filled]) {
                return Ok(Version::One);
            }
        }
        Ok(Version::Two)
    }

    fn told<T>(&self, written: Poll<T>) -> Poll<T> {
        match written {
            Poll::Ready(_) => self.pulse.flows(),
            Poll::Pending => self.pulse.blocked(),
        }
        written
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.given < self.filled {
            let until = self.filled.min(self.given + buffer.remaining());
            buffer.put_slice(&self.ahead[self.given..until]);
            self.given = until;
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            self.pulse.heard();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.told(written)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.told(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
