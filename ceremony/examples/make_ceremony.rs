//! Makes a random ceremony and prints all its files, for `check_ceremony.py` and other implementations to compare.
//!
//! `make_ceremony T N M ssv|generic SEED`. Every secret is printed: for tests, not for use.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a program for tests prints what it made and fails by panicking"
)]

use dvkey_ceremony::testing::network::{SEED, Setup};
use dvkey_ceremony::testing::paper_rsa::PaperRsa;
use sha2::{Digest, Sha256};

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [t, n, m, profile, seed] = arguments.as_slice() else {
        println!("usage: make_ceremony T N M ssv|generic SEED");
        return;
    };
    let number = |text: &String| text.parse::<u64>().expect("a number");
    let random = |label: &str, i: u64| -> [u8; 32] {
        Sha256::new_with_prefix(seed).chain_update(label).chain_update(i.to_be_bytes()).finalize().into()
    };
    let n = number(n);
    let mut setup = Setup::generic(u8::try_from(number(t)).unwrap(), n, u16::try_from(number(m)).unwrap());
    setup.roots = (0..n).map(|i| random("root", i)).collect();
    setup.nonce = random("nonce", 0);
    if profile == "ssv" {
        setup.ssv = Some((u64::from(random("first", 0)[0]), 1 + random("window", 0)[0] % 3));
        setup.ids = (0..n).map(|i| 1 + i * 1000 + u64::from(random("id", i)[0])).collect();
        setup.bound = random("bound", 0)[0] % 2 == 0;
        setup.proofs = setup.bound;
    } else {
        // Ids anywhere below 2^64.
        let mut ids: Vec<_> = (0..n).map(|i| u64::from_be_bytes(*random("id", i).first_chunk().unwrap())).collect();
        ids.sort_unstable();
        setup.ids = ids;
    }
    setup.amounts = vec![32, 1 + u64::from(random("amount", 0)[0] % 31)];

    let mut run = setup.run();
    for (id, root) in setup.ids.iter().zip(&setup.roots) {
        println!("root {id} {}", hex::encode(root));
    }
    println!("plan {}", hex::encode(run.plan.as_bytes()));
    println!("words {}", run.plan.words().join(" "));
    for deal in run.deals.iter() {
        println!("r1 {}", hex::encode(deal.as_bytes()));
    }
    for file in run.certifies.iter() {
        println!("r2 {}", hex::encode(file.as_bytes()));
    }
    println!("certificate {}", hex::encode(run.certificate.as_bytes()));
    for validator in &run.assembled.validators {
        println!("key {}", hex::encode(validator.public_key.as_bytes()));
        let deposits = validator.deposits.iter().map(|deposit| deposit.signature);
        for signature in deposits.chain(validator.owner_nonces.iter().map(|(_, signature)| *signature)) {
            println!("signature {}", hex::encode(signature.as_bytes()));
        }
    }
    for state in run.certified.drain(..) {
        let finished = state.finish(&run.certificate, &run.certifies, &SEED, &PaperRsa).expect("an honest ceremony");
        for share in &finished.shares {
            println!("share {} {}", share.identifier, hex::encode(*share.secret.to_be_bytes()));
        }
    }
}
