//! Floor 4: one file, or folder, for each thing that somebody wants done.

pub mod inspect;
pub mod inventory;
pub mod open;
mod parallel;
mod queue;
pub mod split;
pub mod unlock;
pub mod verify;
