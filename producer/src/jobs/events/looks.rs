//! When is the store looked at for a stream? Soon after something happened, and less and less often while nothing does.

use std::time::Duration;

use tokio::time::Instant;

const FIRST: Duration = Duration::from_millis(50);
/// While something happened in the last minute.
const LATER: Duration = Duration::from_secs(1);
const QUIET_AFTER: Duration = Duration::from_secs(60);
const QUIET: Duration = Duration::from_secs(5);

pub struct Looks {
    happened: Instant,
    delay: Duration,
    next: Instant,
}

impl Looks {
    pub fn start() -> Self {
        let now = Instant::now();
        Self { happened: now, delay: FIRST, next: now + FIRST }
    }

    pub fn next(&self) -> Instant {
        self.next
    }

    /// Something happened: what follows may be near.
    pub fn happened(&mut self) {
        *self = Self::start();
    }

    /// A look found nothing new.
    pub fn found_nothing(&mut self) {
        let now = Instant::now();
        let most = if now.duration_since(self.happened) < QUIET_AFTER { LATER } else { QUIET };
        self.delay = (self.delay * 2).min(most);
        self.next = now + self.delay;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn looks_become_rare_and_soon_again() {
        let start = Instant::now();
        let mut looks = Looks::start();
        let mut count = 0;
        while looks.next() < start + Duration::from_secs(600) {
            tokio::time::sleep_until(looks.next()).await;
            looks.found_nothing();
            count += 1;
        }
        assert!((150..200).contains(&count), "{count} looks in ten minutes");
        looks.happened();
        assert_eq!(looks.next() - Instant::now(), FIRST);
    }
}
