//! The ceremony beside keyshares: its plan names network, owner and nonces, and all participants signed it. Whoever can edit
//! a provenance can edit that of a ceremony, too; the bundle nobody can, without the shares.

use std::collections::BTreeSet;
use std::path::Path;

use dvkey_ceremony::agdkg::certify::SignedCertify;
use dvkey_ceremony::agdkg::plan::{Plan, Waivers};
use dvkey_ceremony::agdkg::transcript::{Outputs, ValidatorKeys};
use dvkey_ceremony::group::Point;
use dvkey_ceremony::{Address, OperatorId, PublicKey};

use super::check::{Check, ValidatorLine};
use super::tally::Results;
use crate::format::ceremony_file::CeremonyFile;
use crate::format::keyshares::{Item, KeysharesFile, SharesData};
use crate::format::network::Network;
use crate::store::read::exists;
use crate::workflow::ceremony::assemble::{BUNDLE, PUBLIC_BUNDLE};
use crate::workflow::ceremony::folder::the_plan;
use crate::workflow::ceremony::gather::gather_if_there;
use crate::workflow::ceremony::network_of;

/// What keyshares and the bundle beside them disagree about.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum CeremonyReason {
    /// The bundle cannot be read.
    #[error("the ceremony's bundle beside it cannot be read: {0}")]
    Unreadable(String),
    /// The ceremony made other keys, or not everybody certified these.
    #[error("the ceremony's bundle beside it is not one in which everybody certified these keys")]
    OtherKeys,
    /// The plan names another owner.
    #[error("the plan that everybody signed names another owner")]
    OtherOwner,
    /// The plan has other nonces.
    #[error("the plan that everybody signed has nonces from {first} to {last} for the first validator")]
    OtherNonce {
        /// The first.
        first: u64,
        /// The last.
        last: u64,
    },
    /// The provenance names another network than the plan.
    #[error("provenance.json names {named}, the plan that everybody signed is for {signed}: somebody edited it")]
    OtherNetwork {
        /// What the provenance says.
        named: String,
        /// What the plan says.
        signed: Network,
    },
}

/// What a bundle says, as far as it was read: whether it is of the keyshares beside it shows with those.
#[derive(Clone, Debug)]
pub struct Bundled {
    plan: Plan,
    certifies: Vec<SignedCertify>,
}

impl Bundled {
    /// Reads the bundles in a folder, full or public; `None` where there are none.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Option<Result<Self, String>> {
        let paths: Vec<_> = [PUBLIC_BUNDLE, BUNDLE].map(|name| folder.join(name)).into_iter().collect();
        if !paths.iter().any(|path| exists(path)) {
            return None;
        }
        let found = gather_if_there(&paths);
        if let Some((origin, _)) = found.aside.first() {
            return Some(Err(format!("{origin} is damaged")));
        }
        // What somebody overrode when the plan was made was decided then.
        let plan = match the_plan(&found, None, Waivers { two_quorums: true, unbound_operators: true }) {
            Ok(plan) => plan,
            Err(error) => return Some(Err(error.to_string())),
        };
        let files = found.of(CeremonyFile::Certify);
        let certifies = files.filter_map(|blob| SignedCertify::parse(&plan, &blob.bytes).ok()).collect();
        Some(Ok(Self { plan, certifies }))
    }

    /// Whether every participant certified just these keys under this plan, and proved to have its shares of them.
    fn is_of(&self, file: &KeysharesFile) -> bool {
        let keys: Option<Vec<_>> = file.items.iter().map(|item| self.keys(item.as_ref().ok()?)).collect();
        let Some(keys) = keys else { return false };
        let transcripts: BTreeSet<_> = self.certifies.iter().map(|file| *file.transcript()).collect();
        transcripts.into_iter().any(|transcript| {
            let outputs = Outputs::new(&self.plan, transcript, keys.clone());
            let by = |id| self.certifies.iter().any(|one| one.sender() == id && one.open(&self.plan, &outputs).is_ok());
            self.plan.participants().iter().all(|one| by(one.id))
        })
    }

    fn keys(&self, item: &Item) -> Option<ValidatorKeys> {
        let ids = self.plan.participants().iter().map(|one| one.id.get());
        if !item.payload.operator_ids.iter().copied().map(OperatorId::get).eq(ids) {
            return None;
        }
        let shares = SharesData::cut(&item.payload.shares_data, item.payload.operator_ids.len())?;
        let point = |bytes: &[u8]| Point::from_bytes(bytes.try_into().ok()?).ok();
        let public_key: &[u8; PublicKey::BYTES] = item.payload.public_key.as_slice().try_into().ok()?;
        let share_keys: Option<Vec<_>> = shares.share_public_keys.iter().map(|bytes| point(bytes)).collect();
        Some(ValidatorKeys { public_key: Point::from_bytes(public_key).ok()?, share_keys: share_keys? })
    }
}

/// Compares keyshares with the bundle beside them; returns the network of the plan, where it is signed for these keys.
///
/// `is_ours`: whether the file has the name under which a ceremony writes its keyshares. Another one may lie beside a bundle
/// that has nothing to do with it.
pub(super) fn compare(
    file: &KeysharesFile,
    bundled: &Result<Bundled, String>,
    is_ours: bool,
    owner: Option<Address>,
    validators: &[ValidatorLine],
    results: &mut Results,
) -> Option<Network> {
    let mut failed = |reason| results.failed(Check::Ceremony, None, reason);
    let bundled = match bundled {
        Ok(bundled) if bundled.is_of(file) => bundled,
        _ if !is_ours => return None,
        Ok(_) => {
            failed(CeremonyReason::OtherKeys);
            return None;
        }
        Err(why) => {
            failed(CeremonyReason::Unreadable(why.clone()));
            return None;
        }
    };
    let network = network_of(&bundled.plan);
    let Some(ssv) = bundled.plan.ssv() else { return network };
    let last = ssv.first_nonce.saturating_add(u64::from(ssv.nonce_window).saturating_sub(1));
    let found = validators.first().and_then(|line| line.nonce);
    if owner != Some(ssv.owner) {
        failed(CeremonyReason::OtherOwner);
    } else if found.is_some_and(|nonce| !(ssv.first_nonce..=last).contains(&nonce)) {
        failed(CeremonyReason::OtherNonce { first: ssv.first_nonce, last });
    } else {
        results.held(Check::Ceremony);
    }
    network
}
