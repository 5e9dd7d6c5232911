//! The database is killed, restarted or frozen, or it sends everybody away.

use std::sync::Arc;

use testkit::servers::Stop;

use super::{Proof, SEEN_WITHIN, at_once, held, misplaced};
use crate::soak::fault::Fault;
use crate::soak::schedule::Planned;
use crate::soak::site::Site;

/// Whoever is connected and is not us.
const SESSIONS: &str = "from pg_stat_activity where datname = current_database() and application_name <> 'psql'";

pub async fn strike(site: &Arc<Site>, planned: Planned) -> Proof {
    let before = site.load.counts();
    match planned.fault {
        Fault::DatabaseKilled | Fault::DatabaseRestarted => {
            let stop = if planned.fault == Fault::DatabaseKilled { Stop::AtOnce } else { Stop::Gently };
            site.postgres.stop(stop).await;
            held(planned).await;
            site.postgres.restart().await;
            // All sessions are younger than the server.
            back(site, "true", before.failed_tries)
        }
        Fault::DatabaseFrozen => {
            site.postgres.freeze().await;
            held(planned).await;
            let meanwhile = site.load.counts();
            site.postgres.thaw().await;
            let waiting = meanwhile.sent - meanwhile.answered;
            let is_felt = waiting > 0 && meanwhile.sent > before.sent;
            at_once(is_felt.then(|| format!("{waiting} submissions waited for it")))
        }
        Fault::SessionsTerminated => {
            let now = site.number("select extract(epoch from clock_timestamp()) * 1000000").await;
            let question = format!("select count(pg_terminate_backend(pid)) {SESSIONS}");
            let Some(terminated) = site.number(&question).await else { return at_once(None) };
            let since = now.unwrap_or_default();
            let younger = format!("extract(epoch from backend_start) * 1000000 > {since}");
            sessions(site, younger, format!("{terminated} sessions were terminated"))
        }
        other => misplaced(other),
    }
}

/// Bites when clients were refused meanwhile, and everybody is there again.
fn back(site: &Arc<Site>, which: &str, failed_before: u64) -> Proof {
    let failed = site.load.counts().failed_tries - failed_before;
    if failed == 0 {
        return at_once(None);
    }
    sessions(site, which.to_owned(), format!("{failed} tries of clients failed"))
}

/// Waits until there are new sessions.
fn sessions(site: &Arc<Site>, which: String, meanwhile: String) -> Proof {
    let site = Arc::clone(site);
    let question = format!("select count(*) {SESSIONS} and {which}");
    Box::pin(async move {
        let new = site.more_than(0, &question, SEEN_WITHIN).await?;
        Some(format!("{meanwhile}, {new} connected anew"))
    })
}
