//! Split: existing keystores become verified keyshares.
//!
//! The inventory finds the keystores, `plan` fixes what will be made, `execute` makes it, judges it from disk and only
//! then lets it appear.

mod execute;

pub use execute::{Done, Event, ExecuteError, Ports, execute};

use dvkey_ceremony::message::NonceTooLarge;
use dvkey_ceremony::{Address, Nonce};

use crate::crypto::digest::Sha256Digest;
use crate::format::network::Network;
use crate::format::operators::{Cluster, OperatorList};
use crate::format::provenance;
use crate::workflow::inventory::{FoundKeystore, Inventory, Stray};

/// The file that is made.
pub const KEYSHARES_FILE: &str = "keyshares.json";

/// Everything that is written, in the order of publication: the keyshares come last.
pub const OUTPUT_FILES: [&str; 2] = [provenance::FILE_NAME, KEYSHARES_FILE];

/// What somebody wants.
#[derive(Debug)]
pub struct Request {
    /// Where the validators will be registered.
    pub network: Network,
    /// Who registers them.
    pub owner: Address,
    /// The owner as it was typed; written to the file when it is all lower case or carries the checksum.
    pub owner_text: String,
    /// The owner's nonce for the first validator.
    pub first_nonce: Nonce,
    /// Who gets the shares.
    pub cluster: Cluster,
    /// The list the operators were picked from, to judge the result by.
    pub operator_list: OperatorList,
    /// Name and digest of the list's file.
    pub operators_file: (String, Sha256Digest),
}

/// What will be made: nothing in it changes any more, and nothing in it is secret.
#[derive(Debug)]
pub struct Plan {
    /// What was asked for.
    pub request: Request,
    /// The keystores, in the order of registration.
    pub keystores: Vec<PlannedKeystore>,
    /// What else was found and is left alone.
    pub strays: Vec<Stray>,
}

/// A keystore and its nonce.
#[derive(Debug)]
pub struct PlannedKeystore {
    /// The keystore.
    pub found: FoundKeystore,
    /// The nonce its validator will be registered with.
    pub nonce: Nonce,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The owner is the zero address.
    #[error("the owner is the zero address, which nobody can register with")]
    ZeroOwner,
    /// The batch does not fit below the nodes' limit.
    #[error("{validators} validators from nonce {first} on end above 65535, the largest that the nodes know")]
    Nonces {
        /// The first nonce.
        first: Nonce,
        /// How many validators.
        validators: usize,
        /// The first nonce that does not fit.
        #[source]
        source: NonceTooLarge,
    },
}

/// Gives every keystore its nonce.
///
/// # Errors
/// [`PlanError`].
pub fn plan(request: Request, inventory: Inventory) -> Result<Plan, PlanError> {
    if request.owner.is_zero() {
        return Err(PlanError::ZeroOwner);
    }
    let validators = inventory.keystores.len();
    let mut keystores = Vec::with_capacity(validators);
    for (offset, found) in inventory.keystores.into_iter().enumerate() {
        let nonce = request.first_nonce.checked_add(offset as u64).map_err(|source| PlanError::Nonces {
            first: request.first_nonce,
            validators,
            source,
        })?;
        keystores.push(PlannedKeystore { found, nonce });
    }
    Ok(Plan { request, keystores, strays: inventory.strays })
}

impl Plan {
    /// The nonce of the last validator.
    #[must_use]
    pub fn last_nonce(&self) -> Nonce {
        self.keystores.last().map_or(self.request.first_nonce, |keystore| keystore.nonce)
    }

    /// The folder that is written to when none is named: `keyshares-<network>-<six digits of the owner>-nonce<N>`.
    #[must_use]
    pub fn default_folder(&self) -> String {
        let owner: String = self.request.owner.to_lower_hex().chars().skip(2).take(6).collect();
        format!("keyshares-{}-{owner}-nonce{}", self.request.network, self.request.first_nonce)
    }

    /// The owner as it is written to the file. Peers write what was typed; text without a checksum that could be taken
    /// for a wrong one is written with its checksum instead.
    #[must_use]
    pub fn written_owner(&self) -> String {
        let owner = self.request.owner;
        if self.request.owner_text == owner.to_lower_hex() { owner.to_lower_hex() } else { owner.to_checksum() }
    }
}
