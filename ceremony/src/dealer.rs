//! ROLE: the dealer, who holds a whole validator key, splits it, and proves the split before handing anything out.

use rand_core::TryCryptoRng;
use subtle::ConstantTimeEq;

use crate::bls::{PublicKey, SecretKey};
use crate::identifier::Identifier;
use crate::polynomial::{DuplicateIdentifier, LagrangeTable, Polynomial};
use crate::scalar::Scalar;
use crate::share::{KeyShare, SharePublicKey};
use crate::threshold::Threshold;

/// Up to this many subsets, every one is tried; beyond, a random sample of as many.
const SUBSETS_TRIED: usize = 128;

/// How many are drawn where there are more.
const SUBSETS_SAMPLED: usize = 32;

/// Draws that end in a zero share, or in a share equal to the key, are repeated. One in 2^250 does: a few in a row mean
/// that the randomness is broken.
const DRAWS: usize = 4;

/// Splits validator keys for one fixed list of parties.
#[derive(Debug)]
pub struct Dealer {
    threshold: Threshold,
    table: LagrangeTable,
}

/// What the dealer hands out for one validator key.
pub struct Deal {
    /// The validator key's public half.
    pub validator: PublicKey,
    /// One share for each party, in the dealer's order.
    pub shares: Vec<KeyShare>,
    /// The public halves, in the same order.
    pub share_public_keys: Vec<SharePublicKey>,
    /// How many subsets of t shares were combined, each giving the key.
    pub subsets_recombined: usize,
}

/// Why a dealer cannot be appointed.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum DealerError {
    /// Not as many identifiers as the threshold has parties.
    #[error("{found} identifiers for {wanted} shares")]
    Count {
        /// How many there are.
        found: usize,
        /// How many there should be.
        wanted: usize,
    },
    /// Two parties have the same identifier.
    #[error(transparent)]
    Duplicate(#[from] DuplicateIdentifier),
}

/// Why a key was not split. Nothing was handed out.
#[derive(Debug, thiserror::Error)]
pub enum DealError<E> {
    /// The source of randomness failed.
    #[error("the source of randomness failed")]
    Randomness(#[source] E),
    /// Several draws in a row gave a share that is zero or the key itself.
    #[error("the source of randomness repeats itself")]
    DegenerateRandomness,
    /// A set of t shares did not give the key back: a fault of this program or of this machine.
    #[error("a set of t shares does not give the key back")]
    DoesNotRecombine,
    /// A set of t - 1 shares gave the key: a fault of this program, of this machine or of the randomness.
    #[error("fewer than t shares give the key")]
    TooFewSuffice,
}

impl Dealer {
    /// Appoints a dealer for these parties.
    ///
    /// # Errors
    /// [`DealerError`] when the identifiers are not n distinct ones.
    pub fn new(identifiers: &[Identifier], threshold: Threshold) -> Result<Self, DealerError> {
        if identifiers.len() != threshold.n() {
            return Err(DealerError::Count { found: identifiers.len(), wanted: threshold.n() });
        }
        Ok(Self { threshold, table: LagrangeTable::new(identifiers)? })
    }

    /// Splits `key` with fresh randomness and proves the result: subsets of t shares give the key, subsets of t - 1 do
    /// not.
    ///
    /// What remains is what a stranger can check: [`crate::share::check_sharings`] over the share public keys of all deals
    /// at once, which costs a fraction of one by one. Nothing may leave the dealer's hands before it has passed.
    ///
    /// # Errors
    /// [`DealError`]; nothing is handed out then.
    pub fn deal<R: TryCryptoRng + ?Sized>(&self, key: &SecretKey, rng: &mut R) -> Result<Deal, DealError<R::Error>> {
        let secret = key.to_scalar();
        let values = self.draw(&secret, rng)?;
        let subsets_recombined = self.prove(&secret, &values, rng)?;

        let mut shares = Vec::with_capacity(values.len());
        for (identifier, value) in self.table.identifiers().iter().zip(&values) {
            let secret = SecretKey::from_scalar(value).ok_or(DealError::DegenerateRandomness)?;
            shares.push(KeyShare { identifier: *identifier, secret });
        }
        let share_public_keys: Vec<_> = shares.iter().map(KeyShare::public).collect();
        let validator = key.public_key();
        Ok(Deal { validator, shares, share_public_keys, subsets_recombined })
    }

    /// Evaluates random polynomials through the secret until no share is zero or the secret itself.
    fn draw<R: TryCryptoRng + ?Sized>(&self, secret: &Scalar, rng: &mut R) -> Result<Vec<Scalar>, DealError<R::Error>> {
        for _ in 0..DRAWS {
            let constant = secret.add(&Scalar::zero());
            let polynomial = Polynomial::random(constant, self.threshold, rng).map_err(DealError::Randomness)?;
            if let Some(values) = self.evaluate(&polynomial, secret) {
                return Ok(values);
            }
        }
        Err(DealError::DegenerateRandomness)
    }

    fn evaluate(&self, polynomial: &Polynomial, secret: &Scalar) -> Option<Vec<Scalar>> {
        let values: Vec<_> = self.table.identifiers().iter().map(|x| polynomial.evaluate(*x)).collect();
        let degenerate = values.iter().any(|value| bool::from(value.is_zero() | value.ct_eq(secret)));
        (!degenerate).then_some(values)
    }

    fn prove<R: TryCryptoRng + ?Sized>(
        &self,
        secret: &Scalar,
        values: &[Scalar],
        rng: &mut R,
    ) -> Result<usize, DealError<R::Error>> {
        let gives_the_key =
            |subset: &[usize]| -> bool { self.table.interpolate_at_zero(subset, values).ct_eq(secret).into() };
        let (n, t) = (self.threshold.n(), self.threshold.t());
        let enough = subsets(n, t, rng).map_err(DealError::Randomness)?;
        if !enough.iter().all(|subset| gives_the_key(subset)) {
            return Err(DealError::DoesNotRecombine);
        }
        let too_few = subsets(n, t - 1, rng).map_err(DealError::Randomness)?;
        if too_few.iter().any(|subset| gives_the_key(subset)) {
            return Err(DealError::TooFewSuffice);
        }
        Ok(enough.len())
    }
}

/// Every subset of k of the positions 0…n-1 when they are at most [`SUBSETS_TRIED`], a random sample of
/// [`SUBSETS_SAMPLED`] otherwise.
fn subsets<R: TryCryptoRng + ?Sized>(n: usize, k: usize, rng: &mut R) -> Result<Vec<Vec<usize>>, R::Error> {
    let all = (0..n).fold(1, |count: usize, i| if i < k { count * (n - i) / (i + 1) } else { count });
    if all <= SUBSETS_TRIED {
        let masks = (0u32..1 << n).filter(|mask| mask.count_ones() as usize == k);
        return Ok(masks.map(|mask| (0..n).filter(|i| mask & (1 << i) != 0).collect()).collect());
    }
    (0..SUBSETS_SAMPLED)
        .map(|_| {
            // Selection sampling (Knuth 3.4.2 S): position i is taken with the chance that is left to it. The bias of a
            // 64-bit draw is of no account for a self-check.
            let mut subset = Vec::with_capacity(k);
            for i in 0..n {
                let left = (n - i) as u64;
                let wanted = (k - subset.len()) as u64;
                if rng.try_next_u64()? % left < wanted {
                    subset.push(i);
                }
            }
            Ok(subset)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::CountingRng;

    fn identifiers(values: &[u64]) -> Vec<Identifier> {
        values.iter().map(|value| Identifier::try_from(*value).unwrap()).collect()
    }

    fn key(byte: u8) -> SecretKey {
        SecretKey::from_be_bytes(&[byte; 32]).unwrap()
    }

    #[test]
    fn deals_for_every_lawful_size() {
        for n in Threshold::SSV_SIZES {
            let threshold = Threshold::ssv(n).unwrap();
            let ids = identifiers(&(1..=n as u64).map(|i| i * i).collect::<Vec<_>>());
            let dealer = Dealer::new(&ids, threshold).unwrap();
            let deal = dealer.deal(&key(9), &mut CountingRng::new(n as u64)).unwrap();
            assert_eq!(deal.validator, key(9).public_key());
            assert_eq!(deal.shares.len(), n);
            assert_eq!(deal.subsets_recombined, [4, 21, 120, 32][(n - 4) / 3]);
            for (share, public) in deal.shares.iter().zip(&deal.share_public_keys) {
                assert_eq!(share.public(), *public);
                assert_ne!(share.secret.to_be_bytes(), key(9).to_be_bytes());
            }
        }
    }

    #[test]
    fn two_deals_of_one_key_differ() {
        let dealer = Dealer::new(&identifiers(&[1, 2, 3, 4]), Threshold::ssv(4).unwrap()).unwrap();
        let mut rng = CountingRng::new(1);
        let (first, second) = (dealer.deal(&key(3), &mut rng).unwrap(), dealer.deal(&key(3), &mut rng).unwrap());
        assert_ne!(first.share_public_keys, second.share_public_keys);
    }

    #[test]
    fn a_zero_share_and_a_share_equal_to_the_key_are_drawn_again() {
        let dealer = Dealer::new(&identifiers(&[1, 2, 3, 4]), Threshold::ssv(4).unwrap()).unwrap();
        let secret = Scalar::from_u64(6);
        // 6 - 5x + x^2 vanishes at 2 and 3; 6 + 0x + 0x^2 gives everybody the key.
        let minus_five = Scalar::zero().sub(&Scalar::from_u64(5));
        let zero = Polynomial::from_coefficients(vec![Scalar::from_u64(6), minus_five, Scalar::one()]);
        assert!(dealer.evaluate(&zero, &secret).is_none());
        let whole = Polynomial::from_coefficients(vec![Scalar::from_u64(6), Scalar::zero(), Scalar::zero()]);
        assert!(dealer.evaluate(&whole, &secret).is_none());
        let good = Polynomial::from_coefficients(vec![Scalar::from_u64(6), Scalar::one(), Scalar::one()]);
        assert!(dealer.evaluate(&good, &secret).is_some());
    }

    #[test]
    fn broken_randomness_is_refused() {
        let dealer = Dealer::new(&identifiers(&[1, 2, 3, 4]), Threshold::ssv(4).unwrap()).unwrap();
        let refused = dealer.deal(&key(3), &mut CountingRng::stuck_at_zero()).err().unwrap();
        assert!(matches!(refused, DealError::DegenerateRandomness));
        let refused = dealer.deal(&key(3), &mut CountingRng::failing()).err().unwrap();
        assert!(matches!(refused, DealError::Randomness(_)));
    }

    #[test]
    fn the_proof_sees_wrong_and_weak_shares() {
        let dealer = Dealer::new(&identifiers(&[1, 2, 3, 4]), Threshold::ssv(4).unwrap()).unwrap();
        let mut rng = CountingRng::new(5);
        let values = |coefficients: &[u64]| {
            let p = Polynomial::from_coefficients(coefficients.iter().map(|c| Scalar::from_u64(*c)).collect());
            dealer.table.identifiers().iter().map(|x| p.evaluate(*x)).collect::<Vec<_>>()
        };
        let secret = Scalar::from_u64(10);
        assert_eq!(dealer.prove(&secret, &values(&[10, 4, 9]), &mut rng).ok(), Some(4));
        let too_high = dealer.prove(&secret, &values(&[10, 4, 9, 2]), &mut rng);
        assert!(matches!(too_high, Err(DealError::DoesNotRecombine)));
        let too_low = dealer.prove(&secret, &values(&[10, 4]), &mut rng);
        assert!(matches!(too_low, Err(DealError::TooFewSuffice)));
    }

    #[test]
    fn samples_are_subsets_of_the_right_size() {
        for subset in subsets(13, 9, &mut CountingRng::new(2)).unwrap() {
            assert_eq!(subset.len(), 9);
            assert!(subset.is_sorted_by(|a, b| a < b));
            assert!(subset.iter().all(|position| *position < 13));
        }
        assert_eq!(subsets(10, 7, &mut CountingRng::new(2)).unwrap().len(), 120);
    }

    #[test]
    fn parties_are_counted() {
        let threshold = Threshold::ssv(4).unwrap();
        let refused = Dealer::new(&identifiers(&[1, 2, 3]), threshold).err();
        assert_eq!(refused, Some(DealerError::Count { found: 3, wanted: 4 }));
        assert!(matches!(Dealer::new(&identifiers(&[1, 2, 3, 2]), threshold), Err(DealerError::Duplicate(_))));
    }
}
