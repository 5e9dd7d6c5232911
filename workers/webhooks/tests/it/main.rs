//! What `webhooks-worker` promises, seen from outside.

mod answers;
mod classes;
mod deliveries;
mod engine;
mod guarding;
mod jobs;
mod rebinding;
mod recorder;
mod retry_after;
mod routing;
mod settings;
