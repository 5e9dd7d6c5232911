//! Do the duties do their work, and does the driver run them when it should?
//!
//! Work is proven end to end on the embedded engine (`bench`), times to the millisecond on a scripted store in paused
//! time (`stage`): with real I/O paused time runs ahead of the disk.

mod bench;
mod driver;
mod faults;
mod nudges;
mod promote;
mod quiet;
mod release;
mod rescue;
mod resend;
mod retain;
mod running;
mod stage;
mod together;
mod upkeep;
