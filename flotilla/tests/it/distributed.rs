//! The distributed engine as its operators meet it: processes that die, servers that go away, and nothing lost by it.

mod broker_away;
mod cut_off;
mod database_restart;
mod drain;
mod dropped_messages;
mod duties;
mod fleet;
mod hints;
mod judge;
mod killed_worker;
mod process;
pub mod programs;
mod redis_away;
mod stage;
mod submitter;
mod wiped_broker;
