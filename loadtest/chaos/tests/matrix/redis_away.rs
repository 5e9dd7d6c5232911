//! Redis is emptied, and goes away altogether: it makes a fleet quicker and more friendly, and nobody needs it.

use private_redis::emptied;
use testkit::servers::{self, PrivateRedis, Stop};
use testkit::{eventually, skip};

use chaos::fleet::{SOON, Urls};
use chaos::process::Process;
use chaos::stage::Stage;

const JOBS: usize = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_jobs_go_on() {
    let (Some(postgres), Some(rabbit)) = (servers::postgres(), servers::rabbitmq()) else { skip!("postgres", servers::HOW) };
    let Some(redis) = PrivateRedis::start().await else { skip!("redis", "Redis is not installed") };
    let (database, vhost) = (postgres.fresh_database().await, rabbit.fresh_vhost().await);
    let urls = Urls { database: database.url(), broker: vhost.url(), redis: redis.url() };
    let mut stage = Stage::on(&urls).await;
    let worker = stage.fleet.worker(10).await;
    stage.submit(JOBS, 0).await;
    stage.done_once(&database, JOBS, SOON).await;

    emptied(&redis).await;
    stage.submit(JOBS, 0).await;
    stage.done_once(&database, 2 * JOBS, SOON).await;

    redis.stop(Stop::AtOnce).await;
    is_missed(&worker, true).await;
    stage.submit(JOBS, 0).await;
    stage.done_once(&database, 3 * JOBS, SOON).await;
    let late = stage.fleet.worker(10).await;

    redis.restart().await;
    for worker in [&worker, &late] {
        is_missed(worker, false).await;
    }
    stage.submit(JOBS, 0).await;
    stage.done_once(&database, 4 * JOBS, SOON).await;
    stage.stop([worker, late]).await;
}

/// It is shown, and the worker stays ready.
async fn is_missed(worker: &Process, missed: bool) {
    eventually("the worker shows how Redis is", SOON, async || {
        let (status, body) = worker.get("/health/ready").await.ok_or("no answer")?;
        assert_eq!(status, 200, "{body}");
        if body.contains("Redis is not connected") == missed { Ok(()) } else { Err(body) }
    })
    .await;
}

mod private_redis {
    use testkit::servers::PrivateRedis;
    use testkit::within;
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpStream;

    use chaos::fleet::SOON;

    /// Everything in it is gone. Redis speaks plain lines as well.
    pub async fn emptied(redis: &PrivateRedis) {
        let url = url::Url::parse(&redis.url()).expect("a URL");
        let mut stream = TcpStream::connect(("127.0.0.1", redis.port())).await.expect("it listens");
        let said = format!("AUTH {}\r\nFLUSHALL\r\n", url.password().expect("it has a password"));
        stream.write_all(said.as_bytes()).await.expect("written");
        let mut answers = BufReader::new(stream).lines();
        for _ in 0..2 {
            let answer = within("an answer", SOON, answers.next_line()).await.expect("readable");
            assert_eq!(answer.as_deref(), Some("+OK"));
        }
    }
}
