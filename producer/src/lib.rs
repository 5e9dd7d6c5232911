//! `producer` is the thin ingest API: HTTP in, durable jobs out. It does not run jobs, and knows no adapter.
//!
//! A request passes the envelope (request id, headers, metrics, one log line on failure), then the gate of its
//! route (key, scope), then its handler. Every refusal is a [`problem::Problem`]; nothing is written before
//! everything about a submission was checked.

mod announcer;
mod api_keys;
mod audit;
mod batch_room;
mod body;
mod canonical;
mod catalog;
mod desk;
mod endpoints;
mod envelope;
mod fleet;
mod form;
mod health;
mod job_view;
mod jobs;
mod json_text;
mod parts;
mod path;
mod principal;
mod problem;
mod query;
mod routes;
mod schema;
mod server;
mod submission;

pub use parts::{Parts, router};
pub use routes::{Needs, RouteInfo, routes};
pub use server::serve;
