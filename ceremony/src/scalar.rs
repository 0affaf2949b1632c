//! Elements of the BLS12-381 scalar field, in constant time; the only file with `unsafe` code.
#![expect(
    unsafe_code,
    reason = "the BLS library offers field arithmetic as C functions only; every call below passes valid, \
              initialised, fixed-size values of this file's own and keeps no pointer"
)]

use blst::{
    blst_fr, blst_fr_add, blst_fr_from_scalar, blst_fr_from_uint64, blst_fr_inverse, blst_fr_mul, blst_fr_sub,
    blst_scalar, blst_scalar_fr_check, blst_scalar_from_be_bytes, blst_scalar_from_bendian, blst_scalar_from_fr,
};
use rand_core::TryCryptoRng;
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// An integer modulo the group order r, wiped on drop.
///
/// Used for secrets (coefficients, shares) and for public values (evaluation points, Lagrange coefficients) alike, so
/// that there is one arithmetic, and it is the constant-time one.
pub struct Scalar(blst_fr);

impl Drop for Scalar {
    fn drop(&mut self) {
        self.0.l.zeroize();
    }
}

impl ZeroizeOnDrop for Scalar {}

impl Scalar {
    /// The length of the group order: 2^254 < r < 2^255.
    pub const BITS: u32 = 255;

    /// The integer 1.
    #[must_use]
    pub fn one() -> Self {
        Self::from_u64(1)
    }

    /// The integer 0.
    #[must_use]
    pub fn zero() -> Self {
        Self(blst_fr::default())
    }

    /// `value` as a field element; exact, since r is larger than 2^64.
    #[must_use]
    pub fn from_u64(value: u64) -> Self {
        let limbs = [value, 0, 0, 0];
        let mut out = blst_fr::default();
        // SAFETY: `limbs` is the four little-endian 64-bit words that the function reads; `out` is a valid target.
        unsafe { blst_fr_from_uint64(&raw mut out, limbs.as_ptr()) };
        Self(out)
    }

    /// Reads 32 big-endian bytes; `None` unless the integer is below r.
    #[must_use]
    pub fn from_be_bytes(bytes: &[u8; 32]) -> Option<Self> {
        let mut scalar = blst_scalar::default();
        // SAFETY: `bytes` is the 32 bytes that the function reads; `scalar` is a valid target.
        unsafe { blst_scalar_from_bendian(&raw mut scalar, bytes.as_ptr()) };
        // SAFETY: reads the initialised `scalar`.
        let canonical = unsafe { blst_scalar_fr_check(&raw const scalar) };
        canonical.then(|| Self::from_scalar(&scalar))
    }

    /// The 32 big-endian bytes of the integer.
    #[must_use]
    pub fn to_be_bytes(&self) -> Zeroizing<[u8; 32]> {
        let mut scalar = blst_scalar::default();
        // SAFETY: reads the initialised field element, writes the valid target.
        unsafe { blst_scalar_from_fr(&raw mut scalar, &raw const self.0) };
        let mut bytes = Zeroizing::new([0; 32]);
        bytes.copy_from_slice(&scalar.b);
        bytes.reverse();
        bytes
    }

    /// Reduces 64 big-endian bytes modulo r. Uniform input gives an output within 2^-256 of uniform.
    #[must_use]
    pub fn from_wide_bytes(bytes: &[u8; 64]) -> Self {
        let mut scalar = blst_scalar::default();
        // SAFETY: pointer and length describe `bytes`; `scalar` is a valid target. The returned flag only says whether
        // the result is non-zero, which is a lawful field element here.
        let _ = unsafe { blst_scalar_from_be_bytes(&raw mut scalar, bytes.as_ptr(), bytes.len()) };
        Self::from_scalar(&scalar)
    }

    /// Reduces 48 big-endian bytes modulo r, as hash-to-field does (RFC 9380, section 5.2).
    #[must_use]
    pub fn from_48_bytes(bytes: &[u8; 48]) -> Self {
        let mut wide = Zeroizing::new([0; 64]);
        if let Some(low) = wide.last_chunk_mut::<48>() {
            low.copy_from_slice(bytes);
        }
        Self::from_wide_bytes(&wide)
    }

    /// Draws an element of the whole field, 0 included.
    ///
    /// # Errors
    /// Whatever the source of randomness reports.
    pub fn random<R: TryCryptoRng + ?Sized>(rng: &mut R) -> Result<Self, R::Error> {
        let mut wide = Zeroizing::new([0; 64]);
        rng.try_fill_bytes(wide.as_mut())?;
        Ok(Self::from_wide_bytes(&wide))
    }

    /// `self + other`.
    #[must_use]
    pub fn add(&self, other: &Self) -> Self {
        let mut out = blst_fr::default();
        // SAFETY: two initialised inputs and a valid target.
        unsafe { blst_fr_add(&raw mut out, &raw const self.0, &raw const other.0) };
        Self(out)
    }

    /// `self - other`.
    #[must_use]
    pub fn sub(&self, other: &Self) -> Self {
        let mut out = blst_fr::default();
        // SAFETY: two initialised inputs and a valid target.
        unsafe { blst_fr_sub(&raw mut out, &raw const self.0, &raw const other.0) };
        Self(out)
    }

    /// `self * other`.
    #[must_use]
    pub fn mul(&self, other: &Self) -> Self {
        let mut out = blst_fr::default();
        // SAFETY: two initialised inputs and a valid target.
        unsafe { blst_fr_mul(&raw mut out, &raw const self.0, &raw const other.0) };
        Self(out)
    }

    /// `1 / self`; `None` for 0.
    #[must_use]
    pub fn invert(&self) -> Option<Self> {
        if bool::from(self.is_zero()) {
            return None;
        }
        let mut out = blst_fr::default();
        // SAFETY: an initialised input and a valid target; the constant-time inverse, not the Euclidean one.
        unsafe { blst_fr_inverse(&raw mut out, &raw const self.0) };
        Some(Self(out))
    }

    /// Whether this is 0, without a branch on the value.
    #[must_use]
    pub fn is_zero(&self) -> Choice {
        self.ct_eq(&Self::zero())
    }

    fn from_scalar(scalar: &blst_scalar) -> Self {
        let mut out = blst_fr::default();
        // SAFETY: an initialised input below r and a valid target.
        unsafe { blst_fr_from_scalar(&raw mut out, std::ptr::from_ref(scalar)) };
        Self(out)
    }
}

impl ConstantTimeEq for Scalar {
    fn ct_eq(&self, other: &Self) -> Choice {
        // The Montgomery form is fully reduced, so equal elements have equal limbs.
        self.0.l.ct_eq(&other.0.l)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const R: &str = "73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001";
    const R_MINUS_1: &str = "73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000000";

    fn parse(text: &str) -> Option<Scalar> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).unwrap();
        Scalar::from_be_bytes(&bytes)
    }

    #[test]
    fn only_integers_below_the_order_are_read() {
        assert!(parse(R).is_none());
        assert!(parse(&"f".repeat(64)).is_none());
        let largest = parse(R_MINUS_1).unwrap();
        assert_eq!(hex::encode(*largest.to_be_bytes()), R_MINUS_1);
        assert!(bool::from(largest.add(&Scalar::one()).is_zero()));
        assert!(bool::from(Scalar::zero().sub(&Scalar::one()).ct_eq(&largest)));
    }

    #[test]
    fn inverses_multiply_to_one() {
        for value in [1, 2, 3, 12_345, u64::MAX] {
            let value = Scalar::from_u64(value);
            assert!(bool::from(value.mul(&value.invert().unwrap()).ct_eq(&Scalar::one())));
        }
        assert!(Scalar::zero().invert().is_none());
    }

    #[test]
    fn wide_bytes_are_reduced() {
        let mut wide = [0; 64];
        hex::decode_to_slice(R, &mut wide[32..]).unwrap();
        assert!(bool::from(Scalar::from_wide_bytes(&wide).is_zero()));
        wide[63] = 2;
        assert!(bool::from(Scalar::from_wide_bytes(&wide).ct_eq(&Scalar::one())));
        // 2^256 = 1 * 2^256: the upper half counts.
        let mut high = [0; 64];
        high[31] = 1;
        let two_to_128 = Scalar::from_u64(1 << 32).mul(&Scalar::from_u64(1 << 32));
        let two_to_128 = two_to_128.mul(&two_to_128);
        assert!(bool::from(Scalar::from_wide_bytes(&high).ct_eq(&two_to_128.mul(&two_to_128))));
    }
}
