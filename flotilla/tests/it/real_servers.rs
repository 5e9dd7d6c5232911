//! The same fleet on PostgreSQL, RabbitMQ and Redis: in one process, and as roles.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::receiver::Receiver;
use testkit::{FaultProxy, Mode};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::process::{Home, SOON, text, until_ended};
use crate::servers::fresh_servers;

/// A receiver that trusts the tenant's default endpoint.
async fn receiver(client: &flotilla::Client) -> Receiver {
    let made = client.post("/v1/webhook_endpoints", &json!({ "name": "default" })).await.expect("made").body;
    Receiver::with_secret(made["secret"].as_str().expect("shown").parse().expect("a secret")).await
}

fn delivery(receiver: &Receiver) -> Value {
    json!({ "kind": "webhooks.deliver", "payload": { "url": receiver.url("/ok"), "data": 1 } })
}

fn word(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn up_on_three_urls_runs_a_job_and_the_doctor_finds_nothing() {
    let servers = fresh_servers!();
    let home = Home::new().on(&servers).with("FLOTILLA_WEBHOOKS_ALLOW", "127.0.0.1");
    let up = home.up();
    let receiver = receiver(&up.client).await;
    let id = word(&up.client.post("/v1/jobs", &delivery(&receiver)).await.expect("accepted").body, "id");
    let job = testkit::within("it ends", SOON, until_ended(&up.client, &id)).await.expect("answered");
    assert_eq!(job["state"], "succeeded", "{job:#}");
    assert_eq!(receiver.ledger().entry(&id).expect("delivered").accepted, 1);
    let doctor = home.run(&["doctor"]);
    let said = text(&doctor.stdout);
    assert!(doctor.status.success(), "{said}{}", text(&doctor.stderr));
    for word in ["database", "partitions", "clock", "ledger", "broker", "queues", "redis", "workers"] {
        assert!(said.contains(&format!("ok       {word}")), "`{word}` is not well in: {said}");
    }
    let (code, rest) = up.stop().await;
    assert!(code == Some(0) && rest.contains("everything is recorded"), "{rest}{}", home.said());
    // Nothing that was said anywhere has a login in it.
    let secrets = [servers.database.url(), servers.vhost.url(), servers.redis.url()];
    assert!(secrets.iter().all(|secret| !home.said().contains(secret.as_str()) && !said.contains(secret.as_str())));
    let up = home.up();
    assert_eq!(up.client.get(&format!("/v1/jobs/{id}"), &[]).await.expect("kept").body["state"], "succeeded");
    up.stop().await;
}

fn examined(home: &Home) -> (Option<i32>, String) {
    let output = home.run(&["doctor"]);
    (output.status.code(), text(&output.stdout))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_says_what_is_wrong_with_servers() {
    let servers = fresh_servers!();
    let home = Home::new().on(&servers);
    let (code, said) = examined(&home);
    assert!(code == Some(1) && said.contains("bad      database") && said.contains("flotilla migrate"), "{said}");
    assert!(home.run(&["migrate"]).status.success());
    let home = home.with("FLOTILLA_BROKER_URL", "amqp://nobody:wrong@127.0.0.1:1/").with("FLOTILLA_REDIS_URL", "redis://127.0.0.1:1");
    let (code, said) = examined(&home);
    assert_eq!(code, Some(1), "{said}");
    for word in ["ok       database", "bad      workers", "bad      broker", "warning  redis", "hint:"] {
        assert!(said.contains(word), "`{word}` is missing in: {said}");
    }
    assert!(!said.contains("wrong"), "{said}");
}

#[tokio::test]
async fn migrating_twice_changes_nothing_and_any_number_may_try_at_once() {
    let servers = fresh_servers!();
    let home = Home::new().on(&servers);
    let mut children: Vec<_> =
        (0..4).map(|_| home.command(&["--json", "migrate"]).stdout(std::process::Stdio::piped()).spawn().expect("starts")).collect();
    let outputs: Vec<_> = children.drain(..).map(|child| child.wait_with_output().expect("ends")).collect();
    assert!(outputs.iter().all(|output| output.status.success()), "{outputs:?}");
    let said: Vec<Value> = outputs.iter().map(|output| serde_json::from_slice(&output.stdout).expect("JSON")).collect();
    let version = said[0]["to"].as_u64().expect("a number");
    assert!(said.iter().all(|said| said["to"] == version), "{said:?}");
    assert_eq!(servers.database.count("select count(*) from _sqlx_migrations where success").await, version, "each ran once");
    assert!(servers.database.count("select count(*) from pg_inherits where inhparent = 'job'::regclass").await >= 8);
    let again = text(&home.run(&["migrate"]).stdout);
    assert!(again.contains("up to date"), "{again}");
    assert!(text(&Home::new().run(&["migrate"]).stdout).contains("SQLite"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_key_is_made_without_an_api() {
    let servers = fresh_servers!();
    let home = Home::new().on(&servers);
    let before = home.run(&["keys", "create", "ops", "--direct", "--scopes", "admin"]);
    assert!(before.status.code() == Some(1) && text(&before.stderr).contains("flotilla migrate"), "{}", text(&before.stderr));
    assert!(home.run(&["migrate"]).status.success());
    for (arguments, words) in [(["--scopes", "everything"], "not a scope"), (["--tenant", "No Tenant"], "tenant")] {
        let refused = home.run(&[&["keys", "create", "ops", "--direct"][..], &arguments].concat());
        assert!(refused.status.code() == Some(1) && text(&refused.stderr).contains(words), "{}", text(&refused.stderr));
    }
    let producer = home.role("producer").await;
    let client = home.client_of(&producer);
    let who = client.get("/v1/whoami", &[]).await.expect("answered").body;
    assert_eq!((&who["key"], &who["tenant"], &who["scopes"]), (&json!("test"), &json!("default"), &json!(["admin"])));
    let audit = client.get("/v1/audit", &[]).await.expect("answered").body;
    assert!(audit.to_string().contains("key.create"), "{audit:#}");
    let embedded = Home::new().run(&["keys", "create", "ops", "--direct"]);
    assert!(embedded.status.code() == Some(1) && text(&embedded.stderr).contains("flotilla up"), "{}", text(&embedded.stderr));
    assert_eq!(producer.stop().await.0, Some(0));
}

/// The broker is away from the start: jobs are accepted, readiness says what is wrong, and they run when it is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_are_accepted_while_the_broker_is_away() {
    let servers = fresh_servers!();
    let broker = servers.vhost.url();
    let proxy = FaultProxy::start(port_of(&broker)).await;
    proxy.set(Mode::Cut);
    let home = Home::new()
        .on(&servers)
        .with("FLOTILLA_BROKER_URL", testkit::servers::through(&broker, proxy.port()))
        .with("FLOTILLA_WEBHOOKS_ALLOW", "127.0.0.1");
    assert!(home.run(&["migrate"]).status.success());
    let (producer, scheduler, worker) = (home.role("producer").await, home.role("scheduler").await, home.role("webhooks-worker").await);
    let client = home.client_of(&producer);
    let receiver = receiver(&client).await;
    testkit::eventually("the worker brought its kind", SOON, async || client.get("/v1/kinds/webhooks.deliver", &[]).await.is_ok()).await;
    let accepted = client.post("/v1/jobs", &delivery(&receiver)).await.expect("accepted");
    assert_eq!((accepted.status, &accepted.body["state"]), (202, &json!("queued")));
    for role in [&producer, &scheduler, &worker] {
        let (status, ready) = ready(&role.url).await;
        assert_eq!((status, &ready["status"]), (200, &json!("ready")), "{ready:#}");
        let broker = ready["dependencies"].as_array().expect("a list").iter().find(|one| one["name"] == "broker").expect("named");
        assert_eq!((&broker["state"], &broker["required"]), (&json!("unavailable"), &json!(false)), "{ready:#}");
    }
    proxy.set(Mode::Pass);
    let id = word(&accepted.body, "id");
    let job = testkit::within("it ends", SOON, until_ended(&client, &id)).await.expect("answered");
    assert_eq!(job["state"], "succeeded", "{job:#}");
    for role in [worker, scheduler, producer] {
        let (code, said) = role.stop().await;
        assert_eq!(code, Some(0), "{said}");
    }
}

/// Readiness goes with the database and comes back with it; who is asked to stop meanwhile does so within its bounds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_are_ready_while_the_database_answers() {
    let servers = fresh_servers!();
    let database = servers.database.url();
    let proxy = FaultProxy::start(port_of(&database)).await;
    let home = Home::new().on(&servers).with("FLOTILLA_DATABASE_URL", testkit::servers::through(&database, proxy.port()));
    assert!(home.run(&["migrate"]).status.success());
    let roles = [home.role("producer").await, home.role("scheduler").await, home.role("webhooks-worker").await];
    let all_are = async |wanted: u16| {
        for role in &roles {
            testkit::eventually(&format!("ready says {wanted}"), SOON, async || ready(&role.url).await.0 == wanted).await;
        }
    };
    all_are(200).await;
    proxy.set(Mode::Cut);
    all_are(503).await;
    for role in &roles {
        let (_, body) = ready(&role.url).await;
        assert_eq!((&body["status"], &body["dependencies"][0]["state"]), (&json!("not_ready"), &json!("unavailable")), "{body:#}");
        assert!(!body.to_string().contains(&database), "{body:#}");
    }
    proxy.set(Mode::Pass);
    all_are(200).await;
    proxy.set(Mode::Cut);
    for role in roles {
        let (code, said) = role.stop().await;
        assert!(matches!(code, Some(0 | 1)), "it ended by itself, not by a second signal: {code:?} {said}");
    }
}

/// Who fills the API with connections must not make a platform believe that the process is dead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probes_of_a_producer_can_have_a_port_of_their_own() {
    const CONNECTIONS: usize = 16;
    let servers = fresh_servers!();
    let port = testkit::servers::free_port().expect("a port");
    let home = Home::new().on(&servers).with("FLOTILLA_MAX_CONNECTIONS", CONNECTIONS.to_string());
    let home = home.with("FLOTILLA_ADMIN_LISTEN", format!("127.0.0.1:{port}"));
    assert!(home.run(&["migrate"]).status.success());
    let producer = home.role("producer").await;
    let probes = format!("http://127.0.0.1:{port}");
    testkit::eventually("it is ready", SOON, async || ready(&probes).await.0 == 200).await;
    let address = producer.url.trim_start_matches("http://");
    let mut silent = Vec::new();
    for _ in 0..CONNECTIONS {
        silent.push(TcpStream::connect(address).await.expect("connects"));
    }
    // One more is answered before it has asked anything.
    let refused = async || {
        let mut one_more = TcpStream::connect(address).await.expect("connects");
        let mut said = [0; 12];
        let heard = tokio::time::timeout(Duration::from_millis(500), one_more.read_exact(&mut said)).await;
        matches!(heard, Ok(Ok(_))) && said == *b"HTTP/1.1 503"
    };
    testkit::eventually("the API is full", SOON, refused).await;
    assert_eq!(ready(&probes).await.0, 200);
    drop(silent);
    let (code, said) = producer.stop().await;
    assert_eq!(code, Some(0), "{said}");
}

fn port_of(url: &str) -> u16 {
    let port = url.rsplit_once('@').and_then(|(_, rest)| rest.split(['/', ':']).nth(1)?.parse().ok());
    port.expect("a port")
}

async fn ready(url: &str) -> (u16, Value) {
    let client = reqwest::Client::builder().no_proxy().timeout(SOON).build().expect("a client");
    let answer = client.get(format!("{url}/health/ready")).send().await.expect("answered");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}
