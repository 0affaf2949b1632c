//! Points of G1 and G2 for ceremonies: secrets are multiplied in constant time, sums of public points are another type.
#![expect(
    unsafe_code,
    reason = "the BLS library offers point arithmetic as C functions only; every call below passes valid, \
              initialised, fixed-size values of this file's own and keeps no pointer"
)]

use std::fmt;

use blst::{
    MultiPoint, blst_fp12, blst_hash_to_g2, blst_p1, blst_p1_add_or_double, blst_p1_add_or_double_affine,
    blst_p1_affine, blst_p1_affine_compress, blst_p1_affine_generator, blst_p1_double, blst_p1_from_affine,
    blst_p1_generator, blst_p1_is_equal, blst_p1_is_inf, blst_p1_mult, blst_p2, blst_p2_affine, blst_p2_is_inf,
    blst_p2_mult, blst_p2_to_affine, p1_affines,
};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::bls::{CIPHERSUITE, PointError, PublicKey, SecretKey, Signature};
use crate::scalar::Scalar;

/// Bits of a multiplication by a secret: always the whole width, whatever the value.
const SECRET_BITS: usize = 255;

/// An integer modulo r that everybody may know: a challenge, a response, a ciphertext, a weight.
///
/// Sums of many points take these only. A secret becomes one through [`PublicScalar::disclose`] and not by accident.
pub struct PublicScalar(Scalar);

impl PublicScalar {
    /// Declares that this value is public from now on.
    #[must_use]
    pub fn disclose(value: Scalar) -> Self {
        Self(value)
    }

    /// Reads 32 big-endian bytes; `None` unless the integer is below r.
    #[must_use]
    pub fn from_be_bytes(bytes: &[u8; 32]) -> Option<Self> {
        Scalar::from_be_bytes(bytes).map(Self)
    }

    /// `value` as a field element.
    #[must_use]
    pub fn from_u64(value: u64) -> Self {
        Self(Scalar::from_u64(value))
    }

    /// The 32 big-endian bytes.
    #[must_use]
    pub fn to_be_bytes(&self) -> [u8; 32] {
        *self.0.to_be_bytes()
    }

    /// The value, for arithmetic with secrets.
    #[must_use]
    pub fn as_scalar(&self) -> &Scalar {
        &self.0
    }

    /// `self + other`.
    #[must_use]
    pub fn add(&self, other: &Self) -> Self {
        Self(self.0.add(&other.0))
    }

    /// `self - other`.
    #[must_use]
    pub fn sub(&self, other: &Self) -> Self {
        Self(self.0.sub(&other.0))
    }

    /// `self * other`.
    #[must_use]
    pub fn mul(&self, other: &Self) -> Self {
        Self(self.0.mul(&other.0))
    }

    /// `1 / self`; `None` for 0.
    #[must_use]
    pub fn invert(&self) -> Option<Self> {
        self.0.invert().map(Self)
    }

    fn to_le_bytes(&self) -> [u8; 32] {
        let mut bytes = self.to_be_bytes();
        bytes.reverse();
        bytes
    }
}

impl Clone for PublicScalar {
    fn clone(&self) -> Self {
        Self(self.0.add(&Scalar::zero()))
    }
}

impl PartialEq for PublicScalar {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for PublicScalar {}

impl fmt::Debug for PublicScalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.to_be_bytes()))
    }
}

/// A point of G1: in the prime-order subgroup, never infinity; checked when it was decoded.
#[derive(Clone, Copy)]
pub struct Point {
    affine: blst_p1_affine,
    compressed: [u8; 48],
}

impl Point {
    /// Length of the compressed form.
    pub const BYTES: usize = 48;

    /// Decodes the compressed form.
    ///
    /// # Errors
    /// [`PointError`] for anything but the one encoding of a point of the subgroup other than infinity.
    pub fn from_bytes(bytes: &[u8; 48]) -> Result<Self, PointError> {
        Ok(PublicKey::from_bytes(bytes)?.into())
    }

    /// The 48-byte compressed form.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 48] {
        &self.compressed
    }

    /// `secret * self`, in constant time; `None` for 0.
    #[must_use]
    pub fn times_secret(&self, secret: &Scalar) -> Option<Self> {
        let scalar = secret_bytes(secret);
        let base = Sum::from(*self);
        let mut out = blst_p1::default();
        // SAFETY: valid target, initialised point of the subgroup, 32 bytes for 255 bits.
        unsafe { blst_p1_mult(&raw mut out, &raw const base.0, scalar.as_ptr(), SECRET_BITS) };
        normalise(&[Sum(out)])?.pop()
    }

    /// The same point as a key that verifies signatures.
    #[must_use]
    pub fn to_public_key(self) -> PublicKey {
        PublicKey::from_checked(self.affine, self.compressed)
    }

    fn from_affine(affine: blst_p1_affine) -> Self {
        let mut compressed = [0; 48];
        // SAFETY: writes 48 bytes from an initialised point.
        unsafe { blst_p1_affine_compress(compressed.as_mut_ptr(), &raw const affine) };
        Self { affine, compressed }
    }
}

impl From<PublicKey> for Point {
    fn from(key: PublicKey) -> Self {
        Self { affine: key.to_affine(), compressed: *key.as_bytes() }
    }
}

impl PartialEq for Point {
    fn eq(&self, other: &Self) -> bool {
        self.compressed == other.compressed
    }
}

impl Eq for Point {}

impl fmt::Debug for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.compressed))
    }
}

/// A sum of public points, perhaps infinity. Additions take time that depends on the values.
#[derive(Clone, Copy)]
pub struct Sum(blst_p1);

impl Sum {
    /// The neutral element.
    #[must_use]
    pub fn infinity() -> Self {
        Self(blst_p1::default())
    }

    /// `secret * G`, in constant time, in a form that waits for [`normalise`].
    #[must_use]
    pub fn generator_times_secret(secret: &Scalar) -> Self {
        let scalar = secret_bytes(secret);
        let mut out = blst_p1::default();
        // SAFETY: valid target, the library's own generator, 32 bytes for 255 bits.
        unsafe { blst_p1_mult(&raw mut out, blst_p1_generator(), scalar.as_ptr(), SECRET_BITS) };
        Self(out)
    }

    /// `value * G`.
    #[must_use]
    pub fn generator_times(value: &PublicScalar) -> Self {
        Self::generator_times_secret(value.as_scalar())
    }

    /// `value * point`.
    #[must_use]
    pub fn times(point: &Point, value: &PublicScalar) -> Self {
        let scalar = value.to_le_bytes();
        let base = Self::from(*point);
        let mut out = blst_p1::default();
        // SAFETY: valid target, initialised point of the subgroup, 32 bytes for 255 bits.
        unsafe { blst_p1_mult(&raw mut out, &raw const base.0, scalar.as_ptr(), SECRET_BITS) };
        Self(out)
    }

    /// `self + other`.
    #[must_use]
    pub fn add(&self, other: &Self) -> Self {
        let mut out = blst_p1::default();
        // SAFETY: valid target and two initialised points.
        unsafe { blst_p1_add_or_double(&raw mut out, &raw const self.0, &raw const other.0) };
        Self(out)
    }

    /// Adds a point in place.
    pub fn accumulate(&mut self, point: &Point) {
        let here = self.0;
        // SAFETY: valid target and two initialised points.
        unsafe { blst_p1_add_or_double_affine(&raw mut self.0, &raw const here, &raw const point.affine) };
    }

    /// `factor * self`, with as many doublings as the factor has bits.
    #[must_use]
    pub fn times_u64(&self, factor: u64) -> Self {
        let mut out = blst_p1::default();
        for bit in (0..u64::BITS - factor.leading_zeros()).rev() {
            let here = out;
            // SAFETY: valid target and an initialised point.
            unsafe { blst_p1_double(&raw mut out, &raw const here) };
            if factor >> bit & 1 == 1 {
                out = Self(out).add(self).0;
            }
        }
        Self(out)
    }

    /// Whether this is the neutral element.
    #[must_use]
    pub fn is_infinity(&self) -> bool {
        // SAFETY: reads an initialised point.
        unsafe { blst_p1_is_inf(&raw const self.0) }
    }
}

impl From<Point> for Sum {
    fn from(point: Point) -> Self {
        let mut out = blst_p1::default();
        // SAFETY: valid target and an initialised point.
        unsafe { blst_p1_from_affine(&raw mut out, &raw const point.affine) };
        Self(out)
    }
}

impl PartialEq for Sum {
    fn eq(&self, other: &Self) -> bool {
        // SAFETY: reads two initialised points.
        unsafe { blst_p1_is_equal(&raw const self.0, &raw const other.0) }
    }
}

/// Brings sums to their one encoding, all with a single inversion; `None` when one of them is infinity.
#[must_use]
pub fn normalise(sums: &[Sum]) -> Option<Vec<Point>> {
    if sums.iter().any(Sum::is_infinity) {
        return None;
    }
    if sums.is_empty() {
        return Some(Vec::new());
    }
    let raw: Vec<_> = sums.iter().map(|sum| sum.0).collect();
    Some(p1_affines::from(&raw).as_slice().iter().map(|affine| Point::from_affine(*affine)).collect())
}

/// The public scalars that one [`MultiSum`] reads: the whole field, or weights of 128 bits for half the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// Any element of the field.
    Full,
    /// Integers below 2^128.
    Half,
}

/// A sum of multiples of public points, `sum scalar_i * point_i`, collected term by term and computed at once.
///
/// In time that depends on the scalars, which is why it takes no [`Scalar`].
pub struct MultiSum {
    width: Width,
    points: Vec<blst_p1_affine>,
    scalars: Vec<u8>,
}

impl MultiSum {
    /// An empty sum with room for `terms`.
    #[must_use]
    pub fn with_capacity(width: Width, terms: usize) -> Self {
        Self { width, points: Vec::with_capacity(terms), scalars: Vec::with_capacity(terms * width.bytes()) }
    }

    /// Adds a term. Of a scalar beyond the width the upper half is not read: callers pass weights there.
    pub fn push(&mut self, scalar: &PublicScalar, point: &Point) {
        self.points.push(point.affine);
        self.scalars.extend(scalar.to_le_bytes().iter().take(self.width.bytes()));
    }

    /// The sum; no term is left.
    pub fn drain(&mut self) -> Sum {
        let sum = self.sum();
        self.points.clear();
        self.scalars.clear();
        sum
    }

    /// The sum.
    #[must_use]
    pub fn sum(&self) -> Sum {
        if self.points.is_empty() {
            return Sum::infinity();
        }
        Sum(self.points.mult(&self.scalars, self.width.bits()))
    }
}

impl Width {
    fn bytes(self) -> usize {
        match self {
            Self::Full => 32,
            Self::Half => 16,
        }
    }

    fn bits(self) -> usize {
        match self {
            Self::Full => 255,
            Self::Half => 128,
        }
    }
}

/// A message hashed to G2 under the ciphersuite of the consensus layer.
#[derive(Clone, Copy)]
pub struct HashedMessage(blst_p2);

impl HashedMessage {
    /// Hashes.
    #[must_use]
    pub fn new(message: &[u8]) -> Self {
        let mut out = blst_p2::default();
        // SAFETY: valid target; pointers and lengths describe the two slices; no augmentation.
        unsafe {
            blst_hash_to_g2(
                &raw mut out,
                message.as_ptr(),
                message.len(),
                CIPHERSUITE.as_ptr(),
                CIPHERSUITE.len(),
                std::ptr::null(),
                0,
            );
        }
        Self(out)
    }

    /// Signs in constant time; the same signature as [`SecretKey::sign`] of the message.
    #[must_use]
    pub fn sign(&self, key: &SecretKey) -> Signature {
        let scalar = secret_bytes(&key.to_scalar());
        let mut out = blst_p2::default();
        // SAFETY: valid target, initialised point of the subgroup, 32 bytes for 255 bits.
        unsafe { blst_p2_mult(&raw mut out, &raw const self.0, scalar.as_ptr(), SECRET_BITS) };
        Signature::from_checked(g2_affine(&out))
    }
}

/// `sum scalar_i * signature_i`; `None` when it is infinity or there is no term.
#[must_use]
pub fn combine_signatures(terms: &[(PublicScalar, Signature)], width: Width) -> Option<Signature> {
    if terms.is_empty() {
        return None;
    }
    let points: Vec<_> = terms.iter().map(|(_, signature)| signature.to_affine()).collect();
    let mut scalars = Vec::with_capacity(terms.len() * width.bytes());
    for (scalar, _) in terms {
        scalars.extend(scalar.to_le_bytes().iter().take(width.bytes()));
    }
    let sum = points.mult(&scalars, width.bits());
    // SAFETY: reads an initialised point.
    let infinity = unsafe { blst_p2_is_inf(&raw const sum) };
    (!infinity).then(|| Signature::from_checked(g2_affine(&sum)))
}

/// Whether `e(G, signature) = prod e(key_i, H(M_i))`: one Miller loop for each message, one final exponentiation.
#[must_use]
pub fn pairing_holds(signature: &Signature, terms: &[(Point, HashedMessage)]) -> bool {
    if terms.is_empty() {
        return false;
    }
    let keys: Vec<_> = terms.iter().map(|(key, _)| key.affine).collect();
    let messages: Vec<_> = terms.iter().map(|(_, message)| g2_affine(&message.0)).collect();
    // SAFETY: the library's own constant.
    let generator = unsafe { *blst_p1_affine_generator() };
    let left = blst_fp12::miller_loop(&signature.to_affine(), &generator);
    let right = blst_fp12::miller_loop_n(&messages, &keys);
    blst_fp12::finalverify(&left, &right)
}

fn g2_affine(point: &blst_p2) -> blst_p2_affine {
    let mut out = blst_p2_affine::default();
    // SAFETY: valid target and an initialised point.
    unsafe { blst_p2_to_affine(&raw mut out, std::ptr::from_ref(point)) };
    out
}

/// The little-endian bytes that the library's multiplications read.
fn secret_bytes(secret: &Scalar) -> Zeroizing<[u8; 32]> {
    let mut bytes = secret.to_be_bytes();
    bytes.reverse();
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times_g(value: u64) -> Point {
        normalise(&[Sum::generator_times(&PublicScalar::from_u64(value))]).unwrap()[0]
    }

    #[test]
    fn multiples_agree_however_they_are_computed() {
        for value in [1, 2, 3, 0xff, 1 << 40, u64::MAX] {
            let expected = SecretKey::from_scalar(&Scalar::from_u64(value)).unwrap().public_key();
            assert_eq!(times_g(value).to_public_key(), expected);
            assert_eq!(Point::from_bytes(expected.as_bytes()), Ok(times_g(value)));
            assert!(Sum::from(times_g(1)).times_u64(value) == Sum::from(times_g(value)));
            assert_eq!(times_g(1).times_secret(&Scalar::from_u64(value)), Some(times_g(value)));
            assert!(Sum::times(&times_g(1), &PublicScalar::from_u64(value)) == Sum::from(times_g(value)));
        }
        assert!(times_g(1).times_secret(&Scalar::zero()).is_none());
        assert!(Sum::from(times_g(5)).times_u64(0).is_infinity());
    }

    #[test]
    fn sums_of_many_agree_with_sums_of_few() {
        for width in [Width::Full, Width::Half] {
            let mut many = MultiSum::with_capacity(width, 40);
            let mut expected = 0;
            for i in 1..=40 {
                many.push(&PublicScalar::from_u64(i * i), &times_g(i + 7));
                expected += i * i * (i + 7);
            }
            assert!(many.sum() == Sum::from(times_g(expected)));
        }
        assert!(MultiSum::with_capacity(Width::Full, 0).sum().is_infinity());
        let minus_one = PublicScalar::from_u64(0).sub(&PublicScalar::from_u64(1));
        let mut cancels = MultiSum::with_capacity(Width::Full, 2);
        cancels.push(&minus_one, &times_g(9));
        cancels.push(&PublicScalar::from_u64(1), &times_g(9));
        assert!(cancels.sum().is_infinity());
        assert!(normalise(&[cancels.sum()]).is_none());
    }

    #[test]
    fn one_pairing_product_for_many_signatures() {
        let keys: Vec<_> = [3, 5].map(|v| SecretKey::from_scalar(&Scalar::from_u64(v)).unwrap()).into();
        let messages = [b"first".as_slice(), b"second"];
        let hashed = messages.map(HashedMessage::new);
        let signatures: Vec<_> = keys.iter().zip(&hashed).map(|(key, message)| message.sign(key)).collect();
        for ((signature, key), message) in signatures.iter().zip(&keys).zip(messages) {
            assert_eq!(*signature, key.sign(message));
        }
        let one = PublicScalar::from_u64(1);
        let sum = combine_signatures(&[(one.clone(), signatures[0]), (one.clone(), signatures[1])], Width::Half);
        let terms = [(times_g(3), hashed[0]), (times_g(5), hashed[1])];
        assert!(pairing_holds(&sum.unwrap(), &terms));
        assert!(!pairing_holds(&signatures[0], &terms));
        assert!(!pairing_holds(&signatures[0], &[]));
        let minus_one = PublicScalar::from_u64(0).sub(&one);
        assert!(combine_signatures(&[(one, signatures[0]), (minus_one, signatures[0])], Width::Full).is_none());
        assert!(combine_signatures(&[], Width::Full).is_none());
    }
}
