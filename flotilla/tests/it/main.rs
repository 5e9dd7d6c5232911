//! Flotilla as its users meet it: processes, an API, a command line.

mod cancel;
mod cli;
mod client;
mod demo;
mod documents;
mod end_to_end;
mod example;
mod kill;
mod own_kind;
mod process;
mod python;
mod real_servers;
mod refusals;
mod servers;
mod start;
