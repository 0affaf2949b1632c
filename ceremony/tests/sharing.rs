//! Sharing against an independent implementation, and its properties over random keys and operators.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::convert::Infallible;

use bls12_381_plus::Scalar as OracleScalar;
use dvkey_ceremony::recover::recover;
use dvkey_ceremony::share::check_sharing;
use dvkey_ceremony::{Deal, Dealer, Identifier, KeyShare, SecretKey, Threshold};
use proptest::prelude::*;
use rand_core::{TryCryptoRng, TryRng};
use sha2::{Digest, Sha256};
use vsss_rs::{DefaultShare, IdentifierPrimeField, ReadableShareSet};

type OracleShare = DefaultShare<IdentifierPrimeField<OracleScalar>, IdentifierPrimeField<OracleScalar>>;

/// SHA-256 in counter mode.
struct Seeded(u64, u64);

impl TryRng for Seeded {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        for chunk in dst.chunks_mut(32) {
            self.1 += 1;
            let block = Sha256::new().chain_update(self.0.to_be_bytes()).chain_update(self.1.to_be_bytes()).finalize();
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for Seeded {}

/// Operator ids over the whole range, small ones and those at the edges of other tools' integers among them.
fn identifiers(n: usize) -> impl Strategy<Value = Vec<Identifier>> {
    let edges = prop::sample::select(vec![1, 2, (1 << 31) - 1, 1 << 31, 1 << 32, (1 << 53) + 1, u64::MAX]);
    let id = prop_oneof![1..3000u64, 1..=u64::MAX, edges];
    prop::collection::btree_set(id, n)
        .prop_map(|ids: BTreeSet<u64>| ids.into_iter().map(|id| Identifier::try_from(id).unwrap()).collect())
}

fn cluster() -> impl Strategy<Value = (Vec<Identifier>, Threshold)> {
    prop::sample::select(Threshold::SSV_SIZES.to_vec())
        .prop_flat_map(|n| (identifiers(n), Just(Threshold::ssv(n).unwrap())))
}

fn key() -> impl Strategy<Value = [u8; 32]> {
    any::<[u8; 32]>().prop_filter("below the order", |bytes| SecretKey::from_be_bytes(bytes).is_ok())
}

fn deal(key: &[u8; 32], ids: &[Identifier], threshold: Threshold, seed: u64) -> Deal {
    let key = SecretKey::from_be_bytes(key).unwrap();
    Dealer::new(ids, threshold).unwrap().deal(&key, &mut Seeded(seed, 0)).unwrap()
}

fn oracle_scalar(bytes: &[u8; 32]) -> OracleScalar {
    OracleScalar::from_be_bytes(bytes).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What we split, the oracle combines; from a random set of t shares, and from no smaller one.
    #[test]
    fn the_oracle_combines_our_shares((ids, threshold) in cluster(), key in key(), seed: u64, order in any::<prop::sample::Index>()) {
        let deal = deal(&key, &ids, threshold, seed);
        let mut shares: Vec<OracleShare> = deal
            .shares
            .iter()
            .map(|share| OracleShare {
                identifier: IdentifierPrimeField(OracleScalar::from(share.identifier.get())),
                value: IdentifierPrimeField(oracle_scalar(&share.secret.to_be_bytes())),
            })
            .collect();
        let turn = order.index(shares.len());
        shares.rotate_left(turn);
        let combined = shares[..threshold.t()].to_vec().combine().unwrap();
        prop_assert_eq!(combined.0, oracle_scalar(&key));
        let too_few = shares[..threshold.t() - 1].to_vec().combine().unwrap();
        prop_assert_ne!(too_few.0, oracle_scalar(&key));
    }

    /// What the oracle splits for our identifiers, we combine and judge as a sharing.
    #[test]
    fn we_combine_the_oracles_shares((ids, threshold) in cluster(), key in key(), seed: u64) {
        let secret = IdentifierPrimeField(oracle_scalar(&key));
        let oracle_ids = ids.iter().map(|id| IdentifierPrimeField(OracleScalar::from(id.get())));
        let theirs = vsss_rs::shamir::split_secret_with_participant_ids_iter::<OracleShare>(
            threshold.t(), threshold.n(), &secret, Seeded(seed, 0), oracle_ids,
        ).unwrap();
        let shares: Vec<_> = ids.iter().zip(&theirs).map(|(identifier, share)| KeyShare {
            identifier: *identifier,
            secret: SecretKey::from_be_bytes(&share.value.0.to_be_bytes()).unwrap(),
        }).collect();
        let validator = SecretKey::from_be_bytes(&key).unwrap().public_key();
        let public: Vec<_> = shares.iter().map(KeyShare::public).collect();
        prop_assert_eq!(check_sharing(&validator, &public, threshold), Ok(()));
        let found = recover(&shares[threshold.faults()..], threshold, &validator).unwrap().to_be_bytes();
        prop_assert_eq!(found.as_slice(), key);
    }

    /// Whatever the identifiers, nobody is handed the key, nothing, or somebody else's share.
    #[test]
    fn no_share_is_the_key((ids, threshold) in cluster(), key in key(), seed: u64) {
        let deal = deal(&key, &ids, threshold, seed);
        let mut seen = BTreeSet::new();
        for share in &deal.shares {
            let bytes = share.secret.to_be_bytes();
            prop_assert_ne!(bytes.as_slice(), key);
            prop_assert_ne!(bytes.as_slice(), [0; 32]);
            prop_assert!(seen.insert(*bytes));
        }
        prop_assert_eq!(deal.validator, SecretKey::from_be_bytes(&key).unwrap().public_key());
    }
}

/// Every t-subset of every lawful size gives the key: 4 + 21 + 120 + 715 of them.
#[test]
fn every_subset_recovers() {
    for n in Threshold::SSV_SIZES {
        let threshold = Threshold::ssv(n).unwrap();
        let ids: Vec<_> = (1..=n as u64).map(|i| Identifier::try_from(i * 97).unwrap()).collect();
        let key = [0x21; 32];
        let validator = SecretKey::from_be_bytes(&key).unwrap().public_key();
        let dealt = deal(&key, &ids, threshold, 4);
        let mut tried = 0;
        for mask in 0u32..1 << n {
            if mask.count_ones() as usize != threshold.t() {
                continue;
            }
            let subset: Vec<_> = dealt
                .shares
                .iter()
                .enumerate()
                .filter(|(position, _)| mask & (1 << position) != 0)
                .map(|(_, share)| KeyShare {
                    identifier: share.identifier,
                    secret: SecretKey::from_be_bytes(share.secret.to_be_bytes().as_ref()).unwrap(),
                })
                .collect();
            assert_eq!(recover(&subset, threshold, &validator).unwrap().to_be_bytes().as_slice(), key);
            tried += 1;
        }
        assert_eq!(tried, [4, 21, 120, 715][(n - 4) / 3]);
    }
}
