//! Vaults of any bytes: nothing opens but the vault that was sealed, with the passphrase it was sealed with.
#![no_main]

use std::sync::LazyLock;

use dvkey_ceremony::SecretBytes;
use dvkey_ceremony::agdkg::identity::Root;
use dvkey_ceremony::agdkg::vault::{self, Work};
use dvkey_ceremony::testing::CountingRng;
use dvkey_fuzz::ceremony::made_unsigned;
use libfuzzer_sys::fuzz_target;
use zeroize::Zeroizing;

const PASSPHRASE: &[u8] = b"correct horse battery staple";

static SEALED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let root = Root::from_bytes(Zeroizing::new([7; 32]));
    let work = Work { memory: 65_536, passes: 2, lanes: 1 };
    let passphrase = SecretBytes::new(PASSPHRASE.to_vec());
    vault::seal(&root, 1, &passphrase, work, &mut CountingRng::new(1)).expect("lawful work").to_vec()
});

fuzz_target!(|bytes: &[u8]| {
    let made = made_unsigned(bytes, &SEALED);
    if let Ok(opened) = vault::open(&made, &SecretBytes::new(PASSPHRASE.to_vec())) {
        assert_eq!(made, *SEALED, "a vault that nobody sealed");
        assert_eq!((opened.created, opened.flags), (1, 0));
    }
});
