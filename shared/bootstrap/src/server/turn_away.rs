//! What does a caller hear who finds no place? A whole answer, and then the end of the connection.

use std::time::Duration;

use domain::bounds::HTTP_HEAD_BYTES_MAX;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long it may take to hear it.
const HEARS_WITHIN: Duration = Duration::from_secs(1);

const BODY: &str = r#"{"type":"urn:flotilla:problem:overloaded","title":"Overloaded","status":503,"detail":"this process has as many connections as it may have; nothing was done","code":"overloaded","hint":"try again after the time in `Retry-After`; keep connections and use them again"}"#;

/// Answers without knowing what is asked. What the caller sends meanwhile is read, so that it gets the answer and not a reset.
pub(super) async fn turn_away(mut stream: TcpStream) {
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\nretry-after: 1\r\nconnection: close\r\n\r\n{BODY}",
        BODY.len()
    );
    let farewell = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        let mut left = [0; 1024];
        let mut seen = 0;
        while seen < HTTP_HEAD_BYTES_MAX {
            match stream.read(&mut left).await? {
                0 => break,
                read => seen += read,
            }
        }
        std::io::Result::Ok(())
    };
    // A caller that is gone has heard enough.
    let _ = timeout(HEARS_WITHIN, farewell).await;
}
