//! How often may one caller ask? Told with every answer, refused with a time, and never at another's cost.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;

use axum::extract::ConnectInfo;
use domain::bounds::WRONG_KEYS_PER_MINUTE;
use producer::{Needs, routes};
use store::Scopes;

use crate::bench::Bench;
use crate::request::{Answer, Call};

async fn limited(per_minute: u32) -> Bench {
    Bench::with(|parts| parts.edge.rate_limit = NonZeroU32::new(per_minute)).await
}

/// Limit, what remains, when it is whole again, when to come again.
fn told(answer: &Answer) -> [&str; 4] {
    ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "retry-after"].map(|name| answer.header(name))
}

#[tokio::test]
async fn a_key_is_told_what_it_may_and_refused_when_that_is_used_up() {
    let b = limited(3).await;
    let first = b.get("/v1/whoami").send().await;
    assert_eq!((first.status.as_u16(), told(&first)), (200, ["3", "2", "20", ""]));
    let missing = b.get("/v1/jobs/none").send().await;
    assert_eq!((missing.status.as_u16(), &told(&missing)[..2]), (404, &["3", "1"][..]), "refusals of handlers count, too");
    let reader = b.mint_key("default", Scopes::READ).await;
    let forbidden = b.get("/v1/audit").key(&reader).send().await;
    assert_eq!((forbidden.status.as_u16(), &told(&forbidden)[..2]), (403, &["3", "2"][..]), "each key by itself");
    let batch = b.post("/v1/jobs/batch", r#"{"jobs":[{"kind":"demo.any","payload":1},{"kind":"demo.any","payload":2}]}"#).send().await;
    assert_eq!((batch.status.as_u16(), told(&batch)[1]), (202, "0"), "a batch is one request");
    let refused = b.post("/v1/jobs", r#"{"kind":"demo.any","payload":3}"#).send().await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (429, "rate_limited"), "{}", refused.text());
    let [limit, remaining, reset, retry] = told(&refused);
    assert_eq!((limit, remaining, reset), ("3", "0", "60"));
    assert!((1..=20).contains(&retry.parse::<u32>().expect("seconds")), "{retry}");
    assert!(refused.json()["hint"].as_str().expect("a hint").contains("FLOTILLA_RATE_LIMIT"));
    assert_eq!(b.jobs().await, 2, "what was refused was not done");
    assert_eq!(b.get("/v1/whoami").key(&reader).send().await.status, 200, "others go on");
}

#[tokio::test]
async fn routes_without_a_key_are_not_limited_and_nothing_is_by_default() {
    let b = limited(1).await;
    for route in routes().iter().filter(|route| route.needs == Needs::Nothing) {
        for _ in 0..3 {
            let answer = b.call(route.method.as_str(), route.path).send().await;
            assert_eq!((answer.status.is_success(), told(&answer)), (true, [""; 4]), "{route:?}");
        }
    }
    let b = Bench::new().await;
    assert_eq!(told(&b.get("/v1/whoami").send().await), [""; 4]);
}

fn from(call: Call, last: u8) -> Call {
    call.extension(ConnectInfo(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)), 40_000)))
}

#[tokio::test]
async fn guessing_keys_is_slow_and_costs_nobody_else() {
    let b = Bench::new().await;
    assert_eq!(from(b.get("/v1/whoami"), 1).send().await.status, 200, "this key is known here");
    let other = b.mint_key("default", Scopes::READ).await;
    let wrong = |n: u32| format!("flt_{n:032x}_{}", "A".repeat(43));
    for n in 0..WRONG_KEYS_PER_MINUTE.get() {
        let answer = from(b.get("/v1/whoami").key(&wrong(n)), 1).send().await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "unauthorized"), "{n}");
    }
    assert_eq!(from(b.get("/v1/whoami"), 1).send().await.status, 200, "whom we know is let in, also from there");
    let new = b.mint_key("default", Scopes::READ).await;
    assert_eq!(from(b.get("/v1/whoami").key(&new), 1).send().await.status, 200, "and whom we do not know yet, a little later");
    assert_eq!(from(b.get("/v1/whoami").key(&wrong(0)), 2).send().await.status, 401, "elsewhere nobody guessed");
    assert_eq!(from(b.get("/v1/whoami").key(&other), 2).send().await.status, 200);
    for header in ["Bearer x", "Basic eDp5"] {
        let answer = from(b.get("/v1/whoami").without_key().header("authorization", header), 1).send().await;
        assert_eq!(answer.status, 401, "what cannot be a key costs nothing to refuse");
    }
}
