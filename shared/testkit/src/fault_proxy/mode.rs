//! What may a proxy do to what it carries? One thing at a time, for all its connections.

use std::time::Duration;

/// What the proxy does with what it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing.
    Pass,
    /// Closes all connections; the port is closed, new ones are refused.
    Cut,
    /// Resets all connections, and new ones as soon as they are accepted, as a firewall does that has forgotten them.
    Reset,
    /// As a peer behind a broken network: connections are accepted and stay open, what is sent is taken, nothing is ever answered,
    /// and nobody learns that the other side has gone. What has gone silent does not come back: with the next mode it is closed.
    HalfOpen,
    /// Holds back each piece of data, in each direction, for this long.
    Delay(Duration),
    /// Carries data late or slowly, as it says.
    Slow(Slow),
    /// Passes on the end of a connection this much later: who is still there does not know, and what it sends goes nowhere.
    SlowClose(Duration),
}

/// A direction, by who gets the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Towards {
    Client,
    Server,
}

/// How a link is slow: `Slow::by(latency).jitter(more).seed(7).rate(10_000).towards(Towards::Client)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slow {
    latency: Duration,
    jitter: Duration,
    seed: u64,
    bytes_per_sec: Option<u32>,
    towards: Option<Towards>,
}

impl Slow {
    /// Each piece of data arrives this much later; the next need not wait for it.
    pub const fn by(latency: Duration) -> Self {
        Self { latency, jitter: Duration::ZERO, seed: 0, bytes_per_sec: None, towards: None }
    }

    /// And up to this much later still; pieces keep their order.
    pub const fn jitter(self, most: Duration) -> Self {
        Self { jitter: most, ..self }
    }

    /// The dice of the jitter: the same seed gives the n-th connection the same delays.
    pub const fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// What all connections together may carry, in each direction.
    pub const fn rate(self, bytes_per_sec: u32) -> Self {
        assert!(bytes_per_sec > 0, "what carries nothing is half open");
        Self { bytes_per_sec: Some(bytes_per_sec), ..self }
    }

    /// In this direction only.
    pub const fn towards(self, towards: Towards) -> Self {
        Self { towards: Some(towards), ..self }
    }

    pub(super) const fn bytes_per_sec(self) -> Option<u32> {
        self.bytes_per_sec
    }

    /// How late the piece of this number is, of a connection of that number.
    pub(super) fn late(self, towards: Towards, connection: u64, piece: u64) -> Duration {
        let dice = scramble(scramble(scramble(self.seed) ^ connection) ^ (piece << 1) ^ u64::from(towards == Towards::Server));
        // 24 bits are a float without loss.
        let share = (dice >> 40) as f32 / (1_u32 << 24) as f32;
        self.latency + self.jitter.mul_f32(share)
    }
}

impl Mode {
    /// How slow it is in this direction.
    pub(super) fn slow(self, direction: Towards) -> Option<Slow> {
        let slow = match self {
            Self::Delay(latency) => Slow::by(latency),
            Self::Slow(slow) => slow,
            Self::Pass | Self::Cut | Self::Reset | Self::HalfOpen | Self::SlowClose(_) => return None,
        };
        slow.towards.is_none_or(|only| only == direction).then_some(slow)
    }
}

/// The mode of this moment, and what became of connections that are older.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub mode: Mode,
    /// How often everything open was closed: a connection of an earlier count is closed, also when it was told late.
    pub severed: u64,
    /// Whether the last time was a reset.
    pub by_reset: bool,
}

impl Now {
    pub const PASS: Self = Self { mode: Mode::Pass, severed: 0, by_reset: false };

    pub fn turn(&mut self, mode: Mode) {
        let (is_reset, was_silent) = (mode == Mode::Reset, self.mode == Mode::HalfOpen);
        if is_reset || mode == Mode::Cut || (was_silent && mode != Mode::HalfOpen) {
            self.severed += 1;
            self.by_reset = is_reset;
        }
        self.mode = mode;
    }
}

/// A good hash of one number (splitmix64).
const fn scramble(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn jitter_is_bounded_and_repeatable() {
        let slow = Slow::by(10 * MS).jitter(20 * MS).seed(3);
        let delays = |slow: Slow, connection| (0..100).map(|piece| slow.late(Towards::Client, connection, piece)).collect::<Vec<_>>();
        let first = delays(slow, 0);
        assert!(first.iter().all(|delay| (10 * MS..=30 * MS).contains(delay)), "{first:?}");
        assert!(first.iter().max() > Some(&(25 * MS)) && first.iter().min() < Some(&(15 * MS)), "{first:?}");
        assert_eq!(first, delays(slow, 0));
        assert_ne!(first, delays(slow, 1));
        assert_ne!(first, delays(slow.seed(4), 0));
    }

    #[test]
    fn a_cut_is_remembered_after_it() {
        let mut now = Now::PASS;
        for mode in [Mode::Cut, Mode::Pass, Mode::Reset, Mode::Pass, Mode::HalfOpen, Mode::HalfOpen] {
            now.turn(mode);
        }
        assert_eq!((now.severed, now.by_reset), (2, true));
        now.turn(Mode::Pass);
        assert_eq!((now.severed, now.by_reset), (3, false), "what was silent is closed");
    }
}
