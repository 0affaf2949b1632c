//! What can be wrong with a ceremony: the numbered checks of SPEC section 12, their codes, and who is to blame.

use std::fmt;

use crate::identifier::Identifier;

/// The codes of the blame table (SPEC section 13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// A file is missing.
    E01,
    /// Damaged on the way: length, signature, armour.
    E02,
    /// Made for another plan.
    E03,
    /// From somebody who is not in the plan.
    E04,
    /// My own card is not in the plan, or wrongly.
    E05,
    /// A card is invalid, or keys stand twice.
    E06,
    /// The binding to an RSA operator key is wrong.
    E07,
    /// The plan breaks a rule.
    E08,
    /// The plan asks for what this version does not do.
    E09,
    /// Two different deals of one sender.
    E10,
    /// A deal that does not match its pre-commit.
    E11,
    /// A signed deal with a bad point or scalar.
    E12,
    /// A proof of knowledge in a deal is wrong.
    E13,
    /// Reshare: the constant term is not the old share (reserved).
    E14,
    /// My share from a dealer is wrong.
    E15,
    /// A sum degenerates.
    E16,
    /// A certify file for another set of deals.
    E20,
    /// A certify file with other outputs from the same deals.
    E21,
    /// A certify file with a false signature or proof inside.
    E22,
    /// A false operator proof.
    E23,
    /// The operator's node cannot decrypt its share (seen after registration).
    E24,
    /// The journal knows of another certified transcript.
    E30,
    /// An invalid complaint.
    E31,
    /// A wrong passphrase, or a damaged vault.
    E40,
    /// Words that do not give the card's keys.
    E41,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// How far an accusation carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// Nobody is accused.
    None,
    /// I know it, and can prove it only by a complaint.
    Mine,
    /// Anybody can check it from signed files.
    Public,
}

/// Who is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Culprit {
    /// Nobody: the medium, or chance.
    Nobody,
    /// Whoever wrote the plan.
    Organizer,
    /// The author of this participant's card, or whoever put it into the plan.
    CardOf(Identifier),
    /// This participant.
    Participant(Identifier),
    /// Several participants together, none of them provably.
    Coalition,
    /// Me, or somebody who showed two faces: the files decide.
    Undecided,
}

macro_rules! checks {
    ($($name:ident = $number:literal $code:ident $says:literal;)*) => {
        /// The numbered checks. Each refuses with one code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Check {
            $(#[doc = $says] $name,)*
        }

        impl Check {
            /// Every check, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The number in SPEC section 12.
            #[must_use]
            pub fn number(self) -> u8 {
                match self { $(Self::$name => $number,)* }
            }

            /// The code of its refusal.
            #[must_use]
            pub fn code(self) -> Code {
                match self { $(Self::$name => Code::$code,)* }
            }

            /// What does not hold when it refuses.
            #[must_use]
            pub fn refusal(self) -> &'static str {
                match self { $(Self::$name => $says,)* }
            }
        }
    };
}

checks! {
    CardForm = 1 E06 "the card has not the form of a card";
    CardKeys = 2 E06 "a key or a number of the card is not one";
    CardSignature = 3 E06 "the card's signature is wrong";
    CardProof = 4 E06 "the card does not prove that its author can decrypt";
    BindingKey = 5 E07 "the operator key of the card is not a lawful RSA key in its one encoding";
    BindingSignature = 6 E07 "the operator's RSA key did not sign this card";

    PlanForm = 10 E02 "the plan is damaged";
    PlanKind = 11 E09 "the plan asks for a ceremony that this version does not do";
    PlanFlags = 12 E08 "the plan has unknown flags";
    PlanLimits = 13 E08 "the threshold or a count of the plan is not allowed";
    PlanEntries = 14 E08 "the participants of the plan are not in order, or have roles of another ceremony";
    PlanDuplicateKeys = 15 E06 "two participants of the plan have the same key";
    PlanSsv = 16 E08 "the plan is not one for an SSV cluster";
    PlanBinding = 17 E07 "a participant's card is not bound to the operator that the plan names";
    PlanAmounts = 18 E08 "an amount of the plan is not one that the deposit contract takes";
    PlanCredentials = 19 E08 "withdrawal credentials of the plan have another form than 0x01 or 0x02 and an address";
    PlanNetwork = 20 E08 "the plan's fork version and chain id are not those of one known network";
    PlanNonce = 21 E08 "the plan's nonces leave the range of a nonce";
    PlanMine = 22 E05 "my card is not in the plan, or not as it is";

    PrecommitMissing = 24 E01 "the plan asks for pre-commits, and one is missing";
    PrecommitForm = 25 E02 "the pre-commit is damaged";
    PrecommitPlan = 26 E03 "the pre-commit was made for another plan";
    PrecommitSender = 27 E04 "the pre-commit is from somebody who is not in the plan";
    PrecommitSignature = 28 E02 "the pre-commit is damaged or forged: its signature is wrong";
    PrecommitMatch = 29 E11 "the deal is not the one that was committed to";

    DealPlan = 30 E03 "the deal was made for another plan";
    DealSender = 31 E04 "the deal is from somebody who is not in the plan";
    DealLength = 32 E02 "the deal has not the length that the plan gives it";
    DealSignature = 33 E02 "the deal is damaged or forged: its signature is wrong";
    DealTwice = 34 E10 "one sender signed two different deals";
    DealDecode = 35 E12 "a point or a number of the signed deal is not one";
    DealEphemeral = 36 E13 "the deal does not prove that its author knows the ephemeral key";
    DealConstant = 37 E13 "the deal does not prove that its author knows what it contributes to a key";
    DealShare = 38 E15 "my share does not match the dealer's commitments";
    DealMissing = 39 E01 "a deal is missing";

    OutputCoefficient = 40 E16 "a coefficient of a key's polynomial vanishes";
    OutputShareKey = 41 E16 "a share public key vanishes";
    OutputDistinct = 42 E16 "two validators have the same key";
    OutputSelfTest = 43 E16 "the share public keys do not make the validator key";

    CertifyPlan = 50 E03 "the certify file was made for another plan";
    CertifySender = 51 E04 "the certify file is from somebody who is not in the plan";
    CertifyLength = 52 E02 "the certify file has not the length that the plan gives it";
    CertifySignature = 53 E02 "the certify file is damaged or forged: its signature is wrong";
    CertifyTranscript = 54 E20 "the certify file was made from other deals";
    CertifyOutputs = 55 E21 "the certify file names other keys for the same deals";
    CertifyCertSignature = 56 E22 "the certificate signature inside the certify file is wrong";
    CertifyDecode = 57 E22 "a point or a number of the signed certify file is not one";
    CertifyPossession = 58 E22 "the certify file does not prove that its author has its shares";
    CertifyPartial = 59 E22 "a partial signature is wrong";
    CertifyProof = 60 E23 "an operator proof is wrong";
    CertifyMissing = 61 E01 "a certify file is missing";

    CertificateForm = 65 E02 "the certificate is damaged";
    CertificatePlan = 66 E03 "the certificate was made for another plan";
    CertificateTranscript = 67 E20 "the certificate is for other deals";
    CertificateOutputs = 68 E21 "the certificate names other keys for the same deals";
    CertificateHolders = 69 E02 "the certificate does not list every participant in order";
    CertificateSignature = 70 E02 "a signature of the certificate is wrong";
    CombinedSignature = 71 E22 "the partial signatures do not make a signature of the validator key";

    ComplaintForm = 75 E31 "the complaint is damaged";
    ComplaintPlan = 76 E03 "the complaint belongs to another plan";
    ComplaintParties = 77 E31 "the complaint names somebody who is not in the plan, or a validator beyond it";
    ComplaintSignature = 78 E31 "the complaint is damaged or forged: its signature is wrong";
    ComplaintDeal = 79 E31 "the complaint is about another deal";
    ComplaintProof = 80 E31 "the complaint does not prove its shared value";
    ComplaintShare = 81 E31 "the share that the complaint opens is right";

    BundleForm = 85 E02 "the bundle is damaged";
    VaultForm = 86 E40 "the vault is damaged, or asks for an unlawful amount of work";
    VaultSeal = 87 E40 "the passphrase is wrong, or the vault is damaged";
    WordsForm = 88 E41 "these are not 24 words of the list with a right checksum";
    WordsCard = 89 E41 "the words give other keys than the card has";
    JournalForm = 90 E30 "the journal is damaged, or a line was taken out";
    JournalTranscript = 91 E30 "another transcript of this plan was certified before";
    JournalComplained = 92 E30 "who complained must not certify, and who certified must not complain";
    RecoveryShare = 94 E15 "a recovered share does not match its public key";
    OwnWork = 95 E16 "my own file does not pass the checks that others make: a fault of this machine";
}

/// A check that refused, and whom that accuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {} (C-{:02})", .check.code(), .check.refusal(), .check.number())]
pub struct Fault {
    /// Which check.
    pub check: Check,
    /// Who is to blame.
    pub culprit: Culprit,
    /// At which validator of the batch, counted from 0, where that is known.
    pub validator: Option<u16>,
}

impl Fault {
    /// A fault that accuses nobody.
    #[must_use]
    pub fn nobody(check: Check) -> Self {
        Self::new(check, Culprit::Nobody)
    }

    /// A fault of somebody.
    #[must_use]
    pub fn new(check: Check, culprit: Culprit) -> Self {
        Self { check, culprit, validator: None }
    }

    /// A fault of a participant.
    #[must_use]
    pub fn of(check: Check, participant: Identifier) -> Self {
        Self::new(check, Culprit::Participant(participant))
    }

    /// The same, at one validator.
    #[must_use]
    pub fn at(self, validator: u16) -> Self {
        Self { validator: Some(validator), ..self }
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.check.code()
    }

    /// How far the accusation carries.
    #[must_use]
    pub fn strength(&self) -> Strength {
        match (self.culprit, self.code()) {
            // Whoever is missing is named, and not blamed: the file may lie on somebody else's desk.
            (Culprit::Nobody | Culprit::Coalition | Culprit::Undecided, _) | (_, Code::E01) => Strength::None,
            (_, Code::E15) => Strength::Mine,
            _ => Strength::Public,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_rise() {
        assert!(Check::ALL.is_sorted_by(|a, b| a.number() < b.number()));
    }

    #[test]
    fn the_spec_lists_every_check_and_no_other() {
        let listed: Vec<_> =
            include_str!("../SPEC.md").lines().filter(|line| line.starts_with("| C-")).map(str::to_owned).collect();
        let row = |check: &Check| format!("| C-{:02} | {} | {} |", check.number(), check.code(), check.refusal());
        assert_eq!(listed, Check::ALL.iter().map(row).collect::<Vec<_>>());
    }

    #[test]
    fn a_fault_says_code_and_check() {
        let fault = Fault::of(Check::DealConstant, Identifier::try_from(7).unwrap()).at(3);
        assert!(fault.to_string().starts_with("E13: the deal does not prove"));
        assert!(fault.to_string().ends_with("(C-37)"));
        assert_eq!(fault.strength(), Strength::Public);
        assert_eq!(Fault::nobody(Check::DealLength).strength(), Strength::None);
        let seven = |check| Fault::of(check, Identifier::try_from(7).unwrap()).strength();
        assert_eq!(seven(Check::DealShare), Strength::Mine);
        for check in [Check::DealMissing, Check::PrecommitMissing, Check::CertifyMissing] {
            assert_eq!(seven(check), Strength::None);
        }
        for culprit in [Culprit::Coalition, Culprit::Undecided] {
            assert_eq!(Fault::new(Check::CertifyTranscript, culprit).strength(), Strength::None);
        }
    }
}
