//! Redis goes away, is restarted, or forgets everything.

use std::sync::Arc;
use std::time::Duration;

use testkit::servers::Stop;
use testkit::within;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::{Proof, at_once, held, misplaced, said_again};
use crate::soak::fault::Fault;
use crate::soak::schedule::Planned;
use crate::soak::site::Site;

const BACK: &str = "Redis is back";
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

pub async fn strike(site: &Arc<Site>, planned: Planned) -> Proof {
    match planned.fault {
        Fault::RedisStopped | Fault::RedisRestarted => {
            let before = site.said(BACK);
            site.redis.stop(if planned.fault == Fault::RedisStopped { Stop::AtOnce } else { Stop::Gently }).await;
            held(planned).await;
            site.redis.restart().await;
            said_again(site, BACK, before)
        }
        Fault::RedisFlushed => at_once(flushed(site).await),
        other => misplaced(other),
    }
}

/// Bites when there was something to forget.
async fn flushed(site: &Site) -> Option<String> {
    let keys: u64 = said(site, "DBSIZE").await?.strip_prefix(':')?.parse().ok()?;
    let answer = said(site, "FLUSHALL").await?;
    (answer == "+OK" && keys > 0).then(|| format!("{keys} keys were forgotten"))
}

/// What Redis says to a command. It speaks plain lines as well.
async fn said(site: &Site, command: &str) -> Option<String> {
    let url = site.redis.url();
    // redis://:password@host
    let password = url.split_once("://:")?.1.split_once('@')?.0.to_owned();
    let mut stream = TcpStream::connect(("127.0.0.1", site.redis.port())).await.ok()?;
    stream.write_all(format!("AUTH {password}\r\n{command}\r\n").as_bytes()).await.ok()?;
    let mut answers = BufReader::new(stream).lines();
    let mut last = None;
    for _ in 0..2 {
        last = within("Redis answers", ANSWER_WITHIN, answers.next_line()).await.ok()?;
    }
    last
}
