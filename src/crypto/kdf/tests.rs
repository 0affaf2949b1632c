//! Bounds, known answers, and every path against the `scrypt` crate on every lane.

use proptest::prelude::*;

use super::arena::Arena;
use super::group::{Deriver, Job};
use super::*;

fn check(n: u64, r: u32, p: u32) -> Result<(), KdfError> {
    Kdf::scrypt(n, r, p, vec![0; 32])?.check(KdfLimits::DEFAULT)
}

#[test]
fn usual_parameters_pass() {
    for (n, r, p) in [(1 << 18, 8, 1), (1 << 14, 8, 1), (1 << 20, 8, 1), (2, 1, 1), (1 << 14, 8, 5)] {
        assert_eq!(check(n, r, p), Ok(()), "{n} {r} {p}");
    }
    assert_eq!(Kdf::scrypt(1 << 18, 8, 1, vec![]).unwrap().memory(), 256 << 20);
    assert_eq!(Kdf::scrypt(1 << 20, 8, 1, vec![]).unwrap().memory(), 1 << 30);
    // Few large blocks: the lanes and the work blocks weigh as much as the table.
    assert_eq!(Kdf::scrypt(2, 1 << 20, 1, vec![]).unwrap().memory(), 5 << 27);
}

#[test]
fn bounds_hold_before_memory_is_taken() {
    assert_eq!(check(1000, 8, 1), Err(KdfError::NotPowerOfTwo(1000)));
    assert_eq!(check(0, 8, 1), Err(KdfError::NotPowerOfTwo(0)));
    assert_eq!(check(1, 8, 1), Err(KdfError::NotPowerOfTwo(1)));
    assert_eq!(check(1 << 18, 0, 1), Err(KdfError::Unlawful));
    assert_eq!(check(1 << 18, 8, 0), Err(KdfError::Unlawful));
    let generous = KdfLimits { memory: 1 << 40 };
    assert_eq!(Kdf::scrypt(2, 8, 1 << 29, vec![]).unwrap().check(generous), Err(KdfError::Unlawful));
    assert_eq!(check(1 << 31, 8, 1), Err(KdfError::Memory { wanted: 1 << 41, limit: 1 << 30 }));
    assert_eq!(check(1 << 21, 8, 1), Err(KdfError::Memory { wanted: 1 << 31, limit: 1 << 30 }));
    assert!(matches!(check(1 << 63, u32::MAX, u32::MAX), Err(KdfError::Memory { .. })));
    assert!(matches!(check(2, 1, u32::MAX), Err(KdfError::Memory { .. })));
    assert!(matches!(check(1 << 18, 8, 64), Err(KdfError::Work(64))));
    let pbkdf2 = |c| Kdf::Pbkdf2 { c, salt: vec![] }.check(KdfLimits::DEFAULT);
    assert_eq!(pbkdf2(0), Err(KdfError::NoIterations));
    assert_eq!(pbkdf2(1), Ok(()));
    assert_eq!(pbkdf2(262_144), Ok(()));
    assert!(matches!(pbkdf2(u32::MAX), Err(KdfError::Work(_))));
}

/// RFC 7914, section 12: password, salt, log2 N, r, p, and the first 32 bytes of the key.
const RFC_7914: [(&str, &str, u8, u32, u32, &str); 4] = [
    ("", "", 4, 1, 1, "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"),
    ("password", "NaCl", 10, 8, 16, "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"),
    ("pleaseletmein", "SodiumChloride", 14, 8, 1, "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"),
    ("pleaseletmein", "SodiumChloride", 20, 8, 1, "2101cb9b6a511aaeaddbbe09cf70f881ec568d574a2ffd4dabe5ee9820adaa47"),
];

#[test]
fn known_answers() {
    let pbkdf2 = Kdf::Pbkdf2 { c: 80_000, salt: b"NaCl".to_vec() };
    let key = pbkdf2.derive(&SecretBytes::new(b"Password".to_vec())).unwrap();
    assert_eq!(hex::encode(**key.0), "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56");
    assert_eq!(key.cipher_key(), &key.0[..16]);
    assert_eq!(key.checksum_key(), &key.0[16..]);
    let vectors = RFC_7914.map(|(password, salt, log_n, r, p, key)| {
        let kdf = Kdf::Scrypt { log_n, r, p, salt: salt.as_bytes().to_vec() };
        (kdf, SecretBytes::new(password.as_bytes().to_vec()), key)
    });
    for path in supported() {
        // The three small vectors together on every path; the last one, with its gibibyte, on the best.
        let jobs: Vec<_> = vectors.iter().map(|(kdf, password, _)| Job { kdf, password }).collect();
        let count = if path == Path::best() { 4 } else { 3 };
        let keys = Deriver::untested(path, 1 << 30).derive(&jobs[..count]);
        for (key, (kdf, _, expected)) in keys.into_iter().zip(&vectors) {
            assert_eq!(hex::encode(**key.unwrap().0), *expected, "{path:?} {kdf:?}");
        }
    }
}

fn supported() -> impl Iterator<Item = Path> {
    Path::ALL.into_iter().filter(|path| path.is_supported())
}

/// What a job is made from: parameters, salt, password.
type Case = (u8, u32, u32, Vec<u8>, Vec<u8>);

/// Derives all cases in one group on each path, and compares with the crate, one by one.
fn compare(paths: impl IntoIterator<Item = Path>, cases: &[Case], memory: u64) {
    let kdf = |(log_n, r, p, salt, _): &Case| Kdf::Scrypt { log_n: *log_n, r: *r, p: *p, salt: salt.clone() };
    let kdfs: Vec<_> = cases.iter().map(kdf).collect();
    let passwords: Vec<_> = cases.iter().map(|case| SecretBytes::new(case.4.clone())).collect();
    let jobs: Vec<_> = kdfs.iter().zip(&passwords).map(|(kdf, password)| Job { kdf, password }).collect();
    let expected: Vec<_> = jobs.iter().map(|job| hex::encode(**job.kdf.derive(job.password).unwrap().0)).collect();
    for path in paths {
        let keys = Deriver::untested(path, memory).derive(&jobs).into_iter().map(|key| hex::encode(**key.unwrap().0));
        assert_eq!(keys.collect::<Vec<_>>(), expected, "{path:?}");
    }
}

fn cases(count: usize, log_n: u8, p: u32) -> Vec<Case> {
    let text = |what: &str, i: usize| format!("{what} {i} {log_n} {p}").into_bytes();
    (0..count).map(|i| (log_n, 8, p, text("salt", i), text("password", i))).collect()
}

#[test]
fn every_number_of_lanes_agrees_with_the_crate() {
    for path in supported() {
        for count in 1..=path.lanes() + 2 {
            for log_n in 1..=6 {
                compare([path], &cases(count, log_n, 1), 1 << 30);
            }
            for p in 2..=4 {
                compare([path], &cases(count, 5, p), 1 << 30);
            }
            compare([path], &cases(count, 10, 1), 1 << 30);
        }
        // Sets that are full, and sets that are not, at costs where tables no longer fit into the caches.
        compare([path], &cases(path.lanes(), 14, 1), 1 << 30);
        compare([path], &cases((path.lanes() - 1).max(1), 14, 1), 1 << 30);
        compare([path], &cases(path.lanes().div_ceil(3), 10, 3), 1 << 30);
    }
}

#[test]
fn every_cost_agrees_with_the_crate() {
    for log_n in 7..=14 {
        compare(supported(), &cases(3, log_n, 1), 1 << 30);
    }
    for log_n in 15..=18 {
        compare(supported().filter(|path| *path != Path::Crate), &cases(1, log_n, 1), 1 << 30);
    }
    // All lanes of the best path, 64 MiB each.
    compare([Path::best()], &cases(Path::best().lanes(), 16, 1), 1 << 30);
}

#[test]
fn the_memory_bounds_the_lanes_and_not_the_result() {
    for path in supported() {
        // Room for no, one, two, five and all tables.
        for tables in [0, 1, 2, 5, 64] {
            compare([path], &cases(13, 7, 1), tables << 17);
        }
        let kdf = Kdf::scrypt(1 << 18, 8, 1, vec![]).unwrap();
        assert_eq!(Deriver::lanes(path, &kdf, 0), 1);
        assert_eq!(Deriver::lanes(path, &kdf, (512 << 20) - 1), 1);
        assert_eq!(Deriver::lanes(path, &kdf, 512 << 20), path.lanes().min(2));
        assert_eq!(Deriver::lanes(path, &kdf, u64::MAX), path.lanes());
        assert_eq!(Deriver::lanes(path, &Kdf::Pbkdf2 { c: 1, salt: vec![] }, u64::MAX), 1);
    }
}

#[test]
fn mixed_parameters_in_one_group() {
    for path in supported() {
        let mut mixed = cases(5, 6, 1);
        mixed.extend(cases(3, 9, 2));
        mixed.extend(cases(2, 6, 3));
        // Left to the crate: another block size, and many lanes of its own.
        mixed.push((4, 1, 1, b"odd".to_vec(), b"block".to_vec()));
        mixed.push((4, 16, 2, b"odd".to_vec(), b"block".to_vec()));
        mixed.push((3, 8, 17, b"odd".to_vec(), b"lanes".to_vec()));
        mixed.rotate_left(4);
        compare([path], &mixed, 1 << 20);
    }
}

#[test]
fn one_that_fails_leaves_the_others_alone() {
    for path in supported() {
        let password = SecretBytes::new(b"password".to_vec());
        let good = Kdf::Scrypt { log_n: 4, r: 8, p: 1, salt: vec![1] };
        // More than any system gives; r = 0 is unlawful. `check` refuses both.
        let huge = Kdf::Scrypt { log_n: 31, r: 8, p: 1 << 28, salt: vec![2] };
        let unlawful = Kdf::Scrypt { log_n: 4, r: 0, p: 1, salt: vec![3] };
        let without_lanes = Kdf::Scrypt { log_n: 4, r: 8, p: 0, salt: vec![4] };
        let jobs = [&good, &huge, &unlawful, &good, &without_lanes].map(|kdf| Job { kdf, password: &password });
        let keys = Deriver::untested(path, 1 << 20).derive(&jobs);
        let expected = good.derive(&password).unwrap();
        let found: Vec<_> = keys.into_iter().map(|key| key.map(|key| **key.0)).collect();
        assert_eq!(found[0], Ok(**expected.0));
        assert!(found[1].is_err());
        assert_eq!((found[2], found[4]), (Err(KdfError::Unlawful), Err(KdfError::Unlawful)));
        assert_eq!(found[3], Ok(**expected.0));
    }
}

#[test]
fn the_same_derivation_is_made_once() {
    let kdf = Kdf::Scrypt { log_n: 4, r: 8, p: 1, salt: vec![1] };
    let passwords = ["a", "b", "a", "aa"].map(|text| SecretBytes::new(text.as_bytes().to_vec()));
    let jobs: Vec<_> = passwords.iter().map(|password| Job { kdf: &kdf, password }).collect();
    for path in supported() {
        let mut deriver = Deriver::untested(path, 1 << 20);
        let keys: Vec<_> = deriver.derive(&jobs).into_iter().map(Result::unwrap).collect();
        assert_eq!(deriver.made, 3, "{path:?}");
        assert_eq!(**keys[0].0, **keys[2].0);
        assert!(keys[0].0 != keys[1].0 && keys[0].0 != keys[3].0);
    }
    let originals: Vec<_> = (0..4).map(|at| group::original(&jobs, at)).collect();
    assert_eq!(originals, [0, 1, 0, 3]);
}

/// RFC 7914, section 6, over the plain path of other CPUs, which no x86-64 takes.
fn derive_plainly((log_n, _, p, salt, password): &Case) -> [u8; 32] {
    let n = 1 << log_n;
    let mut blocks = vec![[0; BLOCK_BYTES]; *p as usize];
    pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, 1, blocks.as_flattened_mut());
    let mut arena = Arena::default();
    for block in &mut blocks {
        scalar::smix(block, n, arena.lend(n * BLOCK_BYTES).unwrap());
    }
    pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password, blocks.as_flattened(), 1)
}

#[test]
fn plain_rust_agrees_with_the_specification_and_the_crate() {
    for (password, salt, log_n, r, p, key) in RFC_7914.into_iter().filter(|(.., r, _, _)| *r == 8) {
        let case = (log_n, r, p, salt.as_bytes().to_vec(), password.as_bytes().to_vec());
        if log_n < 20 {
            assert_eq!(hex::encode(derive_plainly(&case)), key);
        }
    }
    for case in (1..=12).flat_map(|log_n| (1..=4).flat_map(move |p| cases(1, log_n, p))) {
        let (log_n, r, p, salt, password) = case.clone();
        let expected = Kdf::Scrypt { log_n, r, p, salt }.derive(&SecretBytes::new(password)).unwrap();
        assert_eq!(derive_plainly(&case), **expected.0, "{log_n} {p}");
    }
}

#[test]
fn plain_rust_agrees_with_the_registers() {
    let mut arena = Arena::default();
    for (seed, log_n) in [(1_u8, 1), (77, 4), (200, 8)] {
        let block: Block = std::array::from_fn(|i| u8::try_from(i % 251).unwrap() ^ seed);
        let n = 1 << log_n;
        let mut expected = [block];
        assert!(Path::Scalar.smix(&mut expected, n, arena.lend(n * BLOCK_BYTES).unwrap()));
        let mut found = block;
        scalar::smix(&mut found, n, arena.lend(n * BLOCK_BYTES).unwrap());
        assert_eq!(found, expected[0]);
        assert_ne!(found, block);
    }
}

#[test]
fn paths_have_names() {
    for path in Path::ALL {
        assert_eq!(Path::named(path.name()), Some(path));
        assert!(12 % path.lanes() == 0, "the self-test fills every lane");
    }
    assert_eq!(Path::named("AVX2"), None);
    assert!(Path::best().is_supported());
}

fn any_case() -> impl Strategy<Value = Case> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..80);
    (1_u8..8, prop_oneof![9 => Just(8_u32), 1 => 1_u32..10], 1_u32..5, bytes(), bytes())
}

proptest! {
    // Each case is a group of 13 derivations, on average: over 10,000 on every path.
    #![proptest_config(ProptestConfig::with_cases(900))]

    #[test]
    fn random_groups_agree_with_the_crate(cases in prop::collection::vec(any_case(), 1..26), tables in 0_u64..40) {
        compare(supported().filter(|path| *path != Path::Crate), &cases, tables << 12);
    }
}
