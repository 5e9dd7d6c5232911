//! The way from a process to a server becomes slow, breaks, or loses what was said on it.

use std::sync::Arc;
use std::time::Duration;

use testkit::{FaultProxy, Mode, Slow};

use super::{Proof, SEEN_WITHIN, held, misplaced};
use crate::soak::crew::Post;
use crate::soak::dice::Dice;
use crate::soak::fault::{Fault, Server};
use crate::soak::schedule::Planned;
use crate::soak::site::{Looks, Site};

pub async fn strike(site: &Arc<Site>, planned: Planned, post: &Post, server: Server) -> Proof {
    let link = post.link(server);
    let before = link.counts();
    match planned.fault {
        // Whether it was done, only the server knows.
        Fault::ReplyLost => link.lose_reply_to(*b"commit"),
        Fault::LinkSlowClose => left_behind(site, planned, post, link).await,
        _ => {
            link.set(mode(planned));
            held(planned).await;
            link.set(Mode::Pass);
        }
    }
    let (site, role, copy) = (Arc::clone(site), post.role, post.copy);
    Box::pin(async move {
        let link: &FaultProxy = site.post(role, copy).link(server);
        let mut looks = Looks::within(SEEN_WITHIN);
        while looks.again().await {
            let now = link.counts();
            let (bites, accepted) = (now.bites - before.bites, now.accepted - before.accepted);
            // Who was cut off must have come back as well.
            let is_back = now.open > 0 && (!severs(planned.fault) || accepted > 0);
            if bites > 0 && is_back {
                return Some(format!("{bites} times felt, {accepted} connections anew"));
            }
        }
        None
    })
}

/// The process dies, and the server learns of it much later: until then it holds what was the process's.
async fn left_behind(site: &Arc<Site>, planned: Planned, post: &Post, link: &FaultProxy) {
    let mut process = post.seize().await;
    link.set(mode(planned));
    process.as_mut().expect("whoever breaks it leaves it working").guard.kill();
    held(planned).await;
    post.start(&site.fleet, &mut process).await;
    drop(process);
    link.set(Mode::Pass);
    site.introduce(post).await;
}

fn mode(planned: Planned) -> Mode {
    let mut dice = Dice::new(planned.dice);
    let mut ms = |low, high| Duration::from_millis(dice.between(low, high));
    match planned.fault {
        Fault::LinkLate => Mode::Slow(Slow::by(ms(20, 200)).jitter(ms(20, 300)).seed(planned.dice)),
        Fault::LinkNarrow => Mode::Slow(Slow::by(Duration::ZERO).rate(u32::try_from(ms(4_000, 20_000).as_millis()).expect("it fits"))),
        Fault::LinkReset => Mode::Reset,
        Fault::LinkCut => Mode::Cut,
        Fault::LinkHalfOpen => Mode::HalfOpen,
        Fault::LinkSlowClose => Mode::SlowClose(ms(1_000, 5_000)),
        other => misplaced(other),
    }
}

/// Whether connections end by it.
fn severs(fault: Fault) -> bool {
    matches!(fault, Fault::LinkReset | Fault::LinkCut | Fault::LinkHalfOpen | Fault::LinkSlowClose | Fault::ReplyLost)
}
