//! The messages people sign with a validator key outside of consensus duties.

use sha3::{Digest, Keccak256};

use crate::address::Address;

/// The registration nonce of an owner on the SSV Network: how many validators the owner registered before.
///
/// The nodes keep it in 16 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nonce(u16);

/// A number that no node accepts as a nonce.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("nonce {0} is larger than 65535, the largest that the nodes know")]
pub struct NonceTooLarge(pub u64);

impl Nonce {
    /// The number.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0
    }

    /// The nonce of the `offset`-th validator registered from here on.
    ///
    /// # Errors
    /// [`NonceTooLarge`] beyond 65535.
    pub fn checked_add(self, offset: u64) -> Result<Self, NonceTooLarge> {
        u64::from(self.0).saturating_add(offset).try_into()
    }
}

impl From<u16> for Nonce {
    fn from(value: u16) -> Self {
        Self(value)
    }
}

impl TryFrom<u64> for Nonce {
    type Error = NonceTooLarge;

    fn try_from(value: u64) -> Result<Self, Self::Error> {
        value.try_into().map(Self).map_err(|_| NonceTooLarge(value))
    }
}

impl std::fmt::Display for Nonce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What a validator key signs to say "this owner may register me as its nonce-th validator".
///
/// The text is the EIP-55 form of the owner, a colon, and the nonce in decimal; the digest is the Keccak-256 of the text.
/// It binds owner, nonce and validator key, and nothing else: neither the operators nor the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnerNonce {
    /// The account that registers.
    pub owner: Address,
    /// Its registration nonce at that moment.
    pub nonce: Nonce,
}

impl OwnerNonce {
    /// The text that is hashed.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}:{}", self.owner.to_checksum(), self.nonce)
    }

    /// The 32 bytes that are signed.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Keccak256::digest(self.text().as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bls::SecretKey;

    #[test]
    fn the_nodes_limit_is_the_limit() {
        assert_eq!(Nonce::try_from(65_535u64).map(Nonce::get), Ok(65_535));
        assert_eq!(Nonce::try_from(65_536u64), Err(NonceTooLarge(65_536)));
        assert_eq!(Nonce::from(65_530).checked_add(5), Ok(Nonce(65_535)));
        assert_eq!(Nonce::from(65_530).checked_add(6), Err(NonceTooLarge(65_536)));
        assert_eq!(Nonce::from(1).checked_add(u64::MAX), Err(NonceTooLarge(u64::MAX)));
    }

    #[test]
    fn known_answer() {
        let message =
            OwnerNonce { owner: "0x81592c3de184a3e2c0dcb5a261bc107bfa91f494".parse().unwrap(), nonce: Nonce::from(0) };
        assert_eq!(message.text(), "0x81592c3DE184A3E2c0DCB5a261BC107Bfa91f494:0");
        assert_eq!(hex::encode(message.digest()), "38d03ef59cd7bf2617e47b2a2635bbf20a79ee6e9d28b75eaa0154b6dc80c0e9");
        let key = hex::decode("551bcabb15998e0ae9a7567e7e16e862282afd571a92480aeaa1ee3f51936544").unwrap();
        let signature = SecretKey::from_be_bytes(&key).unwrap().sign(&message.digest());
        assert_eq!(
            signature.to_string(),
            "0xb8562482045d9146ced37fbe0465d39d911578f58c67b917295a74e8adfbd201c0b8d97578879448fdca477e2eafe30f\
             0a884c44a2b909e6dca7db9c161b8b6c533714c66dbf7ff8462a604033e330a5b061392874608c0ab2febc1d3bed2d8b"
        );
    }
}
