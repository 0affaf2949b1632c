//! The vault: a root under a passphrase (SPEC section 14). `AGDKG1VT`, 100 bytes.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use argon2::{Algorithm, Argon2, Params, Version};
use rand_core::TryCryptoRng;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::agdkg::VAULT_MAGIC;
use crate::agdkg::identity::Root;
use crate::agdkg::wire::{Malformed, Reader};
use crate::fault::{Check, Fault};
use crate::secret::SecretBytes;

/// Magic, KDF, its parameters, salt, nonce: what the seal covers besides the content.
const HEAD_BYTES: usize = 8 + 1 + 4 + 1 + 1 + 16 + 12;
const KDF_ARGON2ID: u8 = 1;

/// How much work a passphrase costs: Argon2id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// Memory in KiB.
    pub memory: u32,
    /// Passes.
    pub passes: u8,
    /// Lanes.
    pub lanes: u8,
}

impl Work {
    /// What is written: 256 MiB, three passes.
    pub const STANDARD: Self = Self { memory: 262_144, passes: 3, lanes: 1 };

    /// What is read: bounds against a vault that exhausts the machine, and against one that was made cheap to guess.
    #[must_use]
    pub fn is_lawful(self) -> bool {
        (65_536..=1_048_576).contains(&self.memory) && (2..=10).contains(&self.passes) && (1..=4).contains(&self.lanes)
    }
}

/// What a vault holds.
pub struct Opened {
    /// The root.
    pub root: Root,
    /// When it was made, in Unix seconds.
    pub created: u64,
    /// Reserved; 0 now.
    pub flags: u8,
}

/// Why a vault was not written.
#[derive(Debug, thiserror::Error)]
pub enum SealError<E> {
    /// The source of randomness failed.
    #[error("the source of randomness failed")]
    Randomness(#[source] E),
    /// The passphrase is not UTF-8, or the parameters are unlawful.
    #[error("the passphrase is not text, or the work asked for is not lawful")]
    Unlawful,
}

/// Seals a root. Salt and nonce are fresh each time.
///
/// # Errors
/// [`SealError`].
pub fn seal<R: TryCryptoRng + ?Sized>(
    root: &Root,
    created: u64,
    passphrase: &SecretBytes,
    work: Work,
    rng: &mut R,
) -> Result<Vec<u8>, SealError<R::Error>> {
    let (mut salt, mut nonce) = ([0; 16], [0; 12]);
    rng.try_fill_bytes(&mut salt).map_err(SealError::Randomness)?;
    rng.try_fill_bytes(&mut nonce).map_err(SealError::Randomness)?;
    let mut out = VAULT_MAGIC.to_vec();
    out.push(KDF_ARGON2ID);
    out.extend(work.memory.to_be_bytes());
    out.extend([work.passes, work.lanes]);
    out.extend(salt);
    out.extend(nonce);
    let key = derive(passphrase, &salt, work).ok_or(SealError::Unlawful)?;
    let mut content = Zeroizing::new([0; 41]);
    let plain = root.expose().iter().copied().chain(created.to_be_bytes()).chain([0]);
    content.iter_mut().zip(plain).for_each(|(to, from)| *to = from);
    let cipher = Aes256Gcm::new_from_slice(key.as_ref()).map_err(|_| SealError::Unlawful)?;
    let payload = Payload { msg: content.as_ref(), aad: &out };
    let sealed = cipher.encrypt(&Nonce::from(nonce), payload).map_err(|_| SealError::Unlawful)?;
    out.extend(sealed);
    Ok(out)
}

/// Opens a vault.
///
/// # Errors
/// [`Fault`]: C-86 for a damaged one or unlawful parameters, before any work is done; C-87 when the seal does not hold.
pub fn open(bytes: &[u8], passphrase: &SecretBytes) -> Result<Opened, Fault> {
    let damaged = |Malformed| Fault::nobody(Check::VaultForm);
    let sealed = || Fault::nobody(Check::VaultSeal);
    let mut reader = Reader::new(bytes);
    reader.magic(&VAULT_MAGIC).map_err(damaged)?;
    let kdf = reader.u8().map_err(damaged)?;
    let work = Work {
        memory: reader.u32().map_err(damaged)?,
        passes: reader.u8().map_err(damaged)?,
        lanes: reader.u8().map_err(damaged)?,
    };
    let salt: &[u8; 16] = reader.array().map_err(damaged)?;
    let nonce: &[u8; 12] = reader.array().map_err(damaged)?;
    let content = reader.take(41 + 16).map_err(damaged)?;
    reader.finish().map_err(damaged)?;
    if kdf != KDF_ARGON2ID || !work.is_lawful() {
        return Err(Fault::nobody(Check::VaultForm));
    }
    let key = derive(passphrase, salt, work).ok_or_else(sealed)?;
    let cipher = Aes256Gcm::new_from_slice(key.as_ref()).map_err(|_| sealed())?;
    let payload = Payload { msg: content, aad: bytes.get(..HEAD_BYTES).unwrap_or_default() };
    let plain = Zeroizing::new(cipher.decrypt(&Nonce::from(*nonce), payload).map_err(|_| sealed())?);
    let mut reader = Reader::new(&plain);
    let root = Root::from_bytes(Zeroizing::new(*reader.array().map_err(damaged)?));
    Ok(Opened { root, created: reader.u64().map_err(damaged)?, flags: reader.u8().map_err(damaged)? })
}

/// Argon2id over the NFKC form of the passphrase, so that keyboards that compose letters otherwise give the same key.
fn derive(passphrase: &SecretBytes, salt: &[u8; 16], work: Work) -> Option<Zeroizing<[u8; 32]>> {
    if !work.is_lawful() {
        return None;
    }
    let text = std::str::from_utf8(passphrase.expose()).ok()?;
    // No character has a longer NFKC form than 18 characters of 3 bytes; a text that grows would leave copies behind.
    let mut normal = Zeroizing::new(String::with_capacity(text.len().checked_mul(54)?));
    normal.extend(text.nfkc());
    let params = Params::new(work.memory, u32::from(work.passes), u32::from(work.lanes), Some(32)).ok()?;
    let mut key = Zeroizing::new([0; 32]);
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into(normal.as_bytes(), salt, key.as_mut()).ok()?;
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::CountingRng;

    const LEAST: Work = Work { memory: 65_536, passes: 2, lanes: 1 };

    fn passphrase(text: &str) -> SecretBytes {
        SecretBytes::new(text.as_bytes().to_vec())
    }

    fn refusal(bytes: &[u8], text: &str) -> Option<Check> {
        open(bytes, &passphrase(text)).err().map(|fault| fault.check)
    }

    #[test]
    fn c_87_vault_seal() {
        let root = Root::from_bytes(Zeroizing::new([9; 32]));
        let vault = seal(&root, 77, &passphrase("Zu\u{0308}rich"), LEAST, &mut CountingRng::new(1)).unwrap();
        assert_eq!(vault.len(), 100);
        let opened = open(&vault, &passphrase("Z\u{00fc}rich")).unwrap_or_else(|fault| panic!("{fault}"));
        assert_eq!((*opened.root.expose(), opened.created, opened.flags), ([9; 32], 77, 0));
        assert_eq!(refusal(&vault, "Zurich"), Some(Check::VaultSeal));
        for position in [15, 20, 31, 42, 43, 60, 83, 84, 99] {
            let mut changed = vault.clone();
            changed[position] ^= 1;
            assert_eq!(refusal(&changed, "Z\u{00fc}rich"), Some(Check::VaultSeal), "{position}");
        }
        let again = seal(&root, 77, &passphrase("Zürich"), LEAST, &mut CountingRng::new(2)).unwrap();
        assert_ne!(again[15..43], vault[15..43]);
    }

    #[test]
    fn a_vault_that_other_software_made_opens() {
        // Written with Python's cryptography: Argon2id 1.3, 64 MiB, 2 passes, 2 lanes; AES-256-GCM over the first 43 bytes.
        let vault = "4147444b4731565401000100000202000102030405060708090a0b0c0d0e0f6465666768696a6b6c6d6e6f54e94d87ae22\
                     c76386c11f18c7ed3304cc90570103e05a7af020dd8733b432e25af6a97b63d1b22933f1440bdffd5854d84d533576a07f\
                     bf5a";
        let opened =
            open(&hex::decode(vault).unwrap(), &passphrase("Zürich")).unwrap_or_else(|fault| panic!("{fault}"));
        assert_eq!((*opened.root.expose(), opened.created, opened.flags), ([9; 32], 77, 0));
    }

    #[test]
    fn c_86_vault_form() {
        let root = Root::from_bytes(Zeroizing::new([9; 32]));
        let vault = seal(&root, 77, &passphrase("x"), LEAST, &mut CountingRng::new(1)).unwrap();
        for length in 0..vault.len() {
            assert_eq!(refusal(&vault[..length], "x"), Some(Check::VaultForm), "{length}");
        }
        assert_eq!(refusal(&[&vault[..], &[0]].concat(), "x"), Some(Check::VaultForm));
        let with = |position: usize, bytes: &[u8]| {
            let mut changed = vault.clone();
            changed[position..position + bytes.len()].copy_from_slice(bytes);
            refusal(&changed, "x")
        };
        assert_eq!(with(7, b"X"), Some(Check::VaultForm));
        assert_eq!(with(8, &[2]), Some(Check::VaultForm));
        for memory in [0, 65_535, 1_048_577, u32::MAX] {
            assert_eq!(with(9, &memory.to_be_bytes()), Some(Check::VaultForm), "{memory}");
        }
        for passes in [0, 1, 11, 255] {
            assert_eq!(with(13, &[passes]), Some(Check::VaultForm), "{passes}");
        }
        for lanes in [0, 5, 255] {
            assert_eq!(with(14, &[lanes]), Some(Check::VaultForm), "{lanes}");
        }
        assert!(Work::STANDARD.is_lawful());
        let cheap = Work { memory: 1024, ..LEAST };
        assert!(matches!(seal(&root, 0, &passphrase("x"), cheap, &mut CountingRng::new(1)), Err(SealError::Unlawful)));
        assert!(matches!(
            seal(&root, 0, &passphrase("x"), LEAST, &mut CountingRng::failing()),
            Err(SealError::Randomness(_))
        ));
    }
}
