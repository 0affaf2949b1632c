//! A stand-in for RSA operator keys that keeps lengths and roles and protects nothing.

use rand_core::CryptoRng;
use sha2::{Digest, Sha256};

use crate::agdkg::rsa::{OperatorKeys, OperatorSigner};
use crate::secret::SecretBytes;

/// Length of its moduli.
pub const MODULUS_BYTES: usize = 256;

/// Verifies and seals with [`PaperKey`]s.
#[derive(Clone, Copy, Debug, Default)]
pub struct PaperRsa;

/// An operator's key, made from a number. Whoever knows the public half can sign.
#[derive(Clone, Debug)]
pub struct PaperKey {
    spki: Vec<u8>,
}

impl PaperKey {
    /// The key of this number.
    #[must_use]
    pub fn new(number: u64) -> Self {
        Self { spki: [b"paper rsa key ".as_slice(), &number.to_be_bytes()].concat() }
    }

    /// Its public half.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// A signature with a salt of this length.
    #[must_use]
    pub fn signature(&self, message: &[u8], salt_bytes: usize) -> Vec<u8> {
        stream(&[&self.spki, message, &salt_bytes.to_be_bytes()])
    }

    /// Opens what was sealed to it.
    #[must_use]
    pub fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (pad, body) = sealed.split_first_chunk::<32>()?;
        let text: Vec<u8> = body.iter().zip(stream(&[&self.spki, pad])).map(|(a, b)| a ^ b).collect();
        let (length, text) = text.split_first()?;
        text.get(..usize::from(*length)).map(<[u8]>::to_vec)
    }
}

impl OperatorKeys for PaperRsa {
    fn modulus_bytes(&self, spki: &[u8]) -> Option<usize> {
        (spki.starts_with(b"paper rsa key ") && spki.len() == 22).then_some(MODULUS_BYTES)
    }

    fn verifies(&self, spki: &[u8], message: &[u8], salt_bytes: usize, signature: &[u8]) -> bool {
        PaperKey { spki: spki.to_vec() }.signature(message, salt_bytes) == signature
    }

    fn seal(&self, spki: &[u8], text: &SecretBytes, rng: &mut dyn CryptoRng) -> Option<Vec<u8>> {
        let mut pad = [0; 32];
        rng.fill_bytes(&mut pad);
        let mut body = vec![u8::try_from(text.expose().len()).ok()?];
        body.extend(text.expose());
        body.resize(MODULUS_BYTES - pad.len(), 0);
        let body = body.iter().zip(stream(&[spki, &pad])).map(|(a, b)| a ^ b);
        Some(pad.into_iter().chain(body).collect())
    }
}

impl OperatorSigner for PaperKey {
    fn sign(&self, message: &[u8], salt_bytes: usize, _rng: &mut dyn CryptoRng) -> Option<Vec<u8>> {
        Some(self.signature(message, salt_bytes))
    }
}

fn stream(parts: &[&[u8]]) -> Vec<u8> {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let seed = hash.finalize();
    (0..8u8).flat_map(|block| Sha256::new_with_prefix(seed).chain_update([block]).finalize()).collect()
}
