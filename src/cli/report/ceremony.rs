//! The errors of ceremonies: who is waited for, who is at fault, what a tired person does next.

use dvkey_ceremony::Identifier;
use dvkey_ceremony::agdkg::plan::Plan;
use dvkey_ceremony::fault::{Check, Code as Blame, Culprit, Fault};

use super::Failure;
use crate::cli::codes::Code;
use crate::cli::ui::words::printable;
use crate::store::ceremony_dir::CeremonyDirError;
use crate::store::read::ReadError;
use crate::workflow::ceremony::collection::End;
use crate::workflow::ceremony::draft::DraftError;
use crate::workflow::ceremony::{CeremonyError, Missing};

/// How a participant is named: `Bravo (34)`.
pub(crate) fn named(plan: Option<&Plan>, id: Identifier) -> String {
    match plan.and_then(|plan| plan.participant(id.get())) {
        Some(one) if !one.card.label().is_empty() => format!("{} ({id})", printable(one.card.label())),
        _ => format!("participant {id}"),
    }
}

/// Several of them: `Bravo (34), Carol (56)`.
pub(crate) fn all_named(plan: Option<&Plan>, ids: &[Identifier]) -> String {
    ids.iter().map(|id| named(plan, *id)).collect::<Vec<_>>().join(", ")
}

impl Failure {
    /// An error of a ceremony. With the plan, participants have names.
    pub(crate) fn ceremony(error: &CeremonyError, plan: Option<&Plan>) -> Self {
        let failure = |code| Self::new(code, error.to_string());
        match error {
            CeremonyError::Fault(fault) => Self::fault(fault, plan),
            CeremonyError::Ended(end) => Self::ended(end, plan),
            CeremonyError::Dir(error) => Self::ceremony_dir(error),
            CeremonyError::Read(error) => Self::read(Code::FileUnreadable, error),
            CeremonyError::Write(error) => Self::write_once(error),
            CeremonyError::Randomness(_) => failure(Code::MachineRandomness),
            CeremonyError::NoPlan => Self::new(Code::CeremonyPlan, "no plan is here")
                .hint("put the organizer's plan file into the inbox, or name it"),
            CeremonyError::SeveralPlans(plans) => {
                let mut failure = failure(Code::CeremonyPlan).hint("name the one that is meant with --plan FILE");
                failure.causes = plans.iter().map(|(hash, path, title)| format!("{hash}  {path}  {title}")).collect();
                failure
            }
            CeremonyError::OldPlan => failure(Code::CeremonyPlan)
                .hint("a folder goes from plan to plan and never back; ask the organizer for a new plan"),
            CeremonyError::Waiting { what, from } => Self::waiting(*what, from, plan),
            CeremonyError::OtherDeal { complainer, accused } => Self::other_deal(*complainer, *accused, plan),
            CeremonyError::OtherDeals(from) => Self::other_deals(from, plan),
            CeremonyError::CertifiedBefore => failure(Code::CeremonyCertifiedBefore)
                .cause("this folder was made from words or of a copied vault, or is older than files that you sent: another journal may know more")
                .hint("put your own earlier certify file into the inbox; if there is none, run the same with --never-certified"),
            CeremonyError::NoOperatorKey | CeremonyError::OtherOperatorKey(_) => {
                failure(Code::CeremonyOperator).hint("give the operator's private key with --operator-key FILE")
            }
            CeremonyError::OperatorKey(id, error) => {
                Self::new(Code::CeremonyOperator, format!("the key of operator {id} cannot be used: {error}"))
            }
            CeremonyError::Root(_) => Self::new(Code::CeremonyWords, error.to_string())
                .hint("24 words of the English list, in their order; each word's first four letters tell it apart"),
            CeremonyError::Passphrase => failure(Code::PasswordEncoding),
            CeremonyError::Draft(error) => Self::draft(error),
            CeremonyError::Nonce => failure(Code::NonceTooLarge),
            CeremonyError::OtherNonce { .. } => failure(Code::CeremonyPlan),
            CeremonyError::Keystore(error) => Self::recover(error),
            CeremonyError::RehearsalOnMainnet => failure(Code::CeremonyRehearsal),
            CeremonyError::NoSuchCheat => {
                failure(Code::CeremonyRehearsal).hint("`dvkey ceremony rehearse --help` lists them")
            }
            CeremonyError::Moved(_) => {
                failure(Code::OutputFailed).hint("the files were made whole; if the folder was moved, they are in it")
            }
            CeremonyError::Json(_) | CeremonyError::ReadBack(_) => failure(Code::InternalSelfCheck)
                .hint("the disk or the memory of this machine may be failing; nothing was published"),
            CeremonyError::NotValid(_, report) => {
                failure(Code::InternalSelfCheck).hint("nothing was published; please report this").failures(report)
            }
        }
    }

    fn ceremony_dir(error: &CeremonyDirError) -> Self {
        match error {
            CeremonyDirError::NoVault(_) => Self::new(Code::CeremonyFolder, error.to_string())
                .hint("`dvkey ceremony identity new FOLDER` makes one; --from-words brings a lost one back"),
            CeremonyDirError::VaultThere(_) => {
                Self::new(Code::CeremonyFolder, error.to_string()).hint("nothing is replaced; choose another folder")
            }
            CeremonyDirError::Read(ReadError::PermissionDenied { .. }) => {
                Self::new(Code::OutputPermission, error.to_string())
            }
            CeremonyDirError::Read(error) => Self::read(Code::FileUnreadable, error),
            CeremonyDirError::Write(error) => {
                let mut failure = Self::write(error);
                failure.hint = Some(
                    "nothing is lost and nothing is half-written: make room, or give permission, and run it again"
                        .to_owned(),
                );
                failure
            }
            CeremonyDirError::ReadBack(_) => Self::new(Code::InternalSelfCheck, error.to_string())
                .hint("the disk or the memory of this machine may be failing; use another one"),
        }
    }

    pub(crate) fn waiting(what: Missing, from: &[Identifier], plan: Option<&Plan>) -> Self {
        Self::new(Code::CeremonyWaiting, format!("waiting for the {what} of {}", all_named(plan, from)))
            .hint("put them into the inbox or onto the stick, under any names, and run it again")
    }

    /// A complaint about a deal that is not the one here.
    pub(crate) fn other_deal(complainer: Identifier, accused: Identifier, plan: Option<&Plan>) -> Self {
        let (who, about) = (named(plan, complainer), named(plan, accused));
        let headline = format!("{who} complains about a deal of {about} that is not the one that is here (C-79)");
        Self::new(Code::CeremonyWaiting, headline)
            .cause("two deals of one participant prove that it cheats; until that is known, nobody certifies")
            .hint(format!(
                "have {who} bring the deal of {about} that it was sent; if {who} has none to show, ask why, and make a new plan"
            ))
    }

    fn other_deals(from: &[Identifier], plan: Option<&Plan>) -> Self {
        let who = all_named(plan, from);
        let has = if from.len() == 1 { "has" } else { "have" };
        let headline = format!("{who} certified other deals than those that are here (C-54, E20)");
        Self::new(Code::CeremonyUndecided, headline)
            .cause("a dealer showed two faces, or whoever wrote that certify file is wrong")
            .hint(format!(
                "get the deals that {who} {has}, and find the one that differs:\ndvkey ceremony compare HERE THEIRS"
            ))
    }

    /// A numbered check that refused.
    pub(crate) fn fault(fault: &Fault, plan: Option<&Plan>) -> Self {
        let place = fault.validator.map(|v| format!(", validator {}", u32::from(v) + 1)).unwrap_or_default();
        let says = format!("{} (C-{:02}, {}{place})", fault.check.refusal(), fault.check.number(), fault.code());
        let code = match (fault.code(), fault.culprit) {
            _ if fault.check == Check::OwnWork => Code::InternalSelfCheck,
            (Blame::E01, _) => Code::CeremonyWaiting,
            (Blame::E02 | Blame::E03 | Blame::E04, _) => Code::CeremonyFile,
            (Blame::E05 | Blame::E06 | Blame::E07 | Blame::E08 | Blame::E09, _) => Code::CeremonyPlan,
            (Blame::E40, _) => Code::CeremonyVault,
            (Blame::E41, _) => Code::CeremonyWords,
            (_, Culprit::Participant(_)) => Code::CeremonyFault,
            _ => Code::CeremonyUndecided,
        };
        let headline = match fault.culprit {
            Culprit::Participant(id) if code == Code::CeremonyFault => {
                format!("{} is at fault: {says}", named(plan, id))
            }
            Culprit::Participant(id) => format!("{}: {says}", named(plan, id)),
            Culprit::CardOf(id) => format!("the card of {}: {says}", named(plan, id)),
            _ if fault.check == Check::ComplaintShare => "every share that was sent to me is right".to_owned(),
            _ => says,
        };
        let failure = Self::new(code, headline);
        match advice(fault) {
            "" => failure,
            advice => failure.hint(advice),
        }
    }

    fn ended(end: &End, plan: Option<&Plan>) -> Self {
        let mut failure = Self::fault(&end.fault, plan);
        if let (Check::DealShare, Culprit::Participant(id)) = (end.fault.check, end.fault.culprit) {
            // Not my share, perhaps: a complaint of somebody proves it to all.
            failure.headline = format!(
                "{} is at fault: it sent a wrong share, and a complaint proves it (C-38, E15)",
                named(plan, id)
            );
            failure.hint =
                Some("stop; show the evidence to all; the organizer makes a new plan without them".to_owned());
        }
        if !end.evidence.is_empty() {
            failure = failure.cause("anybody can check this from the signed files");
        }
        failure
    }

    fn draft(error: &DraftError) -> Self {
        let failure = Self::new(Code::CeremonyPlan, error.to_string());
        match error {
            DraftError::NoThreshold => Self::missing("the threshold", "--threshold, or --owner and --nonce for the SSV Network"),
            DraftError::NoOperator(_) => failure.hint(
                "`dvkey ceremony identity bind` binds a card to its operator; on a test network say ID=CARD with --allow-unbound",
            ),
            DraftError::Twice(_) => failure.hint("each participant has one card in the plan; leave the other out"),
            _ => failure,
        }
    }
}

/// What helps.
fn advice(fault: &Fault) -> &'static str {
    match fault.code() {
        _ if fault.check == Check::OwnWork => {
            "use another machine; this one computed something wrong, and wrote nothing"
        }
        _ if fault.check == Check::ComplaintShare => "there is nothing to complain about",
        Blame::E02 => "ask for the file again, on another medium",
        Blame::E03 => "compare the plan words with whoever sent it",
        Blame::E05 => "do not accept this plan; tell the organizer",
        Blame::E06 | Blame::E07 | Blame::E08 => "this plan cannot be used; the organizer makes a new one",
        Blame::E09 => "a newer version of dvkey may know this kind of plan",
        Blame::E10 | Blame::E11 | Blame::E12 | Blame::E13 => {
            "stop; show the evidence to all; the organizer makes a new plan without them"
        }
        Blame::E15 if fault.check == Check::DealShare => {
            "`dvkey ceremony complain FOLDER` writes the proof of it, which everybody can judge"
        }
        Blame::E16 => "stop; the group makes a new plan, with --precommit",
        Blame::E20 => "bring both sets of deals together: `dvkey ceremony compare` finds the one that differs",
        Blame::E21 | Blame::E22 | Blame::E23 => {
            "its author writes the file again, on another machine; if it is wrong again, make a new plan"
        }
        Blame::E30 if fault.check == Check::JournalTranscript => {
            "an older state of this folder was brought back, or somebody shows two faces: compare the deals"
        }
        Blame::E30 if fault.check == Check::JournalForm => {
            "bring the journal back from a copy, or make the folder again from the words"
        }
        Blame::E40 => "check the passphrase; the 24 words bring a lost vault back",
        Blame::E41 => "check each word against the paper",
        _ => "",
    }
}
