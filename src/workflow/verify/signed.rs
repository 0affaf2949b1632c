//! The ceremony beside keyshares: its plan names network, owner and nonces, and all participants signed it. Whoever can edit
//! a provenance can edit that of a ceremony, too; the bundle nobody can, without the shares.

use std::collections::BTreeSet;
use std::path::Path;

use dvkey_ceremony::agdkg::certify::{OpenCertify, SignedCertify};
use dvkey_ceremony::agdkg::plan::{Plan, Waivers};
use dvkey_ceremony::agdkg::transcript::{Outputs, ValidatorKeys};
use dvkey_ceremony::group::Point;
use dvkey_ceremony::{Address, Identifier, OperatorId, PublicKey};

use super::check::{Check, Unknown, ValidatorLine};
use super::tally::Results;
use crate::crypto::operator_key::SEALED_BYTES;
use crate::format::ceremony_file::CeremonyFile;
use crate::format::keyshares::{Item, KeysharesFile, SharesData};
use crate::format::network::Network;
use crate::store::read::exists;
use crate::workflow::ceremony::assemble::{BUNDLE, PUBLIC_BUNDLE};
use crate::workflow::ceremony::folder::the_plan;
use crate::workflow::ceremony::gather::{Aside, gather_if_there};
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
    /// A share was not sealed by its holder: whoever can open it, the operator perhaps cannot.
    #[error("the sealed share of operator {0} is not the one that its holder certified")]
    OtherSealedShare(Identifier),
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
        let found = gather_if_there(&paths, None);
        match found.aside.first() {
            None => {}
            Some((_, Aside::Unreadable(why))) => return Some(Err(why.clone())),
            Some((origin, _)) => return Some(Err(format!("{origin} is damaged"))),
        }
        // What somebody overrode when the plan was made was decided then.
        let plan = match the_plan(&found, None, Waivers { two_quorums: true, unbound_operators: true }) {
            Ok(plan) => plan,
            Err(error) => return Some(Err(error.to_string())),
        };
        let found = gather_if_there(&paths, Some(&plan));
        let files = found.of(CeremonyFile::Certify);
        let certifies = files.filter_map(|blob| SignedCertify::parse(&plan, &blob.bytes).ok()).collect();
        Some(Ok(Self { plan, certifies }))
    }

    /// Whether every participant certified just these keys under this plan, proved to have its shares of them, and sealed
    /// its own as they are in the file.
    fn must_have_made(&self, file: &KeysharesFile) -> Result<(), CeremonyReason> {
        // Whatever the file holds, no more is looked at than the ceremony can have made.
        if file.items.len() != usize::from(self.plan.validators()) {
            return Err(CeremonyReason::OtherKeys);
        }
        let items: Option<Vec<_>> = file.items.iter().map(|item| self.item(item.as_ref().ok()?)).collect();
        let (keys, sealed): (Vec<_>, Vec<_>) = items.ok_or(CeremonyReason::OtherKeys)?.into_iter().unzip();
        let transcripts: BTreeSet<_> = self.certifies.iter().map(|file| *file.transcript()).collect();
        let by_all = |transcript: &[u8; 32]| {
            let by = |id| self.certifies.iter().any(|one| one.sender() == id && one.transcript() == transcript);
            self.plan.participants().iter().all(|one| by(one.id))
        };
        let opened = transcripts.into_iter().filter(by_all).find_map(|transcript| {
            let outputs = Outputs::new(&self.plan, transcript, keys.clone());
            let by = |id| {
                let of_one = self.certifies.iter().filter(|one| one.sender() == id);
                let opened: Vec<_> = of_one.filter_map(|one| one.open(&self.plan, &outputs).ok()).collect();
                (!opened.is_empty()).then_some(opened)
            };
            self.plan.participants().iter().map(|one| by(one.id)).collect::<Option<Vec<_>>>()
        });
        // Sealing is randomised: somebody may have written several files that say the same, each with its own.
        for (position, (holder, files)) in
            self.plan.participants().iter().zip(opened.ok_or(CeremonyReason::OtherKeys)?).enumerate()
        {
            let is_sealed = |file: &OpenCertify| {
                file.validators
                    .iter()
                    .map(|one| one.sealed_share.as_deref())
                    .eq(sealed.iter().map(|shares| shares.get(position).map(|share| share.as_slice())))
            };
            if !files.iter().any(is_sealed) {
                return Err(CeremonyReason::OtherSealedShare(holder.id));
            }
        }
        Ok(())
    }

    /// The keys of a validator, and its sealed shares.
    fn item<'a>(&self, item: &'a Item) -> Option<(ValidatorKeys, Vec<&'a [u8; SEALED_BYTES]>)> {
        let ids = self.plan.participants().iter().map(|one| one.id.get());
        if !item.payload.operator_ids.iter().copied().map(OperatorId::get).eq(ids) {
            return None;
        }
        let shares = SharesData::cut(&item.payload.shares_data, item.payload.operator_ids.len())?;
        let point = |bytes: &[u8]| Point::from_bytes(bytes.try_into().ok()?).ok();
        let public_key: &[u8; PublicKey::BYTES] = item.payload.public_key.as_slice().try_into().ok()?;
        let share_keys: Option<Vec<_>> = shares.share_public_keys.iter().map(|bytes| point(bytes)).collect();
        let keys = ValidatorKeys { public_key: Point::from_bytes(public_key).ok()?, share_keys: share_keys? };
        Some((keys, shares.sealed_shares))
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
    let judged = bundled.as_ref().map_err(|why| CeremonyReason::Unreadable(why.clone()));
    let bundled = match judged.and_then(|bundled| bundled.must_have_made(file).map(|()| bundled)) {
        Ok(bundled) => bundled,
        Err(CeremonyReason::OtherKeys) if !is_ours => return None,
        Err(CeremonyReason::Unreadable(_)) if !is_ours => {
            results.unknown(Check::Ceremony, Unknown::BundleUnreadable);
            return None;
        }
        Err(reason) => {
            results.failed(Check::Ceremony, None, reason);
            return None;
        }
    };
    let network = network_of(&bundled.plan);
    let Some(ssv) = bundled.plan.ssv() else { return network };
    let last = ssv.first_nonce.saturating_add(u64::from(ssv.nonce_window).saturating_sub(1));
    let found = validators.first().and_then(|line| line.nonce);
    if owner != Some(ssv.owner) {
        results.failed(Check::Ceremony, None, CeremonyReason::OtherOwner);
    } else if found.is_some_and(|nonce| !(ssv.first_nonce..=last).contains(&nonce)) {
        results.failed(Check::Ceremony, None, CeremonyReason::OtherNonce { first: ssv.first_nonce, last });
    } else {
        results.held(Check::Ceremony);
    }
    network
}
