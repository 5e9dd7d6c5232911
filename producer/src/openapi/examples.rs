//! What do requests and answers look like? One example of each shape; the tests hold them to their schemas.

use serde_json::{Value, json};

pub const JOB: &str = "01a1f874-984a-7140-9eed-3a2eb87d3a1b";
pub const ID: &str = "01a1f87d-11f0-7b66-8d2c-6f0a3f9d1c55";
const WORKER: &str = "01a1f870-0c2e-7f10-9f4e-5a9d4c1b2e77";
pub const AT: &str = "2026-11-20T09:00:00.000000Z";
const LATER: &str = "2026-11-20T09:00:01.250000Z";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

pub fn submission() -> Value {
    json!({
        "kind": "webhooks.deliver",
        "payload": { "url": "https://example.com/hook", "data": { "hello": 1 } },
        "priority": "high",
        "tags": ["nightly"],
    })
}

pub fn batch() -> Value {
    json!({ "jobs": [submission(), { "kind": "webhooks.deliver", "payload": { "url": "https://example.com/hook", "data": 2 } }] })
}

/// A job that waits for its slot, without payload and result.
pub fn queued() -> Value {
    json!({
        "id": JOB, "tenant": "default", "kind": "webhooks.deliver", "queue": "webhooks", "priority": "high", "state": "queued",
        "waiting_for": null, "run": 0, "attempt": 0, "max_attempts": 10, "crashes": 0, "cancel_requested": false,
        "created_at": AT, "run_at": AT, "expires_at": null, "started_at": null, "finished_at": null, "worker": null,
        "progress": null, "error": null, "tags": ["nightly"], "group": null, "callback_url": null, "timeout": "30s",
        "trace_id": TRACE,
    })
}

fn with(mut object: Value, members: Value) -> Value {
    if let (Some(object), Value::Object(members)) = (object.as_object_mut(), members) {
        object.extend(members);
    }
    object
}

/// A job that has succeeded, as a whole.
pub fn succeeded() -> Value {
    let payload = json!({ "url": "https://example.com/hook", "data": { "hello": 1 } });
    let end = json!({
        "state": "succeeded", "run": 1, "attempt": 1, "started_at": AT, "finished_at": LATER, "worker": WORKER,
        "progress": { "percent": 100 }, "payload": payload, "result": { "status": 204 },
    });
    with(queued(), end)
}

pub fn dead() -> Value {
    let error = json!({ "class": "permanent", "code": "http_410", "message": "the receiver is gone", "hint": "remove the endpoint" });
    let end = json!({ "state": "dead", "run": 1, "attempt": 1, "started_at": AT, "finished_at": LATER, "worker": WORKER, "error": error });
    with(queued(), end)
}

pub fn cancelled() -> Value {
    with(queued(), json!({ "state": "cancelled", "finished_at": LATER }))
}

pub fn asked_to_stop() -> Value {
    with(queued(), json!({ "state": "running", "run": 1, "attempt": 1, "started_at": AT, "worker": WORKER, "cancel_requested": true }))
}

pub fn waiting() -> Value {
    with(queued(), json!({ "state": "waiting", "waiting_for": "time", "run_at": "2026-11-21T09:00:00.000000Z" }))
}

pub fn job_page() -> Value {
    json!({ "jobs": [dead()], "cursor": JOB })
}

pub fn batch_answer() -> Value {
    json!({ "jobs": [
        { "id": JOB, "kind": "webhooks.deliver", "queue": "webhooks", "priority": "high", "state": "queued" },
        { "id": ID, "idempotency_replayed": true },
    ] })
}

pub fn timeline() -> Value {
    let step = |from: Value, to: &str, run: u32, actor: &str| json!({ "at": AT, "run": run, "from": from, "to": to, "waiting_for": null, "actor": actor, "data": null });
    let worker = format!("worker:{WORKER}");
    json!({ "timeline": [
        step(json!(null), "queued", 0, "intake"),
        step(json!("queued"), "running", 1, &worker),
        step(json!("running"), "succeeded", 1, &worker),
    ] })
}

pub fn logs() -> Value {
    json!({ "logs": [{ "run": 1, "lines": [{ "at": AT, "level": "info", "message": "delivered" }], "output": null }] })
}

/// A stream from its start to its end.
pub fn events() -> Value {
    let state = |job: Value| format!("event: state\ndata: {job}\n\n");
    let progress = "id: 1-1\nevent: progress\ndata: {\"percent\":50}\n\n";
    json!(format!("retry: 1000\n\n{}{progress}{}", state(asked_to_stop()), state(cancelled())))
}

pub fn operation() -> Value {
    json!({
        "id": ID, "action": "retry", "filter": { "state": "dead", "kind": "webhooks.deliver" }, "reason": "the receiver is back",
        "actor": "key:ops", "state": "running", "looked_at": 500, "done": 498, "skipped": 2, "created_at": AT, "updated_at": LATER,
        "finished_at": null,
    })
}

pub fn replay_operation() -> Value {
    json!({
        "id": ID, "action": "retry", "dead_letters": { "fingerprint": "webhooks.deliver/permanent/http_410" }, "reason": "the receiver is back",
        "actor": "key:ops", "state": "canary", "canary": 5, "looked_at": 5, "done": 5, "skipped": 0, "created_at": AT,
        "updated_at": LATER, "finished_at": null,
    })
}

pub fn dead_letter() -> Value {
    json!({
        "job_id": JOB, "queue": "webhooks", "kind": "webhooks.deliver", "fingerprint": "webhooks.deliver/permanent/http_410", "reason": "http_410",
        "message": "the receiver is gone", "hint": "remove the endpoint", "attempts": 1, "at": AT,
    })
}

pub fn dead_group() -> Value {
    json!({
        "fingerprint": "webhooks.deliver/permanent/http_410", "queue": "webhooks", "kind": "webhooks.deliver", "reason": "http_410",
        "message": "the receiver is gone", "count": 12, "first_at": AT, "last_at": LATER, "sample": JOB,
    })
}

pub fn kind() -> Value {
    json!({
        "name": "webhooks.deliver", "queue": "webhooks", "max_attempts": 10, "timeout": "30s",
        "retry": { "backoff": { "kind": "exponential", "base": "2s", "cap": "10m" }, "stop_after": "attempts" },
        "effects": "repeat_same_key", "schema": { "type": "object" },
    })
}

pub fn queue() -> Value {
    let class = |priority: &str| {
        let rates = json!({ "succeeded_per_minute": 12.4, "retried_per_minute": 0.2, "dead_per_minute": 0.0 });
        json!({ "priority": priority, "depth": 3, "oldest_age": "4s", "rates": rates })
    };
    let classes = ["critical", "high", "normal", "low", "bulk"].map(class);
    json!({
        "name": "webhooks", "depth": 15, "oldest_age": "4s",
        "rates": { "succeeded_per_minute": 62.0, "retried_per_minute": 1.0, "dead_per_minute": 0.0 },
        "priorities": classes,
    })
}

pub fn worker() -> Value {
    json!({
        "id": WORKER, "name": "webhooks-worker", "host": "host-1", "pid": 4711, "slots": 10, "version": "0.1.0", "live": true,
        "lease_until": LATER, "running": 3,
    })
}

pub fn stats() -> Value {
    let figures = json!({ "succeeded": 744, "retried": 12, "dead": 1, "mean_run": "84ms", "mean_wait": "12ms" });
    json!({
        "at": AT, "window": "1h", "workers": { "live": 2, "slots": 20 }, "running": 3, "queued": 15, "oldest_age": "4s",
        "totals": figures,
        "queues": [with(json!({ "queue": "webhooks" }), figures.clone())],
        "kinds": [with(json!({ "kind": "webhooks.deliver" }), figures.clone())],
        "minutes": [{ "minute": AT, "succeeded": 744, "retried": 12, "dead": 1 }],
    })
}

pub fn endpoint() -> Value {
    json!({ "name": "orders", "url": "https://example.com/hook", "created_at": AT, "disabled_at": null, "disabled_reason": null })
}

pub fn disabled_endpoint() -> Value {
    with(endpoint(), json!({ "disabled_at": LATER, "disabled_reason": "moving" }))
}

pub fn new_endpoint() -> Value {
    with(endpoint(), json!({ "secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD" }))
}

pub fn api_key() -> Value {
    json!({ "id": ID, "tenant": "default", "name": "ci", "scopes": ["submit", "read"], "created_at": AT, "revoked_at": null })
}

pub fn new_api_key() -> Value {
    with(api_key(), json!({ "key": "flt_…" }))
}

pub fn audit() -> Value {
    json!({
        "audit": [{
            "at": AT, "actor": "key:ops", "action": "job.cancel", "target": JOB, "request_id": ID,
            "data": { "reason": "wrong customer" },
        }],
        "cursor": "4711",
    })
}

pub fn ready() -> Value {
    json!({ "status": "ready", "dependencies": [
        { "name": "store", "state": "ok", "required": true, "error": null },
        { "name": "broker", "state": "ok", "required": false, "error": null },
    ] })
}

pub fn not_ready() -> Value {
    json!({ "status": "not_ready", "dependencies": [
        { "name": "store", "state": "unavailable", "required": true, "error": "the store is unavailable while asking for a sign of life" },
        { "name": "broker", "state": "ok", "required": false, "error": null },
    ] })
}

pub fn problem() -> Value {
    json!({
        "type": "urn:flotilla:problem:unknown_kind", "title": "The kind is not known", "status": 422,
        "detail": "`/kind` `webhooks.delivr` is not a known kind", "code": "unknown_kind", "hint": "did you mean `webhooks.deliver`?",
        "request_id": ID, "errors": [{ "pointer": "/kind", "message": "`webhooks.delivr` is not a known kind" }],
    })
}
