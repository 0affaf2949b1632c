//! Plans of any bytes: what is read is one encoding with another hash, and no participant is blamed for it.
#![no_main]

use dvkey_ceremony::agdkg::plan::{Plan, Waivers};
use dvkey_ceremony::fault::Culprit;
use dvkey_ceremony::testing::paper_rsa::PaperRsa;
use dvkey_fuzz::ceremony::{HONEST, made_unsigned};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let honest = &HONEST.run.plan;
    let made = made_unsigned(bytes, &honest.parameters().encode().expect("it was encoded before"));
    let waivers = Waivers { two_quorums: true, unbound_operators: true };
    match Plan::parse(&made, waivers, &PaperRsa) {
        Ok(plan) => {
            assert_eq!(plan.parameters().encode().as_deref(), Some(made.as_slice()));
            assert_eq!(plan.hash() == honest.hash(), made == honest.parameters().encode().unwrap_or_default());
            let (t, n) = (plan.threshold().t(), plan.threshold().n());
            assert!(t >= 2 && t <= n && n == plan.participants().len());
            assert!(plan.participants().is_sorted_by(|a, b| a.id < b.id));
        }
        Err(fault) => assert!(!matches!(fault.culprit, Culprit::Participant(_)), "{fault}"),
    }
});
