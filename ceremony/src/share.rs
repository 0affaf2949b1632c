//! Key shares, share public keys, and the check that all of them belong to one key.

use sha2::{Digest, Sha256};

use crate::bls::{PublicKey, SecretKey};
use crate::identifier::Identifier;
use crate::scalar::Scalar;
use crate::threshold::Threshold;

/// One party's secret part of a validator key: the sharing polynomial at the party's identifier.
pub struct KeyShare {
    /// Where the polynomial was evaluated.
    pub identifier: Identifier,
    /// Its value there.
    pub secret: SecretKey,
}

/// The public half of a [`KeyShare`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharePublicKey {
    /// Where the polynomial was evaluated.
    pub identifier: Identifier,
    /// The share times the generator.
    pub public_key: PublicKey,
}

impl KeyShare {
    /// The public half.
    #[must_use]
    pub fn public(&self) -> SharePublicKey {
        SharePublicKey { identifier: self.identifier, public_key: self.secret.public_key() }
    }
}

/// Why share public keys are not a sharing of the validator key.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum SharingError {
    /// Not one share public key for each of the n parties.
    #[error("{found} share keys for {wanted} operators")]
    Count {
        /// How many there are.
        found: usize,
        /// How many there should be.
        wanted: usize,
    },
    /// Two share public keys have the same identifier.
    #[error("two share keys have the identifier {0}")]
    DuplicateIdentifier(Identifier),
    /// The n share public keys and the validator key do not lie on one polynomial of degree t - 1.
    #[error("the share keys do not make the validator key")]
    NotOnePolynomial,
    /// They lie on a polynomial of lower degree: fewer than t shares make the key.
    #[error("fewer shares than the threshold make the validator key")]
    TooFewSuffice,
}

/// Checks, without any secret, that any t of the shares behind these keys make the validator key, and no fewer.
///
/// The n + 1 points (0, validator key) and (x_i, share key i) lie on a polynomial of degree below t exactly if they are
/// orthogonal to the dual Reed-Solomon code: for every polynomial z of degree below n + 1 - t,
/// `sum v_i z(x_i) P_i = 0` with `v_i = 1 / prod_(j≠i) (x_i - x_j)`. One z is enough when it is unpredictable; it is
/// derived here from all identifiers and points, so that a false sharing passes with probability 2^-254.
///
/// Of such a polynomial the leading coefficient, interpolated from the first t points, must not vanish: otherwise its
/// degree is below t - 1, and fewer than t shares make the key.
///
/// # Errors
/// [`SharingError`] saying what does not hold.
pub fn check_sharing(
    validator: &PublicKey,
    shares: &[SharePublicKey],
    threshold: Threshold,
) -> Result<(), SharingError> {
    if shares.len() != threshold.n() {
        return Err(SharingError::Count { found: shares.len(), wanted: threshold.n() });
    }
    let mut transcript = Sha256::new_with_prefix(b"dvkey degree check v1");
    transcript.update((threshold.t() as u64).to_be_bytes());
    transcript.update(validator.as_bytes());
    for share in shares {
        transcript.update(share.identifier.get().to_be_bytes());
        transcript.update(share.public_key.as_bytes());
    }
    let seed = transcript.finalize();
    let z: Vec<_> = (0..shares.len() + 1 - threshold.t()).map(|degree| challenge(&seed, degree as u64)).collect();

    let points: Vec<_> = std::iter::once(*validator).chain(shares.iter().map(|share| share.public_key)).collect();
    let abscissas: Vec<_> =
        std::iter::once(Scalar::zero()).chain(shares.iter().map(|share| share.identifier.to_scalar())).collect();
    let mut weights = Vec::with_capacity(points.len());
    for (i, x_i) in abscissas.iter().enumerate() {
        let denominator = abscissas
            .iter()
            .enumerate()
            .filter(|(j, _)| *j != i)
            .fold(Scalar::one(), |product, (_, x_j)| product.mul(&x_i.sub(x_j)));
        let Some(v_i) = denominator.invert() else {
            // Identifiers are non-zero, so that two shares have met.
            let twice = shares.get(i.saturating_sub(1)).map(|share| share.identifier);
            return Err(twice.map_or(SharingError::NotOnePolynomial, SharingError::DuplicateIdentifier));
        };
        let z_at_x = z.iter().rev().fold(Scalar::zero(), |sum, coefficient| sum.mul(x_i).add(coefficient));
        weights.push(v_i.mul(&z_at_x));
    }
    if !PublicKey::weighted_sum_vanishes(&points, &weights) {
        return Err(SharingError::NotOnePolynomial);
    }
    if leading_coefficient_vanishes(&points, &abscissas, threshold.t()) {
        return Err(SharingError::TooFewSuffice);
    }
    Ok(())
}

/// Whether `sum_(i<t) P_i / prod_(j<t, j≠i) (x_i - x_j)`, the coefficient of x^(t-1) times the generator, is infinity.
fn leading_coefficient_vanishes(points: &[PublicKey], abscissas: &[Scalar], t: usize) -> bool {
    let (Some(points), Some(abscissas)) = (points.get(..t), abscissas.get(..t)) else { return true };
    let mut weights = Vec::with_capacity(t);
    for (i, x_i) in abscissas.iter().enumerate() {
        let others = abscissas.iter().enumerate().filter(|(j, _)| *j != i);
        let denominator = others.fold(Scalar::one(), |product, (_, x_j)| product.mul(&x_i.sub(x_j)));
        // Distinct abscissas were established before.
        weights.push(denominator.invert().unwrap_or_else(Scalar::zero));
    }
    PublicKey::weighted_sum_vanishes(points, &weights)
}

/// One coefficient of z: 512 bits of SHA-256 output reduced modulo r.
fn challenge(seed: &[u8], position: u64) -> Scalar {
    let mut wide = [0; 64];
    for (half, chunk) in wide.chunks_exact_mut(32).enumerate() {
        let digest = Sha256::new_with_prefix(seed)
            .chain_update(position.to_be_bytes())
            .chain_update((half as u64).to_be_bytes())
            .finalize();
        chunk.copy_from_slice(&digest);
    }
    Scalar::from_wide_bytes(&wide)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::polynomial::Polynomial;

    fn sharing(n: usize, coefficients: &[u64]) -> (PublicKey, Vec<SharePublicKey>) {
        let p = Polynomial::from_coefficients(coefficients.iter().map(|c| Scalar::from_u64(*c)).collect());
        let shares = (1..=n as u64)
            .map(|i| {
                let identifier = Identifier::try_from(i * 37).unwrap();
                SharePublicKey {
                    identifier,
                    public_key: SecretKey::from_scalar(&p.evaluate(identifier)).unwrap().public_key(),
                }
            })
            .collect();
        (SecretKey::from_scalar(&Scalar::from_u64(coefficients[0])).unwrap().public_key(), shares)
    }

    #[test]
    fn true_sharings_pass_and_one_degree_more_or_less_fails() {
        for n in Threshold::SSV_SIZES {
            let threshold = Threshold::ssv(n).unwrap();
            let coefficients: Vec<_> = (0..=threshold.t() as u64).map(|k| 1000 + k * k).collect();
            let (validator, shares) = sharing(n, &coefficients[..threshold.t()]);
            assert_eq!(check_sharing(&validator, &shares, threshold), Ok(()));
            let (validator, shares) = sharing(n, &coefficients);
            assert_eq!(check_sharing(&validator, &shares, threshold), Err(SharingError::NotOnePolynomial));
            for fewer in 1..threshold.t() {
                let (validator, shares) = sharing(n, &coefficients[..fewer]);
                assert_eq!(check_sharing(&validator, &shares, threshold), Err(SharingError::TooFewSuffice));
            }
        }
    }

    #[test]
    fn every_single_change_is_seen() {
        let threshold = Threshold::ssv(7).unwrap();
        let (validator, shares) = sharing(7, &[5, 6, 7, 8, 9]);
        for i in 0..7 {
            let mut changed = shares.clone();
            changed[i].public_key = validator;
            assert_eq!(check_sharing(&validator, &changed, threshold), Err(SharingError::NotOnePolynomial), "key {i}");
            let mut changed = shares.clone();
            changed[i].identifier = Identifier::try_from(1).unwrap();
            assert_eq!(check_sharing(&validator, &changed, threshold), Err(SharingError::NotOnePolynomial), "id {i}");
        }
        let other = shares[0].public_key;
        assert_eq!(check_sharing(&other, &shares, threshold), Err(SharingError::NotOnePolynomial));
    }

    #[test]
    fn counts_and_duplicates() {
        let threshold = Threshold::ssv(4).unwrap();
        let (validator, mut shares) = sharing(4, &[5, 6, 7]);
        assert_eq!(
            check_sharing(&validator, &shares[..3], threshold),
            Err(SharingError::Count { found: 3, wanted: 4 })
        );
        shares[3].identifier = shares[1].identifier;
        let twice = shares[1].identifier;
        assert_eq!(check_sharing(&validator, &shares, threshold), Err(SharingError::DuplicateIdentifier(twice)));
    }
}
