//! What earlier merges have left in the same folder: a nonce must not stand in two files.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use dvkey_ceremony::{Address, Nonce};

use crate::crypto::digest::Sha256Digest;
use crate::format::keyshares;
use crate::format::network::Network;
use crate::format::provenance::{self, Claims};
use crate::store::read::{EntryKind, ReadError, Source, list_dir, read_bounded};
use crate::workflow::split::KEYSHARES_FILE;

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
    /// `None` where only the keyshares are there, which do not say it: any.
    network: Option<String>,
    owner: Address,
    nonces: RangeInclusive<u64>,
}

/// Reads what is in `out` and directly below it: by its provenance, or else by the keyshares themselves.
pub(super) fn find(out: &Path, plan: Sha256Digest) -> Result<Others, ReadError> {
    let mut others = Vec::new();
    let own = plan.to_string();
    let below = list_dir(out)?.into_iter().filter(|entry| entry.kind == EntryKind::Dir).map(|entry| entry.path);
    for folder in std::iter::once(out.to_path_buf()).chain(below) {
        match by_provenance(&folder, &own)? {
            Some(other) => others.push(other),
            None => others.extend(by_keyshares(&folder)?),
        }
    }
    Ok(Others(others))
}

fn read_if_there(path: PathBuf, most: u64) -> Result<Option<Vec<u8>>, ReadError> {
    match read_bounded(&Source::File(path), most) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(ReadError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn by_provenance(folder: &Path, own: &str) -> Result<Option<Other>, ReadError> {
    let bytes = read_if_there(folder.join(provenance::FILE_NAME), provenance::MAX_BYTES)?;
    let Some(claims) = bytes.and_then(|bytes| Claims::parse(&bytes).ok()) else { return Ok(None) };
    let nonces = claims.validators.iter().map(|(_, nonce)| *nonce);
    let (Ok(owner), Some(first), Some(last)) = (claims.owner.parse(), nonces.clone().min(), nonces.max()) else {
        return Ok(None);
    };
    let is_own = claims.plan.as_deref() == Some(own);
    let (folder, network) = (folder.to_path_buf(), Some(claims.network));
    Ok(Some(Other { folder, is_own, network, owner, nonces: first..=last }))
}

fn by_keyshares(folder: &Path) -> Result<Vec<Other>, ReadError> {
    let bytes = read_if_there(folder.join(KEYSHARES_FILE), keyshares::MAX_BYTES)?;
    let Some(file) = bytes.and_then(|bytes| keyshares::parse(&bytes).ok()) else { return Ok(Vec::new()) };
    let mut owners: BTreeMap<Address, RangeInclusive<u64>> = BTreeMap::new();
    for described in file.items.iter().flatten().filter_map(|item| item.data.as_ref()) {
        let owner = described.owner.as_ref().and_then(|owner| owner.parse().ok());
        let (Some(owner), Some(nonce)) = (owner, described.nonce) else { continue };
        let nonces = owners.entry(owner).or_insert(nonce..=nonce);
        *nonces = nonce.min(*nonces.start())..=nonce.max(*nonces.end());
    }
    let other = |(owner, nonces)| Other { folder: folder.to_path_buf(), is_own: false, network: None, owner, nonces };
    Ok(owners.into_iter().map(other).collect())
}

impl Others {
    /// Refuses nonces that one of them has, but for what this plan has put where the file itself will be.
    pub(super) fn must_not_have(
        &self,
        folder: &Path,
        (network, owner): (Network, Address),
        (first, last): (Nonce, Nonce),
    ) -> Result<(), Clash> {
        let is_of =
            |other: &&Other| other.network.as_deref().is_none_or(|on| on == network.name()) && other.owner == owner;
        for other in self.0.iter().filter(is_of) {
            // Where the file itself will be, it is known by its content, or replaced on request.
            let is_ours = other.is_own || other.network.is_none();
            let is_the_same = is_ours && other.folder.file_name() == folder.file_name();
            let both = (first.get()..=last.get()).find(|nonce| other.nonces.contains(&u64::from(*nonce)));
            if let Some(nonce) = both.filter(|_| !is_the_same) {
                let (folder, is_own, nonce) = (other.folder.clone(), other.is_own, Nonce::from(nonce));
                return Err(Clash { folder, is_own, network, owner, nonce });
            }
        }
        Ok(())
    }
}
