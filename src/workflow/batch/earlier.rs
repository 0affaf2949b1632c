//! Keyshares of an earlier merge where other ones would be put: whose they are, and which validators would be lost.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};

use dvkey_ceremony::{Address, Nonce, OperatorId};

use crate::crypto::digest::Sha256Digest;
use crate::format::journal::Superseded;
use crate::format::keyshares;
use crate::format::network::Network;
use crate::format::provenance::{self, Claims};
use crate::store::read::{ReadError, Source, read_bounded};
use crate::workflow::split::KEYSHARES_FILE;

/// Whose keyshares are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whose {
    /// Who registers.
    pub owner: Address,
    /// Where, as far as a provenance says it: keyshares do not.
    pub network: Option<Network>,
    /// With which operators, the lowest id first.
    pub operators: Vec<OperatorId>,
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.owner.fmt(f)?;
        if let Some(network) = self.network {
            write!(f, " on {network}")?;
        }
        let ids: Vec<_> = self.operators.iter().map(ToString::to_string).collect();
        write!(f, ", operators {}", ids.join(", "))
    }
}

impl Whose {
    fn is_as(&self, other: &Self) -> bool {
        let networks = self.network.zip(other.network);
        self.owner == other.owner
            && self.operators == other.operators
            && networks.is_none_or(|(one, other)| one == other)
    }
}

/// Why keyshares that are there, and may be registered, are not replaced.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Earlier {
    /// Nobody asked for it.
    #[error("{}; no validator would be lost", there(folder, *earlier, whose, *now))]
    NotAsked {
        /// Where they are.
        folder: PathBuf,
        /// How many validators they have.
        earlier: usize,
        /// How many the new ones would have.
        now: usize,
        /// Whose both are.
        whose: Box<Whose>,
    },
    /// They are somebody else's, or for other operators.
    #[error("{} of {ours}", there(folder, *earlier, theirs, *now))]
    Foreign {
        /// Where they are.
        folder: PathBuf,
        /// How many validators they have.
        earlier: usize,
        /// How many the new ones would have.
        now: usize,
        /// Whose they are.
        theirs: Box<Whose>,
        /// Whose the new ones would be.
        ours: Box<Whose>,
    },
    /// Not all of their validators are in the new ones.
    #[error(
        "{}; lost would be validator 0x{} with nonce {nonce}{}",
        there(folder, *earlier, whose, *now),
        hex::encode(public_key),
        match lost { 0 | 1 => String::new(), lost => format!(", and {} more", lost - 1) }
    )]
    Losing {
        /// Where they are.
        folder: PathBuf,
        /// How many validators they have.
        earlier: usize,
        /// How many the new ones would have.
        now: usize,
        /// Whose both are.
        whose: Box<Whose>,
        /// How many would be lost.
        lost: usize,
        /// The lowest nonce of those.
        nonce: u64,
        /// Its validator, not decoded.
        public_key: Vec<u8>,
    },
    /// Validators of theirs are not in the new ones, since another plan has these rows by now.
    #[error(
        "{}; plan {by} has the rows from nonce {from} on: of what is there nonces from {from} on must not be registered any \
         more",
        there(folder, *earlier, whose, *now)
    )]
    Superseded {
        /// Where they are.
        folder: PathBuf,
        /// How many validators they have.
        earlier: usize,
        /// How many the new ones would have.
        now: usize,
        /// Whose both are.
        whose: Box<Whose>,
        /// From which nonce on.
        from: Nonce,
        /// The plan that has the rows.
        by: Sha256Digest,
    },
    /// What is there does not say what would be lost.
    #[error("{}: what is there under this name cannot be read as keyshares of one owner and cluster", .0.display())]
    Unknown(PathBuf),
}

fn there(folder: &Path, earlier: usize, whose: &Whose, now: usize) -> String {
    let validators = if earlier == 1 { "validator" } else { "validators" };
    format!(
        "{}: keyshares of {earlier} {validators} are there, and may be registered; they are of {whose}; what there is now \
         makes another file, of {now}",
        folder.display()
    )
}

/// What is in a keyshares file.
pub(super) struct Content {
    whose: Whose,
    validators: Vec<(u64, Vec<u8>)>,
}

impl Content {
    /// Reads the keyshares in a folder: what they say counts, and not what is said of them. `None` where there are none.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, Earlier> {
        let path = folder.join(KEYSHARES_FILE);
        let bytes = match read_bounded(&Source::File(path.clone()), keyshares::MAX_BYTES) {
            Err(ReadError::NotFound { .. }) => return Ok(None),
            bytes => bytes.map_err(|_| Earlier::Unknown(path.clone()))?,
        };
        Self::parse(&bytes, folder).map(Some).ok_or(Earlier::Unknown(path))
    }

    fn parse(bytes: &[u8], folder: &Path) -> Option<Self> {
        let file = keyshares::parse(bytes).ok()?;
        let mut whose: Option<Whose> = None;
        let mut validators = Vec::with_capacity(file.items.len());
        let network = network(folder, Sha256Digest::of(bytes));
        for item in file.items {
            let item = item.ok()?;
            let data = item.data?;
            let mut operators = item.payload.operator_ids;
            operators.sort_unstable();
            let own = Whose { owner: data.owner?.parse().ok()?, network, operators };
            if *whose.get_or_insert_with(|| own.clone()) != own {
                return None;
            }
            validators.push((data.nonce?, item.payload.public_key));
        }
        validators.sort_unstable();
        Some(Self { whose: whose?, validators })
    }

    /// Refuses to replace them by keyshares of these validators: without --force always, and with it where they are not of
    /// the same owner, network and operators, or where one of their validators would not have its nonce any more; `taken`
    /// is what another plan has of this owner's rows.
    pub(super) fn must_not_be_lost<'a>(
        self,
        folder: &Path,
        ours: Whose,
        validators: impl Iterator<Item = (u64, &'a [u8])>,
        (force, taken): (bool, Option<Superseded>),
    ) -> Result<(), Earlier> {
        let (folder, earlier) = (folder.to_path_buf(), self.validators.len());
        let new: HashSet<_> = validators.collect();
        let (now, ours) = (new.len(), Box::new(ours));
        if !self.whose.is_as(&ours) {
            let theirs = Box::new(self.whose);
            return Err(Earlier::Foreign { folder, earlier, now, theirs, ours });
        }
        let mut lost = self.validators.iter().filter(|(nonce, key)| !new.contains(&(*nonce, key.as_slice())));
        if let Some((nonce, public_key)) = lost.next() {
            if let Some(Superseded { from, by, .. }) = taken.filter(|taken| u64::from(taken.from.get()) <= *nonce) {
                return Err(Earlier::Superseded { folder, earlier, now, whose: ours, from, by });
            }
            let (nonce, public_key, lost) = (*nonce, public_key.clone(), lost.count().saturating_add(1));
            return Err(Earlier::Losing { folder, earlier, now, whose: ours, lost, nonce, public_key });
        }
        if force { Ok(()) } else { Err(Earlier::NotAsked { folder, earlier, now, whose: ours }) }
    }
}

/// For which network the keyshares with this digest are, if the provenance beside them is theirs.
fn network(folder: &Path, keyshares: Sha256Digest) -> Option<Network> {
    let source = Source::File(folder.join(provenance::FILE_NAME));
    let claims = Claims::parse(&read_bounded(&source, provenance::MAX_BYTES).ok()?).ok()?;
    let is_theirs = claims.outputs.contains(&(KEYSHARES_FILE.to_owned(), keyshares.to_string()));
    claims.network.parse().ok().filter(|_| is_theirs)
}
