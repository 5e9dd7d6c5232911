//! `GET /v1/jobs/{id}/events`: a job live, as server-sent events.

mod frame;
mod looks;
mod outlet;
mod places;
mod watch;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use coordination::{Feed, FeedId};
use domain::JobId;
use domain::bounds::FOLLOWERS_MAX;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use store::Reports;
use tokio_util::sync::CancellationToken;

use self::outlet::Outlet;
use self::places::Places;
use self::watch::{Aim, Look, Watch};
use crate::path::Named;
use crate::principal::Principal;
use crate::problem::Problem;
use crate::query::Query;

const LAST_EVENT_ID: &str = "last-event-id";

/// What streams are made of, and how many there may be.
#[derive(Clone)]
pub struct Live {
    reports: Arc<dyn Reports>,
    feed: Arc<dyn Feed>,
    stopping: CancellationToken,
    places: Places,
}

impl Live {
    pub fn new(reports: Arc<dyn Reports>, feed: Arc<dyn Feed>, stopping: CancellationToken) -> Self {
        Self { reports, feed, stopping, places: Places::new(FOLLOWERS_MAX) }
    }
}

pub async fn events(
    State(live): State<Live>,
    principal: Principal,
    Named(id): Named<JobId>,
    headers: HeaderMap,
    mut query: Query,
) -> Result<Response, Problem> {
    let after = last_event_id(&headers, &mut query);
    query.finish()?;
    let tenant = principal.tenant;
    let (outlet, frames) = Outlet::open();
    let watch = Watch::new(&live, Aim { tenant: tenant.clone(), id, after }, outlet);
    let job = match watch.look().await? {
        Look::There(job) => job,
        Look::Gone => return Err(Problem::not_found("job")),
    };
    let place = live.places.take(&tenant).ok_or_else(Problem::too_many_streams)?;
    tokio::spawn(async move {
        let _place = place;
        watch.run(job).await;
    });
    // A proxy in between must pass events on as they come.
    Ok(([(CONTENT_TYPE.as_str(), "text/event-stream"), ("x-accel-buffering", "no")], Body::from_stream(frames)).into_response())
}

/// Behind which event to go on. The header is what a browser sends when it connects again, so it is the newer one.
fn last_event_id(headers: &HeaderMap, query: &mut Query) -> Option<FeedId> {
    let asked = query.take("last_event_id", str::parse);
    match headers.get(LAST_EVENT_ID).map(|value| value.to_str().unwrap_or("?")) {
        None | Some("") => asked,
        Some(text) => query.read(LAST_EVENT_ID, text, str::parse),
    }
}
