//! What is submitted? All kinds of jobs, quick and slow, now and later, alone and in batches: a function of the seed and a number.

use std::time::Duration;

use serde_json::{Value, json};

use super::dice::Dice;

/// Enough for what faults do to one delivery; the waits between that many are below two minutes.
const WEBHOOK_ATTEMPTS: u32 = 6;
/// Of jobs in a submission, on average: what a rate is reckoned with.
pub const MEAN_JOBS: f64 = 4.0;

/// One request, as it will be sent until it is answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    /// Its idempotency key, which its jobs carry as a tag.
    pub name: String,
    pub path: &'static str,
    pub body: String,
    /// The first of its jobs is cancelled so long after it was accepted.
    pub cancel_after: Option<Duration>,
}

/// The tag of the jobs of a submission.
pub fn tag(name: &str) -> String {
    format!("from:{name}")
}

/// The effect that a job of this kind makes before it succeeds.
pub fn effect_of(kind: &str) -> Option<&'static str> {
    match kind {
        "webhooks.deliver" => Some("deliver"),
        "chaos.repeat" | "chaos.verify" | "chaos.hold" => Some("post"),
        _ => None,
    }
}

/// The submission of this number.
pub fn wish(seed: u64, number: u64, judge: &str) -> Wish {
    let mut dice = Dice::of(seed, number);
    let name = format!("s{seed}-{number}");
    let cancel_after = dice.percent(8).then(|| Duration::from_millis(dice.between(0, 2_000)));
    if dice.percent(50) {
        let body = job(&mut dice, judge, &name, 0).to_string();
        return Wish { name, path: "/v1/jobs", body, cancel_after };
    }
    let jobs = if dice.percent(50) { dice.between(2, 4) } else { dice.between(6, 16) };
    let jobs: Vec<Value> = (0..jobs).map(|item| job(&mut dice, judge, &name, item)).collect();
    Wish { name, path: "/v1/jobs/batch", body: json!({ "jobs": jobs }).to_string(), cancel_after }
}

/// Quick jobs in such a number that hints wait in the broker for a moment.
pub fn burst(name: &str, judge: &str, kind: Burst) -> Wish {
    let deliver = |item: u64| json!({ "kind": "webhooks.deliver", "max_attempts": WEBHOOK_ATTEMPTS, "tags": [tag(name)], "payload": { "url": format!("{judge}/late/150"), "data": { "from": name, "item": item } } });
    let plain = |_: u64| json!({ "kind": "chaos.plain", "tags": [tag(name)], "payload": { "ms": 150 } });
    let jobs: Vec<Value> = match kind {
        Burst::Deliveries => (0..BURST).map(deliver).collect(),
        Burst::Plain => (0..BURST).map(plain).collect(),
    };
    Wish { name: name.to_owned(), path: "/v1/jobs/batch", body: json!({ "jobs": jobs }).to_string(), cancel_after: None }
}

/// Jobs of a burst.
const BURST: u64 = 300;

/// What a burst is of, and so which queue it fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Burst {
    Deliveries,
    Plain,
}

fn job(dice: &mut Dice, judge: &str, name: &str, item: u64) -> Value {
    let mut job = if dice.percent(50) { delivery(dice, judge, name, item) } else { tested(dice, judge) };
    job["tags"] = json!([tag(name)]);
    if dice.percent(30) {
        job["priority"] = json!(dice.pick(&["critical", "high", "low", "bulk"]));
    }
    if dice.percent(10) {
        job["delay"] = json!(format!("{}s", dice.between(1, 20)));
    }
    job
}

fn delivery(dice: &mut Dice, judge: &str, name: &str, item: u64) -> Value {
    let behaviour = match dice.between(1, 100) {
        1..=35 => "ok".to_owned(),
        36..=70 => format!("late/{}", dice.between(20, 400)),
        71..=80 => format!("late/{}", dice.between(1_000, 4_000)),
        81..=88 => format!("fail/{}", dice.between(1, 2)),
        89..=92 => "rate/1".to_owned(),
        93..=97 => format!("slow/{}", dice.between(100, 1_500)),
        _ => "status/410".to_owned(),
    };
    let payload = json!({ "url": format!("{judge}/{behaviour}"), "data": { "from": name, "item": item } });
    json!({ "kind": "webhooks.deliver", "max_attempts": WEBHOOK_ATTEMPTS, "payload": payload })
}

fn tested(dice: &mut Dice, judge: &str) -> Value {
    let mut effect = |kind: &str| {
        let payload = json!({ "judge": judge, "before_ms": dice.between(0, 300), "answer_ms": dice.between(0, 400), "after_ms": dice.between(0, 300) });
        (kind.to_owned(), payload)
    };
    let effects = [effect("chaos.repeat"), effect("chaos.verify"), effect("chaos.hold")];
    let (kind, payload) = match dice.between(1, 100) {
        1..=20 => effects[0].clone(),
        21..=40 => effects[1].clone(),
        41..=52 => effects[2].clone(),
        53..=75 => ("chaos.plain".to_owned(), json!({ "ms": dice.between(10, 800) })),
        76..=84 => ("chaos.plain".to_owned(), json!({ "ms": dice.between(1_000, 5_000) })),
        85..=89 => ("chaos.deaf".to_owned(), json!({ "ms": dice.between(100, 1_500) })),
        _ => ("chaos.fail".to_owned(), json!({ "attempts": dice.between(1, 2), "ms": dice.between(0, 200) })),
    };
    json!({ "kind": kind, "payload": payload })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_submission_is_a_function_of_seed_and_number() {
        assert_eq!(wish(1, 5, "http://j"), wish(1, 5, "http://j"));
        assert_ne!(wish(1, 5, "http://j").body, wish(2, 5, "http://j").body);
        assert_ne!(wish(1, 5, "http://j").body, wish(1, 6, "http://j").body);
    }

    #[test]
    fn there_is_some_of_everything() {
        let wishes: Vec<Wish> = (0..2_000).map(|number| wish(3, number, "http://j")).collect();
        let parsed: Vec<Value> = wishes.iter().map(|wish| serde_json::from_str(&wish.body).expect("JSON")).collect();
        let jobs: Vec<&Value> =
            parsed.iter().flat_map(|body| body["jobs"].as_array().map_or(vec![body], |jobs| jobs.iter().collect())).collect();
        let kinds: BTreeSet<&str> = jobs.iter().map(|job| job["kind"].as_str().expect("a kind")).collect();
        assert_eq!(
            kinds.into_iter().collect::<Vec<_>>(),
            ["chaos.deaf", "chaos.fail", "chaos.hold", "chaos.plain", "chaos.repeat", "chaos.verify", "webhooks.deliver"]
        );
        let share = |is: &dyn Fn(&Value) -> bool| jobs.iter().filter(|job| is(job)).count() * 100 / jobs.len();
        assert!((8..=12).contains(&share(&|job| !job["delay"].is_null())));
        assert!((25..=35).contains(&share(&|job| !job["priority"].is_null())));
        assert!((4..=12).contains(&(wishes.iter().filter(|wish| wish.cancel_after.is_some()).count() * 100 / wishes.len())));
        let mean = jobs.len() as f64 / wishes.len() as f64;
        assert!((mean - MEAN_JOBS).abs() < 0.4, "{mean} jobs in a submission, on average");
    }
}
