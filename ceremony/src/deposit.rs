//! What a validator key signs to come into being and to leave: the deposit and the voluntary exit.
//!
//! Containers, domains and signing roots are those of the consensus specifications (phase0/beacon-chain.md). Roots are
//! hashed by hand over SHA-256: five fixed containers need no SSZ library beside a key, and tests hold them against one.

use std::fmt;
use std::str::FromStr;

use crate::address::Address;
use crate::bls::{PublicKey, SecretKey, Signature};
use crate::merkle;

/// `DOMAIN_DEPOSIT`.
const DOMAIN_DEPOSIT: [u8; 4] = [3, 0, 0, 0];
/// `DOMAIN_VOLUNTARY_EXIT`.
const DOMAIN_VOLUNTARY_EXIT: [u8; 4] = [4, 0, 0, 0];

/// An amount of the consensus layer: 10^-9 ether.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gwei(u64);

impl Gwei {
    /// One ether.
    pub const ETHER: Self = Self::from_ether(1);

    /// Wraps a number of Gwei.
    #[must_use]
    pub const fn new(gwei: u64) -> Self {
        Self(gwei)
    }

    /// Whole ether; saturates beyond 18,446,744,073.
    #[must_use]
    pub const fn from_ether(ether: u64) -> Self {
        Self(ether.saturating_mul(1_000_000_000))
    }

    /// The number of Gwei.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Gwei {
    /// In ether, without trailing zeros: `32 ETH`, `1.5 ETH`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / Self::ETHER.0, self.0 % Self::ETHER.0);
        match rest {
            0 => write!(f, "{whole} ETH"),
            _ => write!(f, "{whole}.{} ETH", format!("{rest:09}").trim_end_matches('0')),
        }
    }
}

/// The four bytes that tell one network, and one era of it, from another.
///
/// Deposits are signed under the *genesis* fork version of their network, in every era.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ForkVersion([u8; 4]);

/// A text that is not 8 hexadecimal digits, with or without `0x` before them.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("a fork version has 8 hexadecimal digits")]
pub struct ForkVersionError;

impl ForkVersion {
    /// Wraps 4 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }

    /// The 4 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 4] {
        &self.0
    }
}

impl FromStr for ForkVersion {
    type Err = ForkVersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 4];
        let digits = text.strip_prefix("0x").unwrap_or(text);
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| ForkVersionError)?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for ForkVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.0))
    }
}

impl fmt::Debug for ForkVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whom a validator's stake belongs to. Cannot be changed once deposited, but from BLS to execution and on to compounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WithdrawalCredentials {
    /// 0x00: the SHA-256 of a BLS withdrawal key, without its first byte. Nothing is paid out before it is changed.
    Bls([u8; 31]),
    /// 0x01: paid to this account; up to 32 ETH count.
    Execution(Address),
    /// 0x02: paid to this account; up to 2048 ETH count (EIP-7251).
    Compounding(Address),
}

/// Why 32 bytes are not withdrawal credentials.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum CredentialsError {
    /// Not 32 bytes.
    #[error("withdrawal credentials have 32 bytes, these have {0}")]
    Length(usize),
    /// The first byte is none of 0, 1, 2: nobody could ever withdraw.
    #[error("withdrawal credentials begin with 00, 01 or 02, these begin with {0:02x}")]
    Prefix(u8),
    /// Bytes 1 to 11 are not zero: the consensus layer would still pay the last 20 bytes, but nobody writes such credentials.
    #[error("bytes 1 to 11 of withdrawal credentials are zero before an address, these are not")]
    Padding,
}

impl WithdrawalCredentials {
    /// Reads the 32 bytes: a type byte, and then 31 bytes of a hash, or 11 zeros and an address.
    ///
    /// # Errors
    /// [`CredentialsError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CredentialsError> {
        let bytes: &[u8; 32] = bytes.try_into().map_err(|_| CredentialsError::Length(bytes.len()))?;
        let [prefix, rest @ ..] = bytes;
        let (padding, address) = rest.split_at(11);
        let address = || match address.try_into() {
            Ok(address) if padding == [0; 11] => Ok(Address::from_bytes(address)),
            _ => Err(CredentialsError::Padding),
        };
        match prefix {
            0 => Ok(Self::Bls(*rest)),
            1 => address().map(Self::Execution),
            2 => address().map(Self::Compounding),
            other => Err(CredentialsError::Prefix(*other)),
        }
    }

    /// The 32 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        let (prefix, rest): (u8, &[u8]) = match self {
            Self::Bls(hash) => (0, hash),
            Self::Execution(address) => (1, address.as_bytes()),
            Self::Compounding(address) => (2, address.as_bytes()),
        };
        // Right-aligned: a hash fills its 31 bytes, an address leaves 11 zeros before itself.
        for (to, from) in bytes.iter_mut().rev().zip(rest.iter().rev()) {
            *to = *from;
        }
        let [first, ..] = &mut bytes;
        *first = prefix;
        bytes
    }

    /// The account that is paid; `None` for BLS credentials.
    #[must_use]
    pub fn address(&self) -> Option<Address> {
        match self {
            Self::Bls(_) => None,
            Self::Execution(address) | Self::Compounding(address) => Some(*address),
        }
    }
}

impl fmt::Display for WithdrawalCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.to_bytes()))
    }
}

/// `DepositMessage`: what a validator key signs before anything is deposited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DepositMessage {
    /// The validator key's public half.
    pub public_key: PublicKey,
    /// Whom the stake belongs to.
    pub credentials: WithdrawalCredentials,
    /// How much is deposited.
    pub amount: Gwei,
}

impl DepositMessage {
    /// `hash_tree_root(DepositMessage)`, the `deposit_message_root` of deposit data.
    #[must_use]
    pub fn root(&self) -> [u8; 32] {
        message_root(self.public_key.as_bytes(), &self.credentials, self.amount)
    }

    /// The 32 bytes that are signed, on the network with this *genesis* fork version.
    #[must_use]
    pub fn signing_root(&self, genesis_fork: ForkVersion) -> [u8; 32] {
        signing_root(self.root(), deposit_domain(genesis_fork))
    }

    /// Signs with the whole validator key.
    #[must_use]
    pub fn sign(self, key: &SecretKey, genesis_fork: ForkVersion) -> DepositData {
        DepositData { message: self, signature: key.sign(&self.signing_root(genesis_fork)) }
    }
}

/// `DepositData`: the message and its signature, as the deposit contract takes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DepositData {
    /// What was signed.
    pub message: DepositMessage,
    /// The validator key's signature, made whole or from partial ones.
    pub signature: Signature,
}

impl DepositData {
    /// `hash_tree_root(DepositData)`, which the deposit contract recomputes and demands.
    #[must_use]
    pub fn root(&self) -> [u8; 32] {
        let DepositMessage { public_key, credentials, amount } = &self.message;
        let leaves = [
            merkle::byte_vector(public_key.as_bytes()),
            credentials.to_bytes(),
            merkle::uint64(amount.get()),
            merkle::byte_vector(self.signature.as_bytes()),
        ];
        merkle::root(&leaves, leaves.len())
    }

    /// Whether the consensus layer of the network with this genesis fork version would take the signature.
    ///
    /// A deposit whose signature it does not take is not refused: the money is gone, and there is no validator.
    #[must_use]
    pub fn is_signed(&self, genesis_fork: ForkVersion) -> bool {
        self.signature.verify(&self.message.public_key, &self.message.signing_root(genesis_fork))
    }
}

/// `VoluntaryExit`: what a validator key signs to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoluntaryExit {
    /// The epoch from which on it may be processed.
    pub epoch: u64,
    /// The validator's index on the beacon chain.
    pub validator_index: u64,
}

impl VoluntaryExit {
    /// `hash_tree_root(VoluntaryExit)`.
    #[must_use]
    pub fn root(&self) -> [u8; 32] {
        merkle::root(&[merkle::uint64(self.epoch), merkle::uint64(self.validator_index)], 2)
    }

    /// The 32 bytes that are signed. Since Deneb the fork version is always the network's *Capella* one (EIP-7044).
    #[must_use]
    pub fn signing_root(&self, capella_fork: ForkVersion, genesis_validators_root: [u8; 32]) -> [u8; 32] {
        signing_root(self.root(), domain(DOMAIN_VOLUNTARY_EXIT, capella_fork, genesis_validators_root))
    }
}

/// `compute_domain(DOMAIN_DEPOSIT)`: "Fork-agnostic domain since deposits are valid across forks", and the genesis
/// validators root is zero since deposits come before genesis.
fn deposit_domain(genesis_fork: ForkVersion) -> [u8; 32] {
    domain(DOMAIN_DEPOSIT, genesis_fork, [0; 32])
}

/// `compute_domain`: the type, and the first 28 bytes of `hash_tree_root(ForkData)`.
fn domain(kind: [u8; 4], fork: ForkVersion, genesis_validators_root: [u8; 32]) -> [u8; 32] {
    let fork_data_root = merkle::root(&[merkle::left_aligned(fork.as_bytes()), genesis_validators_root], 2);
    let mut domain = [0; 32];
    for (to, from) in domain.iter_mut().zip(kind.iter().chain(&fork_data_root)) {
        *to = *from;
    }
    domain
}

/// `compute_signing_root`: `hash_tree_root(SigningData)`.
fn signing_root(object_root: [u8; 32], domain: [u8; 32]) -> [u8; 32] {
    merkle::root(&[object_root, domain], 2)
}

fn message_root(public_key: &[u8; 48], credentials: &WithdrawalCredentials, amount: Gwei) -> [u8; 32] {
    let leaves = [merkle::byte_vector(public_key), credentials.to_bytes(), merkle::uint64(amount.get())];
    merkle::root(&leaves, leaves.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tree_hash::TreeHash;
    use tree_hash_derive::TreeHash;

    /// The containers of the consensus specifications, for the library that hashes them there.
    #[derive(TreeHash)]
    struct TheirMessage {
        pubkey: [u8; 48],
        withdrawal_credentials: [u8; 32],
        amount: u64,
    }

    #[derive(TreeHash)]
    struct TheirDeposit {
        pubkey: [u8; 48],
        withdrawal_credentials: [u8; 32],
        amount: u64,
        signature: [u8; 96],
    }

    #[derive(TreeHash)]
    struct TheirExit {
        epoch: u64,
        validator_index: u64,
    }

    #[derive(TreeHash)]
    struct TheirForkData {
        current_version: [u8; 4],
        genesis_validators_root: [u8; 32],
    }

    #[derive(TreeHash)]
    struct TheirSigningData {
        object_root: [u8; 32],
        domain: [u8; 32],
    }

    fn their_signing_root(object: [u8; 32], kind: u8, fork: [u8; 4], genesis_validators_root: [u8; 32]) -> [u8; 32] {
        let fork_data = TheirForkData { current_version: fork, genesis_validators_root }.tree_hash_root();
        let mut domain = [0; 32];
        domain[0] = kind;
        domain[4..].copy_from_slice(&fork_data[..28]);
        TheirSigningData { object_root: object, domain }.tree_hash_root().0
    }

    proptest! {
        #[test]
        fn every_root_is_that_of_an_ssz_library(
            secret in 1u8..,
            compounding: bool,
            address: [u8; 20],
            amount: u64,
            fork: [u8; 4],
            genesis_validators_root: [u8; 32],
            epoch: u64,
            validator_index: u64,
        ) {
            let key = SecretKey::from_be_bytes(&[[0; 31].as_slice(), &[secret]].concat()).unwrap();
            let address = Address::from_bytes(address);
            let credentials = if compounding {
                WithdrawalCredentials::Compounding(address)
            } else {
                WithdrawalCredentials::Execution(address)
            };
            let fork_version = ForkVersion::from_bytes(fork);
            let message = DepositMessage { public_key: key.public_key(), credentials, amount: Gwei::new(amount) };
            let theirs = TheirMessage {
                pubkey: *key.public_key().as_bytes(),
                withdrawal_credentials: credentials.to_bytes(),
                amount,
            };
            prop_assert_eq!(message.root(), theirs.tree_hash_root().0);
            prop_assert_eq!(message.signing_root(fork_version), their_signing_root(message.root(), 3, fork, [0; 32]));

            let deposit = message.sign(&key, fork_version);
            prop_assert!(deposit.is_signed(fork_version));
            let theirs = TheirDeposit {
                pubkey: theirs.pubkey,
                withdrawal_credentials: theirs.withdrawal_credentials,
                amount,
                signature: *deposit.signature.as_bytes(),
            };
            prop_assert_eq!(deposit.root(), theirs.tree_hash_root().0);

            let exit = VoluntaryExit { epoch, validator_index };
            prop_assert_eq!(exit.root(), TheirExit { epoch, validator_index }.tree_hash_root().0);
            prop_assert_eq!(
                exit.signing_root(fork_version, genesis_validators_root),
                their_signing_root(exit.root(), 4, fork, genesis_validators_root)
            );
        }
    }

    #[test]
    fn deposit_domains_of_the_networks() {
        for (fork, wanted) in [
            ("00000000", "03000000f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a9"),
            ("90000069", "03000000d3010778cd08ee514b08fe67b6c503b510987a4ce43f42306d97c67c"),
            ("01017000", "030000005b83a23759c560b2d0c64576e1dcfc34ea94c4988f3e0d9f77f05387"),
            ("0x10000910", "03000000719103511efa4f1362ff2a50996cccf329cc84cb410c5e5c7d351d03"),
        ] {
            assert_eq!(hex::encode(deposit_domain(fork.parse().unwrap())), wanted);
        }
    }

    #[test]
    fn known_answers() {
        let address = *b"\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x02\x03\x04\x05\x06\x07\x08";
        let credentials = WithdrawalCredentials::Execution(Address::from_bytes(address));
        let root = message_root(&[1; 48], &credentials, Gwei::from_ether(32));
        for (fork, wanted) in [
            ("00000000", "41fba203d57e5beb938ff09e31492be0c573cbd3d8a470c0012258a89bb93b9c"),
            ("01017000", "4500f62e5eaaf6402261fbb5d2fabb402bdce5c4485ca4d57baa630716435737"),
        ] {
            assert_eq!(hex::encode(signing_root(root, deposit_domain(fork.parse().unwrap()))), wanted);
        }
    }

    #[test]
    fn another_amount_network_or_account_is_not_signed() {
        let key = SecretKey::from_be_bytes(&[7; 32]).unwrap();
        let account = Address::from_bytes([0x11; 20]);
        let fork = ForkVersion::from_bytes([0x10, 0, 9, 0x10]);
        let credentials = WithdrawalCredentials::Execution(account);
        let message = DepositMessage { public_key: key.public_key(), credentials, amount: Gwei::from_ether(32) };
        let deposit = message.sign(&key, fork);
        assert!(deposit.is_signed(fork));
        assert!(!deposit.is_signed(ForkVersion::from_bytes([0; 4])));
        for message in [
            DepositMessage { amount: Gwei::ETHER, ..message },
            DepositMessage { credentials: WithdrawalCredentials::Compounding(account), ..message },
            DepositMessage { public_key: SecretKey::from_be_bytes(&[8; 32]).unwrap().public_key(), ..message },
        ] {
            assert!(!DepositData { message, ..deposit }.is_signed(fork), "{message:?}");
        }
    }

    #[test]
    fn credentials_have_three_forms() {
        let account = Address::from_bytes([0xab; 20]);
        let bytes = |prefix: u8, padding: u8| [&[prefix][..], &[padding; 11], account.as_bytes()].concat();
        let read = |bytes: &[u8]| WithdrawalCredentials::from_bytes(bytes);
        assert_eq!(read(&bytes(1, 0)), Ok(WithdrawalCredentials::Execution(account)));
        assert_eq!(read(&bytes(2, 0)), Ok(WithdrawalCredentials::Compounding(account)));
        assert!(matches!(read(&bytes(0, 9)), Ok(WithdrawalCredentials::Bls(_))));
        for whole in [bytes(0, 9), bytes(1, 0), bytes(2, 0)] {
            assert_eq!(read(&whole).unwrap().to_bytes().as_slice(), whole);
        }
        assert_eq!(read(&bytes(1, 1)), Err(CredentialsError::Padding));
        assert_eq!(read(&bytes(2, 1)), Err(CredentialsError::Padding));
        assert_eq!(read(&bytes(3, 0)), Err(CredentialsError::Prefix(3)));
        assert_eq!(read(&[1; 31]), Err(CredentialsError::Length(31)));
        assert_eq!(read(&bytes(0, 9)).unwrap().address(), None);
        assert_eq!(read(&bytes(2, 0)).unwrap().address(), Some(account));
    }

    #[test]
    fn amounts_are_shown_in_ether() {
        for (gwei, text) in
            [(0, "0 ETH"), (32_000_000_000, "32 ETH"), (1_500_000_000, "1.5 ETH"), (1, "0.000000001 ETH")]
        {
            assert_eq!(Gwei::new(gwei).to_string(), text);
        }
    }
}
