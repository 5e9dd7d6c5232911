//! May this caller ask once more? So many requests a minute, all of them at once if it likes (GCRA: one instant per caller).

use std::num::NonZeroU32;
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

const MINUTE: Duration = Duration::from_secs(60);
const RATELIMIT_LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const RATELIMIT_REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RATELIMIT_RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// What is left of a caller's allowance after a request was counted, or was not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Allowance {
    limit: NonZeroU32,
    remaining: u32,
    /// Until all of it is there again.
    whole_after: Duration,
}

/// There is nothing left at present.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exhausted {
    pub allowance: Allowance,
    /// Until the next request may come.
    pub wait: Duration,
}

/// What one caller has used: the instant at which all of its allowance will be there again.
#[derive(Clone, Copy, Debug)]
pub struct Used(Instant);

impl Used {
    pub fn nothing(now: Instant) -> Self {
        Self(now)
    }

    /// Whether forgetting this caller changes nothing.
    pub fn is_nothing(self, now: Instant) -> bool {
        self.0 <= now
    }

    /// Counts one more request, unless it is one too many.
    pub fn take(&mut self, limit: NonZeroU32, now: Instant) -> Result<Allowance, Exhausted> {
        let one = MINUTE / limit.get();
        let whole_at = self.0.max(now) + one;
        // Division rounds down, so a full minute always holds at least `limit` of them.
        let room = one * limit.get();
        let over = (whole_at - now).saturating_sub(room);
        if !over.is_zero() {
            return Err(Exhausted { allowance: Allowance { limit, remaining: 0, whole_after: self.0 - now }, wait: over });
        }
        self.0 = whole_at;
        let whole_after = whole_at - now;
        let remaining = u32::try_from((room - whole_after).as_nanos() / one.as_nanos().max(1)).unwrap_or(u32::MAX);
        Ok(Allowance { limit, remaining, whole_after })
    }
}

impl Allowance {
    pub fn limit(self) -> NonZeroU32 {
        self.limit
    }

    /// Tells the caller, so that it need not find out.
    pub fn tell(self, headers: &mut HeaderMap) {
        headers.insert(RATELIMIT_LIMIT, HeaderValue::from(self.limit.get()));
        headers.insert(RATELIMIT_REMAINING, HeaderValue::from(self.remaining));
        headers.insert(RATELIMIT_RESET, HeaderValue::from(secs_up(self.whole_after)));
    }
}

impl Exhausted {
    pub fn tell(self, headers: &mut HeaderMap) {
        self.allowance.tell(headers);
        headers.insert(RETRY_AFTER, HeaderValue::from(secs_up(self.wait).max(1)));
    }
}

/// Whole seconds, after which it is certainly so.
fn secs_up(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::bounds::RATE_LIMIT_MAX;
    use proptest::prelude::*;

    fn limit(n: u32) -> NonZeroU32 {
        NonZeroU32::new(n).expect("some")
    }

    #[test]
    fn a_minutes_allowance_may_be_used_at_once_and_grows_back() {
        let start = Instant::now();
        let (mut used, three) = (Used::nothing(start), limit(3));
        let left: Vec<u32> = (0..3).map(|_| used.take(three, start).expect("allowed").remaining).collect();
        assert_eq!(left, [2, 1, 0]);
        let refused = used.take(three, start).expect_err("one too many");
        assert_eq!((refused.wait, refused.allowance.whole_after), (MINUTE / 3, MINUTE));
        let mut headers = HeaderMap::new();
        refused.tell(&mut headers);
        let of = |name: &str| headers[name].to_str().expect("ASCII").to_owned();
        assert_eq!([of("ratelimit-limit"), of("ratelimit-remaining"), of("ratelimit-reset"), of("retry-after")], ["3", "0", "60", "20"]);
        assert!(used.take(three, start + MINUTE / 3).is_ok(), "as it was told");
        assert!(!used.is_nothing(start + MINUTE) && used.is_nothing(start + MINUTE * 2));
    }

    proptest! {
        /// No caller gets more than its allowance and what grew back; waiting as told is always enough; nobody is told nonsense.
        #[test]
        fn callers_get_what_they_may_and_no_more(per_minute in 1..=RATE_LIMIT_MAX, pauses in prop::collection::vec(0_u64..20_000_000, 1..80)) {
            let start = Instant::now();
            let (mut used, mut now, mut taken, limit) = (Used::nothing(start), start, 0_u64, limit(per_minute));
            for micros in pauses {
                now += Duration::from_micros(micros);
                match used.take(limit, now) {
                    Ok(allowance) => {
                        taken += 1;
                        prop_assert!(allowance.remaining < per_minute && allowance.whole_after <= MINUTE);
                    }
                    Err(Exhausted { allowance, wait }) => {
                        prop_assert!(allowance.remaining == 0 && wait > Duration::ZERO && wait <= MINUTE / per_minute);
                        let mut later = used;
                        prop_assert!(later.take(limit, now + wait).is_ok());
                    }
                }
            }
            let grown = (now - start).as_nanos() / (MINUTE / per_minute).as_nanos();
            prop_assert!(u128::from(taken) <= u128::from(per_minute) + grown + 1);
        }
    }
}
