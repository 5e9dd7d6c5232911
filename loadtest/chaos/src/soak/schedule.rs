//! What happens when? Made up front, and a function of the seed and the length alone, so that a seed can be replayed.

use std::time::Duration;

use super::dice::Dice;
use super::fault::{Fault, Prey, Role, Server, Target};

/// Faults that may be going on at the same time.
pub const AT_ONCE_MAX: usize = 3;
/// Load before the first fault.
const WARM: Duration = Duration::from_secs(10);
/// Load after the last fault.
const COOL: Duration = Duration::from_secs(15);
/// How often each fault is thrown in ten minutes: one more than must bite.
const TIMES_IN_TEN_MINUTES: u64 = 4;
const TEN_MINUTES: Duration = Duration::from_secs(600);
const STEP: Duration = Duration::from_millis(250);

/// One fault, as it is to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned {
    pub number: usize,
    pub at: Duration,
    pub fault: Fault,
    pub target: Target,
    /// How long it is held before it heals.
    pub held: Duration,
    /// For what else the fault leaves to chance.
    pub dice: u64,
}

impl Planned {
    /// When its target may be hit again.
    fn over(&self) -> Duration {
        self.at + self.held + Duration::from_secs(self.fault.heals_secs())
    }
}

/// The faults of a run, in the order of their times.
pub fn schedule(seed: u64, lasts: Duration) -> Vec<Planned> {
    let mut dice = Dice::new(seed);
    let deck = deck(&mut dice, lasts);
    let span = lasts.saturating_sub(WARM + COOL);
    let gap = span / u32::try_from(deck.len().max(1)).expect("it fits");
    let mut placed: Vec<Planned> = Vec::with_capacity(deck.len());
    let mut wished = WARM;
    for fault in deck {
        let jitter = gap.mul_f64(unit(&mut dice));
        placed.push(place(&placed, fault, wished + jitter, &mut dice));
        wished += gap;
    }
    placed.sort_by_key(|planned| planned.at);
    (0..).zip(&mut placed).for_each(|(number, planned)| planned.number = number);
    placed
}

/// Every fault as often as the length asks for, in rounds, so that a short run has seen all before it sees one twice.
fn deck(dice: &mut Dice, lasts: Duration) -> Vec<Fault> {
    let secs = lasts.saturating_sub(WARM + COOL).as_secs();
    let all = u64::try_from(Fault::COUNT).expect("it fits");
    let wanted = all * TIMES_IN_TEN_MINUTES * secs / TEN_MINUTES.saturating_sub(WARM + COOL).as_secs();
    let mut deck = Vec::new();
    while u64::try_from(deck.len()).expect("it fits") < wanted {
        let mut round: Vec<Fault> = Fault::all().collect();
        dice.shuffle(&mut round);
        deck.extend(round);
    }
    deck.truncate(usize::try_from(wanted).expect("it fits"));
    deck
}

/// At the first moment from `wished` on that leaves every role a copy and no server to two faults.
fn place(placed: &[Planned], fault: Fault, wished: Duration, dice: &mut Dice) -> Planned {
    let (shortest, longest) = fault.held_secs();
    let held = Duration::from_millis(dice.between(shortest * 1_000, longest * 1_000));
    let targets = targets(fault, dice);
    let number = 0;
    let dice = dice.next();
    let mut at = wished;
    loop {
        for target in targets.iter().copied() {
            let planned = Planned { number, at, fault, target, held, dice };
            if fits(placed, &planned) {
                return planned;
            }
        }
        at += STEP;
    }
}

/// Whatever it may hit, in a random order.
fn targets(fault: Fault, dice: &mut Dice) -> Vec<Target> {
    let processes = |roles: &[Role]| -> Vec<Target> {
        roles.iter().flat_map(|role| (0..Role::COPIES).map(|copy| Target::Process(*role, copy))).collect()
    };
    let links = |servers: &[Server]| -> Vec<Target> {
        let of = |role: Role| (0..Role::COPIES).flat_map(move |copy| servers.iter().map(move |server| Target::Link(role, copy, *server)));
        Role::ALL.into_iter().flat_map(of).collect()
    };
    let mut targets = match fault.prey() {
        Prey::Processes(roles) => processes(roles),
        Prey::Server(server) => vec![Target::Server(server)],
        Prey::Links => links(&Server::ALL),
        Prey::DatabaseLinks => links(&[Server::Database]),
    };
    dice.shuffle(&mut targets);
    targets
}

fn fits(placed: &[Planned], new: &Planned) -> bool {
    let meanwhile = placed.iter().filter(|other| other.at < new.over() && new.at < other.over());
    let mut at_once = 0;
    for other in meanwhile {
        at_once += 1;
        if other.target.excludes(new.target) {
            return false;
        }
    }
    at_once < AT_ONCE_MAX
}

/// From 0 to 1.
fn unit(dice: &mut Dice) -> f64 {
    f64::from(u32::try_from(dice.between(0, 1_000_000)).expect("it fits")) / 1_000_000.0
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_schedule_is_a_function_of_the_seed() {
        assert_eq!(schedule(1, TEN_MINUTES), schedule(1, TEN_MINUTES));
        assert_ne!(schedule(1, TEN_MINUTES), schedule(2, TEN_MINUTES));
    }

    #[test]
    fn ten_minutes_have_every_fault_four_times_and_end_in_time() {
        for seed in 1..=50 {
            let planned = schedule(seed, TEN_MINUTES);
            let mut times: BTreeMap<Fault, u64> = BTreeMap::new();
            planned.iter().for_each(|planned| *times.entry(planned.fault).or_default() += 1);
            assert_eq!(times.len(), Fault::COUNT, "seed {seed}");
            assert!(times.values().all(|times| *times == TIMES_IN_TEN_MINUTES), "seed {seed}: {times:?}");
            let last = planned.iter().map(Planned::over).max().expect("some");
            assert!(last <= TEN_MINUTES + Duration::from_secs(30), "seed {seed}: the last is over after {last:?}");
        }
    }

    #[test]
    fn every_role_and_every_server_keeps_a_way_out() {
        for seed in 1..=50 {
            let planned = schedule(seed, TEN_MINUTES);
            for (place, one) in planned.iter().enumerate() {
                let meanwhile: Vec<&Planned> =
                    planned[place + 1..].iter().filter(|other| other.at < one.over() && one.at < other.over()).collect();
                assert!(meanwhile.iter().all(|other| !other.target.excludes(one.target)), "seed {seed}: {one:?} and {meanwhile:?}");
                let at_start = planned.iter().filter(|other| other.at <= one.at && one.at < other.over()).count();
                assert!(at_start <= AT_ONCE_MAX, "seed {seed}: {at_start} at {:?}", one.at);
            }
        }
    }

    #[test]
    fn a_short_run_has_few_faults_and_none_twice() {
        let planned = schedule(5, Duration::from_secs(75));
        assert_eq!(planned.len(), 10);
        let mut faults: Vec<Fault> = planned.iter().map(|planned| planned.fault).collect();
        faults.sort();
        faults.dedup();
        assert_eq!(faults.len(), 10);
    }
}
