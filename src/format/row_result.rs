//! The result of one row of a batch: a line of JSON in a file of its own; nothing secret.

use dvkey_ceremony::{Nonce, PublicKey};
use serde::Serialize;

use super::json::{self, Field};
use super::keyshares::{NewItem, shares_data};
use crate::crypto::digest::Sha256Digest;

/// The schema that is written.
pub const SCHEMA: &str = "dvkey.batch-result/1";

/// The largest file that is read as a result, in bytes; 13 operators need some 8,500.
pub const MAX_BYTES: u64 = 64 << 10;

/// What was made of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowResult {
    /// The hash of the plan that it belongs to.
    pub plan: Sha256Digest,
    /// The row.
    pub row: u32,
    /// The validator's public key, not decoded.
    pub public_key: [u8; PublicKey::BYTES],
    /// The registration nonce.
    pub nonce: Nonce,
    /// Signature, share public keys, sealed shares, as they are sent to the contract.
    pub shares_data: Vec<u8>,
    /// How the password was read.
    pub password_reading: String,
}

/// A file that is no result.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("not the result of a batch's row")]
pub struct NotAResult;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    schema: &'a str,
    plan: String,
    row: u32,
    public_key: String,
    nonce: u16,
    password_reading: &'a str,
    shares_data: String,
}

impl RowResult {
    /// The result of a validator that was just made.
    #[must_use]
    pub fn new(plan: Sha256Digest, row: u32, item: &NewItem, password_reading: &str) -> Self {
        Self {
            plan,
            row,
            public_key: *item.public_key.as_bytes(),
            nonce: item.nonce,
            shares_data: shares_data(item),
            password_reading: password_reading.to_owned(),
        }
    }

    /// The name of the file in which a row has its result.
    #[must_use]
    pub fn file_name(row: u32) -> String {
        format!("row-{row:06}.json")
    }

    /// Whether a file of this name is the result of some row.
    #[must_use]
    pub fn is_file_name(name: &str) -> bool {
        let row = name.strip_prefix("row-").and_then(|rest| rest.strip_suffix(".json")?.parse().ok());
        row.is_some_and(|row| Self::file_name(row) == name)
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// Those of the JSON writer, which strings and integers do not cause.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec(&Written {
            schema: SCHEMA,
            plan: self.plan.to_string(),
            row: self.row,
            public_key: format!("0x{}", hex::encode(self.public_key)),
            nonce: self.nonce.get(),
            password_reading: &self.password_reading,
            shares_data: format!("0x{}", hex::encode(&self.shares_data)),
        })?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`NotAResult`].
    pub fn parse(bytes: &[u8]) -> Result<Self, NotAResult> {
        let document = json::parse(bytes).map_err(|_| NotAResult)?;
        read(&Field::root(&document)).ok_or(NotAResult)
    }
}

fn read(root: &Field<'_>) -> Option<RowResult> {
    let text = |name: &str| root.get(name).ok()?.text().ok();
    if text("schema")? != SCHEMA {
        return None;
    }
    Some(RowResult {
        plan: Sha256Digest::from_hex(text("plan")?)?,
        row: root.get("row").ok()?.small_integer().ok()?,
        public_key: root.get("publicKey").ok()?.hex().ok()?,
        nonce: Nonce::try_from(root.get("nonce").ok()?.integer().ok()?).ok()?,
        shares_data: root.get("sharesData").ok()?.hex_up_to(1 << 14).ok()?,
        password_reading: text("passwordReading")?.chars().take(40).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_back() {
        let result = RowResult {
            plan: Sha256Digest::of(b"plan"),
            row: 1_000_000,
            public_key: [7; 48],
            nonce: Nonce::from(65535),
            shares_data: vec![1, 2, 3],
            password_reading: "EIP-2335".into(),
        };
        let bytes = result.to_bytes().unwrap();
        assert_eq!(RowResult::parse(&bytes), Ok(result));
        for end in 0..bytes.len() - 1 {
            assert_eq!(RowResult::parse(&bytes[..end]), Err(NotAResult));
        }
        assert_eq!(RowResult::parse(&bytes.replace_once(b"/1", b"/2")), Err(NotAResult));
        assert_eq!(RowResult::parse(&bytes.replace_once(b"65535", b"65536")), Err(NotAResult));
    }

    trait ReplaceOnce {
        fn replace_once(&self, from: &[u8], to: &[u8]) -> Vec<u8>;
    }

    impl ReplaceOnce for Vec<u8> {
        fn replace_once(&self, from: &[u8], to: &[u8]) -> Vec<u8> {
            let at = self.windows(from.len()).position(|window| window == from).unwrap();
            [&self[..at], to, &self[at + from.len()..]].concat()
        }
    }
}
