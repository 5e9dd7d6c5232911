//! The broker is killed, restarted, wiped or blocked; its connections, queues and messages go, and others publish to it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use testkit::servers::Stop;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{Proof, SEEN_WITHIN, WORTH_IT_WITHIN, at_once, held, misplaced, said_again};
use crate::soak::dice::Dice;
use crate::soak::fault::{Fault, Server};
use crate::soak::mix::Burst;
use crate::soak::schedule::Planned;
use crate::soak::site::{Looks, Site};

const CONNECTED: &str = "connected to RabbitMQ";
const BLOCKED: &str = "RabbitMQ takes no messages at present";
const STEAL_EVERY: Duration = Duration::from_millis(100);
/// Of memory: less than anything that runs.
const NO_MEMORY: &str = "0.00001";
const MEMORY: &str = "0.4";

pub async fn strike(site: &Arc<Site>, planned: Planned) -> Proof {
    match planned.fault {
        Fault::BrokerKilled | Fault::BrokerRestarted => {
            let before = site.said(CONNECTED);
            let stop = if planned.fault == Fault::BrokerKilled { Stop::AtOnce } else { Stop::Gently };
            site.rabbit.stop(stop).await;
            held(planned).await;
            site.rabbit.restart().await;
            said_again(site, CONNECTED, before)
        }
        Fault::BrokerWiped => wiped(site, planned).await,
        Fault::BrokerAlarm => {
            let before = site.said(BLOCKED);
            site.rabbit.ctl(&["set_vm_memory_high_watermark", NO_MEMORY]).await;
            held(planned).await;
            site.rabbit.ctl(&["set_vm_memory_high_watermark", MEMORY]).await;
            said_again(site, BLOCKED, before)
        }
        Fault::ConnectionsClosed => {
            let before = site.said(CONNECTED);
            site.vhost.close_all_connections().await;
            said_again(site, CONNECTED, before)
        }
        Fault::QueueDeleted => deleted(site, planned).await,
        Fault::MessagesStolen => stolen(site, planned).await,
        Fault::GarbagePublished => garbage(site, planned).await,
        other => misplaced(other),
    }
}

/// The queue of a class that a burst fills.
fn queue(planned: Planned) -> (&'static str, Burst) {
    if Dice::new(planned.dice).percent(50) {
        ("flotilla.v1.webhooks.p2", Burst::Deliveries)
    } else {
        ("flotilla.v1.chaos.p2", Burst::Plain)
    }
}

/// Makes hints wait, and returns how many rows the ledger has then.
async fn filled(site: &Arc<Site>, burst: Burst) -> u64 {
    site.load.burst(burst);
    site.more_than(5, "select count(*) from emission", WORTH_IT_WITHIN).await.unwrap_or(0)
}

/// Bites when the ledger listed messages at that moment; that every one of them is sent again, the verdict says.
async fn wiped(site: &Arc<Site>, planned: Planned) -> Proof {
    let (_, burst) = queue(planned);
    let before = (site.said(CONNECTED), resent(site));
    let listed = filled(site, burst).await;
    site.rabbit.wipe_and_start().await;
    let site = Arc::clone(site);
    Box::pin(async move {
        let mut looks = Looks::within(SEEN_WITHIN);
        while looks.again().await {
            let (connected, again) = (site.said(CONNECTED) - before.0, resent(&site).saturating_sub(before.1));
            if connected > 0 && again > 0 && listed > 0 {
                return Some(format!(
                    "the ledger listed {listed} messages; {connected} connections anew, {again} times messages sent again"
                ));
            }
        }
        None
    })
}

/// How often messages were sent again because the broker had lost them.
fn resent(site: &Site) -> usize {
    site.said("the broker has lost messages of a queue") + site.said("the broker seems to have lost messages")
}

async fn deleted(site: &Arc<Site>, planned: Planned) -> Proof {
    let (name, burst) = queue(planned);
    filled(site, burst).await;
    if !site.vhost.delete_queue(name).await {
        return at_once(None);
    }
    let (site, name) = (Arc::clone(site), name.to_owned());
    Box::pin(async move {
        let mut looks = Looks::within(SEEN_WITHIN);
        while looks.again().await {
            // A broker that is broken meanwhile answers nothing.
            let _server = site.server(Server::Broker).read().await;
            let consumers = site.vhost.queue(&name).await.and_then(|queue| queue.consumers).unwrap_or(0);
            if consumers > 0 {
                return Some(format!("`{name}` is there again, with {consumers} consumers"));
            }
        }
        None
    })
}

/// Takes messages that wait, one after the other, and answers for none of them.
async fn stolen(site: &Arc<Site>, planned: Planned) -> Proof {
    let (name, burst) = queue(planned);
    let (until, mut messages) = (Instant::now() + planned.held, 0);
    site.load.burst(burst);
    let mut tries = interval(STEAL_EVERY);
    tries.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while Instant::now() < until {
        tries.tick().await;
        messages += site.vhost.get(name, 1).await.len();
    }
    at_once((messages > 0).then(|| format!("{messages} messages of `{name}` were stolen")))
}

async fn garbage(site: &Arc<Site>, planned: Planned) -> Proof {
    const RECORDED: &str = "select coalesce(max(id), 0) from poison";
    let Some(before) = site.number(RECORDED).await else { return at_once(None) };
    let (name, _) = queue(planned);
    let long = vec![b'x'; 100_000];
    let bodies: [&[u8]; 5] = [b"", b"{\"hello\": 1}", &[1, 2, 3], &[250; 40], &long];
    let mut published = 0;
    for body in bodies {
        published += u32::from(site.vhost.publish_raw("", name, body, json!({ "message_id": "garbage" })).await);
    }
    let site = Arc::clone(site);
    Box::pin(async move {
        let now = site.more_than(before, RECORDED, SEEN_WITHIN).await?;
        Some(format!("{published} were published, {} are recorded as poison", now - before))
    })
}
