//! The air-gapped ceremony `agdkg-v1`: n people make m validator keys together in two walks of a storage medium.
//!
//! The protocol is in SPEC.md beside this crate's manifest; every check quotes its number there.
//!
//! | module | what |
//! |---|---|
//! | [`identity`] | one root, all keys of a person |
//! | [`card`] | who somebody is, in public |
//! | [`plan`] | every parameter, under one hash |
//! | [`precommit`] | an optional commitment to a deal |
//! | [`deal`] | walk 1: commitments, proofs, encrypted shares |
//! | [`dealing`] | making it |
//! | [`redact`] | a deal without its ciphertexts |
//! | [`transcript`] | what all deals make together |
//! | [`choice`] | which deals count, where somebody signed two |
//! | [`certify`] | walk 2: possession proof, partial signatures, sealed shares |
//! | [`certificate`] | n signatures on one transcript |
//! | [`outputs`] | deposits, registrations, sealed shares |
//! | [`complaint`], [`judge`] | a bad share, proven by one file |
//! | [`bundle`] | many files in one |
//! | [`vault`] | a root under a passphrase |
//! | [`journal`] | what a participant did |
//! | [`words`] | ten words to compare, twenty-four to keep |
//! | [`rsa`] | the port to RSA operator keys |
//! | [`signing`] | who wrote a file |
//! | [`rehearsal`] | wrong files, for rehearsals only |

pub mod bundle;
pub mod card;
pub mod certificate;
pub mod certify;
pub mod choice;
pub mod complaint;
pub mod deal;
pub mod dealing;
#[cfg(test)]
mod hostile;
pub mod identity;
pub mod journal;
pub mod judge;
pub mod outputs;
pub mod plan;
pub mod precommit;
pub mod redact;
pub mod rehearsal;
pub mod rsa;
pub(crate) mod sigma;
pub mod signing;
pub mod transcript;
pub mod vault;
#[cfg(test)]
mod vectors;
mod wire;
pub mod words;

/// First bytes of a card.
pub const CARD_MAGIC: [u8; 8] = *b"AGDKG1CD";
/// First bytes of a plan.
pub const PLAN_MAGIC: [u8; 8] = *b"AGDKG1PL";
/// First bytes of a pre-commit.
pub const PRECOMMIT_MAGIC: [u8; 8] = *b"AGDKG1C0";
/// First bytes of a deal.
pub const DEAL_MAGIC: [u8; 8] = *b"AGDKG1R1";
/// First bytes of a deal without its ciphertexts.
pub const REDACTED_MAGIC: [u8; 8] = *b"AGDKG1RR";
/// First bytes of a certify file.
pub const CERTIFY_MAGIC: [u8; 8] = *b"AGDKG1R2";
/// First bytes of a complaint.
pub const COMPLAINT_MAGIC: [u8; 8] = *b"AGDKG1CP";
/// First bytes of a certificate.
pub const CERTIFICATE_MAGIC: [u8; 8] = *b"AGDKG1CT";
/// First bytes of a bundle.
pub const BUNDLE_MAGIC: [u8; 8] = *b"AGDKG1BN";
/// First bytes of a vault.
pub const VAULT_MAGIC: [u8; 8] = *b"AGDKG1VT";
