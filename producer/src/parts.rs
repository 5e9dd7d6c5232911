//! What the API is made of, and which part of it each handler may see.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::FromRef;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use broker::Publisher;
use coordination::{Express, Feed, Nudges};
use domain::Timestamp;
use store::{Access, Intake, Mint, Overview, Reports, Steering};
use telemetry::Metrics;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use vault::Vault;

use crate::admission::Door;
use crate::announcer::Announcer;
use crate::api_keys::Keyring;
use crate::backlog::Backlog;
use crate::cors::Cors;
use crate::desk::{Desk, DeskParts};
use crate::edge::Edge;
use crate::envelope::Envelope;
use crate::health::Vitals;
use crate::jobs::{Live, Shelf};
use crate::limits::Limits;
use crate::lone::Lone;
use crate::principal::Gate;
use crate::problem::Problem;
use crate::routes;

/// What the composition root hands over.
pub struct Parts {
    pub intake: Arc<dyn Intake>,
    pub steering: Arc<dyn Steering>,
    pub reports: Arc<dyn Reports>,
    pub overview: Arc<dyn Overview>,
    pub access: Arc<dyn Access>,
    pub publisher: Arc<dyn Publisher>,
    pub nudges: Arc<dyn Nudges>,
    /// A second way for hints of lone jobs, where there is one.
    pub express: Option<Arc<dyn Express>>,
    pub feed: Arc<dyn Feed>,
    /// The store's clock.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    pub vault: Arc<Vault>,
    pub metrics: Arc<Metrics>,
    pub mint: Arc<Mint>,
    /// The shortest time any ended job is kept: an older id that is not found is `410`, not `404`, as a result.
    pub retention_shortest: Duration,
    /// What callers are allowed.
    pub edge: Edge,
    /// Cancelled when the process begins to stop: `/health/ready` says so while requests are still answered.
    pub stopping: CancellationToken,
}

/// Everything handlers see, each its own piece: they ask for a piece, never for the whole.
#[derive(Clone)]
pub struct Hub {
    desk: Desk,
    shelf: Shelf,
    keyring: Keyring,
    gate: Gate,
    vitals: Vitals,
    live: Live,
    backlog: Backlog,
    steering: Arc<dyn Steering>,
    overview: Arc<dyn Overview>,
}

/// The whole API.
pub fn router(parts: Parts) -> Router {
    let Edge { requests_max, rate_limit, origins } = parts.edge.clone();
    let door = Door::new(requests_max, Arc::clone(&parts.metrics));
    let gate = Gate::new(Arc::clone(&parts.access), Arc::clone(&parts.vault), door, Limits::new(rate_limit));
    let (metrics, mint, clock) = (Arc::clone(&parts.metrics), Arc::clone(&parts.mint), Arc::clone(&parts.clock));
    let envelope = Envelope::new(metrics, mint, clock, Cors::new(origins));
    routes::gated(&gate)
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .fallback(async || Problem::no_route())
        // Inside the envelope, so that a panic is answered, counted and logged like any other failure.
        .layer(CatchPanicLayer::custom(|_| Problem::panicked().into_response()))
        .layer(from_fn_with_state(envelope, Envelope::wrap))
        .with_state(Hub::new(parts, gate))
}

impl Hub {
    fn new(parts: Parts, gate: Gate) -> Self {
        let Parts { intake, steering, reports, overview, access, publisher, nudges, express, feed, clock, vault, metrics, mint, .. } =
            parts;
        let (retention_shortest, stopping) = (parts.retention_shortest, parts.stopping);
        let announcer = Announcer::new(Arc::clone(&publisher), nudges);
        let lone = Lone::new(express, Arc::clone(&metrics));
        let backlog = Backlog::new(Arc::clone(&reports));
        let vitals = Vitals {
            reports: Arc::clone(&reports),
            backlog: backlog.clone(),
            publisher,
            metrics: Arc::clone(&metrics),
            clock: Arc::clone(&clock),
            stopping: stopping.clone(),
            classes: Arc::default(),
        };
        let keyring = Keyring { access, vault, mint: Arc::clone(&mint), clock: Arc::clone(&clock) };
        let live = Live::new(Arc::clone(&reports), Arc::clone(&feed), stopping);
        let shelf = Shelf { reports, feed, clock: Arc::clone(&clock), retention_shortest };
        Self {
            desk: Desk::new(DeskParts { intake, steering: Arc::clone(&steering), announcer, lone, metrics, mint, clock }),
            shelf,
            keyring,
            gate,
            vitals,
            live,
            backlog,
            steering,
            overview,
        }
    }
}

macro_rules! pieces {
    ($($type:ty = |$hub:ident| $piece:expr;)*) => {
        $(impl FromRef<Hub> for $type {
            fn from_ref($hub: &Hub) -> Self {
                $piece.clone()
            }
        })*
    };
}

pieces! {
    Desk = |hub| hub.desk;
    Shelf = |hub| hub.shelf;
    Keyring = |hub| hub.keyring;
    Gate = |hub| hub.gate;
    Vitals = |hub| hub.vitals;
    Live = |hub| hub.live;
    Backlog = |hub| hub.backlog;
    Arc<dyn Steering> = |hub| hub.steering;
    Arc<dyn Overview> = |hub| hub.overview;
    Arc<dyn Reports> = |hub| hub.shelf.reports;
    Arc<dyn Access> = |hub| hub.keyring.access;
}
