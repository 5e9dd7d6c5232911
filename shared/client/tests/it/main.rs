//! The client against a server that answers as it was told to.

mod repeating;
mod server;
mod surprises;
mod watching;
