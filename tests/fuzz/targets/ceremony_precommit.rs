//! Pre-commits of any bytes: what is read is one encoding, and commits to one deal.
#![no_main]

use dvkey_ceremony::agdkg::precommit::Precommit;
use dvkey_ceremony::testing::forge;
use dvkey_fuzz::ceremony::{HONEST, assert_fair, made};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let honest = &HONEST.precommit;
    let made = made(bytes, honest, |edit| forge::changed(&HONEST.second, honest, edit));
    match Precommit::parse(&HONEST.run.plan, &made.bytes) {
        Ok(precommit) => {
            assert_eq!(precommit.as_bytes(), made.bytes);
            assert_eq!(precommit.sender(), HONEST.author, "nobody else signed");
            let deal = HONEST.run.deals.of(HONEST.author).expect("the second dealt");
            match precommit.check(deal) {
                Ok(()) => assert_eq!(&made.bytes, honest),
                Err(fault) => assert_fair(fault, made.is_signed),
            }
        }
        Err(fault) => assert_fair(fault, made.is_signed),
    }
});
