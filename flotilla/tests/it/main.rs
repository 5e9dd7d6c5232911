//! Flotilla as its users meet it: processes, an API, a command line.

mod cli;
mod demo;
mod distributed;
mod end_to_end;
mod example;
mod kill;
mod own_kind;
mod process;
mod real_servers;
mod refusals;
mod servers;
mod start;
