//! BLS keys and signatures as Ethereum uses them: keys in G1, signatures in G2, every decoded point subgroup-checked.

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::OnceLock;

use blst::{BLST_ERROR, MultiPoint, Pairing, blst_fp12, blst_p1_affine, blst_p2_affine, min_pk};
use sha2::{Digest, Sha256};

use crate::scalar::Scalar;
use crate::secret::SecretBytes;
use zeroize::Zeroizing;

/// The ciphersuite of the consensus layer (proof of possession, SHA-256, SSWU).
pub(crate) const CIPHERSUITE: &[u8] = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";

/// Length of the weights of a batch: 128 bits, so that a false batch passes with probability 2^-127.
const WEIGHT_BYTES: usize = 16;

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
pub struct SecretKey {
    key: Box<min_pk::SecretKey>,
    /// Its public half, once somebody has asked for it.
    public_key: OnceLock<PublicKey>,
}

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
        min_pk::SecretKey::from_bytes(bytes.as_ref())
            .ok()
            .map(|key| Self { key: Box::new(key), public_key: OnceLock::new() })
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
        Zeroizing::new(self.key.to_bytes())
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

    /// The key times the generator of G1, computed once.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        *self.public_key.get_or_init(|| PublicKey::from_point(self.key.sk_to_pk()))
    }

    /// Signs `message` (hashed to G2 under the ciphersuite of the consensus layer). Deterministic.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Signature {
        let point = self.key.sign(message, CIPHERSUITE, &[]);
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

    /// A point that the caller knows to be in the subgroup and not infinity, with its compressed form.
    pub(crate) fn from_checked(point: blst_p1_affine, compressed: [u8; 48]) -> Self {
        Self { point: point.into(), compressed }
    }

    /// The point in affine coordinates.
    pub(crate) fn to_affine(self) -> blst_p1_affine {
        self.point.into()
    }

    /// The 48-byte compressed form.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 48] {
        &self.compressed
    }

    /// `sum weight_i * key_i` equals the point at infinity. In time that depends on the values: for public ones only.
    ///
    /// Returns false when the slices differ in length or are empty.
    pub(crate) fn weighted_sum_vanishes<'a>(keys: &[Self], weights: impl IntoIterator<Item = &'a Scalar>) -> bool {
        let sum = Self::weighted_sum(keys, weights, Scalar::BITS as usize);
        sum.is_some_and(|sum| sum.validate() == Err(BLST_ERROR::BLST_PK_IS_INFINITY))
    }

    /// Whether `sum weight_i * key_i` is the same on both sides, where every weight is below 2^bits. In time that depends
    /// on the values: for public ones only.
    ///
    /// Returns false when keys and weights of a side differ in number, or are none.
    pub(crate) fn weighted_sums_agree(
        (left, left_weights): (Vec<Self>, Vec<&Scalar>),
        (right, right_weights): (Vec<Self>, Vec<&Scalar>),
        bits: usize,
    ) -> bool {
        match (Self::weighted_sum(&left, left_weights, bits), Self::weighted_sum(&right, right_weights, bits)) {
            (Some(left), Some(right)) => left == right,
            _ => false,
        }
    }

    /// `None` when the lists differ in length or are empty.
    fn weighted_sum<'a>(
        keys: &[Self],
        weights: impl IntoIterator<Item = &'a Scalar>,
        bits: usize,
    ) -> Option<min_pk::PublicKey> {
        // The sum of fewer bits than a window has is not what the library is made for.
        let bits = bits.max(8);
        let mut scalars = Vec::with_capacity(bits.div_ceil(8) * keys.len());
        let mut count = 0;
        for weight in weights {
            scalars.extend(weight.to_be_bytes().iter().rev().take(bits.div_ceil(8)));
            count += 1;
        }
        if keys.is_empty() || keys.len() != count {
            return None;
        }
        let points: Vec<_> = keys.iter().map(|key| key.point).collect();
        Some(points.mult(&scalars, bits).to_public_key())
    }
}

/// Public keys that this process holds. Bytes that are one of them are not decoded and checked a second time, since every
/// [`PublicKey`] was checked when it was made.
#[derive(Debug, Default)]
pub struct HeldKeys(HashMap<[u8; PublicKey::BYTES], PublicKey>);

impl HeldKeys {
    /// As [`PublicKey::from_bytes`].
    ///
    /// # Errors
    /// [`PointError`], as there.
    pub fn read(&self, bytes: &[u8]) -> Result<PublicKey, PointError> {
        let known = <[u8; PublicKey::BYTES]>::try_from(bytes).ok().and_then(|bytes| self.0.get(&bytes));
        known.map_or_else(|| PublicKey::from_bytes(bytes), |key| Ok(*key))
    }
}

impl FromIterator<PublicKey> for HeldKeys {
    fn from_iter<I: IntoIterator<Item = PublicKey>>(keys: I) -> Self {
        Self(keys.into_iter().map(|key| (key.compressed, key)).collect())
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

    /// A point that the caller knows to be in the subgroup and not infinity.
    pub(crate) fn from_checked(point: blst_p2_affine) -> Self {
        let point = min_pk::Signature::from(point);
        Self { compressed: point.compress(), point }
    }

    /// The point in affine coordinates.
    pub(crate) fn to_affine(self) -> blst_p2_affine {
        self.point.into()
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
        let mut weights = Vec::with_capacity(WEIGHT_BYTES * statements.len());
        let mut signatures = Vec::with_capacity(statements.len());
        let mut pairing = Pairing::new(true, CIPHERSUITE);
        for (position, statement) in (0u64..).zip(statements) {
            let mut weight: [u8; 32] =
                Sha256::new_with_prefix(seed).chain_update(position.to_be_bytes()).finalize().into();
            // A weight of zero would leave its statement out.
            if let Some(lowest) = weight.first_mut() {
                *lowest |= 1;
            }
            let key: &blst_p1_affine = (&statement.public_key.point).into();
            // The signatures are summed up below, at a fraction of the cost.
            let infinity = blst_p2_affine::default();
            let bits = 8 * WEIGHT_BYTES;
            let taken = pairing.mul_n_aggregate(key, false, &infinity, false, &weight, bits, statement.message, &[]);
            if taken != BLST_ERROR::BLST_SUCCESS {
                return false;
            }
            weights.extend(weight.iter().take(WEIGHT_BYTES));
            signatures.push(statement.signature.point);
        }
        pairing.commit();
        if signatures.is_empty() {
            return false;
        }
        let sum = signatures.mult(&weights, 8 * WEIGHT_BYTES).to_signature();
        if sum.validate(true).is_err() {
            // At infinity only by an accident of the weights, or on purpose: verify one by one.
            return false;
        }
        let sum: &blst_p2_affine = (&sum).into();
        let mut paired = blst_fp12::default();
        Pairing::aggregated(&mut paired, sum);
        pairing.finalverify(Some(&paired))
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
    fn known_keys_are_what_their_bytes_decode_to() {
        let known: HeldKeys = (1..=3).map(|byte| key(byte).public_key()).collect();
        for byte in 1..=5 {
            let public = key(byte).public_key();
            let read = known.read(public.as_bytes()).unwrap();
            assert_eq!((read, read.point), (public, PublicKey::from_bytes(public.as_bytes()).unwrap().point));
        }
        let mut altered = *key(1).public_key().as_bytes();
        altered[47] ^= 1;
        assert_eq!(known.read(&altered).err(), PublicKey::from_bytes(&altered).err());
        assert_eq!(known.read(&altered[..47]), Err(PointError::NotOnCurve));
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
