//! Deposit data of any bytes, and real deposits with a field changed: judged without panic, and "valid" means it.
#![no_main]

use std::sync::LazyLock;

use dvkey::format::deposit::DepositFile;
use dvkey::format::network::Network;
use dvkey::workflow::verify::check::Verdict;
use dvkey::workflow::verify::deposit::judge;
use dvkey::workflow::verify::keyshares::Expected;
use dvkey_ceremony::{DepositData, DepositMessage, PublicKey, Signature, WithdrawalCredentials};
use dvkey_fuzz::{Input, assert_harmless};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

static REAL: LazyLock<Vec<Value>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../fixtures/deposit/deposits.json")).expect("the fixture is JSON")
});

fuzz_target!(|bytes: &[u8]| {
    judge_and_check(bytes);
    let mut input = Input(bytes);
    let mut deposit = REAL[input.below(REAL.len())].clone();
    let (name, value) = match input.below(9) {
        0 => ("amount", Value::from(input.number())),
        1 => ("network_name", Value::from(String::from_utf8_lossy(input.take(12)))),
        field => {
            let name = [
                "pubkey",
                "withdrawal_credentials",
                "signature",
                "deposit_message_root",
                "deposit_data_root",
                "fork_version",
                "deposit_cli_version",
            ][field - 2];
            let mut text = deposit[name].as_str().unwrap_or_default().to_owned().into_bytes();
            let place = input.below(text.len());
            text[place] = b"0123456789abcdefABx\".\n"[input.below(22)];
            (name, Value::from(String::from_utf8_lossy(&text)))
        }
    };
    deposit[name] = value;
    judge_and_check(Value::Array(vec![deposit]).to_string().as_bytes());
});

fn judge_and_check(bytes: &[u8]) {
    let file = match DepositFile::parse(bytes) {
        Ok(file) => file,
        Err(error) => return assert_harmless(&error.to_string()),
    };
    let report = judge(&file, &Expected::default(), 1);
    for (_, _, reason) in report.failures() {
        assert_harmless(&reason.to_string());
    }
    match report.verdict {
        Verdict::NotValid => return assert!(report.failures().count() > 0),
        Verdict::CannotJudge(why) => panic!("deposit data says everything that is needed, and {why}"),
        Verdict::Valid => assert_eq!(report.failures().count(), 0),
    }
    // Once more, by hand.
    assert!(!file.entries.is_empty());
    for entry in &file.entries {
        let entry = entry.as_ref().expect("valid");
        let message = DepositMessage {
            public_key: PublicKey::from_bytes(&entry.public_key).expect("valid"),
            credentials: WithdrawalCredentials::from_bytes(&entry.credentials).expect("valid"),
            amount: entry.amount,
        };
        let deposit = DepositData { message, signature: Signature::from_bytes(&entry.signature).expect("valid") };
        let network = Network::of_fork(entry.fork_version).expect("valid");
        assert!(deposit.is_signed(network.genesis_fork_version()));
        assert_eq!((message.root(), deposit.root()), (entry.message_root, entry.data_root));
        assert!((1_000_000_000..=2_048_000_000_000).contains(&entry.amount.get()));
    }
}
