//! The duties, one file each.

mod promote;
mod release;
mod rescue;
mod resend;
mod retain;

pub use promote::Promote;
pub use release::Release;
pub use rescue::Rescue;
pub use resend::Resend;
pub use retain::Retain;

/// Rows one pass of a duty touches at most.
const PASS_ROWS_MAX: usize = domain::bounds::FLUSH_JOBS_MAX;
