//! Makes keystores with chosen secrets, passwords and parameters.

use aes::Aes128;
use ctr::cipher::{KeyIvInit, StreamCipher};
use dvkey::crypto::kdf::Kdf;
use dvkey_ceremony::{SecretBytes, SecretKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// A secret key that is easy to recognise.
pub(crate) fn secret(number: u8) -> [u8; 32] {
    let mut bytes = [0x5a; 32];
    bytes[0] = 0x11;
    bytes[31] = number;
    bytes
}

/// A keystore around `secret`, with PBKDF2 and few iterations. `password` is what the derivation takes, as it is.
pub(crate) fn keystore(secret: &[u8], password: &[u8]) -> Value {
    encrypt(
        secret,
        password,
        &Kdf::Pbkdf2 { c: 16, salt: salt(secret) },
        json!({"c": 16, "prf": "hmac-sha256"}),
        "pbkdf2",
    )
}

/// The same with scrypt.
pub(crate) fn scrypt_keystore(secret: &[u8], password: &[u8], n: u64) -> Value {
    let kdf = Kdf::scrypt(n, 8, 1, salt(secret)).unwrap();
    encrypt(secret, password, &kdf, json!({"n": n, "r": 8, "p": 1}), "scrypt")
}

/// A salt of its own for each secret, as real keystores have.
fn salt(secret: &[u8]) -> Vec<u8> {
    Sha256::new_with_prefix(b"salt").chain_update(secret).finalize().to_vec()
}

fn encrypt(secret: &[u8], password: &[u8], kdf: &Kdf, mut parameters: Value, function: &str) -> Value {
    let key = kdf.derive(&SecretBytes::new(password.to_vec())).unwrap();
    let iv = [3; 16];
    let mut message = secret.to_vec();
    ctr::Ctr128BE::<Aes128>::new(key.cipher_key().into(), &iv.into()).apply_keystream(&mut message);
    let checksum = Sha256::new_with_prefix(key.checksum_key()).chain_update(&message).finalize();
    parameters["dklen"] = 32.into();
    parameters["salt"] = hex::encode(salt(secret)).into();
    let public_key = SecretKey::from_be_bytes(secret).map(|key| hex::encode(key.public_key().as_bytes()));
    json!({
        "crypto": {
            "kdf": {"function": function, "params": parameters, "message": ""},
            "checksum": {"function": "sha256", "params": {}, "message": hex::encode(checksum)},
            "cipher": {"function": "aes-128-ctr", "params": {"iv": hex::encode(iv)}, "message": hex::encode(message)},
        },
        "pubkey": public_key.unwrap_or_default(),
        "path": "m/12381/3600/0/0/0",
        "uuid": "00000000-0000-4000-8000-000000000000",
        "version": 4,
    })
}
