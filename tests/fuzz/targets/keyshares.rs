//! Keyshares files of any bytes: they are judged without panic, and the verdict "valid" means what it says.
#![no_main]

use dvkey::format::keyshares::{self, SharesData, shares_data_length};
use dvkey::workflow::verify::check::Verdict;
use dvkey::workflow::verify::keyshares::{Expected, judge};
use dvkey_ceremony::Nonce;
use dvkey_fuzz::{assert_harmless, assert_valid};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let file = match keyshares::parse(bytes) {
        Ok(file) => file,
        Err(error) => return assert_harmless(&error.to_string()),
    };
    for item in file.items.iter().flatten() {
        let data = &item.payload.shares_data;
        for n in [0, item.payload.operator_ids.len(), 4, 7] {
            assert_eq!(SharesData::cut(data, n).is_some(), data.len() == shares_data_length(n));
        }
    }
    let report = judge(&file, &Expected::default(), None, 1);
    for (_, _, reason) in report.failures() {
        assert_harmless(&reason.to_string());
    }
    match report.verdict {
        Verdict::Valid => assert_valid(&file, &report),
        Verdict::NotValid => assert!(report.failures().count() > 0),
        Verdict::CannotJudge(_) => assert_eq!(report.failures().count(), 0),
    }

    // What the file says itself changes nothing when it is asked for; anything else is refused.
    let wanted = report.validators.first().and_then(|line| line.nonce).and_then(|nonce| Nonce::try_from(nonce).ok());
    if let (Verdict::Valid, Some(nonce)) = (report.verdict, wanted) {
        let expected = Expected { owner: report.owner, nonce: Some(nonce), ..Expected::default() };
        assert_eq!(judge(&file, &expected, None, 1).verdict, Verdict::Valid);
        let other = Expected { nonce: Some(Nonce::from(nonce.get() ^ 1)), ..expected };
        assert_eq!(judge(&file, &other, None, 1).verdict, Verdict::NotValid);
    }
});
