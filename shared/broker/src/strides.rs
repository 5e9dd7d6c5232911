//! Which class goes next, and for how many ids: stride scheduling by weight, work-conserving (queue-core, decision 6).

use std::cmp::Reverse;

use domain::Class;

/// One whole share; a class advances by this over its weight for each id it gives.
const STRIDE: u64 = 1 << 16;

/// Virtual time at which a class is next due; the smallest goes first.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pass(u64);

type Lane<'a> = (&'a Class, Pass);

/// The present of all classes that draw from the same slots.
#[derive(Debug, Default)]
pub struct Strides {
    /// The pass of the class that gave last: where a class that was idle enters.
    now: Pass,
}

impl Strides {
    /// A class that was empty has saved nothing up: it goes on at the present time. Nor is it forgiven what it took just before
    /// it ran empty, or a class that trickles would starve the others.
    pub fn enter(&self, pass: &mut Pass) {
        *pass = (*pass).max(self.now);
    }

    /// The class among those that wait that gives next, and how many ids in a row until another one is due. Equal passes: the
    /// more important class first.
    pub fn next<'a>(&self, waiting: impl Iterator<Item = (&'a Class, Pass)>) -> Option<(&'a Class, usize)> {
        let due = |(class, pass): &Lane<'_>| (*pass, Reverse(class.priority));
        let (mut first, mut second): (Option<Lane<'_>>, Option<Lane<'_>>) = (None, None);
        for lane in waiting {
            if first.as_ref().is_none_or(|first| due(&lane) < due(first)) {
                second = first.replace(lane);
            } else if second.as_ref().is_none_or(|second| due(&lane) < due(second)) {
                second = Some(lane);
            }
        }
        let (class, pass) = first?;
        let Some((rival, due_at)) = second else { return Some((class, usize::MAX)) };
        let (gap, stride) = (due_at.0 - pass.0, stride(class));
        // At a tie the more important one goes on; equals take turns.
        let tied = gap % stride == 0 && gap > 0 && class.priority <= rival.priority;
        let more = gap / stride - u64::from(tied);
        Some((class, usize::try_from(more).unwrap_or(usize::MAX).saturating_add(1)))
    }

    /// `class` gave so many ids.
    pub fn charge(&mut self, class: &Class, pass: &mut Pass, ids: usize) {
        let Some(before_last) = u64::try_from(ids).unwrap_or(u64::MAX).checked_sub(1) else { return };
        self.now = Pass(pass.0 + before_last * stride(class));
        pass.0 = self.now.0 + stride(class);
    }
}

fn stride(class: &Class) -> u64 {
    STRIDE / u64::from(class.priority.weight())
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Priority, QueueName};
    use proptest::prelude::*;

    fn class(priority: Priority) -> Class {
        Class { queue: QueueName::of("q"), priority }
    }

    /// Who gives each of `n` ids, in runs of at most `run_max`.
    fn drawn(n: usize, run_max: usize, mut passes: Vec<(Class, Pass)>) -> Vec<Priority> {
        let (mut strides, mut given) = (Strides::default(), Vec::new());
        while given.len() < n {
            let waiting = passes.iter().map(|(class, pass)| (class, *pass));
            let (class, run) = strides.next(waiting).map(|(class, run)| (class.clone(), run)).expect("all wait");
            let run = run.min(run_max).min(n - given.len());
            let lane = passes.iter_mut().find(|(of, _)| *of == class).expect("it is one of them");
            strides.charge(&class, &mut lane.1, run);
            given.extend(std::iter::repeat_n(class.priority, run));
        }
        given
    }

    #[test]
    fn nobody_waits_and_nobody_goes() {
        assert_eq!(Strides::default().next(std::iter::empty()), None);
    }

    #[test]
    fn who_waits_alone_has_no_limit() {
        let bulk = class(Priority::Bulk);
        assert_eq!(Strides::default().next([(&bulk, Pass(7))].into_iter()), Some((&bulk, usize::MAX)));
    }

    proptest! {
        /// Runs are only a faster way of drawing one by one.
        #[test]
        fn a_run_is_what_single_draws_would_have_given(starts in prop::collection::vec(0_u64..300_000, 5)) {
            let passes: Vec<_> = Priority::ALL.into_iter().map(class).zip(starts.into_iter().map(Pass)).collect();
            prop_assert_eq!(drawn(400, usize::MAX, passes.clone()), drawn(400, 1, passes));
        }
    }
}
