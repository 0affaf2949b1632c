//! BLS keys and signatures as Ethereum uses them: keys in G1, signatures in G2, every decoded point subgroup-checked.

use std::fmt;
use std::hash::{Hash, Hasher};

use blst::{BLST_ERROR, MultiPoint, blst_scalar, min_pk};
use sha2::{Digest, Sha256};

use crate::scalar::Scalar;
use crate::secret::SecretBytes;
use zeroize::Zeroizing;

/// The ciphersuite of the consensus layer (proof of possession, SHA-256, SSWU).
const CIPHERSUITE: &[u8] = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";

/// Why bytes are not a secret key.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum SecretKeyError {
    /// Not 32 bytes.
    #[error("a secret key has 32 bytes, this has {0}")]
    Length(usize),
    /// The integer 0.
    #[error("the secret key is zero")]
    Zero,
    /// The integer is not below the group order r.
    #[error("the secret key is not below the group order")]
    NotBelowOrder,
}

/// Why bytes are not a public key or a signature.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum PointError {
    /// Wrong length, wrong flags, or not on the curve.
    #[error("not a point on the curve")]
    NotOnCurve,
    /// On the curve, outside the prime-order subgroup.
    #[error("a point outside the prime-order subgroup")]
    NotInSubgroup,
    /// The neutral element, which no key or signature can be.
    #[error("the point at infinity")]
    Infinity,
}

/// A validator key or a key share: an integer in 1…r-1.
///
/// Boxed, so that moving the value does not scatter copies over the stack; wiped on drop.
pub struct SecretKey(Box<min_pk::SecretKey>);

impl SecretKey {
    /// Reads 32 big-endian bytes.
    ///
    /// # Errors
    /// [`SecretKeyError`] unless the integer lies in 1…r-1.
    pub fn from_be_bytes(bytes: &[u8]) -> Result<Self, SecretKeyError> {
        let bytes: &[u8; 32] = bytes.try_into().map_err(|_| SecretKeyError::Length(bytes.len()))?;
        let scalar = Scalar::from_be_bytes(bytes).ok_or(SecretKeyError::NotBelowOrder)?;
        Self::from_scalar(&scalar).ok_or(SecretKeyError::Zero)
    }

    /// `None` for the scalar 0.
    #[must_use]
    pub fn from_scalar(scalar: &Scalar) -> Option<Self> {
        let bytes = scalar.to_be_bytes();
        min_pk::SecretKey::from_bytes(bytes.as_ref()).ok().map(|key| Self(Box::new(key)))
    }

    /// The key as a field element.
    #[must_use]
    pub fn to_scalar(&self) -> Scalar {
        // Every value of this type came from a scalar below r.
        Scalar::from_be_bytes(&self.to_be_bytes()).unwrap_or_else(Scalar::zero)
    }

    /// The 32 big-endian bytes.
    #[must_use]
    pub fn to_be_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn to_hex(&self) -> SecretBytes {
        let mut text = vec![0; 64];
        // The buffer is exactly twice the key's length, so that this cannot fail.
        if hex::encode_to_slice(self.to_be_bytes().as_ref(), &mut text).is_err() {
            text.clear();
        }
        SecretBytes::new(text)
    }

    /// The key times the generator of G1.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        PublicKey::from_point(self.0.sk_to_pk())
    }

    /// Signs `message` (hashed to G2 under the ciphersuite of the consensus layer). Deterministic.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Signature {
        let point = self.0.sign(message, CIPHERSUITE, &[]);
        Signature { compressed: point.compress(), point }
    }
}

/// A public key: a point of G1, never the point at infinity, always in the subgroup. Ordered and displayed by its 48
/// compressed bytes.
#[derive(Clone, Copy)]
pub struct PublicKey {
    point: min_pk::PublicKey,
    compressed: [u8; 48],
}

impl PublicKey {
    /// Length of the compressed form.
    pub const BYTES: usize = 48;

    fn from_point(point: min_pk::PublicKey) -> Self {
        Self { point, compressed: point.compress() }
    }

    /// Decodes the 48-byte compressed form and checks the subgroup.
    ///
    /// # Errors
    /// [`PointError`] for anything but a compressed point of the subgroup other than infinity.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PointError> {
        let compressed: [u8; 48] = bytes.try_into().map_err(|_| PointError::NotOnCurve)?;
        let point = min_pk::PublicKey::uncompress(&compressed).map_err(|_| PointError::NotOnCurve)?;
        point.validate().map_err(point_error)?;
        Ok(Self { point, compressed })
    }

    /// The 48-byte compressed form.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 48] {
        &self.compressed
    }

    /// `sum weight_i * key_i` equals the point at infinity. In time that depends on the values: for public ones only.
    ///
    /// Returns false when the slices differ in length or are empty.
    pub(crate) fn weighted_sum_vanishes(keys: &[Self], weights: &[Scalar]) -> bool {
        if keys.is_empty() || keys.len() != weights.len() {
            return false;
        }
        let points: Vec<_> = keys.iter().map(|key| key.point).collect();
        let mut scalars = Vec::with_capacity(32 * weights.len());
        for weight in weights {
            scalars.extend(weight.to_be_bytes().iter().rev());
        }
        let sum = points.mult(&scalars, 255).to_public_key();
        sum.validate() == Err(BLST_ERROR::BLST_PK_IS_INFINITY)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.compressed == other.compressed
    }
}

impl Eq for PublicKey {}

impl PartialOrd for PublicKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PublicKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.compressed.cmp(&other.compressed)
    }
}

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.compressed.hash(state);
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.compressed))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A signature: a point of G2, always in the subgroup.
#[derive(Clone, Copy)]
pub struct Signature {
    point: min_pk::Signature,
    compressed: [u8; 96],
}

/// One statement for [`Signature::verify_all`]: this key signed this message.
pub struct SignedMessage<'a> {
    /// Who signed.
    pub public_key: &'a PublicKey,
    /// What was signed.
    pub message: &'a [u8],
    /// The signature.
    pub signature: &'a Signature,
}

impl Signature {
    /// Length of the compressed form.
    pub const BYTES: usize = 96;

    /// Decodes the 96-byte compressed form and checks the subgroup.
    ///
    /// # Errors
    /// [`PointError`] for anything but a compressed point of the subgroup other than infinity.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PointError> {
        let compressed: [u8; 96] = bytes.try_into().map_err(|_| PointError::NotOnCurve)?;
        let point = min_pk::Signature::uncompress(&compressed).map_err(|_| PointError::NotOnCurve)?;
        point.validate(true).map_err(point_error)?;
        Ok(Self { point, compressed })
    }

    /// The 96-byte compressed form.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 96] {
        &self.compressed
    }

    /// Whether `public_key` signed `message`.
    #[must_use]
    pub fn verify(&self, public_key: &PublicKey, message: &[u8]) -> bool {
        // Both points were subgroup-checked when they were decoded.
        self.point.verify(false, message, CIPHERSUITE, &[], &public_key.point, false) == BLST_ERROR::BLST_SUCCESS
    }

    /// Whether every statement holds, for about half the cost of verifying one by one.
    ///
    /// Each pairing gets a 128-bit weight derived from all keys, messages and signatures, so that no set of false
    /// statements can be made to cancel out. A refusal does not say which statement is false.
    #[must_use]
    pub fn verify_all(statements: &[SignedMessage<'_>]) -> bool {
        let mut transcript = Sha256::new_with_prefix(b"dvkey batch signature verification v1");
        for statement in statements {
            transcript.update(statement.public_key.as_bytes());
            transcript.update((statement.message.len() as u64).to_be_bytes());
            transcript.update(statement.message);
            transcript.update(statement.signature.as_bytes());
        }
        let seed = transcript.finalize();
        let weights: Vec<_> = (0..statements.len() as u64)
            .map(|position| {
                let weight = Sha256::new_with_prefix(seed).chain_update(position.to_be_bytes()).finalize();
                let mut scalar = blst_scalar::default();
                for (to, from) in scalar.b.iter_mut().zip(weight.iter().take(16)) {
                    *to = *from;
                }
                // A weight of zero would leave its statement out.
                if let Some(lowest) = scalar.b.first_mut() {
                    *lowest |= 1;
                }
                scalar
            })
            .collect();
        let messages: Vec<_> = statements.iter().map(|statement| statement.message).collect();
        let keys: Vec<_> = statements.iter().map(|statement| &statement.public_key.point).collect();
        let signatures: Vec<_> = statements.iter().map(|statement| &statement.signature.point).collect();
        min_pk::Signature::verify_multiple_aggregate_signatures(
            &messages,
            CIPHERSUITE,
            &keys,
            false,
            &signatures,
            false,
            &weights,
            128,
        ) == BLST_ERROR::BLST_SUCCESS
    }
}

impl PartialEq for Signature {
    fn eq(&self, other: &Self) -> bool {
        self.compressed == other.compressed
    }
}

impl Eq for Signature {}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.compressed))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn point_error(error: BLST_ERROR) -> PointError {
    match error {
        BLST_ERROR::BLST_PK_IS_INFINITY => PointError::Infinity,
        BLST_ERROR::BLST_POINT_NOT_IN_GROUP => PointError::NotInSubgroup,
        _ => PointError::NotOnCurve,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> SecretKey {
        SecretKey::from_be_bytes(&[byte; 32]).unwrap()
    }

    #[test]
    fn secret_keys_lie_between_zero_and_the_order() {
        let order = hex::decode("73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001").unwrap();
        assert_eq!(SecretKey::from_be_bytes(&[0; 32]).err(), Some(SecretKeyError::Zero));
        assert_eq!(SecretKey::from_be_bytes(&order).err(), Some(SecretKeyError::NotBelowOrder));
        assert_eq!(SecretKey::from_be_bytes(&[1; 31]).err(), Some(SecretKeyError::Length(31)));
        assert_eq!(SecretKey::from_be_bytes(&[1; 33]).err(), Some(SecretKeyError::Length(33)));
        assert_eq!(key(1).to_be_bytes().as_ref(), [1; 32]);
        assert_eq!(key(1).to_hex().expose(), "01".repeat(32).as_bytes());
        assert_eq!(key(1).to_scalar().to_be_bytes().as_ref(), [1; 32]);
    }

    #[test]
    fn points_are_checked_when_decoded() {
        let good = key(1).public_key();
        assert_eq!(PublicKey::from_bytes(good.as_bytes()), Ok(good));
        let mut infinity = [0; 48];
        infinity[0] = 0xc0;
        assert_eq!(PublicKey::from_bytes(&infinity), Err(PointError::Infinity));
        // On the curve, outside the subgroup: the smallest such abscissa.
        let outside = (0..=255u8)
            .map(|x| {
                let mut bytes = [0; 48];
                bytes[0] = 0x80;
                bytes[47] = x;
                PublicKey::from_bytes(&bytes)
            })
            .find(|point| *point != Err(PointError::NotOnCurve));
        assert_eq!(outside, Some(Err(PointError::NotInSubgroup)));
        assert_eq!(PublicKey::from_bytes(&[0xff; 48]), Err(PointError::NotOnCurve));
        assert_eq!(PublicKey::from_bytes(&good.as_bytes()[..47]), Err(PointError::NotOnCurve));
        // The uncompressed form is not the wire form.
        assert_eq!(PublicKey::from_bytes(&good.point.serialize()), Err(PointError::NotOnCurve));

        let mut infinity = [0; 96];
        infinity[0] = 0xc0;
        assert!(Signature::from_bytes(&infinity).is_err());
        let outside = (0..=255u8)
            .map(|x| {
                let mut bytes = [0; 96];
                bytes[0] = 0x80;
                bytes[95] = x;
                Signature::from_bytes(&bytes)
            })
            .find(|point| *point != Err(PointError::NotOnCurve));
        assert_eq!(outside, Some(Err(PointError::NotInSubgroup)));
    }

    #[test]
    fn one_false_statement_fails_the_batch() {
        let keys: Vec<_> = (1..=5).map(key).collect();
        let public: Vec<_> = keys.iter().map(SecretKey::public_key).collect();
        let messages: Vec<_> = (0..5u8).map(|i| [i; 32]).collect();
        let mut signatures: Vec<_> = keys.iter().zip(&messages).map(|(key, message)| key.sign(message)).collect();
        let all = |signatures: &[Signature]| {
            let statements: Vec<_> = public
                .iter()
                .zip(&messages)
                .zip(signatures)
                .map(|((public_key, message), signature)| SignedMessage { public_key, message, signature })
                .collect();
            Signature::verify_all(&statements)
        };
        assert!(all(&signatures));
        signatures.swap(1, 3);
        assert!(!all(&signatures));
        assert!(!signatures[1].verify(&public[1], &messages[1]));
        assert!(signatures[1].verify(&public[3], &messages[3]));
        assert!(!Signature::verify_all(&[]));
    }
}
