//! What schedulers keep in order at the broker and in the database: messages that are no hints, deaths, partitions.

use serde_json::json;
use testkit::servers::{Database, Message, Vhost};
use testkit::{eventually, within};

use chaos::client::until_ended;
use chaos::fleet::{SOON, Urls};
use chaos::fresh_servers;
use chaos::hints::CLASS_QUEUE;
use chaos::stage::Stage;

const DEAD_QUEUE: &str = "flotilla.v1.dead.webhooks";
const RECORDER: &str = "flotilla.v1.dead_recorder";
const CONTENT_TYPE: &str = "application/vnd.flotilla.hint.v1";

/// What is no hint: why, its content type, its bytes.
fn strangers() -> [(&'static str, &'static str, Vec<u8>); 4] {
    [
        ("unparsable", CONTENT_TYPE, b"\x01\xff\x00garbage".to_vec()),
        ("unparsable", "application/json", br#"{"hello": "stranger"}"#.to_vec()),
        ("unknown_version", "application/vnd.flotilla.hint.v9", b"\x09".to_vec()),
        ("oversized", CONTENT_TYPE, vec![1; 100_000]),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_hint_is_recorded_once_and_disturbs_nobody() {
    let servers = fresh_servers!();
    let (database, vhost) = (&servers.database, &servers.vhost);
    let mut stage = Stage::on(&Urls::of(&servers)).await;
    let worker = stage.fleet.worker(10).await;
    eventually("there is a queue for them", SOON, async || vhost.queue(CLASS_QUEUE).await).await;
    for (number, (_, content_type, bytes)) in strangers().into_iter().enumerate() {
        let properties = json!({ "message_id": format!("stranger-{number}"), "content_type": content_type });
        assert!(vhost.publish_raw("", CLASS_QUEUE, &bytes, properties).await, "routed");
    }
    stage.submit(20, 0).await;
    stage.done_once(database, 20, SOON).await;
    let mut expected: Vec<Vec<String>> = (0..)
        .zip(strangers())
        .map(|(number, (reason, _, bytes))| {
            [format!("stranger-{number}"), reason.to_owned(), CLASS_QUEUE.to_owned(), bytes.len().to_string()].to_vec()
        })
        .collect();
    expected.sort();
    let recorded = "select message_id, reason, queue, bytes from poison order by 1";
    eventually("all of them are recorded", SOON, async || {
        let rows = database.ask(recorded).await;
        if rows.len() >= expected.len() { Ok(()) } else { Err(format!("{rows:?}\n{}", stage.scheduler.said())) }
    })
    .await;
    rests(vhost, 4).await;

    // More work, a second scheduler: nothing of it comes round again.
    let second = stage.fleet.scheduler().await;
    stage.submit(20, 0).await;
    stage.done_once(database, 40, SOON).await;
    rests(vhost, 4).await;
    assert_eq!(database.ask(recorded).await, expected, "message id, reason, queue, bytes");
    let counted = stage.scheduler.metric("flotilla_poison_messages_total").await + second.metric("flotilla_poison_messages_total").await;
    assert_eq!(counted, 4.0);
    let kept = vhost.peek(DEAD_QUEUE, 10).await;
    assert_eq!(kept.len(), 4, "operators find them as they were");
    assert!(strangers().iter().all(|(_, _, bytes)| kept.iter().any(|message| message.body == *bytes)));
    // I10: what is in such a message is nobody's business.
    assert!(!stage.scheduler.log_text().contains("hello"), "{}", stage.scheduler.said());
    assert!(stage.scheduler.log_text().contains("WARN"), "{}", stage.scheduler.said());
    stage.stop([worker, second]).await;
}

/// Waits until nothing is on its way, and `dead` messages are kept for operators.
async fn rests(vhost: &Vhost, dead: u64) {
    eventually("nothing is on its way", SOON, async || {
        let queues = vhost.queues().await;
        let count = |name: &str| queues.iter().find(|queue| queue.name == name).and_then(|queue| queue.messages);
        let found = [CLASS_QUEUE, RECORDER, DEAD_QUEUE].map(count);
        if found == [Some(0), Some(0), Some(dead)] { Ok(()) } else { Err(format!("class queue, recorder, dead: {found:?}")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_is_announced_at_the_broker() {
    let servers = fresh_servers!();
    let stage = Stage::on(&Urls::of(&servers)).await;
    let worker = stage.fleet.worker(10).await;
    let refused = stage.judge.url("/status/404");
    let job = json!({ "kind": "webhooks.deliver", "payload": { "url": refused, "data": "secret words" } });
    let made = stage.client.post("/v1/jobs", &job).await.expect("accepted").body;
    let id = made["id"].as_str().expect("an id");
    let job = within("it ends", SOON, until_ended(&stage.client, id)).await.expect("answered");
    assert_eq!(job["state"], "dead", "{job:#}");
    let notice = eventually("its death is announced", SOON, async || {
        vhost_has(&servers.vhost, DEAD_QUEUE).await.ok_or_else(|| stage.scheduler.said())
    })
    .await;
    let properties = &notice.properties;
    assert_eq!(properties["message_id"], format!("{id}.1"));
    let headers = &properties["headers"];
    assert_eq!((&headers["kind"], &headers["attempts"]), (&json!("webhooks.deliver"), &json!(1)), "{properties:#}");
    assert!(["reason", "fingerprint"].iter().all(|name| headers[name].as_str().is_some_and(|text| !text.is_empty())), "{properties:#}");
    assert!(!String::from_utf8_lossy(&notice.body).contains("secret") && !properties.to_string().contains("secret"), "{notice:?}");
    eventually("that is noted", SOON, async || announced(&servers.database).await == [["t"]]).await;
    assert_eq!(servers.vhost.peek(DEAD_QUEUE, 10).await.len(), 1, "once");
    stage.stop([worker]).await;
}

async fn vhost_has(vhost: &Vhost, queue: &str) -> Option<Message> {
    vhost.peek(queue, 1).await.pop()
}

async fn announced(database: &Database) -> Vec<Vec<String>> {
    database.ask("select announced from dead_letter").await
}

/// Any scheduler that starts makes those that are missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_are_made_ahead() {
    const TABLES: [&str; 4] = ["job", "job_event", "job_log", "effect"];
    let servers = fresh_servers!();
    let database = &servers.database;
    let stage = Stage::on(&Urls::of(&servers)).await;
    let question = "select inhparent::regclass::text, count(*) from pg_inherits where inhparent::regclass::text
        in ('job', 'job_event', 'job_log', 'effect') group by 1 order by 1";
    let whole = database.ask(question).await;
    assert!(whole.len() == TABLES.len() && whole.iter().all(|row| row[1].parse::<u32>().is_ok_and(|count| count >= 8)), "{whole:?}");
    for table in TABLES {
        let last =
            database.ask(&format!("select max(inhrelid::regclass::text) from pg_inherits where inhparent = '{table}'::regclass")).await;
        database.ask(&format!("drop table {}", last[0][0])).await;
    }
    let (one, other) = tokio::join!(stage.fleet.scheduler(), stage.fleet.scheduler());
    eventually("they are made again", SOON, async || {
        let found = database.ask(question).await;
        if found == whole { Ok(()) } else { Err(format!("{found:?}\n{}{}", one.said(), other.said())) }
    })
    .await;
    eventually("the gauge tells", SOON, async || one.metric("flotilla_partitions_ahead").await >= 8.0).await;
    stage.stop([one, other]).await;
}
