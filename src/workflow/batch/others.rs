//! What earlier merges have left in the same folder: a nonce must not stand in two files.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use dvkey_ceremony::{Address, Nonce};

use crate::crypto::digest::Sha256Digest;
use crate::format::network::Network;
use crate::format::provenance::{self, Claims};
use crate::store::read::{EntryKind, ReadError, Source, list_dir, read_bounded};

/// Keyshares with a nonce that a file of this merge would have, too.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{}: {}, and has nonce {nonce} of {owner} on {network}, too",
    folder.display(),
    if *is_own { "left by an earlier merge of this plan" } else { "made from something else" }
)]
pub struct Clash {
    /// Where they are.
    pub folder: PathBuf,
    /// Whether they are of the same plan.
    pub is_own: bool,
    /// The network.
    pub network: Network,
    /// The owner.
    pub owner: Address,
    /// The first nonce that both have.
    pub nonce: Nonce,
}

/// Files that are there.
pub(super) struct Others(Vec<Other>);

struct Other {
    folder: PathBuf,
    is_own: bool,
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
        let bytes = match read_bounded(&Source::File(path), provenance::MAX_BYTES) {
            Ok(bytes) => bytes,
            Err(ReadError::NotFound { .. }) => continue,
            Err(error) => return Err(error),
        };
        let Ok(claims) = Claims::parse(&bytes) else { continue };
        let Ok(owner) = claims.owner.parse() else { continue };
        let nonces = claims.validators.iter().map(|(_, nonce)| *nonce);
        let (Some(first), Some(last)) = (nonces.clone().min(), nonces.max()) else { continue };
        let is_own = claims.plan.as_ref() == Some(&own);
        others.push(Other { folder: entry.path, is_own, network: claims.network, owner, nonces: first..=last });
    }
    Ok(Others(others))
}

impl Others {
    /// Refuses nonces that one of them has, but for what this plan has put where the file itself will be.
    pub(super) fn must_not_have(
        &self,
        folder: &Path,
        (network, owner): (Network, Address),
        (first, last): (Nonce, Nonce),
    ) -> Result<(), Clash> {
        for other in self.0.iter().filter(|other| other.network == network.name() && other.owner == owner) {
            let is_the_same = other.is_own && other.folder.file_name() == folder.file_name();
            let both = (first.get()..=last.get()).find(|nonce| other.nonces.contains(&u64::from(*nonce)));
            if let Some(nonce) = both.filter(|_| !is_the_same) {
                let (folder, is_own, nonce) = (other.folder.clone(), other.is_own, Nonce::from(nonce));
                return Err(Clash { folder, is_own, network, owner, nonce });
            }
        }
        Ok(())
    }
}
