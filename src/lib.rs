//! dvkey: keys of distributed Ethereum validators, split, verified and explained, offline.

pub mod cli;
pub mod format;
pub mod machine;
pub mod store;
pub mod workflow;

pub use dvkey_crypto as crypto;
