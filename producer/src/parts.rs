//! What the API is made of, and which part of it each handler may see.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::FromRef;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use broker::Publisher;
use coordination::{Feed, Nudges};
use domain::Timestamp;
use store::{Access, Intake, Mint, Reports};
use telemetry::Metrics;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use vault::Vault;

use crate::announcer::Announcer;
use crate::api_keys::Keyring;
use crate::desk::{Desk, DeskParts};
use crate::envelope::Envelope;
use crate::health::Vitals;
use crate::jobs::Shelf;
use crate::principal::Gate;
use crate::problem::Problem;
use crate::routes;

/// What the composition root hands over.
pub struct Parts {
    pub intake: Arc<dyn Intake>,
    pub reports: Arc<dyn Reports>,
    pub access: Arc<dyn Access>,
    pub publisher: Arc<dyn Publisher>,
    pub nudges: Arc<dyn Nudges>,
    pub feed: Arc<dyn Feed>,
    /// The store's clock.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    pub vault: Arc<Vault>,
    pub metrics: Arc<Metrics>,
    pub mint: Arc<Mint>,
    /// The shortest time any ended job is kept: an older id that is not found is `410`, not `404`, as a result.
    pub retention_shortest: Duration,
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
}

/// The whole API.
pub fn router(parts: Parts) -> Router {
    let gate = Gate::new(Arc::clone(&parts.access), Arc::clone(&parts.vault));
    let envelope = Envelope::new(Arc::clone(&parts.metrics), Arc::clone(&parts.mint), Arc::clone(&parts.clock));
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
        let Parts { intake, reports, access, publisher, nudges, feed, clock, vault, metrics, mint, retention_shortest, stopping } = parts;
        let announcer = Announcer::new(Arc::clone(&publisher), nudges);
        let vitals = Vitals {
            reports: Arc::clone(&reports),
            publisher,
            metrics: Arc::clone(&metrics),
            clock: Arc::clone(&clock),
            stopping,
            classes: Arc::default(),
        };
        let keyring = Keyring { access, vault, mint: Arc::clone(&mint), clock: Arc::clone(&clock) };
        let shelf = Shelf { reports, feed, clock: Arc::clone(&clock), retention_shortest };
        Self { desk: Desk::new(DeskParts { intake, announcer, metrics, mint, clock }), shelf, keyring, gate, vitals }
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
    Arc<dyn Reports> = |hub| hub.shelf.reports;
    Arc<dyn Access> = |hub| hub.keyring.access;
}
