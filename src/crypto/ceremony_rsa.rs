//! RSA for key ceremonies: the port of `dvkey_ceremony::agdkg::rsa`, over the RSA library.
//!
//! Nothing here decrypts. Signing is blinded and happens offline.

use dvkey_ceremony::SecretBytes;
use dvkey_ceremony::agdkg::rsa::{OperatorKeys, OperatorSigner};
use rand_core::CryptoRng;
use rsa::pkcs8::{DecodePublicKey, EncodePublicKey};
use rsa::traits::PublicKeyParts;
use rsa::{Pkcs1v15Encrypt, Pss, RsaPublicKey};
use sha2::{Digest, Sha256};

use super::operator_key::OperatorPrivateKey;

/// The exponent that every node makes, as its big-endian bytes.
const EXPONENT: [u8; 3] = [1, 0, 1];

/// Verifies bindings and proofs, and seals shares.
#[derive(Clone, Copy, Debug, Default)]
pub struct CeremonyRsa;

impl OperatorKeys for CeremonyRsa {
    fn modulus_bytes(&self, spki: &[u8]) -> Option<usize> {
        read(spki).map(|key| key.size())
    }

    fn verifies(&self, spki: &[u8], message: &[u8], salt_bytes: usize, signature: &[u8]) -> bool {
        let padding = Pss::<Sha256>::new_with_salt(salt_bytes);
        read(spki).is_some_and(|key| {
            signature.len() == key.size() && key.verify(padding, &Sha256::digest(message), signature).is_ok()
        })
    }

    fn seal(&self, spki: &[u8], text: &SecretBytes, rng: &mut dyn CryptoRng) -> Option<Vec<u8>> {
        read(spki)?.encrypt(rng, Pkcs1v15Encrypt, text.expose()).ok()
    }
}

impl OperatorSigner for OperatorPrivateKey {
    fn sign(&self, message: &[u8], salt_bytes: usize, rng: &mut dyn CryptoRng) -> Option<Vec<u8>> {
        let padding = Pss::<Sha256>::new_blinded_with_salt(salt_bytes);
        self.rsa().sign_with_rng(rng, padding, &Sha256::digest(message)).ok()
    }
}

/// RSA of 2048 to 4096 bits with the exponent 65537, in the one encoding.
fn read(spki: &[u8]) -> Option<RsaPublicKey> {
    let key = RsaPublicKey::from_public_key_der(spki).ok()?;
    let lawful = (2048..=4096).contains(&key.n().bits())
        && *key.e().to_be_bytes_trimmed_vartime() == EXPONENT
        && key.to_public_key_der().ok()?.as_bytes() == spki;
    lawful.then_some(key)
}
