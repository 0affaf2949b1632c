//! What earlier merges have left in the same folder: neither a nonce nor a validator must stand in two files.

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use dvkey_ceremony::{Address, Nonce, PublicKey};

use crate::crypto::digest::Sha256Digest;
use crate::format::keyshares;
use crate::format::network::Network;
use crate::format::provenance::{self, Claims};
use crate::store::read::{EntryKind, ReadError, Source, list_dir, read_bounded};
use crate::workflow::split::KEYSHARES_FILE;

/// Keyshares with something that a file of this merge would have, too.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{}: {}, and has {shared}, too",
    folder.display(),
    if *is_own { "left by an earlier merge of this plan" } else { "made from something else" }
)]
pub struct Clash {
    /// Where they are.
    pub folder: PathBuf,
    /// Whether they are of the same plan.
    pub is_own: bool,
    /// What both have.
    pub shared: Shared,
}

/// What two files must not both have.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Shared {
    /// A nonce of an owner.
    #[error("nonce {nonce} of {owner} on {network}")]
    Nonce {
        /// The network.
        network: Network,
        /// The owner.
        owner: Address,
        /// The first nonce that both have.
        nonce: Nonce,
    },
    /// A validator, whoever its owner is there: two clusters that run one validator key are slashed.
    #[error("validator 0x{}, there with nonce {nonce} of {owner}", hex::encode(public_key))]
    Validator {
        /// Its public key, not decoded.
        public_key: [u8; PublicKey::BYTES],
        /// Its nonce there.
        nonce: u64,
        /// Its owner there.
        owner: Address,
    },
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
    /// With their nonces.
    validators: HashMap<[u8; PublicKey::BYTES], u64>,
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
    let decoded = |(text, nonce): &(String, u64)| Some((public_key(text)?, *nonce));
    let Some(validators) = claims.validators.iter().map(decoded).collect() else { return Ok(None) };
    let is_own = claims.plan.as_deref() == Some(own);
    let (folder, network) = (folder.to_path_buf(), Some(claims.network));
    Ok(Some(Other { folder, is_own, network, owner, nonces: first..=last, validators }))
}

fn public_key(text: &str) -> Option<[u8; PublicKey::BYTES]> {
    hex::decode(text.strip_prefix("0x")?).ok()?.try_into().ok()
}

fn by_keyshares(folder: &Path) -> Result<Vec<Other>, ReadError> {
    let bytes = read_if_there(folder.join(KEYSHARES_FILE), keyshares::MAX_BYTES)?;
    let Some(file) = bytes.and_then(|bytes| keyshares::parse(&bytes).ok()) else { return Ok(Vec::new()) };
    let mut owners: BTreeMap<Address, Other> = BTreeMap::new();
    for item in file.items.iter().flatten() {
        let Some(described) = item.data.as_ref() else { continue };
        let owner = described.owner.as_ref().and_then(|owner| owner.parse().ok());
        let (Some(owner), Some(nonce)) = (owner, described.nonce) else { continue };
        let other = owners.entry(owner).or_insert_with(|| Other {
            folder: folder.to_path_buf(),
            is_own: false,
            network: None,
            owner,
            nonces: nonce..=nonce,
            validators: HashMap::new(),
        });
        other.nonces = nonce.min(*other.nonces.start())..=nonce.max(*other.nonces.end());
        if let Ok(key) = item.payload.public_key.as_slice().try_into() {
            other.validators.insert(key, nonce);
        }
    }
    Ok(owners.into_values().collect())
}

impl Others {
    /// Refuses nonces and validators that one of them has, but for what this plan has put where the file itself will be.
    pub(super) fn must_not_have<'a>(
        &self,
        folder: &Path,
        (network, owner): (Network, Address),
        (first, last): (Nonce, Nonce),
        validators: impl Iterator<Item = &'a [u8; PublicKey::BYTES]> + Clone,
    ) -> Result<(), Clash> {
        for other in &self.0 {
            let is_of = other.network.as_deref().is_none_or(|on| on == network.name()) && other.owner == owner;
            // Where the file itself will be, it is known by its content, or replaced on request.
            let is_ours = is_of && (other.is_own || other.network.is_none());
            if is_ours && other.folder.file_name() == folder.file_name() {
                continue;
            }
            let (folder, is_own) = (other.folder.clone(), other.is_own);
            let both = (first.get()..=last.get()).find(|nonce| other.nonces.contains(&u64::from(*nonce)));
            if let Some(nonce) = both.filter(|_| is_of) {
                let shared = Shared::Nonce { network, owner, nonce: Nonce::from(nonce) };
                return Err(Clash { folder, is_own, shared });
            }
            let mut known = validators.clone().filter_map(|key| Some((*key, *other.validators.get(key)?)));
            if let Some((public_key, nonce)) = known.next() {
                let shared = Shared::Validator { public_key, nonce, owner: other.owner };
                return Err(Clash { folder, is_own, shared });
            }
        }
        Ok(())
    }
}
