//! Key derivation: every path gives the library's keys, for any group of parameters, salts and passwords.
#![no_main]

use std::sync::LazyLock;

use dvkey::crypto::kdf::group::{Deriver, Job};
use dvkey::crypto::kdf::self_test::Tested;
use dvkey::crypto::kdf::{Kdf, Path};
use dvkey_ceremony::SecretBytes;
use dvkey_fuzz::Input;
use libfuzzer_sys::fuzz_target;

/// The paths of this CPU.
static PATHS: LazyLock<Vec<Tested>> = LazyLock::new(|| {
    let supported = Path::ALL.into_iter().filter(|path| path.is_supported());
    supported.map(|path| Tested::new(path).expect("the self-test holds")).collect()
});

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let memory = u64::from(input.byte()) << 12;
    let cases: Vec<_> = (0..=input.below(26)).map(|_| case(&mut input)).collect();
    let jobs: Vec<_> = cases.iter().map(|(kdf, password)| Job { kdf, password }).collect();
    let expected: Vec<_> = jobs.iter().map(|job| job.kdf.derive(job.password).expect("lawful and small")).collect();
    for path in PATHS.iter() {
        let mut deriver = Deriver::new(*path, memory);
        // Twice, so that the second time meets what the first one left in the tables.
        for _ in 0..2 {
            let keys = deriver.derive(&jobs);
            assert_eq!(keys.len(), expected.len());
            for (key, expected) in keys.into_iter().zip(&expected) {
                let key = key.expect("lawful and small");
                assert_eq!(key.cipher_key(), expected.cipher_key(), "{path:?}");
                assert_eq!(key.checksum_key(), expected.checksum_key(), "{path:?}");
            }
        }
    }
});

/// Salts and passwords are short, so that groups with the same ones come about.
fn case(input: &mut Input<'_>) -> (Kdf, SecretBytes) {
    let (kind, log_n, p) = (input.byte(), 1 + input.byte() % 8, 1 + u32::from(input.byte() % 4));
    let (salt, password) = (usize::from(input.byte() % 3), usize::from(input.byte() % 3));
    let salt = input.take(salt).to_vec();
    let kdf = match kind {
        0..8 => Kdf::Pbkdf2 { c: 1 + u32::from(log_n), salt },
        8..16 => Kdf::Scrypt { log_n, r: 1 + u32::from(kind % 12), p, salt },
        _ => Kdf::Scrypt { log_n, r: 8, p, salt },
    };
    (kdf, SecretBytes::new(input.take(password).to_vec()))
}
