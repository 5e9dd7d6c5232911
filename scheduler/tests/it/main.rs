//! Do the duties do their work, and does the driver run them when it should?
//!
//! Work is proven end to end on the embedded engine (`bench`), times to the millisecond on a scripted store in paused
//! time (`stage`): with real I/O paused time runs ahead of the disk.

mod bench;
mod distributed;
mod driver;
mod faults;
mod ledger;
mod ledger_duties;
mod nudges;
mod on_servers;
mod operate;
mod promote;
mod quiet;
mod record;
mod release;
mod remote;
mod rescue;
mod resend;
mod retain;
mod running;
mod script;
mod servers;
mod stage;
mod steering;
mod together;
mod unconfirmed;
mod upkeep;
