//! Bundles of any bytes under the auditor: it says yes to nothing but the ceremony that took place.
#![no_main]

use std::sync::LazyLock;

use dvkey_ceremony::agdkg::bundle::{self, Bundle};
use dvkey_ceremony::agdkg::plan::Waivers;
use dvkey_ceremony::auditor::audit;
use dvkey_ceremony::testing::network::SEED;
use dvkey_ceremony::testing::paper_rsa::PaperRsa;
use dvkey_fuzz::ceremony::{HONEST, made_unsigned};
use libfuzzer_sys::fuzz_target;

static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let run = &HONEST.run;
    let plan = run.plan.parameters().encode().expect("it was encoded before");
    let deals = run.plan.participants().iter().filter_map(|one| Some(run.deals.of(one.id)?.as_bytes()));
    let certifies = run.certifies.iter().map(|file| file.as_bytes());
    let files: Vec<&[u8]> = [plan.as_slice()].into_iter().chain(deals).chain(certifies).collect();
    bundle::encode(&[files.as_slice(), &[run.certificate.as_bytes()]].concat()).expect("few files")
});

fuzz_target!(|bytes: &[u8]| {
    let made = made_unsigned(bytes, &WHOLE);
    if let Ok(found) = Bundle::parse(&made) {
        let files = [found.plans, found.deals, found.certifies, found.others].concat();
        assert!(bundle::encode(&files).is_some_and(|again| Bundle::parse(&again).is_ok()));
    }
    let waivers = Waivers { two_quorums: true, unbound_operators: true };
    let audit = audit(&made, waivers, &SEED, &PaperRsa);
    if let Some(assembled) = audit.assembled {
        assert_eq!(assembled.outputs.root, HONEST.run.assembled.outputs.root);
    }
    if made == *WHOLE {
        assert!(audit.plan.is_some_and(|plan| plan.hash() == HONEST.run.plan.hash()));
    }
});
