//! Who has asked how often? Requests by key, and wrong keys by address; for a bounded number of callers.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use domain::KeyId;
use domain::bounds::{COUNTED_CALLERS_MAX, WRONG_KEYS_PER_MINUTE};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::allowance::{Allowance, Exhausted, Used};

/// How often a full table is looked through for callers who can be forgotten.
const SWEPT_EVERY: Duration = Duration::from_secs(1);

/// What this process allows each caller.
pub struct Limits {
    keys: Option<Counts<KeyId>>,
    wrong_keys: Counts<IpAddr>,
}

impl Limits {
    /// `rate_limit`: requests of each key in a minute.
    pub fn new(rate_limit: Option<NonZeroU32>) -> Self {
        Self { keys: rate_limit.map(Counts::new), wrong_keys: Counts::new(WRONG_KEYS_PER_MINUTE) }
    }

    /// Counts a request of a key. `None`: keys are not limited.
    pub fn request(&self, key: KeyId) -> Result<Option<Allowance>, Exhausted> {
        self.keys.as_ref().map(|keys| keys.take(key)).transpose()
    }

    /// Whether a key that nobody has shown here before is looked for at all.
    pub fn may_guess(&self, from: IpAddr) -> Result<(), Exhausted> {
        self.wrong_keys.peek(network(from)).map(|_| ())
    }

    /// Counts a key that was wrong.
    pub fn wrong_key(&self, from: IpAddr) {
        // One too many is not counted, and the next is not looked for.
        let _ = self.wrong_keys.take(network(from));
    }
}

/// Whoever has one address of IPv6 has its /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// What each of many callers has used.
struct Counts<C> {
    limit: NonZeroU32,
    table: Mutex<Table<C>>,
}

struct Table<C> {
    used: HashMap<C, Used>,
    /// Of all those together for whom there is no room.
    of_others: Used,
    swept_at: Instant,
}

impl<C: Eq + Hash> Counts<C> {
    fn new(limit: NonZeroU32) -> Self {
        let now = Instant::now();
        Self { limit, table: Mutex::new(Table { used: HashMap::new(), of_others: Used::nothing(now), swept_at: now }) }
    }

    fn take(&self, caller: C) -> Result<Allowance, Exhausted> {
        let now = Instant::now();
        let mut table = self.table.lock();
        table.used_by(caller, now).take(self.limit, now)
    }

    /// What [`Self::take`] would say.
    fn peek(&self, caller: C) -> Result<Allowance, Exhausted> {
        let now = Instant::now();
        let mut used = *self.table.lock().used_by(caller, now);
        used.take(self.limit, now)
    }
}

impl<C: Eq + Hash> Table<C> {
    fn used_by(&mut self, caller: C, now: Instant) -> &mut Used {
        let is_full = self.used.len() >= COUNTED_CALLERS_MAX && !self.used.contains_key(&caller);
        if is_full && now - self.swept_at >= SWEPT_EVERY {
            self.swept_at = now;
            self.used.retain(|_, used| !used.is_nothing(now));
        }
        if is_full && self.used.len() >= COUNTED_CALLERS_MAX {
            return &mut self.of_others;
        }
        self.used.entry(caller).or_insert_with(|| Used::nothing(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[tokio::test(start_paused = true)]
    async fn keys_are_limited_each_by_itself_and_wrong_keys_always() {
        let limits = Limits::new(NonZeroU32::new(2));
        let (one, other) = (KeyId::from_bytes([1; 16]), KeyId::from_bytes([2; 16]));
        assert!(limits.request(one).is_ok() && limits.request(one).is_ok());
        assert!(limits.request(one).is_err() && limits.request(other).is_ok());
        tokio::time::advance(Duration::from_secs(30)).await;
        assert!(limits.request(one).is_ok() && limits.request(one).is_err());
        assert_eq!(Limits::new(None).request(one), Ok(None));
        let guesser = address("192.0.2.1");
        for _ in 0..WRONG_KEYS_PER_MINUTE.get() {
            assert!(limits.may_guess(guesser).is_ok() && limits.may_guess(guesser).is_ok(), "asking costs nothing");
            limits.wrong_key(guesser);
        }
        assert!(limits.may_guess(guesser).is_err() && limits.may_guess(address("192.0.2.2")).is_ok());
    }

    #[test]
    fn a_network_of_ipv6_is_one_caller() {
        assert_eq!(network(address("2001:db8::1")), network(address("2001:db8::ffff:1")));
        assert_ne!(network(address("2001:db8::1")), network(address("2001:db8:0:1::1")));
        assert_eq!(network(address("::ffff:192.0.2.1")), address("192.0.2.1"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_table_forgets_whom_it_can_and_lets_the_rest_share() {
        let counts = Counts::new(NonZeroU32::new(2).expect("two"));
        let callers = u32::try_from(COUNTED_CALLERS_MAX).expect("few");
        for caller in 0..callers {
            assert!(counts.take(caller).is_ok());
        }
        tokio::time::advance(SWEPT_EVERY).await;
        assert!(counts.take(callers).is_ok() && counts.take(callers + 1).is_ok());
        assert!(counts.take(callers + 2).is_err(), "strangers share what one may");
        assert!(counts.take(0).is_ok(), "those who are known do not");
        assert_eq!(counts.table.lock().used.len(), COUNTED_CALLERS_MAX);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(counts.take(callers + 2).is_ok());
        assert_eq!(counts.table.lock().used.len(), 1, "all others had all of theirs again");
    }
}
