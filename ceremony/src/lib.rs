//! The pure core of dvkey: what a validator key is, how it becomes shares, and what it signs.
//!
//! Every event in which shares come to be is a key ceremony. Here is its mathematics, without files, sockets, clocks or
//! global randomness: bytes and randomness come in, bytes go out.
//!
//! | module | what |
//! |---|---|
//! | [`secret`] | the container for secret bytes |
//! | [`scalar`] | field arithmetic in constant time |
//! | [`group`] | points: multiplication by secrets and sums of public points as different types |
//! | [`hash`] | tagged hashes, hash to scalar, derivations |
//! | [`bls`] | keys and signatures, every decoded point subgroup-checked |
//! | [`identifier`] | non-zero evaluation points, operator ids |
//! | [`threshold`] | t of n, as the network allows |
//! | [`polynomial`] | evaluation, interpolation at zero |
//! | [`share`] | key shares and the degree check |
//! | [`dealer`] | role: split a key and prove the split |
//! | [`recover`] | role: combine t shares |
//! | [`agdkg`] | the air-gapped ceremony: many people make a key that none of them ever has |
//! | [`participant`] | role: deal, certify, finish; recover from the root |
//! | [`auditor`] | role: replay a ceremony from its public files |
//! | [`fault`] | its numbered checks, its codes, its blame |
//! | [`address`] | Ethereum addresses, EIP-55 |
//! | [`message`] | what people sign with a validator key for the SSV Network |
//! | [`deposit`] | what people sign with it for the beacon chain: deposits and exits |
//! | [`operator_proof`] | what an operator signs about its share |

pub mod address;
pub mod agdkg;
pub mod auditor;
pub mod bls;
pub mod dealer;
pub mod deposit;
pub mod fault;
pub mod group;
pub mod hash;
pub mod identifier;
mod merkle;
pub mod message;
pub mod operator_proof;
pub mod participant;
pub mod polynomial;
pub mod recover;
pub mod scalar;
pub mod secret;
pub mod share;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod threshold;

pub use address::Address;
pub use bls::{PublicKey, SecretKey, Signature};
pub use dealer::{Deal, Dealer};
pub use deposit::{DepositData, DepositMessage, ForkVersion, Gwei, VoluntaryExit, WithdrawalCredentials};
pub use identifier::{Identifier, OperatorId};
pub use message::{Nonce, OwnerNonce};
pub use operator_proof::OperatorProof;
pub use secret::SecretBytes;
pub use share::{KeyShare, SharePublicKey};
pub use threshold::Threshold;
