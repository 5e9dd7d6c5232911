//! What `kinds` promises: payloads that were ever accepted decode for ever, and schema and code refuse the same.

mod callback;
mod deliver;
mod golden;
