//! The port through which a ceremony uses RSA operator keys. The arithmetic lives outside of this crate.
//!
//! RSA meets the ceremony in three places: the signature that binds a card to an operator, the share that its holder
//! seals to its own node, and the operator proof. None of them decrypts anything, and no file of a ceremony ever asks
//! for that: an attacker who could have a ciphertext of his choice decrypted would send a production validator's.

use rand_core::CryptoRng;

use crate::secret::SecretBytes;

/// What a ceremony needs of RSA public keys, each given as a DER `SubjectPublicKeyInfo`.
pub trait OperatorKeys {
    /// The length of the modulus in bytes. `None` unless the key is RSA of 2048 to 4096 bits with the exponent 65537 and
    /// encodes to the same bytes again.
    fn modulus_bytes(&self, spki: &[u8]) -> Option<usize>;

    /// Whether `signature` is an RSASSA-PSS signature of `message` (SHA-256, MGF1 with SHA-256) with a salt of exactly
    /// `salt_bytes`, exactly as long as the modulus.
    fn verifies(&self, spki: &[u8], message: &[u8], salt_bytes: usize, signature: &[u8]) -> bool;

    /// RSAES-PKCS1-v1_5 of `text`, exactly as long as the modulus. `None` when it does not fit.
    fn seal(&self, spki: &[u8], text: &SecretBytes, rng: &mut dyn CryptoRng) -> Option<Vec<u8>>;
}

/// An operator's own RSA key, for plans that ask for operator proofs.
pub trait OperatorSigner {
    /// RSASSA-PSS of `message` (SHA-256, MGF1 with SHA-256, a salt of `salt_bytes`), blinded.
    fn sign(&self, message: &[u8], salt_bytes: usize, rng: &mut dyn CryptoRng) -> Option<Vec<u8>>;
}
