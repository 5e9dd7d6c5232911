//! Names are judged by what they resolve to, each time they are resolved.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use testkit::receiver::Receiver;
use webhooks_worker::guard::{GuardPolicy, Lookup};
use webhooks_worker::{Attempt, Deliverer};

use crate::deliveries::{deliver_to, failure_of, payload, secret};

/// A name server that answers from a list, then fails.
#[derive(Default)]
struct Scripted {
    answers: Mutex<VecDeque<Vec<IpAddr>>>,
    asked: Mutex<Vec<String>>,
}

impl Lookup for Scripted {
    fn lookup<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        self.asked.lock().push(host.to_owned());
        let answer = self.answers.lock().pop_front().ok_or_else(|| io::Error::other("no such name"));
        Box::pin(async move { answer })
    }
}

fn scripted(answers: &[&[&str]]) -> Arc<Scripted> {
    let answers = answers.iter().map(|answer| answer.iter().map(|ip| ip.parse().expect("an address")).collect()).collect();
    Arc::new(Scripted { answers: Mutex::new(answers), asked: Mutex::default() })
}

fn policy(allow: &str) -> GuardPolicy {
    GuardPolicy { allow: vec![allow.parse().expect("a rule")], http_public: true, ports: vec![80, 443] }
}

async fn attempt(deliverer: &Deliverer, url: &str) -> Attempt {
    deliver_to(deliverer, url, &payload("1")).await
}

#[tokio::test]
async fn a_name_is_connected_to_at_the_address_that_was_checked() {
    let receiver = Receiver::with_secret(secret()).await;
    let lookup = scripted(&[&["127.0.0.1"]]);
    let deliverer = Deliverer::with_lookup(policy(&format!("127.0.0.1:{}", receiver.addr.port())), Arc::clone(&lookup) as Arc<dyn Lookup>);
    let url = format!("http://hooks.example:{}/ok", receiver.addr.port());
    assert!(matches!(attempt(&deliverer, &url).await, Attempt::Delivered(_)));
    assert_eq!(receiver.ledger().only().last.header("host"), format!("hooks.example:{}", receiver.addr.port()));
    assert_eq!(*lookup.asked.lock(), ["hooks.example"], "looked up once: what was checked is what was connected to");
}

/// First an address that may be reached, then the attacker's real aim.
#[tokio::test]
async fn an_answer_that_changes_is_judged_again() {
    let receiver = Receiver::with_secret(secret()).await;
    let port = receiver.addr.port();
    // 127.0.0.2 plays the public address: allowed, and nobody listens there.
    let lookup = scripted(&[&["127.0.0.2"], &["127.0.0.1"], &["127.0.0.1"]]);
    let deliverer = Deliverer::with_lookup(policy(&format!("127.0.0.2:{port}")), lookup);
    let url = format!("http://rebind.example:{port}/ok");
    assert_eq!(failure_of(attempt(&deliverer, &url).await).code, "connect_failed");
    for _ in 0..2 {
        assert_eq!(failure_of(attempt(&deliverer, &url).await).code, "target_refused");
    }
    assert_eq!(receiver.ledger().totals().attempts, 0);
}

#[tokio::test]
async fn one_bad_address_among_good_ones_spoils_the_name() {
    let receiver = Receiver::with_secret(secret()).await;
    let port = receiver.addr.port();
    for mixed in [["127.0.0.1", "10.0.0.1"], ["10.0.0.1", "127.0.0.1"], ["127.0.0.1", "::ffff:169.254.169.254"]] {
        let deliverer = Deliverer::with_lookup(policy(&format!("127.0.0.1:{port}")), scripted(&[&mixed]));
        let failure = failure_of(attempt(&deliverer, &format!("http://mixed.example:{port}/ok")).await);
        assert_eq!((failure.code.as_str(), failure.class.as_str()), ("target_refused", "permanent"), "{mixed:?}");
        assert!(!failure.message.contains("10.0.0.1"), "what a name resolves to inside is not told: {failure:?}");
    }
    assert_eq!(receiver.ledger().totals().attempts, 0);
}

/// A rule with a port must not open the address's other ports to a name: the resolver does not see the URL's port.
#[tokio::test]
async fn a_rule_for_one_port_opens_no_other_port_to_a_name() {
    let receiver = Receiver::with_secret(secret()).await;
    let port = receiver.addr.port();
    let public_port = GuardPolicy { ports: vec![port], ..policy("127.0.0.1:1") };
    let deliverer = Deliverer::with_lookup(public_port, scripted(&[&["127.0.0.1"]]));
    assert_eq!(failure_of(attempt(&deliverer, &format!("http://ports.example:{port}/ok")).await).code, "target_refused");
    assert_eq!(receiver.ledger().totals().attempts, 0);
}

#[tokio::test]
async fn localhost_is_refused_by_what_it_resolves_to() {
    let deliverer = Deliverer::new(GuardPolicy { http_public: true, ports: vec![443, 80], ..GuardPolicy::default() });
    for url in ["https://localhost/", "http://LOCALHOST/"] {
        assert_eq!(failure_of(attempt(&deliverer, url).await).code, "target_refused", "{url}");
    }
    // Not every system's resolver knows it with a dot; none may let it through.
    let dotted = failure_of(attempt(&deliverer, "http://localhost./").await).code;
    assert!(["target_refused", "dns_failed"].contains(&dotted.as_str()), "{dotted}");
}

#[tokio::test]
async fn a_name_without_answer_may_have_one_later() {
    let deliverer = Deliverer::with_lookup(policy("10.0.0.1"), scripted(&[&[]]));
    for _ in 0..2 {
        let attempt = attempt(&deliverer, "https://gone.example/").await;
        let Attempt::NotDelivered(failure) = attempt else { panic!("{attempt:?}") };
        assert_eq!((failure.code.as_str(), failure.class.as_str()), ("dns_failed", "transient"));
    }
}
