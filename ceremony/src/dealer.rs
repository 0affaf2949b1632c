//! ROLE: the dealer, who holds a whole validator key, splits it, and proves the split before handing anything out.

use rand_core::TryCryptoRng;
use subtle::ConstantTimeEq;

use crate::bls::{PublicKey, SecretKey};
use crate::group::{Point, Sum, normalise};
use crate::identifier::Identifier;
use crate::polynomial::{DuplicateIdentifier, LagrangeTable, Polynomial};
use crate::scalar::Scalar;
use crate::share::{KeyShare, SharePublicKey};
use crate::threshold::Threshold;

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

    /// Splits `key` with fresh randomness and proves the result: every subset of t shares gives the key, and none of t - 1
    /// does.
    ///
    /// What remains is what a stranger can check: [`crate::share::check_sharings`] over the share public keys of all deals
    /// at once, which costs a fraction of one by one. Nothing may leave the dealer's hands before it has passed.
    ///
    /// # Errors
    /// [`DealError`]; nothing is handed out then.
    pub fn deal<R: TryCryptoRng + ?Sized>(&self, key: &SecretKey, rng: &mut R) -> Result<Deal, DealError<R::Error>> {
        let secret = key.to_scalar();
        let values = self.draw(&secret, rng)?;
        self.prove(&secret, &values)?;

        let mut shares = Vec::with_capacity(values.len());
        for (identifier, value) in self.table.identifiers().iter().zip(&values) {
            let secret = SecretKey::from_scalar(value).ok_or(DealError::DegenerateRandomness)?;
            shares.push(KeyShare { identifier: *identifier, secret });
        }
        let share_public_keys = self.publish(&values).ok_or(DealError::DegenerateRandomness)?;
        let validator = key.public_key();
        Ok(Deal { validator, shares, share_public_keys })
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

    /// The shares times the generator, brought to their encoding with one inversion; `None` if a share is zero.
    fn publish(&self, values: &[Scalar]) -> Option<Vec<SharePublicKey>> {
        let points: Vec<_> = values.iter().map(Sum::generator_times_secret).collect();
        let key = |(identifier, point): (&Identifier, Point)| SharePublicKey {
            identifier: *identifier,
            public_key: point.to_public_key(),
        };
        Some(self.table.identifiers().iter().zip(normalise(&points)?).map(key).collect())
    }

    /// Combines n - t + 1 subsets of t shares and one of t - 1, which settle it for all others.
    ///
    /// Let the first t - 1 shares, with each of the others in turn, give the key. Then every share lies on the one polynomial
    /// q of degree below t through the key and the first t - 1, and any t shares give q(0). The first t - 1 by themselves
    /// miss the key by the leading coefficient of q times the product of their identifiers, up to sign, and so do any other
    /// t - 1 with theirs: either all miss it or none does.
    fn prove<E>(&self, secret: &Scalar, values: &[Scalar]) -> Result<(), DealError<E>> {
        let gives_the_key =
            |subset: &[usize]| -> bool { self.table.interpolate_at_zero(subset, values).ct_eq(secret).into() };
        let (n, t) = (self.threshold.n(), self.threshold.t());
        let first: Vec<_> = (0..t - 1).collect();
        if !(t - 1..n).all(|last| gives_the_key(&[first.as_slice(), &[last]].concat())) {
            return Err(DealError::DoesNotRecombine);
        }
        if gives_the_key(&first) {
            return Err(DealError::TooFewSuffice);
        }
        Ok(())
    }
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

    /// What the proof stands for: all subsets of t, and all of t - 1, combined one by one.
    fn combine_all(dealer: &Dealer, secret: &Scalar, values: &[Scalar]) -> (bool, bool) {
        let (n, t) = (dealer.threshold.n(), dealer.threshold.t());
        let give_the_key = |k: usize| {
            (0u32..1 << n).filter(move |mask| mask.count_ones() as usize == k).map(move |mask| {
                let subset: Vec<_> = (0..n).filter(|i| mask & (1 << i) != 0).collect();
                bool::from(dealer.table.interpolate_at_zero(&subset, values).ct_eq(secret))
            })
        };
        (give_the_key(t).all(|gives| gives), give_the_key(t - 1).any(|gives| gives))
    }

    #[test]
    fn the_proof_says_what_all_subsets_say() {
        for n in Threshold::SSV_SIZES {
            let threshold = Threshold::ssv(n).unwrap();
            let t = threshold.t();
            let dealer =
                Dealer::new(&identifiers(&(0..n as u64).map(|i| 5 + 3 * i).collect::<Vec<_>>()), threshold).unwrap();
            let secret = Scalar::from_u64(10);
            let values = |count: usize| -> Vec<_> {
                let coefficients = (0..count as u64).map(|k| Scalar::from_u64(10 + k * k)).collect();
                let p = Polynomial::from_coefficients(coefficients);
                dealer.table.identifiers().iter().map(|x| p.evaluate(*x)).collect()
            };
            let prove = |values: &[Scalar]| dealer.prove::<()>(&secret, values);

            assert!(prove(&values(t)).is_ok());
            assert_eq!(combine_all(&dealer, &secret, &values(t)), (true, false));
            assert!(matches!(prove(&values(t + 1)), Err(DealError::DoesNotRecombine)));
            for fewer in 1..t {
                assert!(matches!(prove(&values(fewer)), Err(DealError::TooFewSuffice)), "{n}, {fewer}");
            }
            assert_eq!(combine_all(&dealer, &secret, &values(t - 1)), (true, true));
            for wrong in 0..n {
                let mut values = values(t);
                values[wrong] = values[wrong].add(&Scalar::one());
                assert!(matches!(prove(&values), Err(DealError::DoesNotRecombine)), "{n}, {wrong}");
            }
            let other = Scalar::from_u64(11);
            assert!(matches!(dealer.prove::<()>(&other, &values(t)), Err(DealError::DoesNotRecombine)));
        }
    }

    #[test]
    fn parties_are_counted() {
        let threshold = Threshold::ssv(4).unwrap();
        let refused = Dealer::new(&identifiers(&[1, 2, 3]), threshold).err();
        assert_eq!(refused, Some(DealerError::Count { found: 3, wanted: 4 }));
        assert!(matches!(Dealer::new(&identifiers(&[1, 2, 3, 2]), threshold), Err(DealerError::Duplicate(_))));
    }
}
