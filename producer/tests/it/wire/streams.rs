//! Streams of events on a real connection: cut off in the middle, taken up again, ended by a stop.

use coordination::{Feed, FeedEntry, FeedEvent, FeedId};
use domain::JobId;
use tokio::io::AsyncReadExt;

use super::{Client, PATIENCE, Served};

async fn say(served: &Served, job: JobId, seqs: std::ops::RangeInclusive<u64>) {
    for seq in seqs {
        let event = FeedEvent::Output { text: format!("piece {seq}") };
        served.bench.coordination.append(job, FeedEntry { id: FeedId { run: 1, seq }, event }).await.expect("appended");
    }
}

/// A reader of HTTP/1.0: what it gets is the stream itself, without the sizes of pieces.
async fn follow(served: &Served, job: JobId, last: &str) -> Client {
    let mut client = served.connect().await;
    let key = &served.bench.key;
    let resume = if last.is_empty() { String::new() } else { format!("last-event-id: {last}\r\n") };
    client
        .send(format!(
            "GET /v1/jobs/{job}/events HTTP/1.0\r\nhost: x\r\nauthorization: Bearer {key}\r\naccept-encoding: gzip\r\n{resume}\r\n"
        ))
        .await;
    client
}

/// Reads until the text is there.
async fn until(client: &mut Client, wanted: &str) -> String {
    let mut bytes = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&bytes).contains(wanted) {
            assert!(client.0.read_buf(&mut bytes).await.expect("readable") > 0, "it ended early: {}", String::from_utf8_lossy(&bytes));
        }
    };
    let read = tokio::time::timeout(PATIENCE, reading).await;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    assert!(read.is_ok(), "{wanted} did not come: {text}");
    text
}

/// The numbers of the events in a text, in their order.
fn seqs(text: &str) -> Vec<u64> {
    let ids = text.lines().filter_map(|line| line.strip_prefix("id: 1-"));
    ids.filter_map(|seq| seq.parse().ok()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_was_cut_off_goes_on_without_loss() {
    let served = Served::new().await;
    let job = served.bench.submitted().await;
    say(&served, job, 1..=5).await;
    let mut first = follow(&served, job, "").await;
    let text = until(&mut first, "piece 5").await;
    assert!(text.starts_with("HTTP/1.") && text.contains(" 200 ") && text.contains("event: state"), "{text}");
    assert!(!text.to_ascii_lowercase().contains("content-encoding"), "a stream is never compressed: {text}");
    let before = seqs(&text);
    drop(first);
    say(&served, job, 6..=40).await;
    let last = before.last().expect("some came").to_string();
    let mut second = follow(&served, job, &format!("1-{last}")).await;
    let text = until(&mut second, "piece 40").await;
    let all: Vec<u64> = before.into_iter().chain(seqs(&text)).collect();
    assert_eq!(all, (1..=40).collect::<Vec<_>>(), "each once, none missing");
    assert!(!text.contains("event: gap"), "{text}");
    served.bench.succeed(job, "1").await;
    let rest = second.rest().await;
    assert!(rest.contains(r#""state":"succeeded""#), "the end of the job is the end of the stream: {rest}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_ends_streams() {
    let served = Served::new().await;
    let job = served.bench.submitted().await;
    let mut reader = follow(&served, job, "").await;
    until(&mut reader, "\n\n").await;
    served.bench.stopping.cancel();
    served.stop.cancel();
    let rest = reader.rest().await;
    assert!(rest.ends_with("\n\n"), "it ends behind an event: {rest}");
    tokio::time::timeout(PATIENCE, served.serving).await.expect("ends in time").expect("no panic");
}
