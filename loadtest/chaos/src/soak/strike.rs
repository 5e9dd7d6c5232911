//! What does a fault do? It waits until it can hurt, breaks something, holds it, heals it, and then proves that it was felt.

mod broker;
mod database;
mod links;
mod processes;
mod redis;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::fault::{Fault, Server, Target};
use super::schedule::Planned;
use super::site::{Looks, Site};

/// Looks for the evidence that a fault bit, when it has healed already; `None` when there is none.
pub type Proof = Pin<Box<dyn Future<Output = Option<String>> + Send>>;

/// How long it may take what was broken to be seen at work again.
const SEEN_WITHIN: Duration = Duration::from_secs(90);
/// What the victim of a fault must be doing, it is waited for so long.
const WORTH_IT_WITHIN: Duration = Duration::from_secs(5);

/// How long a server is left alone after it has healed: a fleet that finds no server for minutes proves nothing about faults.
const BREATH: Duration = Duration::from_secs(6);

/// Does it, and returns when it has healed. Whoever calls it sees that it panics when something cannot be broken or mended.
///
/// On a slow machine faults come later than they were to, so the rules of the schedule are kept here as well: one fault for each server
/// and for each role at a time.
pub async fn strike(site: &Arc<Site>, planned: Planned) -> Proof {
    match planned.target {
        Target::Process(role, copy) => {
            let _role = site.role(role).lock().await;
            let victim = processes::Victim::at(site, role, copy).await;
            victim.strike(planned).await
        }
        Target::Link(role, copy, server) => {
            let _role = site.role(role).lock().await;
            let _server = site.server(server).read().await;
            links::strike(site, planned, site.post(role, copy), server).await
        }
        Target::Server(server) => {
            let _server = site.server(server).write().await;
            let proof = match server {
                Server::Database => database::strike(site, planned).await,
                Server::Broker => broker::strike(site, planned).await,
                Server::Redis => redis::strike(site, planned).await,
            };
            testkit::hold(BREATH, "between two faults of a server, the fleet works").await;
            proof
        }
    }
}

/// Evidence that was found at once, or none.
fn at_once(evidence: Option<String>) -> Proof {
    Box::pin(std::future::ready(evidence))
}

/// Waits until somebody has said these words more often than before.
fn said_again(site: &Arc<Site>, words: &'static str, before: usize) -> Proof {
    let site = Arc::clone(site);
    Box::pin(async move {
        let mut looks = Looks::within(SEEN_WITHIN);
        while looks.again().await {
            let more = site.said(words).saturating_sub(before);
            if more > 0 {
                return Some(format!("{more} times \"{words}\""));
            }
        }
        None
    })
}

async fn held(planned: Planned) {
    testkit::hold(planned.held, "the fault lasts so long").await;
}

/// What is asked of it, somebody else does.
fn misplaced(fault: Fault) -> ! {
    panic!("`{}` is not done here", fault.name())
}
