//! Floor 2: bytes and text to types and back, for every file that dvkey touches.

pub mod amount;
pub mod cluster_snapshot;
pub mod contract;
pub mod deposit;
pub mod detect;
pub mod journal;
pub mod json;
pub mod keyshares;
pub mod keystore;
pub mod manifest;
pub mod network;
pub mod operator_key_text;
pub mod operator_keystore;
pub mod operator_state;
pub mod operators;
pub mod payload_file;
pub mod plan;
pub mod proofs;
pub mod provenance;
pub mod receipt;
pub mod row_result;
pub mod safe;
pub mod text;
pub mod transaction;
