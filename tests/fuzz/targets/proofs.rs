//! Proofs of any bytes, and real ones with a part changed: judged without panic, and only the real ones are valid.
#![no_main]

use std::sync::LazyLock;

use dvkey::format::operators::OperatorList;
use dvkey::format::proofs::ProofsFile;
use dvkey::workflow::verify::check::{Report, Verdict};
use dvkey::workflow::verify::keyshares::Expected;
use dvkey::workflow::verify::proofs::{Company, judge};
use dvkey_fuzz::{Input, assert_harmless};
use libfuzzer_sys::fuzz_target;

const REAL: &str = include_str!("../../../fixtures/ceremony/proofs.json");

static OPERATORS: LazyLock<OperatorList> = LazyLock::new(|| {
    OperatorList::parse(include_bytes!("../../../fixtures/split/operators.json")).expect("the fixture is a list")
});

fuzz_target!(|bytes: &[u8]| {
    if let Some(report) = judge_bytes(bytes) {
        assert!(report.verdict != Verdict::Valid || report.validators.len() <= 2);
    }
    let mut input = Input(bytes);
    let mut text = REAL.trim_end().as_bytes().to_vec();
    for _ in 0..1 + input.below(3) {
        let place = input.below(text.len());
        text[place] = b"0123456789abcdef\"{}[]:,\\n"[input.below(25)];
    }
    let same = serde_json::from_slice::<serde_json::Value>(&text).ok() == serde_json::from_str(REAL).ok();
    if let Some(report) = judge_bytes(&text) {
        // A changed digit in a hexadecimal field breaks a signature; other changes break the form.
        assert_eq!(report.verdict == Verdict::Valid, same, "{}", String::from_utf8_lossy(&text));
    }
});

fn judge_bytes(bytes: &[u8]) -> Option<Report> {
    let file = match ProofsFile::parse(bytes) {
        Ok(file) => file,
        Err(error) => {
            assert_harmless(&error.to_string());
            return None;
        }
    };
    let expected = Expected { operators: Some(&OPERATORS), ..Expected::default() };
    let report = judge(&file, &Company::default(), &expected, 1);
    for (_, _, reason) in report.failures() {
        assert_harmless(&reason.to_string());
    }
    assert_eq!(report.verdict == Verdict::NotValid, report.failures().count() > 0);
    Some(report)
}
