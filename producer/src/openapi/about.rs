//! What does each operation of the table say of itself? One function per row of [`crate::routes`].

pub mod acts;
pub mod dead_letters;
pub mod fleet;
pub mod jobs;
pub mod keys;
pub mod process;
