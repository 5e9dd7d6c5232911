//! What does a test say to Redis itself? A line; Redis speaks plain lines as well.

use std::time::Duration;

use testkit::servers::RedisServer;
use testkit::within;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// The first line of what Redis answers to a command.
///
/// # Panics
/// When it cannot be asked, or does not answer.
pub async fn said(redis: &RedisServer, command: &str) -> String {
    let url = redis.url();
    let password = url.rsplit_once('@').and_then(|(login, _)| login.rsplit_once(':')).map_or("", |(_, password)| password);
    let mut stream = TcpStream::connect(("127.0.0.1", redis.port())).await.expect("it listens");
    stream.write_all(format!("AUTH {password}\r\n{command}\r\n").as_bytes()).await.expect("written");
    let mut answers = BufReader::new(stream).lines();
    let mut answer = async || within("an answer", ANSWERS_WITHIN, answers.next_line()).await.expect("readable").expect("an answer");
    assert_eq!(answer().await, "+OK", "the password is right");
    answer().await
}
