//! Who somebody is: a root in a vault, a card for everybody, and the card's binding to an SSV operator.

use dvkey_ceremony::agdkg::card::{Card, OperatorBinding};
use dvkey_ceremony::agdkg::identity::{Identity, Root};
use dvkey_ceremony::agdkg::rsa::{OperatorKeys, OperatorSigner};
use dvkey_ceremony::agdkg::vault::{self, SealError, Work};
use dvkey_ceremony::{OperatorId, SecretBytes};

use super::CeremonyError;
use super::folder::Folder;
use crate::crypto::ceremony_rsa::CeremonyRsa;
use crate::crypto::operator_key::{OperatorKeyError, OperatorPrivateKey, OperatorPublicKey};
use crate::crypto::random;
use crate::format::ceremony_file::CeremonyFile;
use crate::machine::interrupt::critical;
use crate::store::ceremony_dir::CeremonyDir;

/// The salt of a binding's signature, in bytes.
const BINDING_SALT: usize = 32;

/// How a new identity is sealed.
pub struct NewIdentity<'a> {
    /// The passphrase of the vault.
    pub passphrase: &'a SecretBytes,
    /// What a guess at it costs.
    pub work: Work,
    /// Whether the root comes from backup words.
    pub restored: bool,
}

/// The card of a root, bound to no operator: what its owner calls itself, and when, in Unix seconds.
///
/// # Errors
/// [`CeremonyError`] for a label that no card has.
pub fn card(root: &Root, label: &str, created: u64) -> Result<Card, CeremonyError> {
    Ok(Identity::derive(root)?.card(label, created, None, &CeremonyRsa)?)
}

/// Seals a root into a new vault and writes the card of its owner: first the card, which anybody may see, and the vault
/// last, so that a folder with a vault is complete.
///
/// # Errors
/// [`CeremonyError`]; a vault that is there already is never touched.
pub fn create(dir: CeremonyDir, root: &Root, card: &Card, new: &NewIdentity<'_>) -> Result<Folder, CeremonyError> {
    random::check()?;
    let sealed = vault::seal(root, card.created(), new.passphrase, new.work, &mut random::system());
    let sealed = sealed.map_err(|error| match error {
        SealError::Unlawful => CeremonyError::Passphrase,
        SealError::Randomness(_) => match random::check() {
            Err(none) => none.into(),
            Ok(()) => CeremonyError::Passphrase,
        },
    })?;
    // All of it or nothing, whoever interrupts.
    critical(|| {
        if new.restored {
            dir.mark_restored()?;
        }
        let mut folder = Folder::load(dir)?;
        folder.keep_own(CeremonyFile::Card, card.as_bytes())?;
        folder.export_card(card)?;
        folder.dir().write_vault(&sealed)?;
        Ok(folder)
    })
}

/// The RSA key's signature over a card's keys, made where that key lives.
///
/// # Errors
/// [`CeremonyError::OperatorKey`], [`CeremonyError::Randomness`].
pub fn bind(
    card: &Card,
    chain_id: u64,
    operator: OperatorId,
    key: &OperatorPrivateKey,
) -> Result<OperatorBinding, CeremonyError> {
    random::check()?;
    let refused = |error: OperatorKeyError| CeremonyError::OperatorKey(operator.identifier(), error);
    let spki = key.public().map_err(refused)?.to_spki_der();
    let statement = OperatorBinding::statement(chain_id, operator, &spki, card.sign_pk().as_bytes(), card.enc_pk());
    let signature = key.sign(&statement, BINDING_SALT, &mut random::system_infallible());
    let signature = signature.ok_or_else(|| refused(OperatorKeyError::NotRsa))?;
    Ok(OperatorBinding { chain_id, operator, spki, signature })
}

/// Whether a binding was signed for the keys of this card.
#[must_use]
pub fn is_for(card: &Card, binding: &OperatorBinding) -> bool {
    let (signing, encryption) = (card.sign_pk().as_bytes(), card.enc_pk());
    let statement = OperatorBinding::statement(binding.chain_id, binding.operator, &binding.spki, signing, encryption);
    CeremonyRsa.verifies(&binding.spki, &statement, BINDING_SALT, &binding.signature)
}

/// Makes my card again with a binding, and puts it into the outbox instead of the one before.
///
/// # Errors
/// [`CeremonyError`]: C-05 or C-06 when the binding is not for this card; [`CeremonyError::OperatorKey`] for a key that
/// no node of the SSV Network has.
pub fn fold(folder: &mut Folder, root: &Root, binding: &OperatorBinding) -> Result<Card, CeremonyError> {
    OperatorPublicKey::from_der(&binding.spki)
        .map_err(|error| CeremonyError::OperatorKey(binding.operator.identifier(), error))?;
    let identity = Identity::derive(root)?;
    let (label, created) =
        folder.card(&identity).map_or((String::new(), 0), |card| (card.label().to_owned(), card.created()));
    let card = identity.card(&label, created, Some(binding), &CeremonyRsa)?;
    folder.keep_own(CeremonyFile::Card, card.as_bytes())?;
    folder.export_card(&card)?;
    Ok(card)
}
