//! Deals of any bytes, whole and redacted: what is read is one encoding, and a wrong one blames its author alone.
#![no_main]

use dvkey_ceremony::agdkg::deal::SignedDeal;
use dvkey_ceremony::agdkg::redact::redact;
use dvkey_ceremony::testing::forge;
use dvkey_fuzz::Input;
use dvkey_fuzz::ceremony::{HONEST, assert_fair, made};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let plan = &HONEST.run.plan;
    let honest = HONEST.run.deals.of(HONEST.author).expect("the second dealt");
    let redacted = redact(plan, honest);
    let made = match input.byte() % 2 {
        0 => made(input.0, honest.as_bytes(), |edit| {
            forge::changed_deal(&HONEST.second, plan, honest.as_bytes(), edit)
        }),
        // Its author signs the hash, which the redacted form has, too: there is nothing to sign again.
        _ => made(input.0, &redacted, |_| redacted.clone()),
    };
    let deal = match SignedDeal::parse(plan, &made.bytes) {
        Ok(deal) => deal,
        Err(fault) => return assert_fair(fault, made.is_signed),
    };
    assert_eq!(deal.as_bytes(), made.bytes);
    if !made.is_signed {
        assert!(made.bytes == honest.as_bytes() || made.bytes == redacted, "a deal that nobody signed");
    }
    let again = redact(plan, &deal);
    let hash = SignedDeal::parse(plan, &again).map(|deal| *deal.hash());
    assert_eq!(hash.ok(), Some(*deal.hash()), "the redacted form is the same deal");
    if let Err(fault) = deal.open(plan).and_then(|deal| deal.check_exactly(None)) {
        assert_fair(fault, made.is_signed);
    }
});
