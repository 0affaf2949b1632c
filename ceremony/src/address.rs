//! Ethereum account addresses and their EIP-55 checksum.

use std::fmt;
use std::str::FromStr;

use sha3::{Digest, Keccak256};

/// A 20-byte Ethereum address. Displayed with its EIP-55 checksum.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address([u8; 20]);

/// Why a text is not an address.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum AddressError {
    /// Not `0x` and 40 hexadecimal digits.
    #[error("an address is 0x and 40 hexadecimal digits")]
    Form,
    /// Mixed case whose EIP-55 checksum does not hold: a digit was mistyped, or the case was changed.
    #[error("the EIP-55 checksum of {given} does not hold")]
    Checksum {
        /// The text as given.
        given: String,
    },
}

impl Address {
    /// Wraps 20 bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// The 20 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    /// Whether this is the zero address, which nobody can sign for.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.0 == [0; 20]
    }

    /// `0x` and 40 lower-case digits.
    #[must_use]
    pub fn to_lower_hex(&self) -> String {
        format!("0x{}", hex::encode(self.0))
    }

    /// `0x` and 40 digits in the case that EIP-55 gives them.
    #[must_use]
    pub fn to_checksum(&self) -> String {
        let digits = hex::encode(self.0);
        let hash = Keccak256::digest(digits.as_bytes());
        // EIP-55: a letter is upper case where the same nibble of the Keccak-256 of the lower-case text is 8 or more.
        let nibbles = hash.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]);
        let cased = digits.chars().zip(nibbles).map(|(digit, nibble)| match nibble {
            8.. => digit.to_ascii_uppercase(),
            _ => digit,
        });
        "0x".chars().chain(cased).collect()
    }
}

impl FromStr for Address {
    type Err = AddressError;

    /// All-lower and all-upper case carry no checksum and are taken; mixed case must satisfy EIP-55.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix("0x").ok_or(AddressError::Form)?;
        let mut bytes = [0; 20];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| AddressError::Form)?;
        let address = Self(bytes);
        let mixed = digits.bytes().any(|byte| byte.is_ascii_lowercase())
            && digits.bytes().any(|byte| byte.is_ascii_uppercase());
        if mixed && address.to_checksum() != text {
            return Err(AddressError::Checksum { given: text.to_owned() });
        }
        Ok(address)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_checksum())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples printed in EIP-55.
    const EIP_55: [&str; 8] = [
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
        "0xde709f2102306220921060314715629080e2fb77",
        "0x27b1fdb04752bbc536007a920d24acb045561c26",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ];

    #[test]
    fn checksum_examples_hold() {
        for text in EIP_55 {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
            assert_eq!(text.to_lowercase().parse(), Ok(address));
            let upper = format!("0x{}", text.trim_start_matches("0x").to_uppercase());
            assert_eq!(upper.parse(), Ok(address));
        }
    }

    #[test]
    fn one_wrong_case_is_refused() {
        let wrong = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD";
        assert_eq!(wrong.parse::<Address>(), Err(AddressError::Checksum { given: wrong.to_owned() }));
    }

    #[test]
    fn other_forms_are_refused() {
        for text in [
            "",
            "0x",
            "0x1234",
            "52908400098527886E0F7030069857D2E4169EE7",
            "0X52908400098527886E0F7030069857D2E4169EE7",
            " 0x52908400098527886E0F7030069857D2E4169EE7",
            "0x52908400098527886E0F7030069857D2E4169EE7 ",
            "0x52908400098527886E0F7030069857D2E4169EEg",
            "0x52908400098527886E0F7030069857D2E4169EE7aa",
            "vitalik.eth",
        ] {
            assert_eq!(text.parse::<Address>(), Err(AddressError::Form), "{text:?}");
        }
    }
}
