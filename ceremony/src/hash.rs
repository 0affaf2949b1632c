//! Tagged hashes, hashing to a scalar, and derivations: SPEC section 2. Every tag has exactly one role.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::group::PublicScalar;
use crate::scalar::Scalar;

/// A domain string of the suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag(&'static str);

macro_rules! tags {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        impl Tag {
            $($(#[$doc])* pub const $name: Self = Self(concat!("agdkg-v1/", $text));)*

            /// Every domain string, in the order of SPEC appendix A.
            pub const ALL: &[Self] = &[$(Self::$name),*];
        }
    };
}

tags! {
    /// Salt: root to master secret.
    ROOT = "root";
    /// Info: the Ed25519 seed.
    ID_SIGN = "id-sign";
    /// Info: the decryption scalar.
    ID_ENC = "id-enc";
    /// Info: the key of all dealing.
    ID_DEAL = "id-deal";
    /// Info: the secret of one ceremony.
    CEREMONY = "ceremony";
    /// Info: the nonce of a card's proof.
    NONCE_ID = "nonce-id";
    /// Challenge of a card's proof.
    POK_ID = "pok-id";
    /// First bytes of what an operator's RSA key signs.
    OPERATOR_BIND = "operator-bind";
    /// Hash of a card body.
    CARD = "card";
    /// Hash of a plan.
    PLAN = "plan";
    /// Salt of the telephone words.
    WORDS = "words";
    /// Hash of what an Ed25519 key signs.
    MSG = "msg";
    /// Info: a coefficient.
    COEF = "coef";
    /// Hash of commitments.
    COMS = "coms";
    /// Info: the ephemeral scalar.
    EPH = "eph";
    /// Info: the nonce of the ephemeral key's proof.
    NONCE_EPH = "nonce-eph";
    /// Challenge of the ephemeral key's proof.
    POK_EPH = "pok-eph";
    /// Info: the nonce of a constant term's proof.
    NONCE_POK = "nonce-pok";
    /// Challenge of a constant term's proof.
    POK_DEAL = "pok-deal";
    /// Hash: the salt of a shared key.
    KEM = "kem";
    /// Info: a pad.
    PAD = "pad";
    /// Hash of the public part of a deal.
    R1_PUB = "r1-pub";
    /// Hash of the ciphertexts of a deal.
    R1_ENC = "r1-enc";
    /// Hash of a deal.
    R1 = "r1";
    /// Hash: a leaf of the outputs tree.
    LEAF = "leaf";
    /// Hash: an inner node of the outputs tree.
    NODE = "node";
    /// Hash of the transcript.
    TRANSCRIPT = "transcript";
    /// Hash of what a certificate signature signs.
    CERT = "cert";
    /// Hash of a certificate, for its words.
    CERTWORDS = "certwords";
    /// Info: the nonce of the possession proof.
    NONCE_POS = "nonce-pos";
    /// Challenge of the possession proof.
    POSSESSION = "possession";
    /// Info: the nonce of a complaint's proof.
    NONCE_DLEQ = "nonce-dleq";
    /// Challenge of a complaint's proof.
    DLEQ = "dleq";
    /// Hash: the salt of a repair mask (reserved).
    REPAIR = "repair";
    /// Hash of dice rolls.
    DICE = "dice";
    /// Salt of the weights for deals.
    BATCH = "batch";
    /// Salt of the weights for certify files.
    BATCH2 = "batch2";
    /// Salt of the generator for RSA padding.
    R2_RAND = "r2-rand";
    /// Hash: a link of a participant's own journal.
    JOURNAL = "journal";
}

/// A tagged hash that is not at its end yet, so that what several have in common is hashed once.
#[derive(Clone)]
pub(crate) struct Running(Sha256);

impl Running {
    pub(crate) fn then(mut self, part: &[u8]) -> Self {
        self.0.update(part);
        self
    }

    pub(crate) fn end(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

impl Tag {
    /// The ASCII bytes, without terminator or length.
    #[must_use]
    pub fn as_bytes(self) -> &'static [u8] {
        self.0.as_bytes()
    }

    /// `TH(tag, x) = H(H(tag) ‖ H(tag) ‖ x)`, x being the parts one after the other.
    #[must_use]
    pub fn hash(self, parts: &[&[u8]]) -> [u8; 32] {
        parts.iter().fold(self.begin(), |hash, part| hash.then(part)).end()
    }

    /// The same before the first part.
    pub(crate) fn begin(self) -> Running {
        let tag = Sha256::digest(self.as_bytes());
        Running(Sha256::new_with_prefix(tag).chain_update(tag))
    }

    /// `H2S(tag, x)`: expand_message_xmd (RFC 9380, section 5.3.1) of 48 bytes, reduced modulo r.
    #[must_use]
    pub fn challenge(self, parts: &[&[u8]]) -> PublicScalar {
        let mut wide = [0; 48];
        self.expand_xmd(parts, &mut wide);
        PublicScalar::disclose(Scalar::from_48_bytes(&wide))
    }

    fn expand_xmd(self, parts: &[&[u8]], out: &mut [u8; 48]) {
        let dst = self.as_bytes();
        // Every tag is far below 256 bytes.
        let dst_len = [u8::try_from(dst.len()).unwrap_or(u8::MAX)];
        let mut hash = Sha256::new_with_prefix([0; 64]);
        for part in parts {
            hash.update(part);
        }
        let b_0 = hash.chain_update([0, 48, 0]).chain_update(dst).chain_update(dst_len).finalize();
        let mut previous = [0; 32];
        for (number, chunk) in (1u8..).zip(out.chunks_mut(32)) {
            let mixed: Vec<u8> = b_0.iter().zip(previous).map(|(a, b)| a ^ b).collect();
            previous = Sha256::new_with_prefix(mixed)
                .chain_update([number])
                .chain_update(dst)
                .chain_update(dst_len)
                .finalize()
                .into();
            chunk.iter_mut().zip(previous).for_each(|(to, from)| *to = from);
        }
    }
}

/// A secret from which others are derived (HKDF-SHA-256, RFC 5869). Wiped on drop.
pub struct Prk(Zeroizing<[u8; 32]>);

impl Prk {
    /// `EXT(salt, ikm)`: HKDF-Extract, that is HMAC-SHA-256 with the salt as key.
    #[must_use]
    pub fn extract(salt: &[u8], input: &[&[u8]]) -> Self {
        let mut out = Zeroizing::new([0; 32]);
        // HMAC takes keys of any length.
        if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(salt) {
            for part in input {
                mac.update(part);
            }
            out.copy_from_slice(&mac.finalize().into_bytes());
        }
        Self(out)
    }

    /// `EXP(prk, info, L)`: HKDF-Expand. L is at most 64 here.
    #[must_use]
    pub fn expand<const L: usize>(&self, info: &[&[u8]]) -> Zeroizing<[u8; L]> {
        const { assert!(L <= 64, "two blocks at most") };
        let mut out = Zeroizing::new([0; L]);
        // The key has the length of a digest and the output at most two: neither step can fail.
        if let Ok(hkdf) = Hkdf::<Sha256>::from_prk(self.0.as_ref()) {
            let _ = hkdf.expand_multi_info(info, out.as_mut());
        }
        out
    }

    /// `EXP(prk, info, 32)` as a secret to derive from.
    #[must_use]
    pub fn derive(&self, info: &[&[u8]]) -> Self {
        Self(self.expand::<32>(info))
    }

    /// `SC(prk, info) = OS2IP(EXP(prk, info, 48)) mod r`.
    #[must_use]
    pub fn scalar(&self, info: &[&[u8]]) -> Scalar {
        Scalar::from_48_bytes(&self.expand::<48>(info))
    }

    /// The 32 bytes.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Weights for checking many equations at once: odd 128-bit integers, the q-th from `EXP(seed, u32 q, 16)`.
pub struct Weights {
    seed: Prk,
    next: u32,
}

impl Weights {
    /// Weights from a seed that whoever made the equations could not predict.
    #[must_use]
    pub fn new(seed: Prk) -> Self {
        Self { seed, next: 0 }
    }

    /// The next weight; each is used once.
    pub fn draw(&mut self) -> PublicScalar {
        let bytes = self.seed.expand::<16>(&[&self.next.to_be_bytes()]);
        self.next = self.next.wrapping_add(1);
        let mut wide = [0; 32];
        if let Some(low) = wide.last_chunk_mut::<16>() {
            low.copy_from_slice(bytes.as_ref());
        }
        if let Some(lowest) = wide.last_mut() {
            *lowest |= 1;
        }
        // Below 2^128, so below r.
        PublicScalar::from_be_bytes(&wide).unwrap_or_else(|| PublicScalar::from_u64(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn tags_are_distinct() {
        let tags: BTreeSet<_> = Tag::ALL.iter().map(|tag| tag.as_bytes()).collect();
        assert_eq!(tags.len(), Tag::ALL.len());
        assert_eq!(tags.len(), 39);
        assert!(tags.iter().all(|tag| tag.starts_with(b"agdkg-v1/")));
    }

    #[test]
    fn the_spec_lists_every_tag() {
        let spec = include_str!("../SPEC.md");
        let (_, appendix) = spec.split_once("## A. Domain strings").unwrap();
        let (_, list) = appendix.split_once("and: ").unwrap();
        let (list, _) = list.split_once('.').unwrap();
        let listed: Vec<_> = list.split(", ").map(|name| format!("agdkg-v1/{name}").into_bytes()).collect();
        assert_eq!(listed, Tag::ALL.iter().map(|tag| tag.as_bytes().to_vec()).collect::<Vec<_>>());
    }

    #[test]
    fn known_answers() {
        // Computed with Python's hashlib and hmac from the definitions alone.
        let hash = hex::encode(Tag::PLAN.hash(&[b"a", b"bc"]));
        assert_eq!(hash, "6dcb97a59f102b192eb4a77fc61fa9a01887a5e8872705dd4ee6b64a117c594c");
        let challenge = hex::encode(Tag::POK_ID.challenge(&[b"a", b"bc"]).to_be_bytes());
        assert_eq!(challenge, "10e63f13d0d93a4c312ff511123cde60cc1d896469bc44047344fb5dd8fc8be1");
        let prk = Prk::extract(Tag::ROOT.as_bytes(), &[&[7; 32]]);
        assert_eq!(hex::encode(prk.expose()), "e0023ed8f40b69cf703aef8766062dfa0469c1664340573c70df6d3cca057cea");
        let scalar = hex::encode(*prk.scalar(&[Tag::ID_ENC.as_bytes(), b"x"]).to_be_bytes());
        assert_eq!(scalar, "09322077fa876b0cdb373e2b55d0ac6f144245ea38c2a5c945eb3a809c0e81cc");
    }

    #[test]
    fn expand_message_xmd_of_rfc_9380() {
        // Appendix K.1, DST QUUX-V01-CS02-with-expander-SHA256-128, has outputs of 32 and 128 bytes; the same
        // construction with 48 bytes is checked against Python above. Here: the parts are one message.
        let whole = Tag::POK_ID.challenge(&[b"abcdef"]);
        assert_eq!(whole, Tag::POK_ID.challenge(&[b"ab", b"", b"cdef"]));
        assert_ne!(whole, Tag::POK_EPH.challenge(&[b"abcdef"]));
    }

    #[test]
    fn weights_are_odd_and_short_and_differ() {
        let mut weights = Weights::new(Prk::extract(b"s", &[b"t"]));
        let drawn: BTreeSet<_> = (0..100).map(|_| weights.draw().to_be_bytes()).collect();
        assert_eq!(drawn.len(), 100);
        for weight in drawn {
            assert_eq!(weight[..16], [0; 16]);
            assert_eq!(weight[31] & 1, 1);
        }
    }
}
