//! Types that hold secrets can be neither copied, printed, compared nor serialised; the compiler says so.

use std::fmt::{Debug, Display};

use dvkey::crypto::kdf::DerivedKey;
use dvkey::crypto::operator_key::OperatorPrivateKey;
use dvkey::crypto::password::Password;
use dvkey::format::keystore::Unlocked;
use dvkey::format::operator_keystore::OperatorKeyFile;
use dvkey::machine::password::Passwords;
use dvkey_ceremony::polynomial::Polynomial;
use dvkey_ceremony::scalar::Scalar;
use dvkey_ceremony::{Deal, KeyShare, SecretBytes, SecretKey};
use static_assertions::{assert_impl_all, assert_not_impl_any};
use zeroize::ZeroizeOnDrop;

macro_rules! closed {
    ($($secret:ty),* $(,)?) => { $(
        assert_not_impl_any!($secret: Clone, Copy, Debug, Display, PartialEq, Eq, std::hash::Hash);
        assert_not_impl_any!($secret: serde::Serialize, AsRef<[u8]>, AsRef<str>, std::ops::Deref, Default);
    )* };
}

closed!(
    SecretBytes,
    SecretKey,
    Scalar,
    Polynomial,
    KeyShare,
    Deal,
    Password,
    DerivedKey,
    Unlocked,
    OperatorPrivateKey,
    OperatorKeyFile,
    Passwords,
);

assert_impl_all!(Scalar: ZeroizeOnDrop);

/// Runs so that the file is a test; its assertions were made when it was compiled.
#[test]
fn secrets_are_closed() {
    assert!(!std::mem::needs_drop::<u8>());
    // Each of them does something when it goes away: it wipes itself.
    assert!(std::mem::needs_drop::<SecretBytes>());
    assert!(std::mem::needs_drop::<SecretKey>());
    assert!(std::mem::needs_drop::<Scalar>());
    assert!(std::mem::needs_drop::<Polynomial>());
    assert!(std::mem::needs_drop::<DerivedKey>());
    assert!(std::mem::needs_drop::<OperatorPrivateKey>());
}
