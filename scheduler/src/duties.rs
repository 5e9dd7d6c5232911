//! The duties, one file each.

mod announce;
mod operate;
mod prepare;
mod promote;
mod reconcile;
mod record;
mod release;
mod rescue;
mod resend;
mod retain;
mod stats;

pub use announce::Announce;
pub use operate::Operate;
pub use prepare::Prepare;
pub use promote::Promote;
pub use reconcile::Reconcile;
pub use record::Record;
pub use release::Release;
pub use rescue::Rescue;
pub use resend::Resend;
pub use retain::Retain;
pub use stats::Stats;

/// Rows one pass of a duty touches at most.
const PASS_ROWS_MAX: usize = domain::bounds::FLUSH_JOBS_MAX;
