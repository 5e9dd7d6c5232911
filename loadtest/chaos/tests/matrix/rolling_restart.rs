//! All programs are replaced one by one under load, as an upgrade does it: what do clients see, and what becomes of the jobs?

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::{eventually, within};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use chaos::fleet::{Fleet, SOON, Urls, default_secret};
use chaos::fresh_servers;
use chaos::judge::Judge;
use chaos::load::{Load, Pace};
use chaos::measured;
use chaos::process::Process;
use chaos::stage::done;

const PACE: Pace = Pace { clients: 2, every: Duration::from_millis(150), batch: 5 };
/// How long the judge takes to answer, in turn: there is always something to drain, and nothing that a drain cannot wait for.
const LATE_MS: [u32; 3] = [50, 200, 1_500];
const SLOTS: u32 = 30;
/// How long a client may have to try. There is always another producer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(15);
/// What is submitted between two restarts.
const BATCHES_BETWEEN: usize = 6;

#[derive(Debug, Clone, Copy)]
enum Role {
    Producer,
    Scheduler,
    Worker,
}

/// One round begins with those that clients talk to, the other ends with them.
const ROUNDS: [[Role; 3]; 2] = [[Role::Producer, Role::Scheduler, Role::Worker], [Role::Scheduler, Role::Worker, Role::Producer]];

struct Everybody {
    fleet: Fleet,
    producers: Vec<Process>,
    schedulers: Vec<Process>,
    workers: Vec<Process>,
}

impl Everybody {
    async fn on(urls: &Urls) -> Self {
        let fleet = Fleet::found(urls);
        let producers = vec![fleet.producer().await, fleet.producer().await];
        let schedulers = vec![fleet.scheduler().await, fleet.scheduler().await];
        let workers = vec![fleet.worker(SLOTS).await, fleet.worker(SLOTS).await, fleet.worker(SLOTS).await];
        Self { fleet, producers, schedulers, workers }
    }

    /// Stops each process of a role and starts its successor, one after the other. Each must end cleanly.
    async fn replace(&mut self, role: Role, load: &Load) {
        let Self { fleet, producers, schedulers, workers } = self;
        let count = match role {
            Role::Producer => producers.len(),
            Role::Scheduler => schedulers.len(),
            Role::Worker => workers.len(),
        };
        for place in 0..count {
            goes_on(load).await;
            match role {
                Role::Producer => {
                    producers.remove(place).stop().await;
                    producers.insert(place, fleet.producer().await);
                    load.replace(place, fleet.client(&producers[place]));
                }
                Role::Scheduler => {
                    schedulers.remove(place).stop().await;
                    schedulers.insert(place, fleet.scheduler().await);
                }
                Role::Worker => {
                    workers.remove(place).stop().await;
                    workers.insert(place, fleet.worker(SLOTS).await);
                }
            }
        }
    }

    async fn stop(self) {
        for process in self.producers.into_iter().chain(self.schedulers).chain(self.workers) {
            process.stop().await;
        }
    }
}

/// Clients are answered, whatever was just replaced.
async fn goes_on(load: &Load) {
    let before = load.seen().batches;
    eventually("submission goes on", SOON, async || load.seen().batches >= before + BATCHES_BETWEEN).await;
}

/// I3, I14: a restart costs nobody anything: no job, no attempt, no second delivery, and no refusal that a client cannot deal with.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_of_everybody_costs_no_job_and_no_attempt() {
    let servers = fresh_servers!();
    let mut all = Everybody::on(&Urls::of(&servers)).await;
    let clients: Vec<_> = all.producers.iter().map(|producer| all.fleet.client(producer)).collect();
    let mut judge = Judge::start(all.fleet.path(), &default_secret(&clients[0]).await);
    let began = Instant::now();
    let load = Load::start(clients, LATE_MS.map(|ms| judge.late(ms)).to_vec(), PACE);
    for role in ROUNDS.into_iter().flatten() {
        all.replace(role, &load).await;
    }
    goes_on(&load).await;
    let seen = load.stop().await;
    measured("rolling restart", &format!("two rounds over seven processes; clients saw: {seen}"), began.elapsed());
    measured("rolling restart", "longest wait of a submission", seen.longest);
    seen.refused_politely();
    assert!(seen.longest <= ANSWERED_WITHIN, "{seen}");

    done(&servers.database, seen.ids.len(), SOON * 2).await;
    let costly = servers.database.ask("select attempt, crashes, count(*) from job group by 1, 2").await;
    assert_eq!(costly, [["1", "0", &seen.ids.len().to_string()]], "attempt, crashes, jobs");
    assert!(judge.accepted().keys().eq(&seen.ids), "{} jobs were accepted, {} delivered", seen.ids.len(), judge.count());
    assert!(judge.accepted().values().all(|accepted| accepted.times == 1), "something was delivered twice");
    assert_eq!(servers.database.count("select count(*) from job_event where actor = 'duty:rescue'").await, 0, "nobody had to be rescued");
    all.stop().await;
}

/// I14: who was being listened to is answered; whoever comes later is refused at the door, and readiness says so first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_producer_that_ends_answers_what_it_has_begun() {
    let servers = fresh_servers!();
    let fleet = Fleet::found(&Urls::of(&servers));
    let mut producer = fleet.producer().await;
    // Its kinds are known from now on.
    let worker = fleet.worker(1).await;
    let admin = admin_of(&producer);
    let address = producer.url().replace("http://", "");
    let mut idle = BufReader::new(TcpStream::connect(&address).await.expect("it listens"));
    idle.write_all(b"GET /health/live HTTP/1.1\r\nhost: producer\r\n\r\n").await.expect("written");
    assert_eq!(head(&mut idle).await[0], "HTTP/1.1 200 OK");

    let body = json!({ "kind": "webhooks.deliver", "delay": "1h", "payload": { "url": "http://127.0.0.1:9/", "data": 1 } }).to_string();
    let mut begun = BufReader::new(TcpStream::connect(&address).await.expect("it listens"));
    let request = format!(
        "POST /v1/jobs HTTP/1.1\r\nhost: producer\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nexpect: 100-continue\r\n\r\n",
        fleet.key(),
        body.len()
    );
    begun.write_all(request.as_bytes()).await.expect("written");
    assert_eq!(head(&mut begun).await[0], "HTTP/1.1 100 Continue", "it waits for the body");

    producer.guard.terminate();
    let asked = Instant::now();
    let stopping = eventually("readiness is off", SOON, async || match get(&format!("{admin}/health/ready")).await {
        Some((503, body)) => Ok(body),
        other => Err(format!("{other:?}")),
    })
    .await;
    assert_eq!(stopping["status"], "stopping", "{stopping}");
    eventually("nobody is let in any more", SOON, async || TcpStream::connect(&address).await.is_err()).await;
    let mut rest = Vec::new();
    let ended = within("an idle connection ends", SOON, idle.read_to_end(&mut rest)).await;
    assert!(ended.is_ok() && rest.is_empty(), "{ended:?} {}", String::from_utf8_lossy(&rest));

    begun.write_all(body.as_bytes()).await.expect("written");
    let answer = head(&mut begun).await;
    assert_eq!(answer[0], "HTTP/1.1 202 Accepted", "{answer:?}");
    assert!(answer.iter().any(|line| line.eq_ignore_ascii_case("connection: close")), "{answer:?}");
    let status = producer.guard.end(SOON).await;
    assert_eq!(status.code(), Some(0), "{}", producer.said());
    measured("rolling restart", "a producer that ends, with a request in flight", asked.elapsed());
    assert_eq!(servers.database.count("select count(*) from job").await, 1, "what was answered is there");
    worker.stop().await;
}

/// Where a producer listens for probes: the second address that it tells.
fn admin_of(producer: &Process) -> String {
    let said = producer.log_text();
    let lines = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let addresses: Vec<String> = lines.filter_map(|line| Some(line["address"].as_str()?.to_owned())).collect();
    let [_api, admin, ..] = addresses.as_slice() else { panic!("two addresses: {said}") };
    format!("http://{admin}")
}

async fn get(url: &str) -> Option<(u16, Value)> {
    let client = reqwest::Client::builder().no_proxy().timeout(SOON).build().expect("a client");
    let answer = client.get(url).send().await.ok()?;
    Some((answer.status().as_u16(), serde_json::from_str(&answer.text().await.ok()?).ok()?))
}

/// The lines of an answer's head; of a body, what its length says is taken away.
async fn head(stream: &mut BufReader<TcpStream>) -> Vec<String> {
    let read = async {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            assert!(stream.read_line(&mut line).await.expect("readable") > 0, "it ended after {lines:?}");
            match line.trim_end() {
                "" => break,
                text => lines.push(text.to_owned()),
            }
        }
        let length = lines.iter().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        stream.read_exact(&mut body).await.expect("whole");
        lines
    };
    within("an answer", SOON, read).await
}
