//! The one-process fleet as its users meet it: a process, an API, a command line.

mod cli;
mod demo;
mod end_to_end;
mod example;
mod kill;
mod own_kind;
mod process;
mod start;
