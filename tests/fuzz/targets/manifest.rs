//! Manifests of any bytes: nothing panics, every row is lawful, and a line means the same in both forms.
#![no_main]

use dvkey::format::manifest::{ManifestParser, ManifestRow};
use dvkey_fuzz::assert_harmless;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut parser = ManifestParser::default();
    for line in bytes.split(|byte| *byte == b'\n') {
        match parser.line(line) {
            Ok(None) => {}
            Ok(Some(row)) => says_the_same_as_an_object(&row),
            Err(error) => {
                assert_harmless(&error.to_string());
                if error.is_about_the_file() {
                    return;
                }
            }
        }
    }
});

fn says_the_same_as_an_object(row: &ManifestRow) {
    assert!(!row.owner.is_zero() && !row.keystore.is_empty() && !row.operators.is_empty());
    let object = serde_json::json!({
        "keystore": row.keystore,
        "operators": row.operators,
        "operator_ids": row.operator_ids.iter().map(|id| id.get()).collect::<Vec<_>>(),
        "owner": row.owner.to_checksum(),
        "nonce": row.nonce.map(|nonce| nonce.get()),
        "network": row.network.name(),
        "password_file": row.password_file,
        "tag": row.tag,
    });
    let again = ManifestParser::default().line(object.to_string().as_bytes());
    assert_eq!(again.as_ref(), Ok(&Some(row.clone())));
}
