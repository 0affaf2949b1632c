//! What other plans have merged into the same folder: a nonce must not be used by two of them.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use dvkey_ceremony::{Address, Nonce};

use crate::crypto::digest::Sha256Digest;
use crate::format::network::Network;
use crate::format::provenance::{self, Claims};
use crate::store::read::{EntryKind, ReadError, Source, list_dir, read_bounded};

/// Keyshares of another plan with a nonce that this one would use, too.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{}: made from something else, and has nonce {nonce} of {owner} on {network}, too", folder.display())]
pub struct Clash {
    /// Where they are.
    pub folder: PathBuf,
    /// The network.
    pub network: Network,
    /// The owner.
    pub owner: Address,
    /// The first nonce that both have.
    pub nonce: Nonce,
}

/// Files that are not of this plan.
pub(super) struct Others(Vec<Other>);

struct Other {
    folder: PathBuf,
    network: String,
    owner: Address,
    nonces: RangeInclusive<u64>,
}

/// Reads what is directly below `out`. What has no provenance that can be read is nothing of ours.
pub(super) fn find(out: &Path, plan: Sha256Digest) -> Result<Others, ReadError> {
    let mut others = Vec::new();
    let own = plan.to_string();
    for entry in list_dir(out)?.into_iter().filter(|entry| entry.kind == EntryKind::Dir) {
        let path = entry.path.join(provenance::FILE_NAME);
        let bytes = match read_bounded(&Source::Path(path), provenance::MAX_BYTES) {
            Ok(bytes) => bytes,
            Err(ReadError::NotFound { .. }) => continue,
            Err(error) => return Err(error),
        };
        let Ok(claims) = Claims::parse(&bytes) else { continue };
        let Ok(owner) = claims.owner.parse() else { continue };
        let nonces = claims.validators.iter().map(|(_, nonce)| *nonce);
        let (Some(first), Some(last)) = (nonces.clone().min(), nonces.max()) else { continue };
        if claims.plan.as_ref() != Some(&own) {
            others.push(Other { folder: entry.path, network: claims.network, owner, nonces: first..=last });
        }
    }
    Ok(Others(others))
}

impl Others {
    /// Refuses nonces that one of them has.
    pub(super) fn must_not_have(
        &self,
        network: Network,
        owner: Address,
        first: Nonce,
        last: Nonce,
    ) -> Result<(), Clash> {
        for other in self.0.iter().filter(|other| other.network == network.name() && other.owner == owner) {
            let both = (first.get()..=last.get()).find(|nonce| other.nonces.contains(&u64::from(*nonce)));
            if let Some(nonce) = both {
                return Err(Clash { folder: other.folder.clone(), network, owner, nonce: Nonce::from(nonce) });
            }
        }
        Ok(())
    }
}
