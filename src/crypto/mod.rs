//! Floor 1: the cryptography of the host chain and of the operators; bytes in, bytes out.

pub mod ceremony_rsa;
pub mod digest;
pub mod kdf;
pub mod keystore_cipher;
pub mod operator_key;
pub mod password;
pub mod random;
