//! The EIP-2335 envelope: checksum and AES-128-CTR around a secret, under a derived key.

use aes::Aes128;
use ctr::cipher::{KeyIvInit, StreamCipher};
use dvkey_ceremony::SecretBytes;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::kdf::group::{Deriver, Job};
use super::kdf::{DerivedKey, Kdf, KdfError};
use super::password::{Password, Reading};

/// The `crypto` module of a keystore, parsed: `checksum = SHA-256(DK[16..32] || ciphertext)`, secret = AES-128-CTR under
/// `DK[0..16]` with the whole 16-byte IV as the big-endian counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// How the key is derived from the password.
    pub kdf: Kdf,
    /// The checksum that tells a right password from a wrong one.
    pub checksum: [u8; 32],
    /// The counter's start.
    pub iv: [u8; 16],
    /// The encrypted secret.
    pub ciphertext: Vec<u8>,
}

/// Why an envelope does not open.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum EnvelopeError {
    /// The checksum differs: another password, or a damaged file.
    #[error("the password does not open it")]
    WrongPassword,
    /// The derivation was refused.
    #[error(transparent)]
    Kdf(#[from] KdfError),
}

impl Envelope {
    /// Opens the envelope with the standard reading of the password and, only when that fails and would differ, with the
    /// wealdtech reading. Says which one it was.
    ///
    /// # Errors
    /// [`EnvelopeError`].
    pub fn open(&self, password: &Password) -> Result<(SecretBytes, Reading), EnvelopeError> {
        match self.open_as(password, Reading::Standard) {
            Err(EnvelopeError::WrongPassword) if password.readings_differ() => {
                self.open_as(password, Reading::Wealdtech)
            }
            opened => opened,
        }
    }

    /// Encrypts `secret` under the standard reading of the password. Salt and `iv` must be fresh.
    ///
    /// # Errors
    /// [`KdfError`].
    pub fn seal(secret: &SecretBytes, password: &Password, kdf: Kdf, iv: [u8; 16]) -> Result<Self, KdfError> {
        let key = kdf.derive(&password.read_as(Reading::Standard))?;
        // Encrypted in place: what leaves the buffer is ciphertext.
        let mut ciphertext = secret.expose().to_vec();
        ctr::Ctr128BE::<Aes128>::new(key.cipher_key().into(), &iv.into()).apply_keystream(&mut ciphertext);
        let checksum = Sha256::new_with_prefix(key.checksum_key()).chain_update(&ciphertext).finalize().into();
        Ok(Self { kdf, checksum, iv, ciphertext })
    }

    /// As [`Envelope::open`], for several at once. The results come in the order of the envelopes; only those that the
    /// standard reading does not open are tried with the other one.
    pub fn open_all(
        envelopes: &[(&Self, &Password)],
        deriver: &mut Deriver,
    ) -> Vec<Result<(SecretBytes, Reading), EnvelopeError>> {
        let mut results = Self::open_all_as(envelopes, Reading::Standard, deriver);
        let again = |result: &Result<_, _>, password: &Password| {
            matches!(result, Err(EnvelopeError::WrongPassword)) && password.readings_differ()
        };
        let (slots, envelopes): (Vec<_>, Vec<_>) =
            results.iter_mut().zip(envelopes).filter(|(result, (_, password))| again(result, password)).unzip();
        let envelopes: Vec<_> = envelopes.into_iter().copied().collect();
        for (slot, result) in slots.into_iter().zip(Self::open_all_as(&envelopes, Reading::Wealdtech, deriver)) {
            *slot = result;
        }
        results
    }

    fn open_all_as(
        envelopes: &[(&Self, &Password)],
        reading: Reading,
        deriver: &mut Deriver,
    ) -> Vec<Result<(SecretBytes, Reading), EnvelopeError>> {
        let passwords: Vec<_> = envelopes.iter().map(|(_, password)| password.read_as(reading)).collect();
        let jobs: Vec<_> =
            envelopes.iter().zip(&passwords).map(|((own, _), password)| Job { kdf: &own.kdf, password }).collect();
        let keys = deriver.derive(&jobs);
        envelopes.iter().zip(keys).map(|((own, _), key)| Ok((own.open_with(&key?)?, reading))).collect()
    }

    fn open_as(&self, password: &Password, reading: Reading) -> Result<(SecretBytes, Reading), EnvelopeError> {
        let key = self.kdf.derive(&password.read_as(reading))?;
        Ok((self.open_with(&key)?, reading))
    }

    fn open_with(&self, key: &DerivedKey) -> Result<SecretBytes, EnvelopeError> {
        let checksum = Sha256::new_with_prefix(key.checksum_key()).chain_update(&self.ciphertext).finalize();
        if !bool::from(checksum.as_slice().ct_eq(&self.checksum)) {
            return Err(EnvelopeError::WrongPassword);
        }
        let mut secret = self.ciphertext.clone();
        ctr::Ctr128BE::<Aes128>::new(key.cipher_key().into(), &self.iv.into()).apply_keystream(&mut secret);
        Ok(SecretBytes::new(secret))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kdf::Path;

    #[test]
    fn only_what_another_reading_could_open_is_derived_again() {
        let password = |text: &str| Password::new(SecretBytes::new(text.as_bytes().to_vec())).unwrap();
        let sealed = |salt: u8, text: &str| {
            let kdf = Kdf::Scrypt { log_n: 4, r: 8, p: 1, salt: vec![salt] };
            Envelope::seal(&SecretBytes::new(vec![salt; 32]), &password(text), kdf, [salt; 16]).unwrap()
        };
        // The readings differ by the combining mark; the last but one was sealed under the other one.
        let envelopes =
            [sealed(1, "right"), sealed(2, "right"), sealed(3, "résumé"), sealed(4, "resume"), sealed(5, "x")];
        let passwords = ["right", "wrong", "résumé", "résumé", "wröng"].map(password);
        let pairs: Vec<_> = envelopes.iter().zip(&passwords).collect();
        for path in Path::ALL.into_iter().filter(|path| path.is_supported()) {
            let mut deriver = Deriver::untested(path, 1 << 20);
            let found = Envelope::open_all(&pairs, &mut deriver).into_iter();
            let found: Vec<_> =
                found.map(|opened| opened.map(|(secret, reading)| (secret.expose()[0], reading))).collect();
            let wrong = Err(EnvelopeError::WrongPassword);
            assert_eq!(
                found,
                [Ok((1, Reading::Standard)), wrong, Ok((3, Reading::Standard)), Ok((4, Reading::Wealdtech)), wrong]
            );
            assert_eq!(deriver.made, 5 + 2, "{path:?}");
        }
    }
}
