//! One delivery against a judging receiver: what is sent, and what each answer makes of it.

use std::time::Duration;

use domain::{Failure, Timestamp, TraceContext};
use kinds::{Deliver, Delivered};
use testkit::receiver::Receiver;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};
use url::Url;
use vault::WebhookSecret;
use webhooks_worker::guard::GuardPolicy;
use webhooks_worker::{Attempt, Deliverer, Delivery};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const ID: &str = "0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f";

pub fn secret() -> WebhookSecret {
    WebhookSecret::from_bytes(&[7; 32]).expect("32 bytes")
}

pub fn payload(data: &str) -> Deliver {
    serde_json::from_str(&format!(r#"{{"endpoint":"default","data":{data}}}"#)).expect("a payload")
}

/// Open to the loopback interface, as a test's operator wants it.
pub fn loopback() -> GuardPolicy {
    GuardPolicy { allow: vec!["127.0.0.0/8".parse().expect("a rule")], ..GuardPolicy::default() }
}

fn now() -> Timestamp {
    let since = std::time::UNIX_EPOCH.elapsed().expect("after 1970");
    Timestamp::from_micros(i64::try_from(since.as_micros()).expect("fits"))
}

pub async fn deliver_to(deliverer: &Deliverer, url: &str, payload: &Deliver) -> Attempt {
    deliver_within(deliverer, url, payload, Duration::from_secs(20)).await
}

pub async fn deliver_within(deliverer: &Deliverer, url: &str, payload: &Deliver, within: Duration) -> Attempt {
    let url: Url = url.parse().expect("a URL");
    let trace: TraceContext = TRACE.parse().expect("a trace");
    deliverer.deliver(&Delivery { url: &url, payload, secret: &secret(), id: ID, at: now(), trace, within }).await
}

pub async fn deliver(url: &str) -> Attempt {
    deliver_to(&Deliverer::new(loopback()), url, &payload("1")).await
}

pub fn failure_of(attempt: Attempt) -> Failure {
    match attempt {
        Attempt::NotDelivered(failure) | Attempt::Unknown(failure) => failure,
        Attempt::Delivered(delivered) => panic!("a failure was expected: {delivered:?}"),
    }
}

pub fn delivered(attempt: Attempt) -> Delivered {
    match attempt {
        Attempt::Delivered(delivered) => delivered,
        Attempt::NotDelivered(failure) | Attempt::Unknown(failure) => panic!("a delivery was expected: {failure:?}"),
    }
}

/// A port where nobody listens, and where nobody else can begin to as long as the socket is kept.
fn closed_port() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((std::net::Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
    let url = format!("http://{}/ok", socket.local_addr().expect("bound"));
    (socket, url)
}

#[tokio::test]
async fn the_exact_bytes_arrive_signed_with_every_header() {
    let receiver = Receiver::with_secret(secret()).await;
    let body = "{ \"b\" : 1.00,\n  \"a\":[ ], \"e\":\"\\u00e9é\", \"n\": 12345678901234567890123 }";
    let text = format!(
        r#"{{"endpoint":"a","data":{body},"content_type":"application/x+json","headers":{{"X-Extra":"v","authorization":"Bearer t"}}}}"#
    );
    let payload: Deliver = serde_json::from_str(&text).expect("a payload");
    let answer = delivered(deliver_to(&Deliverer::new(loopback()), &receiver.url("/ok?x=1#fragment"), &payload).await);
    assert_eq!((answer.status, answer.response.as_deref(), answer.response_truncated), (200, Some("ok"), false));

    let seen = receiver.ledger().only();
    assert_eq!((seen.accepted, seen.bad_signatures), (1, 0));
    assert_eq!(seen.last.body, body.as_bytes());
    assert_eq!(seen.last.uri, "/ok?x=1");
    let agent = concat!("flotilla/", env!("CARGO_PKG_VERSION"));
    let expected = [("webhook-id", ID), ("traceparent", TRACE), ("content-type", "application/x+json"), ("x-extra", "v")];
    for (name, value) in expected.into_iter().chain([("authorization", "Bearer t"), ("user-agent", agent)]) {
        assert_eq!(seen.last.header(name), value, "{name}");
    }
    for absent in ["accept-encoding", "referer", "cookie"] {
        assert_eq!(seen.last.header(absent), "", "{absent}");
    }
}

#[tokio::test]
async fn an_independent_verifier_accepts_what_arrived() {
    let receiver = Receiver::with_secret(secret()).await;
    delivered(deliver(&receiver.url("/ok")).await);
    let seen = receiver.ledger().only().last;
    let theirs = standardwebhooks::Webhook::new(&secret().to_text()).expect("their parser takes our text");
    theirs.verify(&seen.body, &seen.headers).expect("they accept it");
}

#[tokio::test]
async fn a_receiver_with_another_secret_refuses_it() {
    let receiver = Receiver::with_secret(WebhookSecret::from_bytes(&[8; 32]).expect("32 bytes")).await;
    assert_eq!(failure_of(deliver(&receiver.url("/ok")).await).code, "http_401");
    assert_eq!(receiver.ledger().totals().bad_signatures, 1);
}

#[tokio::test]
async fn a_header_of_ours_cannot_be_replaced() {
    let receiver = Receiver::with_secret(secret()).await;
    let text = r#"{"endpoint":"a","data":1,"headers":{"Webhook-Id":"forged","WEBHOOK-TIMESTAMP":"1"}}"#;
    let payload: Deliver = serde_json::from_str(text).expect("decodes; `check` would refuse it");
    delivered(deliver_to(&Deliverer::new(loopback()), &receiver.url("/ok"), &payload).await);
    assert_eq!(receiver.ledger().only().last.header("webhook-id"), ID);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let receiver = Receiver::with_secret(secret()).await;
    for code in [301, 302, 303, 307, 308] {
        let failure = failure_of(deliver(&receiver.url(&format!("/status/{code}?location=/ok"))).await);
        assert_eq!((failure.code.as_str(), failure.class.as_str()), ("redirect_refused", "transient"), "{code}");
    }
    assert_eq!(receiver.ledger().only().accepted, 0);
}

#[tokio::test]
async fn a_wait_that_the_receiver_asks_for_is_passed_on() {
    let receiver = Receiver::with_secret(secret()).await;
    let limited = failure_of(deliver(&receiver.url("/status/429?retry_after=100")).await);
    assert_eq!(limited.class.as_str(), "rate_limited");
    let away = failure_of(deliver(&receiver.url("/status/503?retry_after=100")).await);
    let wait = away.not_before.expect("a floor").since(now()).as_secs();
    assert!((90..=100).contains(&wait), "{wait}");
}

#[tokio::test]
async fn of_a_long_answer_the_beginning_is_kept() {
    let receiver = Receiver::with_secret(secret()).await;
    for (bytes, truncated) in [(1_024, false), (1_025, true), (65_535, true), (65_536, true), (5_000_000, true)] {
        let answer = delivered(deliver(&receiver.url(&format!("/big/{bytes}"))).await);
        assert_eq!(answer.response.expect("a response").len(), 1_024, "{bytes}");
        assert_eq!(answer.response_truncated, truncated, "{bytes}");
    }
    assert_eq!(delivered(deliver(&receiver.url("/big/0")).await).response, None);
}

#[tokio::test]
async fn silence_and_a_broken_connection_leave_the_outcome_unknown() {
    let receiver = Receiver::with_secret(secret()).await;
    let deliverer = Deliverer::new(loopback());
    let silent = deliver_within(&deliverer, &receiver.url("/hang"), &payload("1"), Duration::from_millis(300)).await;
    assert!(matches!(&silent, Attempt::Unknown(failure) if failure.code == "timeout"), "{silent:?}");
    let broken = deliver(&receiver.url("/drop")).await;
    assert!(matches!(&broken, Attempt::Unknown(failure) if failure.code == "connection_broken"), "{broken:?}");
    assert_eq!(receiver.ledger().totals().attempts, 2, "nothing is repeated behind our back");
}

#[tokio::test]
async fn a_closed_port_is_known_not_to_have_been_reached() {
    let (_kept, url) = closed_port();
    let attempt = deliver(&url).await;
    assert!(matches!(&attempt, Attempt::NotDelivered(failure) if failure.code == "connect_failed"), "{attempt:?}");
}

#[tokio::test]
async fn a_receiver_without_tls_is_told_as_such() {
    let receiver = Receiver::with_secret(secret()).await;
    let attempt = deliver(&receiver.url("/ok").replace("http:", "https:")).await;
    assert!(matches!(&attempt, Attempt::NotDelivered(failure) if failure.code == "tls_failed"), "{attempt:?}");
    assert_eq!(receiver.ledger().totals().attempts, 0);
}

#[tokio::test]
async fn an_answer_that_is_no_http_leaves_the_outcome_unknown() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("bound"));
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut request = [0; 64];
        let _read = stream.read(&mut request).await.expect("a request");
        stream.write_all(b"SSH-2.0-OpenSSH_9.9\r\n").await.expect("writes");
    });
    let attempt = deliver(&url).await;
    server.await.expect("served");
    assert!(matches!(&attempt, Attempt::Unknown(failure) if failure.code == "connection_broken"), "{attempt:?}");
}

#[tokio::test]
async fn literal_addresses_are_judged_although_no_resolver_is_asked() {
    let receiver = Receiver::with_secret(secret()).await;
    let port = receiver.addr.port();
    let deliverer = Deliverer::new(GuardPolicy { http_public: true, ports: vec![port, 80, 443], ..GuardPolicy::default() });
    for host in ["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "[::ffff:127.0.0.1]", "１２７.0.0.1", "localhost"] {
        let failure = failure_of(deliver_to(&deliverer, &format!("http://{host}:{port}/ok"), &payload("1")).await);
        assert_eq!((failure.code.as_str(), failure.class.as_str()), ("target_refused", "permanent"), "{host}");
    }
    assert_eq!(receiver.ledger().totals().attempts, 0);
}

#[tokio::test]
async fn no_failure_tells_the_query_or_a_secret() {
    let receiver = Receiver::with_secret(secret()).await;
    let (_kept, closed) = closed_port();
    let urls = [
        receiver.url("/status/404"),
        receiver.url("/drop"),
        receiver.url("/status/302"),
        closed,
        "ftp://example.com/".to_owned(),
        "http://u:hunter2@10.0.0.1/".to_owned(),
    ];
    for url in urls {
        let failure = failure_of(deliver(&format!("{url}?token=hunter2")).await);
        let shown = format!("{failure:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("whsec_") && !shown.contains("v1,"), "{shown}");
    }
}

/// Runs another test of this binary under an environment that names proxies: all of them lead nowhere.
#[test]
fn proxies_of_the_environment_are_not_used() {
    let this = std::env::current_exe().expect("a test binary");
    let mut child = std::process::Command::new(this);
    child.args(["--exact", "deliveries::an_independent_verifier_accepts_what_arrived"]);
    for name in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        child.env(name, "http://127.0.0.1:1");
    }
    let output = child.env_remove("no_proxy").env_remove("NO_PROXY").output().expect("runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
