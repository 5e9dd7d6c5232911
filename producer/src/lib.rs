//! `producer` is the thin ingest API: HTTP in, durable jobs out. It does not run jobs, and knows no adapter.
//!
//! A request passes the envelope (request id, headers, metrics, one log line on failure), then the gate of its
//! route (room, key, allowance, scope), then its handler. Every refusal is a [`problem::Problem`]; nothing is written before
//! everything about a submission was checked.

mod admission;
mod allowance;
mod announcer;
mod api_keys;
mod audit;
mod backlog;
mod batch_room;
mod body;
mod canonical;
mod catalog;
mod compression;
mod cors;
mod dead_letters;
mod desk;
mod edge;
mod endpoints;
mod envelope;
mod filter;
mod fleet;
mod form;
mod health;
mod job_view;
mod jobs;
mod json_text;
mod limits;
mod lone;
mod openapi;
mod operations;
mod parts;
mod path;
mod principal;
mod problem;
mod query;
mod queues;
mod routes;
mod schema;
mod stats;
mod submission;

pub use edge::Edge;
pub use openapi::document;
pub use parts::{Parts, router};
pub use routes::{Needs, RouteInfo, routes};
