//! The numbered checks, what can be wrong with keyshares, and the report that all of them end in.

use dvkey_ceremony::bls::PointError;
use dvkey_ceremony::share::SharingError;
use dvkey_ceremony::threshold::ClusterSizeError;
use dvkey_ceremony::{Address, Nonce, OperatorId, PublicKey};

use super::ceremony::FolderReason;
use super::deposit::{DepositLine, DepositReason};
use super::proofs::ProofReason;
use super::signed::CeremonyReason;
use crate::format::deposit;
use crate::format::keyshares::{self, ItemError};
use crate::format::network::Network;
use crate::format::operator_key_text::OperatorKeyTextError;
use crate::format::operators::OperatorsError;
use crate::format::watermark::is_nobody;

/// A check: K on keyshares, D on deposit data, P on proofs, F on the folder of a ceremony. Numbers and ids are stable: they never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Check {
    /// Every item has the fields of the format.
    Structure,
    /// There is a validator, and as many as asked for.
    Count,
    /// The validator public key is a point of the group.
    ValidatorKey,
    /// No validator stands twice.
    Duplicates,
    /// The number of operators is lawful.
    ClusterSize,
    /// Operator ids ascend and none stands twice.
    IdOrder,
    /// `sharesData` has exactly the length that the nodes expect.
    Length,
    /// The share public keys are points of the group, no two the same.
    ShareKeys,
    /// Any t shares make the validator key, and no fewer.
    Degree,
    /// One owner, and the one asked for.
    Owner,
    /// Nonces follow each other and fit into 16 bits.
    Nonces,
    /// The validator key signed owner and nonce.
    Signature,
    /// `data` says what `payload` says.
    Agreement,
    /// Operator keys are usable, and each belongs to one operator.
    OperatorKeys,
    /// One operator has one key in the whole file and in the list that was given.
    OperatorKeysAgree,
    /// Some key can open each sealed share.
    SealedRange,
    /// The network is the one asked for.
    Network,
    /// The provenance beside the file describes this very file.
    Provenance,
    /// Each sealed share opens to its share key: only the operators can tell.
    Opens,
    /// The ceremony whose bundle lies beside the file made these keys, for this owner and these nonces.
    Ceremony,
    /// Every deposit has the fields of the format.
    DepositStructure,
    /// There is a deposit, and as many as asked for.
    DepositCount,
    /// The validator public key is a point of the group.
    DepositKey,
    /// No validator stands twice.
    DepositDuplicates,
    /// Somebody can withdraw with the credentials, and it is who was asked for.
    Credentials,
    /// The amount can be deposited, and is the one asked for.
    Amount,
    /// The fork version is that of a known network, and of the one asked for.
    Fork,
    /// The network's name is that of its fork version.
    NetworkName,
    /// The root of the message, recomputed.
    MessageRoot,
    /// The root of the deposit, recomputed.
    DataRoot,
    /// The validator key signed the deposit.
    DepositSignature,
    /// Every proof has the fields of the format.
    ProofStructure,
    /// As many proofs as a cluster has operators, for as many validators as asked for.
    ProofCount,
    /// The proofs of a validator name that validator, and no other list does.
    ProofValidator,
    /// The share public keys are points of the group, no two the same.
    ProofShareKeys,
    /// One owner, and the one asked for.
    ProofOwner,
    /// The proofs are about the shares of the keyshares file.
    ProofShares,
    /// Each operator signed its proof.
    ProofSignature,
    /// Every validator has its proofs.
    ProofsComplete,
    /// Nothing else lies in the folder of a ceremony.
    Strays,
    /// Every validator's folder has the three files and nothing else.
    Files,
    /// Every file of a validator's folder holds that one validator.
    OneEach,
    /// The folder's name says nonce and key.
    FolderName,
    /// The three files are about one validator.
    OneValidator,
    /// The files for all validators are there exactly when there are several.
    Aggregates,
    /// The files for all validators hold what the single ones hold.
    AggregatesAgree,
}

impl Check {
    /// All checks, in the order in which they are made and shown.
    pub const ALL: [Self; 46] = [
        Self::Structure,
        Self::Count,
        Self::ValidatorKey,
        Self::Duplicates,
        Self::ClusterSize,
        Self::IdOrder,
        Self::Length,
        Self::ShareKeys,
        Self::Degree,
        Self::Owner,
        Self::Nonces,
        Self::Signature,
        Self::Agreement,
        Self::OperatorKeys,
        Self::OperatorKeysAgree,
        Self::SealedRange,
        Self::Network,
        Self::Provenance,
        Self::Opens,
        Self::Ceremony,
        Self::DepositStructure,
        Self::DepositCount,
        Self::DepositKey,
        Self::DepositDuplicates,
        Self::Credentials,
        Self::Amount,
        Self::Fork,
        Self::NetworkName,
        Self::MessageRoot,
        Self::DataRoot,
        Self::DepositSignature,
        Self::ProofStructure,
        Self::ProofCount,
        Self::ProofValidator,
        Self::ProofShareKeys,
        Self::ProofOwner,
        Self::ProofShares,
        Self::ProofSignature,
        Self::ProofsComplete,
        Self::Strays,
        Self::Files,
        Self::OneEach,
        Self::FolderName,
        Self::OneValidator,
        Self::Aggregates,
        Self::AggregatesAgree,
    ];

    /// The stable id.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Structure => "K01",
            Self::Count => "K02",
            Self::ValidatorKey => "K03",
            Self::Duplicates => "K04",
            Self::ClusterSize => "K05",
            Self::IdOrder => "K06",
            Self::Length => "K07",
            Self::ShareKeys => "K08",
            Self::Degree => "K09",
            Self::Owner => "K10",
            Self::Nonces => "K11",
            Self::Signature => "K12",
            Self::Agreement => "K13",
            Self::OperatorKeys => "K14",
            Self::OperatorKeysAgree => "K15",
            Self::SealedRange => "K16",
            Self::Network => "K17",
            Self::Provenance => "K18",
            Self::Opens => "K19",
            Self::Ceremony => "K20",
            Self::DepositStructure => "D01",
            Self::DepositCount => "D02",
            Self::DepositKey => "D03",
            Self::DepositDuplicates => "D04",
            Self::Credentials => "D05",
            Self::Amount => "D06",
            Self::Fork => "D07",
            Self::NetworkName => "D08",
            Self::MessageRoot => "D09",
            Self::DataRoot => "D10",
            Self::DepositSignature => "D11",
            Self::ProofStructure => "P01",
            Self::ProofCount => "P02",
            Self::ProofValidator => "P03",
            Self::ProofShareKeys => "P04",
            Self::ProofOwner => "P05",
            Self::ProofShares => "P06",
            Self::ProofSignature => "P07",
            Self::ProofsComplete => "P08",
            Self::Strays => "F01",
            Self::Files => "F02",
            Self::OneEach => "F03",
            Self::FolderName => "F04",
            Self::OneValidator => "F05",
            Self::Aggregates => "F06",
            Self::AggregatesAgree => "F07",
        }
    }

    /// What holds when it passes.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Structure => "every item has the fields of the format",
            Self::Count => "the number of validators",
            Self::ValidatorKey => "the validator public key is a point of the group",
            Self::Duplicates => "no validator stands twice",
            Self::ClusterSize => "4, 7, 10 or 13 operators",
            Self::IdOrder => "operator ids ascend, none twice",
            Self::Length => "sharesData has exactly the right length",
            Self::ShareKeys => "the share public keys are distinct points of the group",
            Self::Degree => "any t shares make the validator key, and no fewer",
            Self::Owner => "one owner",
            Self::Nonces => "nonces follow each other, up to 65535",
            Self::Signature => "the validator key signed owner and nonce",
            Self::Agreement => "data says what payload says",
            Self::OperatorKeys => "operator keys are usable RSA keys, one an operator",
            Self::OperatorKeysAgree => "each operator has one key everywhere",
            Self::SealedRange => "every sealed share can be a ciphertext",
            Self::Network => "the network",
            Self::Provenance => "provenance.json describes this very file",
            Self::Opens => "every sealed share opens to its share key",
            Self::Ceremony => "the ceremony whose bundle lies beside it made it",
            Self::DepositStructure => "every deposit has the fields of the format",
            Self::DepositCount => "the number of deposits",
            Self::DepositKey => "the validator public key is a point of the group",
            Self::DepositDuplicates => "no validator stands twice",
            Self::Credentials => "withdrawal credentials that somebody can withdraw with",
            Self::Amount => "the amount",
            Self::Fork => "the fork version of the network",
            Self::NetworkName => "the name of the network",
            Self::MessageRoot => "deposit_message_root is the root of the message",
            Self::DataRoot => "deposit_data_root is the root of the deposit",
            Self::DepositSignature => "the validator key signed the deposit",
            Self::ProofStructure => "every proof has the fields of the format",
            Self::ProofCount => "as many proofs as operators",
            Self::ProofValidator => "the proofs of a validator name it, and no others do",
            Self::ProofShareKeys => "the share public keys are distinct points of the group",
            Self::ProofOwner => "one owner",
            Self::ProofShares => "the proofs are about the shares of the keyshares file",
            Self::ProofSignature => "each operator signed its proof",
            Self::ProofsComplete => "every validator has its proofs",
            Self::Strays => "nothing else lies in the folder",
            Self::Files => "every validator's folder has its three files and no others",
            Self::OneEach => "every file in it holds one validator",
            Self::FolderName => "the folder's name says nonce and key",
            Self::OneValidator => "the three files are about one validator",
            Self::Aggregates => "the files for all are there exactly when there are several",
            Self::AggregatesAgree => "the files for all hold what the single ones hold",
        }
    }
}

/// What is wrong.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Reason {
    /// The item cannot be read.
    #[error(transparent)]
    Item(#[from] ItemError),
    /// No validator at all.
    #[error("the file holds no validator")]
    Empty,
    /// Another number than asked for.
    #[error("{found} validators, {wanted} were expected")]
    Count {
        /// How many there are.
        found: usize,
        /// How many there should be.
        wanted: usize,
    },
    /// The public key is no key.
    #[error("the validator public key is {0}")]
    ValidatorKey(PointError),
    /// The validator stands twice.
    #[error("the same validator as number {}", first + 1)]
    Duplicate {
        /// The position of the other, from 0.
        first: usize,
    },
    /// Another file of the same run has other shares of the same key.
    #[error("other shares of the same validator stand in {0}")]
    OtherShares(String),
    /// The validator's deposit is for another network.
    #[error("provenance.json names {named}, the deposit of this validator in {file} is for {found}")]
    DepositElsewhere {
        /// What the provenance says.
        named: String,
        /// What the deposit says.
        found: String,
        /// The file with the deposit.
        file: String,
    },
    /// Not a lawful number.
    #[error(transparent)]
    ClusterSize(#[from] ClusterSizeError),
    /// Ids out of order.
    #[error("operator {1} stands behind {0}; the contract wants them ascending")]
    Unsorted(OperatorId, OperatorId),
    /// An id twice.
    #[error("operator {0} stands twice")]
    RepeatedId(OperatorId),
    /// Wrong length.
    #[error("sharesData has {found} bytes, {wanted} are right for {operators} operators")]
    Length {
        /// How many it has.
        found: usize,
        /// How many it should have.
        wanted: usize,
        /// For how many operators.
        operators: usize,
    },
    /// A share public key is no key.
    #[error("the share public key of operator {operator} is {problem}")]
    ShareKey {
        /// Whose.
        operator: OperatorId,
        /// What is wrong with it.
        problem: PointError,
    },
    /// Two operators have the same share, or one has the validator key itself.
    #[error("the share public key of operator {operator} is the same as {of}")]
    RepeatedShareKey {
        /// Whose.
        operator: OperatorId,
        /// What it is the same as.
        of: SameAs,
    },
    /// The shares are not a sharing of the key.
    #[error(transparent)]
    Sharing(#[from] SharingError),
    /// Not an address.
    #[error("the owner {0:?} is not an address")]
    OwnerForm(String),
    /// The zero address.
    #[error("the owner is the zero address")]
    OwnerZero,
    /// Another owner than the one asked for.
    #[error("the owner is {found}, {wanted} was expected")]
    OwnerDiffers {
        /// What the file says.
        found: Address,
        /// What was asked for.
        wanted: Address,
    },
    /// Another owner than the first item's.
    #[error("the owner is {found}, the first validator's is {first}")]
    OwnersMixed {
        /// What the item says.
        found: Address,
        /// What the first item says.
        first: Address,
    },
    /// Above the nodes' limit.
    #[error("nonce {0} is above 65535, the largest that the nodes know")]
    NonceTooLarge(u64),
    /// Not the next nonce.
    #[error("nonce {found}, {wanted} was expected here")]
    NonceDiffers {
        /// What the item says.
        found: u64,
        /// What it should be.
        wanted: u64,
    },
    /// The signature bytes are no signature.
    #[error("the signature is {0}")]
    SignaturePoint(PointError),
    /// The signature is not of this key over this owner and nonce.
    #[error("the validator key did not sign owner {owner} with nonce {nonce}")]
    Signature {
        /// Which owner.
        owner: Address,
        /// Which nonce.
        nonce: Nonce,
    },
    /// data and payload name different validators.
    #[error("data.publicKey is another validator than payload.publicKey")]
    PublicKeysDiffer,
    /// data and payload name different operators.
    #[error("data.operators are others than payload.operatorIds")]
    OperatorsDiffer,
    /// An operator key cannot be used.
    #[error("the key of operator {operator}: {problem}")]
    OperatorKey {
        /// Whose.
        operator: OperatorId,
        /// What is wrong with it.
        problem: OperatorKeyTextError,
    },
    /// Two operators have the same key.
    #[error("operators {0} and {1} have the same key")]
    SharedKey(OperatorId, OperatorId),
    /// An operator's key differs from the one in another item.
    #[error("operator {0} has another key than in an earlier item")]
    KeyChanges(OperatorId),
    /// An operator's key differs from the one in the list that was given.
    #[error("operator {0} has another key in the list of operators")]
    KeyDiffers(OperatorId),
    /// An operator is not in the list that was given.
    #[error(transparent)]
    OperatorList(#[from] OperatorsError),
    /// Two operators have the same ciphertext.
    #[error("the sealed shares of operators {0} and {1} are the same")]
    RepeatedCiphertext(OperatorId, OperatorId),
    /// A sealed share that stands in another validator's item, too: it cannot be right for both.
    #[error("the sealed share of operator {operator} is that of operator {first} in validator {}", position + 1)]
    CiphertextElsewhere {
        /// Whose it is here.
        operator: OperatorId,
        /// Where it stood before.
        position: usize,
        /// Whose it was there.
        first: OperatorId,
    },
    /// A sealed share that no key opens.
    #[error("the sealed share of operator {0} is no ciphertext")]
    NotACiphertext(OperatorId),
    /// The file was made for another network.
    #[error("made for {found}, {wanted} was expected")]
    NetworkDiffers {
        /// What the provenance says.
        found: String,
        /// What was asked for.
        wanted: Network,
    },
    /// The provenance contradicts itself about the network.
    #[error("provenance.json names {0} with a chain id or contract that is not that network's")]
    NetworkContradiction(String),
    /// The provenance describes this content and says something else about it.
    #[error("provenance.json says something else about the {0}")]
    ProvenanceContradicts(&'static str),
    /// The provenance is about another file of this name.
    #[error("provenance.json describes another content of {0}")]
    OtherContent(String),
    /// Something about the ceremony whose bundle lies beside it.
    #[error(transparent)]
    Signed(#[from] CeremonyReason),
    /// Something about a deposit.
    #[error(transparent)]
    Deposit(#[from] DepositReason),
    /// Something about a proof.
    #[error(transparent)]
    Proof(#[from] ProofReason),
    /// Something about the folder of a ceremony.
    #[error(transparent)]
    Folder(#[from] FolderReason),
}

/// What a share public key is the same as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameAs {
    /// Another operator's.
    Operator(OperatorId),
    /// The validator's: this operator would hold the whole key.
    Validator,
    /// That of the validator at this position: this operator would hold that one's whole key.
    OtherValidator(usize),
}

impl std::fmt::Display for SameAs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Operator(id) => write!(f, "that of operator {id}"),
            Self::Validator => f.write_str("the validator public key: that operator would hold the whole key"),
            Self::OtherValidator(position) => {
                write!(f, "the public key of validator {}: that operator would hold its whole key", position + 1)
            }
        }
    }
}

/// Why a check says neither yes nor no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// Neither the file nor the caller names the owner or the nonce: nothing to check the signature against.
    #[error("neither the file nor the command names the owner and the nonce that were signed")]
    OwnerNonce,
    /// The file names no operator keys, and no list was given.
    #[error("the file names no operator keys, and no list of operators was given")]
    OperatorKeys,
    /// Only the holder of an operator's private key can open a sealed share.
    #[error("only the operators can tell, with `dvkey open`")]
    NeedsOperatorKeys,
    /// A keyshares file names no network.
    #[error("a keyshares file names no network, and no provenance.json beside it names one for it")]
    NoNetwork,
    /// The provenance beside the file is damaged, or of a version that is not known here.
    #[error("the provenance.json beside it cannot be read, or is of a later version")]
    ProvenanceUnclear,
    /// The bundle beside the file cannot be read, and the file has another name than those that ceremonies write.
    #[error("the ceremony's bundle beside it cannot be read")]
    BundleUnreadable,
    /// Proofs name no operators, and nothing else that was given does.
    #[error("proofs do not say whose they are; name the keyshares file, too, or give a list of operators")]
    NoOperatorsForProofs,
    /// No keyshares of this validator were given together with its proofs.
    #[error("no keyshares of the same validator were given")]
    NoKeyshares,
    /// An earlier check failed, so that this one has nothing to look at.
    #[error("an earlier check failed")]
    Blocked,
}

/// How a check ended.
#[derive(Clone, Debug, Default)]
pub struct CheckResult {
    /// How often it held.
    pub held: usize,
    /// Where it did not, and why. The position is that of the validator, from 0; none for the file as a whole.
    pub failures: Vec<(Option<usize>, Reason)>,
    /// Why it could not be made, where it could not.
    pub unknown: Option<Unknown>,
}

/// One validator of the file, as far as it could be read.
#[derive(Clone, Debug)]
pub struct ValidatorLine {
    /// The public key.
    pub public_key: Option<PublicKey>,
    /// The nonce, from the file or from what was asked for.
    pub nonce: Option<u64>,
    /// The operator ids, as written.
    pub operators: Vec<OperatorId>,
    /// Whether any check failed for it.
    pub good: bool,
}

/// The answer about a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every check that can be made holds.
    Valid,
    /// Some check does not hold.
    NotValid,
    /// Nothing is known to be wrong; what would have to be known is missing.
    CannotJudge(Unknown),
}

/// What a report is about, and what is unusual and harmless about it.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A keyshares file.
    Keyshares(Vec<keyshares::Oddity>),
    /// Deposit data: what each deposit says, as far as it could be read.
    Deposits(Vec<Option<DepositLine>>, Vec<deposit::Oddity>),
    /// Proofs.
    Proofs,
    /// The folder of an ssv-dkg ceremony.
    Ceremony(Vec<Option<DepositLine>>, Vec<keyshares::Oddity>, Vec<deposit::Oddity>),
}

/// What was found out about a file, or about a folder as a whole.
#[derive(Clone, Debug)]
pub struct Report {
    /// The answer.
    pub verdict: Verdict,
    /// One result for each check that applies, in order.
    pub checks: Vec<(Check, CheckResult)>,
    /// The validators, in the order of the file.
    pub validators: Vec<ValidatorLine>,
    /// The owner, when there is one.
    pub owner: Option<Address>,
    /// The network that the file, or the provenance beside it, names.
    pub network: Option<String>,
    /// What it is about.
    pub subject: Subject,
}

impl Report {
    /// The result of one check, if it applies.
    #[must_use]
    pub fn result(&self, check: Check) -> Option<&CheckResult> {
        self.checks.iter().find(|(made, _)| *made == check).map(|(_, result)| result)
    }

    /// What is unusual about keyshares.
    #[must_use]
    pub fn keyshares_oddities(&self) -> &[keyshares::Oddity] {
        match &self.subject {
            Subject::Keyshares(oddities) | Subject::Ceremony(_, oddities, _) => oddities,
            Subject::Deposits(..) | Subject::Proofs => &[],
        }
    }

    /// What is unusual about deposit data.
    #[must_use]
    pub fn deposit_oddities(&self) -> &[deposit::Oddity] {
        match &self.subject {
            Subject::Deposits(_, oddities) | Subject::Ceremony(_, _, oddities) => oddities,
            Subject::Keyshares(_) | Subject::Proofs => &[],
        }
    }

    /// What the deposits say, in the order of the validators.
    #[must_use]
    pub fn deposits(&self) -> &[Option<DepositLine>] {
        match &self.subject {
            Subject::Deposits(lines, _) | Subject::Ceremony(lines, _, _) => lines,
            Subject::Keyshares(_) | Subject::Proofs => &[],
        }
    }

    /// Whether it names the account of rehearsals, which nobody has, as owner or for withdrawals.
    #[must_use]
    pub fn is_rehearsal(&self) -> bool {
        let mut lines = self.deposits().iter().flatten();
        self.owner.is_some_and(|owner| is_nobody(&owner))
            || lines.any(|line| line.credentials.address().is_some_and(|address| is_nobody(&address)))
    }

    /// Every failure, with its check.
    pub fn failures(&self) -> impl Iterator<Item = (Check, Option<usize>, &Reason)> {
        self.checks
            .iter()
            .flat_map(|(check, result)| result.failures.iter().map(|(position, reason)| (*check, *position, reason)))
    }
}
