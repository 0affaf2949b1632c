//! ROLE: combine t key shares into the validator key; refuse what does not match its public key.

use crate::bls::{PublicKey, SecretKey};
use crate::polynomial::{DuplicateIdentifier, LagrangeTable};
use crate::share::KeyShare;
use crate::threshold::Threshold;

/// Why shares do not give the key.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum RecoverError {
    /// Fewer shares than the threshold.
    #[error("{found} shares where {wanted} are needed")]
    TooFew {
        /// How many there are.
        found: usize,
        /// How many there should be.
        wanted: usize,
    },
    /// The same identifier stands twice.
    #[error(transparent)]
    Duplicate(#[from] DuplicateIdentifier),
    /// What the shares make is not the key behind the expected public key.
    #[error("the shares make another key")]
    OtherKey,
}

/// Combines the shares; all of them are used, and the result must be the key behind `expected`.
///
/// # Errors
/// [`RecoverError`].
pub fn recover(shares: &[KeyShare], threshold: Threshold, expected: &PublicKey) -> Result<SecretKey, RecoverError> {
    if shares.len() < threshold.t() {
        return Err(RecoverError::TooFew { found: shares.len(), wanted: threshold.t() });
    }
    combine(shares, expected)
}

/// As [`recover`], where nobody says how many shares are needed: whether they are enough, only the result can tell.
///
/// # Errors
/// [`RecoverError::Duplicate`]; [`RecoverError::OtherKey`], too, when they are too few.
pub fn combine(shares: &[KeyShare], expected: &PublicKey) -> Result<SecretKey, RecoverError> {
    let identifiers: Vec<_> = shares.iter().map(|share| share.identifier).collect();
    let table = LagrangeTable::new(&identifiers)?;
    let values: Vec<_> = shares.iter().map(|share| share.secret.to_scalar()).collect();
    let everyone: Vec<_> = (0..shares.len()).collect();
    SecretKey::from_scalar(&table.interpolate_at_zero(&everyone, &values))
        .filter(|key| key.public_key() == *expected)
        .ok_or(RecoverError::OtherKey)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dealer::Dealer;
    use crate::identifier::Identifier;
    use crate::testing::CountingRng;

    fn key() -> SecretKey {
        SecretKey::from_be_bytes(&[0x2a; 32]).unwrap()
    }

    fn shares() -> Vec<KeyShare> {
        let identifiers = [3, 8, 17, 40].map(|id| Identifier::try_from(id).unwrap());
        let dealer = Dealer::new(&identifiers, Threshold::ssv(4).unwrap()).unwrap();
        dealer.deal(&key(), &mut CountingRng::new(8)).unwrap().shares
    }

    #[test]
    fn t_shares_give_the_key() {
        let threshold = Threshold::ssv(4).unwrap();
        for left_out in 0..4 {
            let mut shares = shares();
            shares.remove(left_out);
            let found = recover(&shares, threshold, &key().public_key()).unwrap();
            assert_eq!(found.to_be_bytes(), key().to_be_bytes());
        }
        assert!(recover(&shares(), threshold, &key().public_key()).is_ok());
    }

    #[test]
    fn anything_else_is_refused() {
        let threshold = Threshold::ssv(4).unwrap();
        let expected = key().public_key();
        let few = recover(&shares()[..2], threshold, &expected).err();
        assert_eq!(few, Some(RecoverError::TooFew { found: 2, wanted: 3 }));
        assert!(combine(&shares()[..3], &expected).is_ok());
        assert_eq!(combine(&shares()[..2], &expected).err(), Some(RecoverError::OtherKey));
        assert_eq!(combine(&[], &expected).err(), Some(RecoverError::OtherKey));
        let mut twice = shares();
        twice[1].identifier = twice[0].identifier;
        assert!(matches!(recover(&twice, threshold, &expected), Err(RecoverError::Duplicate(_))));
        let mut wrong = shares();
        wrong[2].secret = SecretKey::from_be_bytes(&[1; 32]).unwrap();
        assert_eq!(recover(&wrong, threshold, &expected).err(), Some(RecoverError::OtherKey));
        let other = SecretKey::from_be_bytes(&[1; 32]).unwrap().public_key();
        assert_eq!(recover(&shares(), threshold, &other).err(), Some(RecoverError::OtherKey));
    }
}
