//! The failure matrix: processes that die, servers that go away, and nothing lost or doubled by it. docs/reliability.md has the rows.

mod broker_away;
mod cut_off;
mod database_restart;
mod drain;
mod dropped_messages;
mod duties;
mod killed_worker;
mod redis_away;
mod wiped_broker;
