//! Schnorr proofs of knowledge and of equal logarithms, in the exact form of SPEC section 4.

use crate::group::{MultiSum, Point, PublicScalar, Sum, Width};
use crate::scalar::Scalar;

/// `z = k + c·x`, published.
pub(crate) fn respond(nonce: &Scalar, challenge: &PublicScalar, secret: &Scalar) -> PublicScalar {
    PublicScalar::disclose(nonce.add(&challenge.as_scalar().mul(secret)))
}

/// Whether `z·base = commitment + c·image`.
pub(crate) fn holds(
    base: Option<&Point>,
    commitment: &Point,
    challenge: &PublicScalar,
    image: &Point,
    z: &PublicScalar,
) -> bool {
    let left = match base {
        None => Sum::generator_times(z),
        Some(base) => Sum::times(base, z),
    };
    let mut right = MultiSum::with_capacity(Width::Full, 2);
    right.push(&PublicScalar::from_u64(1), commitment);
    right.push(challenge, image);
    left == right.sum()
}
