//! Who wrote a file: Ed25519 (RFC 8032), verified so that two honest verifiers cannot disagree.

use std::fmt;

use ed25519_dalek::{Signature, VerifyingKey};

use crate::hash::Tag;

/// Length of a signature.
pub const SIGNATURE_BYTES: usize = 64;

/// A participant's public signing key: canonical, not of small order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SigningPublicKey(VerifyingKey);

impl SigningPublicKey {
    /// Reads 32 bytes; `None` unless they are the one encoding of a point that is not of small order.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        let key = VerifyingKey::from_bytes(bytes).ok()?;
        let canonical = key.to_edwards().compress().as_bytes() == bytes;
        (canonical && !key.is_weak()).then_some(Self(key))
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Whether this key signed a 32-byte hash. S below the order, R canonical and not of small order, no cofactor.
    #[must_use]
    pub fn verifies(&self, hash: &[u8; 32], signature: &[u8; SIGNATURE_BYTES]) -> bool {
        self.0.verify_strict(hash, &Signature::from_bytes(signature)).is_ok()
    }
}

impl fmt::Debug for SigningPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.as_bytes()))
    }
}

/// What is signed of a file: `TH("agdkg-v1/msg", body)`.
pub(crate) fn message_hash(body: &[u8]) -> [u8; 32] {
    Tag::MSG.hash(&[body])
}

/// Splits a signed file into its body and its signature.
pub(crate) fn split_signature(bytes: &[u8]) -> Option<(&[u8], &[u8; SIGNATURE_BYTES])> {
    bytes.split_last_chunk()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::{Signer, SigningKey, Verifier};

    #[test]
    fn keys_of_small_order_and_second_encodings_are_refused() {
        // The neutral element, a point of order 2, and y = p + 1, a second encoding of the neutral element.
        let mut one = [0; 32];
        one[0] = 1;
        assert!(SigningPublicKey::from_bytes(&one).is_none());
        let mut minus_one = [0xff; 32];
        (minus_one[0], minus_one[31]) = (0xec, 0x7f);
        assert!(SigningPublicKey::from_bytes(&minus_one).is_none());
        // y = p + k is a second encoding of y = k wherever that is on the curve.
        for k in 0..19u8 {
            let mut bytes = [0xff; 32];
            (bytes[0], bytes[31]) = (0xed + k, 0x7f);
            assert!(SigningPublicKey::from_bytes(&bytes).is_none(), "p + {k}");
        }
    }

    #[test]
    fn a_commitment_of_small_order_is_refused() {
        // By the owner of the key, with R the neutral element and S = k·a: the equation holds, and verifiers that accept
        // it disagree with those that follow the rules. Computed with Python's hashlib.
        let key = SigningKey::from_bytes(&[5; 32]);
        let public = SigningPublicKey::from_bytes(key.verifying_key().as_bytes()).unwrap();
        let mut signature = [0; 64];
        signature[0] = 1;
        let s = "636f6022cfdba74d1bd6c5b531f9ac70f07cd981791b9a45486a0ec5db66cd07";
        hex::decode_to_slice(s, &mut signature[32..]).unwrap();
        let hash = message_hash(b"body");
        assert!(key.verifying_key().verify(&hash, &Signature::from_bytes(&signature)).is_ok());
        assert!(!public.verifies(&hash, &signature));
    }

    #[test]
    fn s_beyond_the_order_is_refused() {
        let key = SigningKey::from_bytes(&[5; 32]);
        let public = SigningPublicKey::from_bytes(key.verifying_key().as_bytes()).unwrap();
        let hash = message_hash(b"body");
        let signature = key.sign(&hash).to_bytes();
        assert!(public.verifies(&hash, &signature));
        // S + L, the malleable twin.
        let order = hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").unwrap();
        let mut twin = signature;
        let mut carry = 0u16;
        for (byte, add) in twin[32..].iter_mut().zip(order) {
            carry += u16::from(*byte) + u16::from(add);
            *byte = carry.to_le_bytes()[0];
            carry >>= 8;
        }
        assert!(!public.verifies(&hash, &twin));
        for bit in 0..512 {
            let mut flipped = signature;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!public.verifies(&hash, &flipped), "bit {bit}");
        }
    }
}
