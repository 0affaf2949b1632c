//! Dealing and recovering: any t shares make the key, fewer do not, none is the key, and strangers can check it.
#![no_main]

use dvkey_ceremony::dealer::{DealError, Dealer, DealerError};
use dvkey_ceremony::recover::{RecoverError, recover};
use dvkey_ceremony::share::{Sharing, SharingError, check_sharing, check_sharings};
use dvkey_ceremony::{Identifier, KeyShare, SecretKey, Threshold};
use dvkey_fuzz::{Input, InputRng};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let n = Threshold::SSV_SIZES[input.below(4)];
    let threshold = Threshold::ssv(n).expect("a lawful size");
    let Ok(key) = SecretKey::from_be_bytes(&input.array::<32>()) else { return };
    let width = input.below(9);
    let identifiers: Vec<_> = (0..n)
        .filter_map(|position| {
            let mut wide = [0; 8];
            wide[8 - width..].copy_from_slice(
                input.take(width).iter().copied().chain([0; 8]).take(width).collect::<Vec<_>>().as_slice(),
            );
            // Narrow numbers meet often, and without a number the positions do.
            let number = u64::from_be_bytes(wide).wrapping_add(if width < 2 { position as u64 + 1 } else { 0 });
            Identifier::try_from(number).ok()
        })
        .collect();
    let order: Vec<_> = (0..n).map(|_| input.byte()).collect();
    let distinct = identifiers.iter().enumerate().all(|(position, id)| !identifiers[..position].contains(id));
    let dealer = match Dealer::new(&identifiers, threshold) {
        Ok(dealer) => dealer,
        Err(DealerError::Count { found, wanted }) => return assert!(found == identifiers.len() && found < wanted),
        Err(DealerError::Duplicate(_)) => return assert!(!distinct),
    };
    assert!(distinct);

    let chosen = input.0;
    let deal = match dealer.deal(&key, &mut InputRng::new(chosen)) {
        Ok(deal) => deal,
        // Chosen randomness may be as bad as it likes: it must be noticed.
        Err(DealError::DegenerateRandomness | DealError::TooFewSuffice) => return assert!(chosen.len() >= 64),
        Err(error) => panic!("{error}"),
    };
    let public = key.public_key();
    assert_eq!(deal.validator, public);
    assert_eq!(check_sharing(&public, &deal.share_public_keys, threshold), Ok(()));
    assert_eq!((deal.shares.len(), deal.share_public_keys.len()), (n, n));
    for ((share, public_key), identifier) in deal.shares.iter().zip(&deal.share_public_keys).zip(&identifiers) {
        assert_eq!(share.identifier, *identifier);
        assert_eq!(share.public(), *public_key);
        assert_ne!(share.secret.to_be_bytes(), key.to_be_bytes());
    }

    // The input chooses which t, and in which order.
    let mut positions: Vec<_> = (0..n).collect();
    positions.sort_by_key(|position| order[*position]);
    let pick = |positions: &[usize]| positions.iter().map(|at| copy(&deal.shares[*at])).collect::<Vec<_>>();
    for count in [threshold.t(), n] {
        let recovered = recover(&pick(&positions[..count]), threshold, &public).expect("t shares make the key");
        assert_eq!(recovered.to_be_bytes(), key.to_be_bytes());
    }
    let few = pick(&positions[..threshold.t() - 1]);
    assert!(matches!(recover(&few, threshold, &public), Err(RecoverError::TooFew { .. })));
    let mut twice = few;
    twice.push(copy(&twice[0]));
    assert!(matches!(recover(&twice, threshold, &public), Err(RecoverError::Duplicate(_))));

    // One share of somebody else's key.
    let mut wrong = pick(&positions[..threshold.t()]);
    wrong[0].secret = key;
    assert_eq!(recover(&wrong, threshold, &public).err(), Some(RecoverError::OtherKey));
    let mut wrong = deal.share_public_keys.clone();
    wrong[positions[0]].public_key = public;
    assert_eq!(check_sharing(&public, &wrong, threshold), Err(SharingError::NotOnePolynomial));

    // In a batch, each is judged as alone.
    let claim = |shares| Sharing { validator: &public, shares, threshold };
    let (right, false_one) = (claim(&deal.share_public_keys[..]), claim(&wrong[..]));
    assert_eq!(check_sharings(&[right, right]), [Ok(()); 2]);
    assert_eq!(check_sharings(&[right, false_one]), [Ok(()), Err(SharingError::NotOnePolynomial)]);
});

fn copy(share: &KeyShare) -> KeyShare {
    let secret = SecretKey::from_be_bytes(share.secret.to_be_bytes().as_slice()).expect("a share is a key");
    KeyShare { identifier: share.identifier, secret }
}
