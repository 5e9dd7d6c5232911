//! Judges one submission: pure, and complete. Whatever is wrong with it is said at once.

use std::sync::Arc;
use std::time::Duration;

use domain::bounds::{
    ATTEMPTS_MAX, KEY_CHARS_MAX, PAYLOAD_BYTES_MAX, RUN_AT_AHEAD_MAX, TAG_CHARS_MAX, TAGS_MAX, TIMEOUT_MAX, TIMEOUT_MIN, URL_CHARS_MAX,
    VIOLATIONS_MAX,
};
use domain::{Idempotency, NewJob, TenantId, Timestamp, TraceContext, Unique, format_duration, parse_duration};
use serde_json::Value;
use store::Mint;
use url::Url;

use super::{INVALID_JOB, Item, hint};
use crate::catalog::{KnownKind, Snapshot};
use crate::form::{Form, plain};
use crate::json_text::numbers_in_range;
use crate::problem::{Problem, Violation};

const INVALID_PAYLOAD: &str = "invalid_payload";

/// What all submissions of a request have in common.
pub struct Terms {
    pub tenant: TenantId,
    pub now: Timestamp,
    pub trace: TraceContext,
    pub known: Arc<Snapshot>,
    pub mint: Arc<Mint>,
}

/// What is wrong with a submission, and what would help.
struct Faults {
    violations: Vec<Violation>,
    hint: Option<String>,
}

/// Judges all submissions of a request, each with its idempotency key. All are good, or what is wrong is said of as many as fit.
pub fn judge(items: Vec<(Item, Option<String>)>, terms: &Terms) -> Result<Vec<NewJob>, Problem> {
    let mut jobs = Vec::with_capacity(items.len());
    let mut wrong = Vec::new();
    let mut hint = None;
    for (item, key) in items {
        match judge_one(item, key, terms)? {
            Ok(job) => jobs.push(job),
            Err(faults) => {
                wrong.extend(faults.violations);
                hint = hint.or(faults.hint);
            }
        }
        if wrong.len() > VIOLATIONS_MAX {
            break;
        }
    }
    if wrong.is_empty() { Ok(jobs) } else { Err(Problem::invalid(INVALID_JOB, wrong).with_hint(hint)) }
}

/// The outer `Err` ends the whole request: too large, or a defect of ours.
fn judge_one(item: Item, key: Option<String>, terms: &Terms) -> Result<Result<NewJob, Faults>, Problem> {
    let Item { mut form, hash } = item;
    let mut hints = Vec::new();
    let kind = kind(&mut form, terms, &mut hints);
    let payload = payload(&mut form, kind.as_deref())?;
    let queue = queue(&mut form, terms, &mut hints);
    let priority = form.text("priority", str::parse).unwrap_or_default();
    let (run_at, start_before) = times(&mut form, terms.now);
    let max_attempts = attempts(&mut form);
    let timeout = timeout(&mut form);
    let tags = tags(&mut form);
    let unique = unique(&mut form);
    let group = form.text("group", plain(KEY_CHARS_MAX));
    let callback_url = form.text("callback_url", http_url);
    let faults = form.finish();
    let (true, Some(kind), Some(payload)) = (faults.is_empty(), kind, payload) else {
        return Ok(Err(Faults { violations: faults, hint: hints.into_iter().next() }));
    };
    let KnownKind { info, .. } = &*kind;
    Ok(Ok(NewJob {
        id: terms.mint.job(terms.now),
        tenant: terms.tenant.clone(),
        kind: info.name.clone(),
        queue: queue.unwrap_or_else(|| info.queue.clone()),
        priority,
        payload,
        run_at,
        start_before,
        max_attempts: max_attempts.unwrap_or(info.max_attempts),
        timeout: timeout.unwrap_or(info.timeout),
        tags,
        group,
        callback_url,
        unique,
        idempotency: key.zip(hash).map(|(key, request_hash)| Idempotency { key, request_hash }),
        trace: terms.trace,
    }))
}

fn kind(form: &mut Form, terms: &Terms, hints: &mut Vec<String>) -> Option<Arc<KnownKind>> {
    let name = form.required_text("kind", |text| Ok::<_, &str>(text.to_owned()))?;
    let kind = terms.known.kind(&name);
    if kind.is_none() {
        form.fault_as("unknown_kind", "kind", format!("`{}` is not a known kind", name.chars().take(64).collect::<String>()));
        hints.push(hint::of(&name, terms.known.kinds.keys().map(|kind| kind.as_str())));
    }
    kind.cloned()
}

fn queue(form: &mut Form, terms: &Terms, hints: &mut Vec<String>) -> Option<domain::QueueName> {
    let name = form.text("queue", |text| Ok::<_, &str>(text.to_owned()))?;
    let queue = terms.known.queue(&name);
    if queue.is_none() {
        form.fault_as("unknown_queue", "queue", format!("`{}` is not a known queue", name.chars().take(64).collect::<String>()));
        hints.push(hint::of(&name, terms.known.queues.iter().map(|queue| queue.as_str())));
    }
    queue.cloned()
}

/// The payload's text exactly as received, if it fits the kind.
fn payload(form: &mut Form, kind: Option<&KnownKind>) -> Result<Option<Arc<str>>, Problem> {
    let Some(raw) = form.raw("payload") else {
        form.fault_as(INVALID_PAYLOAD, "payload", "is required");
        return Ok(None);
    };
    let pointer = form.pointer("payload");
    let faults = fits(raw.get(), kind, &pointer)?;
    let good = faults.is_empty();
    form.faults(faults);
    Ok(good.then(|| Arc::from(raw.get())))
}

/// What is wrong with a payload at `pointer`. Without a kind only what concerns every payload.
pub fn fits(text: &str, kind: Option<&KnownKind>, pointer: &str) -> Result<Vec<Violation>, Problem> {
    if text.len() > PAYLOAD_BYTES_MAX {
        return Err(Problem::payload_too_large(format!("`{pointer}` has more than {PAYLOAD_BYTES_MAX} bytes")));
    }
    if !numbers_in_range(text) {
        let message = "contains a number beyond the range of a 64-bit float; send it as a string";
        return Ok(vec![Violation::new(INVALID_PAYLOAD, pointer, message)]);
    }
    let Some(kind) = kind else { return Ok(Vec::new()) };
    let Ok(value) = serde_json::from_str::<Value>(text) else {
        return Ok(vec![Violation::new(INVALID_PAYLOAD, pointer, "cannot be read")]);
    };
    let schema = kind.schema().map_err(|error| {
        let error = format!("the schema of kind `{}` does not compile: {error}", kind.info.name);
        Problem::internal(&*Box::<dyn std::error::Error>::from(error))
    })?;
    Ok(schema.violations(&value, pointer))
}

fn times(form: &mut Form, now: Timestamp) -> (Option<Timestamp>, Option<Timestamp>) {
    let run_at: Option<Timestamp> = form.text("run_at", str::parse);
    let delay = form.text("delay", parse_duration);
    let expires_at: Option<Timestamp> = form.text("expires_at", str::parse);
    if run_at.is_some() && delay.is_some() {
        form.fault("delay", "cannot be given together with `run_at`");
        return (None, None); // Which of the two the rest is to agree with is for the caller to say.
    }
    let name = if delay.is_some() { "delay" } else { "run_at" };
    let run_at = run_at.or_else(|| delay.map(|delay| now + delay)).filter(|at| *at > now);
    if run_at.is_some_and(|at| at > now + RUN_AT_AHEAD_MAX) {
        form.fault(name, format!("must be at most {} ahead", format_duration(RUN_AT_AHEAD_MAX)));
    }
    if expires_at.is_some_and(|at| at <= run_at.unwrap_or(now)) {
        form.fault("expires_at", if run_at.is_some() { "must be after the time the job is due" } else { "must be in the future" });
    }
    (run_at, expires_at)
}

fn attempts(form: &mut Form) -> Option<u16> {
    let value = form.given("max_attempts")?;
    let attempts = serde_json::from_str(value.get()).ok().filter(|n| (1..=ATTEMPTS_MAX).contains(n));
    if attempts.is_none() {
        form.fault("max_attempts", format!("must be a whole number from 1 to {ATTEMPTS_MAX}"));
    }
    attempts
}

fn timeout(form: &mut Form) -> Option<Duration> {
    form.text("timeout", |text| {
        let timeout = parse_duration(text).map_err(|error| error.to_string())?;
        let fits = (TIMEOUT_MIN..=TIMEOUT_MAX).contains(&timeout);
        let bounds = || format!("must be from {} to {}", format_duration(TIMEOUT_MIN), format_duration(TIMEOUT_MAX));
        if fits { Ok(timeout) } else { Err(bounds()) }
    })
}

fn tags(form: &mut Form) -> Vec<String> {
    let tags = form.texts("tags").unwrap_or_default();
    if tags.len() > TAGS_MAX {
        form.fault("tags", format!("must be at most {TAGS_MAX}"));
    }
    if let Some(at) = tags.iter().position(|tag| plain(TAG_CHARS_MAX)(tag).is_err()) {
        let message = format!("must be 1 to {TAG_CHARS_MAX} characters without control characters");
        let fault = Violation::new(INVALID_JOB, format!("{}/{at}", form.pointer("tags")), message);
        form.faults(vec![fault]);
    }
    tags
}

fn unique(form: &mut Form) -> Option<Unique> {
    let raw = form.given("unique")?;
    if !raw.get().starts_with('{') {
        form.fault("unique", "must be an object such as {\"key\": \"order-7\", \"for\": \"1h\"}");
        return None;
    }
    let mut inner = Form::of(raw.get(), form.pointer("unique"), INVALID_JOB).ok()?;
    let key = inner.required_text("key", plain(KEY_CHARS_MAX));
    let window = inner.text("for", |text| {
        let window = parse_duration(text).map_err(|error| error.to_string())?;
        let fits = !window.is_zero() && window <= RUN_AT_AHEAD_MAX;
        if fits { Ok(window) } else { Err(format!("must be more than 0s and at most {}", format_duration(RUN_AT_AHEAD_MAX))) }
    });
    form.faults(inner.finish());
    key.map(|key| Unique { key, window })
}

/// An http(s) URL without credentials. Messages never repeat it: its query may hold a secret.
pub fn http_url(text: &str) -> Result<String, String> {
    if text.chars().count() > URL_CHARS_MAX {
        return Err(format!("must have at most {URL_CHARS_MAX} characters"));
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("must not contain spaces or control characters".to_owned());
    }
    let url = Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("must be an http or https URL".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not contain a user name or password".to_owned());
    }
    // What cannot be requested is refused now rather than when it is to be called.
    if url.as_str().parse::<http::Uri>().is_err() {
        return Err("has a host that cannot be read".to_owned());
    }
    Ok(text.to_owned())
}
