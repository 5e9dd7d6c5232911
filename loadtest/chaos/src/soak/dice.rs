//! What does chance say? The same for the same seed, on every machine: a seed that fails can be thrown again.

/// `SplitMix64`: small, and its numbers do not change with the version of a crate.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Dice for one of many things, independent of how many others were thrown for.
    pub fn of(seed: u64, number: u64) -> Self {
        let mut dice = Self::new(seed ^ number.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        dice.next();
        dice
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// From `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        assert!(low <= high, "{low}..={high} is empty");
        low + self.next() % (high - low + 1)
    }

    pub fn percent(&mut self, percent: u64) -> bool {
        self.between(1, 100) <= percent
    }

    /// One of them.
    pub fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        let place = self.between(1, u64::try_from(all.len()).expect("it fits"));
        all[usize::try_from(place).expect("it fits") - 1]
    }

    pub fn shuffle<T>(&mut self, all: &mut [T]) {
        for end in (1..all.len()).rev() {
            let place = self.between(0, u64::try_from(end).expect("it fits"));
            all.swap(usize::try_from(place).expect("it fits"), end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_throws_the_same() {
        let thrown = |seed| {
            let mut dice = Dice::new(seed);
            (0..100).map(|_| dice.between(1, 6)).collect::<Vec<_>>()
        };
        assert_eq!(thrown(7), thrown(7));
        assert_ne!(thrown(7), thrown(8));
        assert!((1..=6).all(|side| thrown(7).contains(&side)));
        // Written down: whoever changes the generator changes every schedule that was ever published.
        assert_eq!(Dice::new(1).next(), 0x910A_2DEC_8902_5CC1);
    }

    #[test]
    fn a_shuffle_loses_nothing() {
        let mut all: Vec<u32> = (0..50).collect();
        Dice::new(3).shuffle(&mut all);
        assert!(!all.is_sorted());
        all.sort_unstable();
        assert_eq!(all, (0..50).collect::<Vec<_>>());
    }
}
