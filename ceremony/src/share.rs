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

/// The claim that any `threshold` of the shares behind these keys make the key behind `validator`, and no fewer.
#[derive(Clone, Copy, Debug)]
pub struct Sharing<'a> {
    /// The validator key's public half.
    pub validator: &'a PublicKey,
    /// The share public keys of all n parties.
    pub shares: &'a [SharePublicKey],
    /// t of n.
    pub threshold: Threshold,
}

/// Checks one sharing without any secret; see [`check_sharings`].
///
/// # Errors
/// [`SharingError`] saying what does not hold.
pub fn check_sharing(
    validator: &PublicKey,
    shares: &[SharePublicKey],
    threshold: Threshold,
) -> Result<(), SharingError> {
    let sharing = Sharing { validator, shares, threshold };
    check_polynomial(&sharing)?;
    check_leading_coefficient(&sharing)
}

/// Checks each of these without any secret, for a fraction of the cost of one by one when all hold.
///
/// The n + 1 points (0, validator key) and (x_i, share key i) lie on a polynomial of degree below t exactly if they are
/// orthogonal to the dual Reed-Solomon code: for every polynomial z of degree below n + 1 - t,
/// `sum v_i z(x_i) P_i = 0` with `v_i = 1 / prod_(j≠i) (x_i - x_j)`. One z is enough when it is unpredictable; it is
/// derived here from all identifiers and points of all sharings, so that a false sharing passes with probability 2^-254.
/// For the same reason one sum over all sharings is enough: each has a z of its own.
///
/// Of such a polynomial the leading coefficient must not vanish: otherwise its degree is below t - 1, and fewer than t
/// shares make the key.
#[must_use]
pub fn check_sharings(sharings: &[Sharing<'_>]) -> Vec<Result<(), SharingError>> {
    let lead = |(result, sharing): (Result<(), SharingError>, &Sharing<'_>)| {
        result.and_then(|()| check_leading_coefficient(sharing))
    };
    check_polynomials(sharings).into_iter().zip(sharings).map(lead).collect()
}

/// The first half of [`check_sharings`]: any t shares make the key.
fn check_polynomials(sharings: &[Sharing<'_>]) -> Vec<Result<(), SharingError>> {
    let seed = transcript(sharings);
    let mut points = Vec::new();
    let mut weights = Vec::new();
    let mut results = Vec::with_capacity(sharings.len());
    for (position, sharing) in (0u64..).zip(sharings) {
        results.push(dual_codeword(sharing, &seed, position).map(|(its_points, its_weights)| {
            points.extend(its_points);
            weights.extend(its_weights);
        }));
    }
    match PublicKey::weighted_sum_vanishes(&points, &weights) {
        true => results,
        // The sum does not say which of them is false.
        false => sharings.iter().map(check_polynomial).collect(),
    }
}

fn check_polynomial(sharing: &Sharing<'_>) -> Result<(), SharingError> {
    let (points, weights) = dual_codeword(sharing, &transcript(&[*sharing]), 0)?;
    match PublicKey::weighted_sum_vanishes(&points, &weights) {
        true => Ok(()),
        false => Err(SharingError::NotOnePolynomial),
    }
}

/// The digest of everything that is claimed.
fn transcript(sharings: &[Sharing<'_>]) -> [u8; 32] {
    let mut transcript = Sha256::new_with_prefix(b"dvkey degree check v2");
    for Sharing { validator, shares, threshold } in sharings {
        transcript.update((threshold.t() as u64).to_be_bytes());
        transcript.update((shares.len() as u64).to_be_bytes());
        transcript.update(validator.as_bytes());
        for share in *shares {
            transcript.update(share.identifier.get().to_be_bytes());
            transcript.update(share.public_key.as_bytes());
        }
    }
    transcript.finalize().into()
}

/// The points of a sharing, and an unpredictable word of the code that they must be orthogonal to.
fn dual_codeword(
    sharing: &Sharing<'_>,
    seed: &[u8; 32],
    position: u64,
) -> Result<(Vec<PublicKey>, Vec<Scalar>), SharingError> {
    let Sharing { validator, shares, threshold } = *sharing;
    if shares.len() != threshold.n() {
        return Err(SharingError::Count { found: shares.len(), wanted: threshold.n() });
    }
    let z: Vec<_> =
        (0..shares.len() + 1 - threshold.t()).map(|degree| challenge(seed, position, degree as u64)).collect();
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
    Ok((points, weights))
}

/// Checks that `sum_i P_i / prod_(j≠i) (x_i - x_j)` over t of the points, the coefficient of x^(t-1) times the generator,
/// is not infinity.
///
/// Times the product of all differences, which is not zero, and with the abscissas in ascending order, the weight of
/// point i is `(-1)^(t-1-i) prod_(a<b; a,b≠i) (x_b - x_a)`. Where the identifiers are short these integers are, and their
/// signs alternate: the sums over the even and over the odd points must differ.
fn check_leading_coefficient(sharing: &Sharing<'_>) -> Result<(), SharingError> {
    let mut points: Vec<_> = sharing.shares.iter().map(|share| (share.identifier.get(), share.public_key)).collect();
    points.push((0, *sharing.validator));
    points.sort_unstable_by_key(|(x, _)| *x);
    points.truncate(sharing.threshold.t());

    let mut longest = 0;
    let mut weights = Vec::with_capacity(points.len());
    for i in 0..points.len() {
        let others: Vec<_> = points.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, (x, _))| *x).collect();
        let mut weight = Scalar::one();
        let mut bits = 1;
        for (b, upper) in others.iter().enumerate() {
            for lower in others.iter().take(b) {
                let difference = upper.abs_diff(*lower);
                weight = weight.mul(&Scalar::from_u64(difference));
                bits += u64::BITS - difference.leading_zeros();
            }
        }
        longest = longest.max(bits);
        weights.push(weight);
    }
    let points: Vec<_> = points.into_iter().map(|(_, point)| point).collect();
    let vanishes = if longest < Scalar::BITS {
        let side = |parity: usize| -> (Vec<PublicKey>, Vec<&Scalar>) {
            points.iter().copied().zip(&weights).skip(parity).step_by(2).unzip()
        };
        PublicKey::weighted_sums_agree(side(0), side(1), longest as usize)
    } else {
        // Reduced modulo the group order a weight is as long as its negative.
        for weight in weights.iter_mut().skip(1).step_by(2) {
            *weight = Scalar::zero().sub(weight);
        }
        PublicKey::weighted_sum_vanishes(&points, &weights)
    };
    if vanishes { Err(SharingError::TooFewSuffice) } else { Ok(()) }
}

/// One coefficient of z: 512 bits of SHA-256 output reduced modulo r.
fn challenge(seed: &[u8; 32], position: u64, degree: u64) -> Scalar {
    let mut wide = [0; 64];
    for (half, chunk) in wide.chunks_exact_mut(32).enumerate() {
        let digest = Sha256::new_with_prefix(seed)
            .chain_update(position.to_be_bytes())
            .chain_update(degree.to_be_bytes())
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
        sharing_at(&(1..=n as u64).map(|i| i * 37).collect::<Vec<_>>(), coefficients)
    }

    fn sharing_at(ids: &[u64], coefficients: &[u64]) -> (PublicKey, Vec<SharePublicKey>) {
        let p = Polynomial::from_coefficients(coefficients.iter().map(|c| Scalar::from_u64(*c)).collect());
        let shares = ids
            .iter()
            .map(|id| {
                let identifier = Identifier::try_from(*id).unwrap();
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
    fn identifiers_of_any_length_show_too_low_a_degree() {
        // The differences of the short ones are short integers, those of the long ones are reduced.
        for highest in [13, 60, 1 << 20, u64::from(u32::MAX), u64::MAX] {
            for n in Threshold::SSV_SIZES {
                let threshold = Threshold::ssv(n).unwrap();
                let ids: Vec<_> = (0..n as u64).rev().map(|i| highest - i * (highest / 13)).collect();
                let full: Vec<_> = (0..threshold.t() as u64).map(|k| 3 + k * 7).collect();
                for coefficients in [&full[..], &full[..threshold.t() - 1], &full[..1]] {
                    let (validator, mut shares) = sharing_at(&ids, coefficients);
                    let expected = match coefficients.len() == threshold.t() {
                        true => Ok(()),
                        false => Err(SharingError::TooFewSuffice),
                    };
                    assert_eq!(check_sharing(&validator, &shares, threshold), expected, "{n} of {highest}");
                    shares.reverse();
                    assert_eq!(check_sharing(&validator, &shares, threshold), expected, "{n} of {highest}, reversed");
                }
            }
        }
    }

    #[test]
    fn a_batch_says_which_sharing_is_false() {
        let threshold = Threshold::ssv(4).unwrap();
        let made: Vec<_> = (0..40u64).map(|i| sharing(4, &[i / 2 + 1, 5, i + 9])).collect();
        let claims = |made: &[(PublicKey, Vec<SharePublicKey>)]| {
            let claims: Vec<_> =
                made.iter().map(|(validator, shares)| Sharing { validator, shares, threshold }).collect();
            check_sharings(&claims)
        };
        assert!(claims(&made).iter().all(Result::is_ok));
        assert!(claims(&vec![made[0].clone(); 40]).iter().all(Result::is_ok));

        let mut false_ones = made.clone();
        false_ones[3].1[1].public_key = made[4].1[1].public_key;
        false_ones[20].0 = made[0].0;
        false_ones[21].1.pop();
        false_ones[22].1[0].identifier = false_ones[22].1[1].identifier;
        false_ones[23] = sharing(4, &[9, 8]);
        let twice = false_ones[22].1[0].identifier;
        for (position, result) in claims(&false_ones).into_iter().enumerate() {
            let expected = match position {
                3 | 20 => Err(SharingError::NotOnePolynomial),
                21 => Err(SharingError::Count { found: 3, wanted: 4 }),
                22 => Err(SharingError::DuplicateIdentifier(twice)),
                23 => Err(SharingError::TooFewSuffice),
                _ => Ok(()),
            };
            assert_eq!(result, expected, "sharing {position}");
        }
        // Without the two that fail the sum, the sum holds, and the others are refused all the same.
        let mut without: Vec<_> = false_ones;
        without.remove(20);
        without.remove(3);
        let refused: Vec<_> =
            claims(&without).into_iter().enumerate().filter_map(|(i, result)| Some((i, result.err()?))).collect();
        assert_eq!(refused.len(), 3);
        assert_eq!(refused[2], (21, SharingError::TooFewSuffice));
        assert!(claims(&[]).is_empty());
    }

    #[test]
    fn errors_that_cancel_out_are_seen() {
        // The same false share key in one, the difference to the true one in the other: a plain sum would not notice.
        let threshold = Threshold::ssv(4).unwrap();
        let (first, mut shares) = sharing(4, &[5, 6, 7]);
        let (second, mut other) = sharing(4, &[50, 6, 7]);
        let at = |value: u64| SecretKey::from_scalar(&Scalar::from_u64(value)).unwrap().public_key();
        let x = shares[0].identifier.get();
        shares[0].public_key = at(5 + 6 * x + 7 * x * x + 1);
        other[0].public_key = at(50 + 6 * x + 7 * x * x - 1);
        let claims = [
            Sharing { validator: &first, shares: &shares, threshold },
            Sharing { validator: &second, shares: &other, threshold },
        ];
        assert_eq!(check_sharings(&claims), [Err(SharingError::NotOnePolynomial); 2]);
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
