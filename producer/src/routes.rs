//! The API as a table: method, path, what the caller needs, handler, and what it says of itself. What is not here does not exist.

use axum::Router;
use axum::handler::Handler;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodFilter, MethodRouter, on};
use http::Method;
use store::Scopes;

use crate::openapi::{self, Operation, about};
use crate::parts::Hub;
use crate::principal::Gate;
use crate::query::refuse_all;
use crate::{api_keys, audit, dead_letters, endpoints, fleet, health, jobs, operations, queues, stats};

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
    about: fn() -> Operation,
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
        post(  "/v1/jobs",                             SUBMIT,  jobs::submit,           about::jobs::submit),
        post(  "/v1/jobs/batch",                       SUBMIT,  jobs::submit_batch,     about::jobs::submit_batch),
        get(   "/v1/jobs",                             READ,    jobs::list,             about::jobs::list),
        get(   "/v1/jobs/{id}",                        READ,    jobs::job,              about::jobs::job),
        get(   "/v1/jobs/{id}/result",                 READ,    jobs::result,           about::jobs::result),
        get(   "/v1/jobs/{id}/timeline",               READ,    jobs::timeline,         about::jobs::timeline),
        get(   "/v1/jobs/{id}/logs",                   READ,    jobs::logs,             about::jobs::logs),
        get(   "/v1/jobs/{id}/events",                 READ,    jobs::events,           about::jobs::events),
        post(  "/v1/jobs/{id}/cancel",                 OPERATE, jobs::cancel,           about::acts::cancel),
        post(  "/v1/jobs/{id}/retry",                  OPERATE, jobs::retry,            about::acts::retry),
        post(  "/v1/jobs/{id}/reprioritize",           OPERATE, jobs::reprioritize,     about::acts::reprioritize),
        post(  "/v1/jobs/{id}/reschedule",             OPERATE, jobs::reschedule,       about::acts::reschedule),
        post(  "/v1/jobs/{id}/run_now",                OPERATE, jobs::run_now,          about::acts::run_now),
        post(  "/v1/jobs/bulk",                        OPERATE, operations::bulk,       about::acts::bulk),
        get(   "/v1/operations",                       READ,    operations::list,       about::acts::operations),
        get(   "/v1/operations/{id}",                  READ,    operations::operation,  about::acts::operation),
        get(   "/v1/dead_letters",                     READ,    dead_letters::list,     about::dead_letters::list),
        get(   "/v1/dead_letters/groups",              READ,    dead_letters::groups,   about::dead_letters::groups),
        post(  "/v1/dead_letters/replay",              OPERATE, dead_letters::replay,   about::dead_letters::replay),
        get(   "/v1/kinds",                            READ,    fleet::kinds,           about::fleet::kinds),
        get(   "/v1/kinds/{kind}",                     READ,    fleet::kind,            about::fleet::kind),
        get(   "/v1/queues",                           READ,    queues::list,           about::fleet::queues),
        get(   "/v1/queues/{queue}",                   READ,    queues::queue,          about::fleet::queue),
        get(   "/v1/workers",                          READ,    fleet::workers,         about::fleet::workers),
        get(   "/v1/stats",                            READ,    stats::stats,           about::fleet::stats),
        get(   "/v1/api_keys",                         ADMIN,   api_keys::list,         about::keys::list),
        post(  "/v1/api_keys",                         ADMIN,   api_keys::create,       about::keys::create),
        delete("/v1/api_keys/{id}",                    ADMIN,   api_keys::revoke,       about::keys::revoke),
        get(   "/v1/webhook_endpoints",                READ,    endpoints::list,        about::keys::endpoints),
        post(  "/v1/webhook_endpoints",                ADMIN,   endpoints::create,      about::keys::create_endpoint),
        get(   "/v1/webhook_endpoints/{name}/secret",  ADMIN,   endpoints::secret,      about::keys::endpoint_secret),
        post(  "/v1/webhook_endpoints/{name}/enable",  OPERATE, endpoints::enable,      about::keys::enable_endpoint),
        post(  "/v1/webhook_endpoints/{name}/disable", OPERATE, endpoints::disable,     about::keys::disable_endpoint),
        get(   "/v1/audit",                            ADMIN,   audit::list,            about::keys::audit),
        get(   "/v1/whoami",                           ANY_KEY, api_keys::whoami,       about::keys::whoami),
        get(   "/health/live",                         OPEN,    health::live,           about::process::live),
        get(   "/health/ready",                        OPEN,    health::ready,          about::process::ready),
        get(   "/metrics",                             OPEN,    health::metrics,        about::process::metrics),
        get(   "/openapi.json",                        OPEN,    openapi::text,          about::process::document),
        get(   "/docs",                                OPEN,    openapi::show,          about::process::page),
    ]
}

/// Every route there is.
pub fn routes() -> Vec<RouteInfo> {
    table().into_iter().map(|row| row.info).collect()
}

/// Every route with what it says of itself.
pub fn described() -> Vec<(RouteInfo, Operation)> {
    table().into_iter().map(|row| (row.info, (row.about)())).collect()
}

/// The table as a router: each row behind its own gate.
pub fn gated(gate: &Gate) -> Router<Hub> {
    table().into_iter().fold(Router::new(), |router, row| {
        let handler = match row.info.needs {
            // Who asks for health may add what keeps caches away.
            Needs::Nothing => row.handler,
            needs @ (Needs::Key | Needs::Scope(_)) => {
                let strict = if (row.about)().takes_parameters() { row.handler } else { row.handler.route_layer(from_fn(refuse_all)) };
                strict.route_layer(from_fn_with_state((gate.clone(), needs), Gate::admit))
            }
        };
        router.route(row.info.path, handler)
    })
}

fn get<H: Handler<T, Hub>, T: 'static>(path: &'static str, needs: Needs, handler: H, about: fn() -> Operation) -> Row {
    Row { info: RouteInfo { method: Method::GET, path, needs }, about, handler: on(MethodFilter::GET, handler) }
}

fn post<H: Handler<T, Hub>, T: 'static>(path: &'static str, needs: Needs, handler: H, about: fn() -> Operation) -> Row {
    Row { info: RouteInfo { method: Method::POST, path, needs }, about, handler: on(MethodFilter::POST, handler) }
}

fn delete<H: Handler<T, Hub>, T: 'static>(path: &'static str, needs: Needs, handler: H, about: fn() -> Operation) -> Row {
    Row { info: RouteInfo { method: Method::DELETE, path, needs }, about, handler: on(MethodFilter::DELETE, handler) }
}
