//! Floor 4: one file, or folder, for each thing that somebody wants done.

pub mod batch;
pub mod ceremony;
mod deal;
pub mod deposit;
pub mod inspect;
pub mod inventory;
pub mod open;
mod parallel;
pub mod payload;
mod queue;
pub mod recover;
pub mod split;
pub mod unlock;
pub mod verify;
