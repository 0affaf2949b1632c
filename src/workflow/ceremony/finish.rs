//! A participant's own shares, once everybody has certified: as keystores, for clusters whose nodes take such; or only
//! noted, where the share is sealed to the operator's own key already.

use std::path::{Path, PathBuf};

use dvkey_ceremony::agdkg::identity::{Identity, Root};
use dvkey_ceremony::agdkg::journal::Event;
use dvkey_ceremony::agdkg::plan::Plan;
use dvkey_ceremony::participant::{Finished, recover};
use dvkey_ceremony::{KeyShare, PublicKey};

use super::assemble::results;
use super::collection::Collection;
use super::folder::Folder;
use super::{CeremonyError, seed};
use crate::crypto::ceremony_rsa::CeremonyRsa;
use crate::crypto::kdf::KdfLimits;
use crate::crypto::password::Password;
use crate::format::keystore::{self, Keystore};
use crate::store::atomic::Staged;
use crate::store::output_dir::OutputDir;
use crate::store::read::{ReadError, Source, read_bounded};
use crate::store::write_error::WriteError;
use crate::workflow::recover::{RecoverFailure, stage_keystore};

/// Whether the shares of this plan reach their nodes inside of the keyshares, sealed, so that nobody needs a keystore.
#[must_use]
pub fn is_sealed(plan: &Plan) -> bool {
    plan.ssv().is_some() && plan.participants().iter().all(|one| one.card.binding().is_some())
}

/// My shares, from the root and the ceremony's public files: verified deal by deal, against the certificate and all n
/// certify files. The same for finishing and for recovering.
///
/// # Errors
/// [`CeremonyError`].
pub fn shares(collection: &Collection, root: &Root) -> Result<Finished, CeremonyError> {
    // Everything public is verified first, and the certificate comes from that, unless one was handed on.
    let made = results(collection, None)?;
    let identity = Identity::derive(root)?;
    let certificate = collection.certificates.first().unwrap_or(&made.assembled.certificate);
    let (plan, deals, certifies) = (&collection.plan, &collection.deals, &collection.certifies);
    Ok(recover(identity, plan, deals, certifies, certificate, &seed()?, &CeremonyRsa)?)
}

/// Notes that I am done.
///
/// # Errors
/// [`CeremonyError`].
pub fn note(folder: &mut Folder) -> Result<(), CeremonyError> {
    folder.record(Event::Finished)
}

/// The names of the keystores, in the order of the validators.
#[must_use]
pub fn names(finished: &Finished) -> Vec<String> {
    let keys = finished.outputs.validators.iter().map(|keys| keys.public_key.to_public_key());
    keys.zip(&finished.shares).map(|(validator, share)| name(&validator, share)).collect()
}

fn name(validator: &PublicKey, share: &KeyShare) -> String {
    let validator = validator.to_string();
    format!("keystore-share-{}-{}.json", share.identifier, validator.get(..18).unwrap_or_default())
}

/// Writes each share into a keystore (EIP-2335; scrypt, n = 2^18, fresh salt and counter, 0600), reads it back and opens
/// it. All of them appear, or none; but for what an interrupted run left: a keystore that lies there already, and opens
/// with this password to the same share, is as good as the one that would be written, and stays.
///
/// # Errors
/// [`CeremonyError`]; nothing is written then. Anything else under one of the names is never replaced.
pub fn write_keystores(
    plan: &Plan,
    finished: &Finished,
    password: &Password,
    out: &Path,
    each: &dyn Fn(usize),
) -> Result<Vec<PathBuf>, CeremonyError> {
    let names = names(finished);
    let mut due = Vec::new();
    for ((name, share), keys) in names.iter().zip(&finished.shares).zip(&finished.outputs.validators) {
        if !is_left(&out.join(name), share, password)? {
            due.push((name, share, keys.public_key.to_public_key()));
        }
    }
    let paths = names.iter().map(|name| out.join(name)).collect();
    if due.is_empty() {
        return Ok(paths);
    }
    let free: Vec<&str> = due.iter().map(|(name, ..)| name.as_str()).collect();
    let output = OutputDir::prepare(out, &free, false)?;
    let mut staged = Vec::with_capacity(due.len());
    for (position, (_, share, validator)) in due.iter().enumerate() {
        let file = seal(plan, share, validator, password, &output).map_err(Box::new)?;
        staged.push(file);
        each(position);
    }
    let contents: Result<Vec<_>, _> = staged.iter_mut().map(Staged::read_back).collect();
    let contents = contents?;
    for (path, content) in output.publish(staged)?.iter().zip(&contents) {
        match read_bounded(&Source::File(path.clone()), keystore::MAX_BYTES) {
            Ok(found) if found == *content => {}
            _ => return Err(CeremonyError::Moved(path.clone())),
        }
    }
    Ok(paths)
}

/// Which of these names nobody has in a folder. Whether the others are this ceremony's shows with the password.
#[must_use]
pub fn free<'a>(names: &'a [String], out: &Path) -> Vec<&'a str> {
    let is_free = |name: &&str| {
        matches!(read_bounded(&Source::File(out.join(name)), keystore::MAX_BYTES), Err(ReadError::NotFound { .. }))
    };
    names.iter().map(String::as_str).filter(is_free).collect()
}

/// Whether a run before left this share here, under this password. Something else under the name is in the way.
fn is_left(path: &Path, share: &KeyShare, password: &Password) -> Result<bool, CeremonyError> {
    let bytes = match read_bounded(&Source::File(path.to_path_buf()), keystore::MAX_BYTES) {
        Ok(bytes) => bytes,
        // The folder is made, or refused, later.
        Err(ReadError::NotFound { .. } | ReadError::NotADirectory { .. }) => return Ok(false),
        Err(_) => return Err(WriteError::Exists { path: path.to_path_buf() }.into()),
    };
    let opened = Keystore::parse(&bytes, KdfLimits::DEFAULT).ok().and_then(|found| found.unlock(password).ok());
    match opened.is_some_and(|unlocked| unlocked.public_key == share.secret.public_key()) {
        true => Ok(true),
        false => Err(WriteError::Exists { path: path.to_path_buf() }.into()),
    }
}

fn seal(
    plan: &Plan,
    share: &KeyShare,
    validator: &PublicKey,
    password: &Password,
    output: &OutputDir,
) -> Result<Staged, RecoverFailure> {
    let (t, n) = (plan.threshold().t(), plan.threshold().n());
    let description = format!("share id {}, {t} of {n}, of {validator}", share.identifier);
    stage_keystore(&share.secret, password, &description, &name(validator, share), output)
}
