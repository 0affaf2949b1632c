//! What each step of a split costs, in one process: `cargo bench --bench parts`.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a benchmark fails by panicking"
)]

use divan::Bencher;
use dvkey::crypto::kdf::Kdf;
use dvkey::crypto::random;
use dvkey::format::keyshares;
use dvkey::format::operators::OperatorList;
use dvkey::workflow::verify::keyshares::{Expected, judge};
use dvkey_ceremony::bls::SignedMessage;
use dvkey_ceremony::share::{Sharing, check_sharing, check_sharings};
use dvkey_ceremony::{Dealer, Identifier, KeyShare, SecretBytes, SecretKey, Signature, Threshold};
use serde_json::Value;

fn main() {
    divan::main();
}

const SIZES: [usize; 4] = Threshold::SSV_SIZES;

fn key() -> SecretKey {
    SecretKey::from_be_bytes(&[0x2a; 32]).unwrap()
}

fn dealer(n: usize) -> Dealer {
    let ids: Vec<_> = (1..=n as u64).map(|id| Identifier::try_from(id * 7).unwrap()).collect();
    Dealer::new(&ids, Threshold::ssv(n).unwrap()).unwrap()
}

fn vector(name: &str) -> Value {
    let path = format!("{}/fixtures/ssv-split/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[divan::bench(args = SIZES)]
fn deal_and_prove(bencher: Bencher<'_, '_>, n: usize) {
    let (dealer, key) = (dealer(n), key());
    bencher.bench_local(|| dealer.deal(&key, &mut random::system()).unwrap().share_public_keys);
}

#[divan::bench(args = SIZES)]
fn degree_check(bencher: Bencher<'_, '_>, n: usize) {
    let deal = dealer(n).deal(&key(), &mut random::system()).unwrap();
    let shares: Vec<_> = deal.shares.iter().map(KeyShare::public).collect();
    let threshold = Threshold::ssv(n).unwrap();
    bencher.bench_local(|| check_sharing(&deal.validator, &shares, threshold).unwrap());
}

/// A batch of 64.
#[divan::bench(args = SIZES)]
fn degree_checks_of_64(bencher: Bencher<'_, '_>, n: usize) {
    let (dealer, threshold) = (dealer(n), Threshold::ssv(n).unwrap());
    let deals: Vec<_> = (0..64).map(|_| dealer.deal(&key(), &mut random::system()).unwrap()).collect();
    let sharings: Vec<_> = deals
        .iter()
        .map(|deal| Sharing { validator: &deal.validator, shares: &deal.share_public_keys, threshold })
        .collect();
    bencher.bench_local(|| assert!(check_sharings(&sharings).iter().all(Result::is_ok)));
}

#[divan::bench]
fn sign(bencher: Bencher<'_, '_>) {
    let key = key();
    bencher.bench_local(|| key.sign(&[7; 32]));
}

#[divan::bench(args = [1, 16, 64])]
fn verify_signatures(bencher: Bencher<'_, '_>, count: u8) {
    let keys: Vec<_> = (1..=count).map(|i| SecretKey::from_be_bytes(&[i; 32]).unwrap()).collect();
    let signed: Vec<_> = keys.iter().map(|key| (key.public_key(), key.sign(&[7; 32]))).collect();
    let statements: Vec<_> = signed
        .iter()
        .map(|(public_key, signature)| SignedMessage { public_key, message: &[7; 32], signature })
        .collect();
    bencher.bench_local(|| assert!(Signature::verify_all(&statements)));
}

#[divan::bench]
fn seal_one_share(bencher: Bencher<'_, '_>) {
    let vector = vector("P01");
    let list = OperatorList::parse(&serde_json::to_vec(&vector["operatorsInputOrder"]).unwrap()).unwrap();
    let cluster = list.pick(None).unwrap();
    let operator = &cluster.operators()[0].key.key;
    let key = key();
    let mut rng = rand_core::UnwrapErr(random::system());
    bencher.bench_local(|| operator.seal(&key, &mut rng).unwrap());
}

#[divan::bench(args = ["P01", "P03", "P04", "P05"])]
fn judge_a_file(bencher: Bencher<'_, '_>, name: &str) {
    let vector = vector(name);
    let bytes = vector["keysharesFileText"].as_str().unwrap().as_bytes();
    bencher.bench_local(|| {
        let file = keyshares::parse(bytes).unwrap();
        judge(&file, &Expected::default(), None, 1).verdict
    });
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn scrypt_as_usual(bencher: Bencher<'_, '_>) {
    let kdf = Kdf::scrypt(1 << 18, 8, 1, vec![0; 32]).unwrap();
    bencher.bench_local(|| kdf.derive(&SecretBytes::new(b"password".to_vec())).is_ok());
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn pbkdf2_as_usual(bencher: Bencher<'_, '_>) {
    let kdf = Kdf::Pbkdf2 { c: 1 << 18, salt: vec![0; 32] };
    bencher.bench_local(|| kdf.derive(&SecretBytes::new(b"password".to_vec())).is_ok());
}
