//! Recover: enough shares become the validator key again, in a keystore, if it is the key of that public key.

use std::path::PathBuf;

use dvkey_ceremony::recover::{RecoverError, combine, recover};
use dvkey_ceremony::threshold::ClusterSizeError;
use dvkey_ceremony::{KeyShare, OperatorId, PublicKey, SecretBytes, SecretKey, Threshold};

use crate::crypto::kdf::{Kdf, KdfError, KdfLimits};
use crate::crypto::keystore_cipher::Envelope;
use crate::crypto::operator_key::OperatorPrivateKey;
use crate::crypto::password::Password;
use crate::crypto::random::{self, NoRandomness};
use crate::format::keyshares::{Item, ItemError, KeysharesFile, SharesData};
use crate::format::keystore::{self, Keystore, KeystoreError, UnlockError};
use crate::store::atomic::{Mode, Staged};
use crate::store::output_dir::OutputDir;
use crate::store::read::{Source, read_bounded};
use crate::store::write_error::WriteError;

/// The fewest characters that a new password has.
pub const SHORTEST_PASSWORD: usize = 8;

/// Why the key was not recovered.
#[derive(Debug, thiserror::Error)]
pub enum RecoverFailure {
    /// No validator in the file.
    #[error("the keyshares file holds no validator")]
    NoValidator,
    /// Several, and nobody said which.
    #[error("the keyshares file holds {0} validators")]
    SeveralValidators(usize),
    /// The one that was asked for, more than once.
    #[error("the keyshares file holds this validator {0} times")]
    Repeated(usize),
    /// Not the one that was asked for.
    #[error("the keyshares file does not hold the validator {0}")]
    NotInFile(Box<PublicKey>),
    /// The item cannot be read.
    #[error(transparent)]
    Item(#[from] ItemError),
    /// The item's public key is none, or `sharesData` has another length.
    #[error("the validator's part of the keyshares file is damaged")]
    Damaged,
    /// No cluster has so many operators.
    #[error(transparent)]
    ClusterSize(#[from] ClusterSizeError),
    /// The operator has no share of this validator.
    #[error("operator {0} has no share of this validator")]
    NotAnOperator(OperatorId),
    /// The sealed share does not open with the key that was given for the operator.
    #[error("the sealed share of operator {0} does not open with the key that was given for it")]
    DoesNotOpen(OperatorId),
    /// What was opened is another share than the file names.
    #[error("the share of operator {0} is not the one behind its share public key")]
    OtherShare(OperatorId),
    /// The shares do not make the key.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// The operating system gives no randomness.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    /// The new keystore's derivation failed.
    #[error(transparent)]
    Kdf(#[from] KdfError),
    /// The text of the keystore could not be made.
    #[error("the keystore could not be written as JSON")]
    Json(#[from] serde_json::Error),
    /// Writing failed; nothing is left behind.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// What was read back differs from what was written.
    #[error("the keystore came back from the disk other than it was written")]
    ReadBack,
    /// What was read back is no keystore.
    #[error("the written keystore cannot be read: {0}")]
    Unreadable(#[from] KeystoreError),
    /// What was read back does not open.
    #[error("the written keystore does not open: {0}")]
    Unopened(#[from] UnlockError),
    /// The file was published, and is not where it should be.
    #[error("{}: published, but not found there with the same content", .0.display())]
    Moved(PathBuf),
}

/// One validator of a keyshares file, whose shares are to be opened.
pub struct Wanted<'a> {
    /// Its public key.
    pub validator: PublicKey,
    /// How many shares make the key.
    pub threshold: Threshold,
    ids: &'a [OperatorId],
    parts: SharesData<'a>,
}

impl<'a> Wanted<'a> {
    /// Finds the validator: the one that was asked for, or the only one.
    ///
    /// # Errors
    /// [`RecoverFailure`].
    pub fn find(file: &'a KeysharesFile, validator: Option<&PublicKey>) -> Result<Self, RecoverFailure> {
        let is_wanted = |item: &&Result<Item, ItemError>| match (item, validator) {
            (Ok(item), Some(wanted)) => item.payload.public_key == wanted.as_bytes(),
            (_, wanted) => wanted.is_none(),
        };
        let mut found = file.items.iter().filter(is_wanted);
        let item = match (found.next(), validator) {
            (Some(item), _) => item.as_ref().map_err(Clone::clone)?,
            (None, Some(wanted)) => return Err(RecoverFailure::NotInFile(Box::new(*wanted))),
            (None, None) => return Err(RecoverFailure::NoValidator),
        };
        match (found.count(), validator) {
            (0, _) => {}
            (others, Some(_)) => return Err(RecoverFailure::Repeated(others.saturating_add(1))),
            (_, None) => return Err(RecoverFailure::SeveralValidators(file.items.len())),
        }
        let payload = &item.payload;
        let threshold = Threshold::ssv(payload.operator_ids.len())?;
        let validator = PublicKey::from_bytes(&payload.public_key).map_err(|_| RecoverFailure::Damaged)?;
        let parts = SharesData::cut(&payload.shares_data, payload.operator_ids.len()).ok_or(RecoverFailure::Damaged)?;
        Ok(Self { validator, threshold, ids: &payload.operator_ids, parts })
    }

    /// Opens the share of one operator with its key.
    ///
    /// # Errors
    /// [`RecoverFailure::NotAnOperator`], [`RecoverFailure::DoesNotOpen`], [`RecoverFailure::OtherShare`].
    pub fn open(&self, operator: OperatorId, key: &OperatorPrivateKey) -> Result<KeyShare, RecoverFailure> {
        let place = self.place(operator)?;
        let sealed = self.parts.sealed_shares.get(place).ok_or(RecoverFailure::Damaged)?;
        let secret = key.open(sealed).map_err(|_| RecoverFailure::DoesNotOpen(operator))?;
        self.take(operator, secret)
    }

    /// Takes the share of one operator that came from elsewhere.
    ///
    /// # Errors
    /// [`RecoverFailure::NotAnOperator`], [`RecoverFailure::OtherShare`].
    pub fn take(&self, operator: OperatorId, secret: SecretKey) -> Result<KeyShare, RecoverFailure> {
        let place = self.place(operator)?;
        let public = self.parts.share_public_keys.get(place).ok_or(RecoverFailure::Damaged)?;
        if secret.public_key().as_bytes().as_slice() != *public {
            return Err(RecoverFailure::OtherShare(operator));
        }
        Ok(KeyShare { identifier: operator.identifier(), secret })
    }

    /// Combines the shares.
    ///
    /// # Errors
    /// [`RecoverError`].
    pub fn recover(&self, shares: &[KeyShare]) -> Result<SecretKey, RecoverFailure> {
        Ok(recover(shares, self.threshold, &self.validator)?)
    }

    fn place(&self, operator: OperatorId) -> Result<usize, RecoverFailure> {
        self.ids.iter().position(|id| *id == operator).ok_or(RecoverFailure::NotAnOperator(operator))
    }
}

/// Combines shares of which no keyshares file is at hand; the public key decides.
///
/// # Errors
/// [`RecoverError`].
pub fn combine_alone(shares: &[KeyShare], validator: &PublicKey) -> Result<SecretKey, RecoverFailure> {
    Ok(combine(shares, validator)?)
}

/// The name of the file that is written.
#[must_use]
pub fn file_name(validator: &PublicKey) -> String {
    format!("keystore-{validator}.json")
}

/// Writes a key aside as a keystore (scrypt, n = 2^18, fresh salt and counter, 0600), reads it back and opens it. It is
/// still to be published.
///
/// # Errors
/// [`RecoverFailure`]; nothing is left behind then.
pub(crate) fn stage_keystore(
    key: &SecretKey,
    password: &Password,
    description: &str,
    name: &str,
    output: &OutputDir,
) -> Result<Staged, RecoverFailure> {
    let public_key = key.public_key();
    let kdf = Kdf::scrypt(1 << 18, 8, 1, random::bytes::<32>()?.to_vec())?;
    let secret = SecretBytes::new(key.to_be_bytes().to_vec());
    let envelope = Envelope::seal(&secret, password, kdf, random::bytes()?)?;
    let bytes = keystore::write(&envelope, &public_key, &uuid()?, description)?;
    let mut staged = output.stage(name, &bytes, Mode::Secret)?;
    let read_back = staged.read_back()?;
    if read_back != bytes {
        return Err(RecoverFailure::ReadBack);
    }
    let unlocked = Keystore::parse(&read_back, KdfLimits::DEFAULT)?.unlock(password)?;
    if unlocked.public_key != public_key {
        return Err(RecoverFailure::ReadBack);
    }
    Ok(staged)
}

/// Writes the key into a keystore of its own, as [`stage_keystore`] does, and publishes it.
///
/// # Errors
/// [`RecoverFailure`]; nothing is written then, except for [`RecoverFailure::Moved`].
pub fn write(key: &SecretKey, password: &Password, output: OutputDir) -> Result<PathBuf, RecoverFailure> {
    let name = file_name(&key.public_key());
    let mut staged = stage_keystore(key, password, "recovered from key shares by dvkey", &name, &output)?;
    let bytes = staged.read_back()?;
    let file = output.publish(vec![staged])?.pop().ok_or(RecoverFailure::ReadBack)?;
    // Once more under the name that is about to be told: the folder could have been moved away meanwhile.
    match read_bounded(&Source::Path(file.clone()), keystore::MAX_BYTES) {
        Ok(found) if found == bytes => Ok(file),
        _ => Err(RecoverFailure::Moved(file)),
    }
}

/// A random UUID (RFC 9562, version 4).
pub(crate) fn uuid() -> Result<String, NoRandomness> {
    let bytes: [u8; 16] = random::bytes()?;
    let bits = u128::from_be_bytes(bytes) & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    let part = |from, to| hex.get(from..to).unwrap_or_default();
    Ok([part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_have_version_and_variant() {
        for _ in 0..100 {
            let uuid = uuid().unwrap();
            let parts: Vec<_> = uuid.split('-').map(str::len).collect();
            assert_eq!(parts, [8, 4, 4, 4, 12]);
            assert_eq!(uuid.as_bytes()[14], b'4', "{uuid}");
            assert!(b"89ab".contains(&uuid.as_bytes()[19]), "{uuid}");
        }
        assert_ne!(uuid().unwrap(), uuid().unwrap());
    }
}
