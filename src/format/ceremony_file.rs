//! The files of an air-gapped ceremony: told apart by their first eight bytes, never by their names.

use dvkey_ceremony::agdkg::certify::SignedCertify;
use dvkey_ceremony::agdkg::plan::MAX_PLAN_BYTES;
use dvkey_ceremony::agdkg::{
    BUNDLE_MAGIC, CARD_MAGIC, CERTIFICATE_MAGIC, CERTIFY_MAGIC, COMPLAINT_MAGIC, DEAL_MAGIC, PLAN_MAGIC,
    PRECOMMIT_MAGIC, REDACTED_MAGIC, VAULT_MAGIC,
};

use crate::crypto::digest::Sha256Digest;

/// The end of the names of the files that are written. Nobody relies on it.
pub const EXTENSION: &str = "agdkg";

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CeremonyFile {
    /// Who somebody is.
    Card,
    /// Every parameter.
    Plan,
    /// A commitment to a deal.
    Precommit,
    /// Walk 1.
    Deal,
    /// Walk 1 without its ciphertexts.
    RedactedDeal,
    /// Walk 2.
    Certify,
    /// A complaint.
    Complaint,
    /// The certificate.
    Certificate,
    /// Many files in one.
    Bundle,
    /// A secret, under a passphrase. It stays with its owner.
    Vault,
}

impl CeremonyFile {
    /// Every kind with its first bytes.
    pub const ALL: [(Self, [u8; 8]); 10] = [
        (Self::Card, CARD_MAGIC),
        (Self::Plan, PLAN_MAGIC),
        (Self::Precommit, PRECOMMIT_MAGIC),
        (Self::Deal, DEAL_MAGIC),
        (Self::RedactedDeal, REDACTED_MAGIC),
        (Self::Certify, CERTIFY_MAGIC),
        (Self::Complaint, COMPLAINT_MAGIC),
        (Self::Certificate, CERTIFICATE_MAGIC),
        (Self::Bundle, BUNDLE_MAGIC),
        (Self::Vault, VAULT_MAGIC),
    ];

    /// What the first bytes say.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let magic = bytes.first_chunk::<8>()?;
        Self::ALL.iter().find(|(_, own)| own == magic).map(|(kind, _)| *kind)
    }

    /// The kind in words, with an article.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Card => "a card",
            Self::Plan => "a plan",
            Self::Precommit => "a pre-commit",
            Self::Deal => "a deal",
            Self::RedactedDeal => "a redacted deal",
            Self::Certify => "a certify file",
            Self::Complaint => "a complaint",
            Self::Certificate => "a certificate",
            Self::Bundle => "a bundle",
            Self::Vault => "a vault, which is SECRET",
        }
    }

    /// The word in the names of the files that are written.
    #[must_use]
    pub fn stem(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Plan => "plan",
            Self::Precommit => "precommit",
            Self::Deal | Self::RedactedDeal => "deal",
            Self::Certify => "certify",
            Self::Complaint => "complaint",
            Self::Certificate => "certificate",
            Self::Bundle => "bundle",
            Self::Vault => "vault",
        }
    }

    /// The longest file of this kind that is read, in bytes.
    #[must_use]
    pub fn most_bytes(self) -> u64 {
        match self {
            Self::Card | Self::Complaint | Self::Precommit | Self::Vault => 4 << 10,
            Self::Plan => MAX_PLAN_BYTES as u64,
            Self::Certificate => 64 << 10,
            // 1000 validators: a deal for 64 participants with t = 64 has 5.2 MB; a certify file with eight amounts, eight
            // nonces and a large operator key has 2.6 MB.
            Self::Deal | Self::RedactedDeal | Self::Certify => 8 << 20,
            Self::Bundle => 512 << 20,
        }
    }
}

/// `<plan>-<kind>-<id>.agdkg`, with the start of the plan's hash: how a file in an outbox is called.
#[must_use]
pub fn sent_name(plan: &[u8; 32], kind: CeremonyFile, id: u64) -> String {
    format!("{}-{}-{id}.{EXTENSION}", short(plan), kind.stem())
}

/// `card-<label>-<digest>.agdkg`: how a card in an outbox is called, so that those of several people can lie in one folder,
/// with a dash for each blank of the label. A label that not every file system takes is left out.
#[must_use]
pub fn card_name(label: &str, bytes: &[u8]) -> String {
    let digest = Sha256Digest::of(bytes).to_string();
    let digest = digest.get(..8).unwrap_or_default();
    let label = label.replace(' ', "-");
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    match !label.is_empty() && label.len() <= 32 && label.bytes().all(is_safe) {
        true => format!("card-{label}-{digest}.{EXTENSION}"),
        false => format!("card-{digest}.{EXTENSION}"),
    }
}

/// `<kind>-<digest>.agdkg`: how a file is kept. The same content has the same name.
#[must_use]
pub fn kept_name(kind: CeremonyFile, bytes: &[u8]) -> String {
    let digest = Sha256Digest::of(bytes).to_string();
    format!("{}-{}.{EXTENSION}", kind.stem(), digest.get(..16).unwrap_or_default())
}

/// The first eight digits of a hash.
#[must_use]
pub fn short(hash: &[u8; 32]) -> String {
    hex::encode(hash.get(..4).unwrap_or_default())
}

/// Whether two certify files of one author say the same: sealing is randomised, the statement is not.
#[must_use]
pub fn same_statement(a: &SignedCertify, b: &SignedCertify) -> bool {
    a.sender() == b.sender() && a.transcript() == b.transcript() && a.outputs_root() == b.outputs_root()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_decide() {
        for (kind, magic) in CeremonyFile::ALL {
            assert_eq!(CeremonyFile::of(&[&magic[..], b"rest"].concat()), Some(kind));
            assert_eq!(CeremonyFile::of(&magic[..7]), None);
            assert!(kind.most_bytes() >= 330);
        }
        assert_eq!(CeremonyFile::of(b"AGDKG1XX"), None);
        assert_eq!(CeremonyFile::of(b"agdkg1pl"), None);
        let name = kept_name(CeremonyFile::Deal, b"x");
        assert_eq!(name, "deal-2d711642b726b044.agdkg");
        assert_eq!(card_name("Ann_2", b"x"), "card-Ann_2-2d711642.agdkg");
        assert_eq!(card_name("Ann of 2", b"x"), "card-Ann-of-2-2d711642.agdkg");
        for label in ["", "../ann", "Änn", "a\tb", &"x".repeat(33)] {
            assert_eq!(card_name(label, b"x"), "card-2d711642.agdkg");
        }
        assert_eq!(sent_name(&[0xab; 32], CeremonyFile::Certify, 12), "abababab-certify-12.agdkg");
    }
}
