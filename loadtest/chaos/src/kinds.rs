//! What do jobs of the laboratory do? What their payload says, so that a test chooses where they are when something breaks.
//!
//! | kind | does |
//! |---|---|
//! | `chaos.plain` | waits, and heeds being asked to stop |
//! | `chaos.deaf` | waits, and does not heed it |
//! | `chaos.fail` | fails its first attempts |
//! | `chaos.crash` | aborts the worker's process in its first runs |
//! | `chaos.repeat`, `chaos.verify`, `chaos.hold` | make an effect at the judge; one kind for each policy |

/// What all of them have in common; the policy matters to those that make effects.
macro_rules! kind {
    ($payload:ident, $name:literal, $policy:ident) => {
        impl kinds::Kind for $payload {
            const NAME: &'static str = $name;
            const QUEUE: &'static str = super::QUEUE;
            const MAX_ATTEMPTS: u16 = super::ATTEMPTS;
            const EFFECTS: domain::EffectPolicy = domain::EffectPolicy::$policy;

            fn retry() -> domain::RetryPolicy {
                super::soon_again()
            }
        }
    };
}

mod effects;
mod plain;

use std::time::Duration;

use domain::{Backoff, RetryPolicy, Stop};
use runtime::{JobContext, Registry, RegistryError};
use tokio::time::timeout;

pub use effects::{Hold, Making, Repeat, Verify};
pub use plain::{Crash, Deaf, Fail, Plain};

/// Where all of them wait.
pub const QUEUE: &str = "chaos";
/// Enough for whatever faults do to one job; three crashes end it all the same.
const ATTEMPTS: u16 = 30;

/// Adds all of them to what a worker runs.
///
/// # Errors
/// If one is there already.
pub fn register(registry: &mut Registry) -> Result<(), RegistryError> {
    registry.add::<Plain, _>(plain::Working)?;
    registry.add::<Deaf, _>(plain::Working)?;
    registry.add::<Fail, _>(plain::Working)?;
    registry.add::<Crash, _>(plain::Working)?;
    let maker = effects::Maker::new();
    registry.add::<Repeat, _>(maker.clone())?;
    registry.add::<Verify, _>(maker.clone())?;
    registry.add::<Hold, _>(maker)
}

/// Soon again: faults are what is tested here, not patience.
const fn soon_again() -> RetryPolicy {
    RetryPolicy { backoff: Backoff::Fixed { delay_ms: 200 }, stop: Stop::Attempts }
}

/// Works so long, or until it is asked to stop. Tells whether it came to its end.
async fn worked(ms: u64, cx: &JobContext) -> bool {
    timeout(Duration::from_millis(ms), cx.cancelled()).await.is_err()
}
