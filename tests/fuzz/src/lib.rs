//! What the fuzz targets share: an input read in pieces, bounds on key derivation, and what a verdict promises.

pub mod ceremony;

use std::collections::BTreeSet;
use std::convert::Infallible;

use base64ct::{Base64, Encoding};
use dvkey::crypto::digest::Sha256Digest;
use dvkey::crypto::kdf::{Kdf, KdfLimits};
use dvkey::crypto::operator_key::SEALED_BYTES;
use dvkey::format::keyshares::{self, Item, KeysharesFile, NewItem, SharesData};
use dvkey::format::operator_key_text::OperatorKeyText;
use dvkey::format::operators::Operator;
use dvkey::format::text::shown;
use dvkey::workflow::verify::check::{Report, Verdict};
use dvkey::workflow::verify::keyshares::{Expected, judge};
use dvkey_ceremony::{Address, Nonce, PublicKey, SharePublicKey, Signature, Threshold};
use rand_core::{TryCryptoRng, TryRng};

/// The input of one execution, read from the front. Behind its end there are zeros.
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    /// At most `count` bytes.
    pub fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// Exactly `N` bytes.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        let taken = self.take(N);
        bytes[..taken.len()].copy_from_slice(taken);
        bytes
    }

    /// One byte.
    pub fn byte(&mut self) -> u8 {
        self.array::<1>()[0]
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::from(u16::from_be_bytes(self.array())) % bound.max(1)
    }

    /// A number of the whole range.
    pub fn number(&mut self) -> u64 {
        u64::from_be_bytes(self.array())
    }
}

/// Randomness that hands out chosen bytes first, and SHA-256 of a counter when they are used up.
pub struct InputRng {
    chosen: Vec<u8>,
    seed: Sha256Digest,
    counter: u64,
}

impl InputRng {
    /// `chosen` comes out first and is the seed of what comes after it.
    pub fn new(chosen: &[u8]) -> Self {
        Self { chosen: chosen.iter().rev().copied().collect(), seed: Sha256Digest::of(chosen), counter: 0 }
    }
}

impl TryRng for InputRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        let mut block = Vec::new();
        for byte in dst {
            *byte = match self.chosen.pop() {
                Some(chosen) => chosen,
                None => {
                    if block.is_empty() {
                        let counter = self.counter.to_be_bytes();
                        block =
                            Sha256Digest::of(&[self.seed.as_bytes().as_slice(), &counter].concat()).as_bytes().into();
                        self.counter += 1;
                    }
                    block.pop().unwrap_or_default()
                }
            };
        }
        Ok(())
    }
}

impl TryCryptoRng for InputRng {}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// base64 with padding.
pub fn base64(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}

/// `der` in a PEM frame.
pub fn pem(label: &str, der: &[u8]) -> String {
    let body = base64(der);
    let lines: Vec<_> = body.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// A text from a hostile file must not steer a terminal, nor turn the reading round.
pub fn assert_harmless(message: &str) {
    assert_eq!(shown(message, usize::MAX), message, "a message that moves, hides or turns text");
}

/// What is let through takes no more memory than the limit says, but for a few blocks, and no endless work.
pub fn assert_bounded(kdf: &Kdf, limits: KdfLimits) {
    const SOME_BLOCKS: u128 = 1 << 20;
    match kdf {
        Kdf::Pbkdf2 { c, .. } => assert!((1..=100 << 20).contains(c)),
        Kdf::Scrypt { log_n, r, p, .. } => {
            let [n, r, p] = [1u128 << log_n, u128::from(*r), u128::from(*p)];
            // The table of N blocks, p lanes and two blocks to work with.
            let wanted = 128 * r * (n + p + 2);
            let limit = u128::from(limits.memory);
            assert!(wanted <= limit + SOME_BLOCKS, "{kdf:?} takes {wanted} bytes, the limit is {limit}");
            assert!(u128::from(kdf.memory()).abs_diff(wanted) <= SOME_BLOCKS, "{kdf:?} says {}", kdf.memory());
            assert!(n * r * p <= (1 << 26).max(limit / 128), "{kdf:?} is too much work");
        }
    }
}

/// Whether a derivation is done in no time.
pub fn is_cheap(kdf: &Kdf) -> bool {
    match kdf {
        Kdf::Pbkdf2 { c, .. } => *c <= 4,
        Kdf::Scrypt { log_n, r, p, .. } => {
            let work = 1u64.checked_shl((*log_n).into()).unwrap_or(u64::MAX);
            let work = work.saturating_mul((*r).into()).saturating_mul((*p).into());
            kdf.memory() <= 1 << 20 && work <= 1 << 13
        }
    }
}

/// What follows from the verdict that a file is valid. A new file of each validator must be as good, without oddities.
pub fn assert_valid(file: &KeysharesFile, report: &Report) {
    assert_eq!(report.verdict, Verdict::Valid);
    assert_eq!(report.failures().count(), 0);
    assert!(!file.items.is_empty());
    assert_eq!(file.items.len(), report.validators.len());
    let owner = report.owner.expect("a valid file has an owner");
    assert!(!owner.is_zero());
    let mut validators = BTreeSet::new();
    let mut next_nonce = None;
    for (item, line) in file.items.iter().zip(&report.validators) {
        let item = item.as_ref().expect("a valid file has no broken item");
        let payload = &item.payload;
        let n = payload.operator_ids.len();
        assert!(Threshold::SSV_SIZES.contains(&n));
        assert!(payload.operator_ids.is_sorted_by(|a, b| a < b));
        assert!(line.good);
        assert_eq!(line.operators, payload.operator_ids);
        let public_key = PublicKey::from_bytes(&payload.public_key).expect("a valid file has a key");
        assert_eq!(line.public_key, Some(public_key));
        assert!(validators.insert(public_key), "a validator twice");

        let nonce = line.nonce.expect("a valid file has nonces");
        assert!(nonce <= 65_535);
        assert!(next_nonce.is_none_or(|next| next == nonce), "nonces do not follow each other");
        next_nonce = Some(nonce + 1);

        let parts = SharesData::cut(&payload.shares_data, n).expect("a valid file has whole sharesData");
        assert_eq!(parts.signature.len(), 96);
        assert!(parts.share_public_keys.iter().all(|key| key.len() == 48));
        assert_eq!((parts.share_public_keys.len(), parts.sealed_shares.len()), (n, n));
        assert_eq!(payload.shares_data.len(), 96 + n * (48 + SEALED_BYTES));

        if let Some(bytes) = written_anew(item, &parts, owner, nonce) {
            let written = keyshares::parse(&bytes).expect("what is written can be read");
            assert_eq!(written.oddities, []);
            assert_eq!(written.version.as_deref(), Some(keyshares::VERSION));
            let [Ok(again)] = written.items.as_slice() else { panic!("what is written has one whole item") };
            assert_eq!(again.payload.public_key, payload.public_key);
            assert_eq!(again.payload.operator_ids, payload.operator_ids);
            assert_eq!(again.payload.shares_data, payload.shares_data);
            assert_eq!(judge(&written, &Expected::default(), None, 1).verdict, Verdict::Valid);
        }
    }
}

/// One validator in the form that this program writes; `None` where operator keys are missing.
fn written_anew(item: &Item, parts: &SharesData<'_>, owner: Address, nonce: u64) -> Option<Vec<u8>> {
    let described = item.data.as_ref()?.operators.as_ref()?;
    let ids = &item.payload.operator_ids;
    let mut operators = Vec::with_capacity(ids.len());
    for id in ids {
        let (_, text) = described.iter().find(|(other, _)| other == id).expect("the same operators");
        let key = OperatorKeyText::parse(text.as_ref()?).expect("a usable operator key");
        operators.push(Operator { id: *id, key });
    }
    let share_keys = ids.iter().zip(&parts.share_public_keys);
    let new = NewItem {
        public_key: PublicKey::from_bytes(&item.payload.public_key).expect("a key"),
        nonce: Nonce::try_from(nonce).expect("a nonce"),
        signature: Signature::from_bytes(parts.signature).expect("a signature"),
        share_public_keys: share_keys
            .map(|(id, bytes)| SharePublicKey {
                identifier: id.identifier(),
                public_key: PublicKey::from_bytes(bytes).expect("a share key"),
            })
            .collect(),
        sealed_shares: parts.sealed_shares.iter().map(|sealed| **sealed).collect(),
    };
    let written = keyshares::write(&[new], &owner.to_checksum(), &operators, "2026-01-01T00:00:00.000Z");
    Some(written.expect("a file can be written"))
}
