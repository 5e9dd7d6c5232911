//! The API as a table: method, path, what the caller needs, handler. What is not here does not exist.

use axum::Router;
use axum::handler::Handler;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter, on};
use http::Method;
use store::Scopes;

use crate::parts::Hub;
use crate::principal::Gate;
use crate::{api_keys, audit, endpoints, fleet, health, jobs};

/// What a route asks of its caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Needs {
    /// Open to everybody.
    Nothing,
    /// Any valid key.
    Key,
    /// A key with this scope, or with `admin`.
    Scope(Scopes),
}

/// One row of the table, for those who check it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouteInfo {
    pub method: Method,
    /// With its variable segments in braces: `/v1/jobs/{id}`.
    pub path: &'static str,
    pub needs: Needs,
}

struct Row {
    info: RouteInfo,
    handler: MethodRouter<Hub>,
}

const OPEN: Needs = Needs::Nothing;
const ANY_KEY: Needs = Needs::Key;
const SUBMIT: Needs = Needs::Scope(Scopes::SUBMIT);
const READ: Needs = Needs::Scope(Scopes::READ);
const OPERATE: Needs = Needs::Scope(Scopes::OPERATE);
const ADMIN: Needs = Needs::Scope(Scopes::ADMIN);

#[rustfmt::skip]
fn table() -> Vec<Row> {
    vec![
        post(  "/v1/jobs",                             SUBMIT,  jobs::submit),
        post(  "/v1/jobs/batch",                       SUBMIT,  jobs::submit_batch),
        get(   "/v1/jobs",                             READ,    jobs::list),
        get(   "/v1/jobs/{id}",                        READ,    jobs::job),
        get(   "/v1/jobs/{id}/result",                 READ,    jobs::result),
        get(   "/v1/jobs/{id}/timeline",               READ,    jobs::timeline),
        get(   "/v1/jobs/{id}/logs",                   READ,    jobs::logs),
        post(  "/v1/jobs/{id}/cancel",                 OPERATE, jobs::cancel),
        post(  "/v1/jobs/{id}/retry",                  OPERATE, jobs::retry),
        get(   "/v1/kinds",                            READ,    fleet::kinds),
        get(   "/v1/kinds/{kind}",                     READ,    fleet::kind),
        get(   "/v1/queues",                           READ,    fleet::queues),
        get(   "/v1/workers",                          READ,    fleet::workers),
        get(   "/v1/api_keys",                         ADMIN,   api_keys::list),
        post(  "/v1/api_keys",                         ADMIN,   api_keys::create),
        delete("/v1/api_keys/{id}",                    ADMIN,   api_keys::revoke),
        get(   "/v1/webhook_endpoints",                READ,    endpoints::list),
        post(  "/v1/webhook_endpoints",                ADMIN,   endpoints::create),
        get(   "/v1/webhook_endpoints/{name}/secret",  ADMIN,   endpoints::secret),
        post(  "/v1/webhook_endpoints/{name}/enable",  OPERATE, endpoints::enable),
        post(  "/v1/webhook_endpoints/{name}/disable", OPERATE, endpoints::disable),
        get(   "/v1/audit",                            ADMIN,   audit::list),
        get(   "/v1/whoami",                           ANY_KEY, api_keys::whoami),
        get(   "/health/live",                         OPEN,    health::live),
        get(   "/health/ready",                        OPEN,    health::ready),
        get(   "/metrics",                             OPEN,    health::metrics),
    ]
}

/// Every route there is.
pub fn routes() -> Vec<RouteInfo> {
    table().into_iter().map(|row| row.info).collect()
}

/// The table as a router: each row behind its own gate.
pub fn gated(gate: &Gate) -> Router<Hub> {
    table().into_iter().fold(Router::new(), |router, row| {
        let handler = match row.info.needs {
            Needs::Nothing => row.handler,
            needs @ (Needs::Key | Needs::Scope(_)) => row.handler.route_layer(from_fn_with_state((gate.clone(), needs), Gate::admit)),
        };
        router.route(row.info.path, handler)
    })
}

fn get<H: Handler<T, Hub>, T: 'static>(path: &'static str, needs: Needs, handler: H) -> Row {
    Row { info: RouteInfo { method: Method::GET, path, needs }, handler: on(MethodFilter::GET, handler) }
}

fn post<H: Handler<T, Hub>, T: 'static>(path: &'static str, needs: Needs, handler: H) -> Row {
    Row { info: RouteInfo { method: Method::POST, path, needs }, handler: on(MethodFilter::POST, handler) }
}

fn delete<H: Handler<T, Hub>, T: 'static>(path: &'static str, needs: Needs, handler: H) -> Row {
    Row { info: RouteInfo { method: Method::DELETE, path, needs }, handler: on(MethodFilter::DELETE, handler) }
}
