//! What the files of one run say about each other: one deposit a validator, one network, the same validators, the same shares.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use dvkey_ceremony::PublicKey;

use super::check::{Check, Reason, Report, Subject, Verdict};
use super::deposit::{DepositLine, DepositReason};
use super::proofs::ProofReason;
use super::{Findings, Found, Outcome, Strays};
use crate::format::keyshares::Payload;

/// Adds to the reports of `findings` what does not agree between them. `looked` is what they are about, in the same order.
pub(super) fn compare(looked: &[(Vec<Found>, Strays)], findings: &mut [Findings]) {
    let mut deposits = Deposits::default();
    for report in reports(findings).filter(|(_, report)| has_deposits(report)) {
        deposits.compare(report);
    }
    for (file, report) in reports(findings).filter(|(_, report)| matches!(report.subject, Subject::Keyshares(_))) {
        let Some(named) = report.network.clone() else { continue };
        let other = keys(report).find_map(|(position, key)| {
            let earlier = deposits.earlier.get(&key).filter(|earlier| earlier.network != named)?;
            Some((position, earlier.network.clone(), earlier.file.clone()))
        });
        if let Some((position, found, in_file)) = other.filter(|(_, _, in_file)| in_file != file) {
            fail(report, Check::Network, Some(position), Reason::DepositElsewhere { named, found, file: in_file });
        }
    }
    same_shares(looked, findings);
    for of_one_path in findings {
        same_validators(of_one_path);
    }
}

fn reports(findings: &mut [Findings]) -> impl Iterator<Item = (&String, &mut Report)> {
    findings.iter_mut().flat_map(|findings| &mut findings.answers).filter_map(|answer| match &mut answer.outcome {
        Outcome::Judged(report) => Some((&answer.file, &mut **report)),
        Outcome::CannotJudge(_) => None,
    })
}

fn has_deposits(report: &Report) -> bool {
    matches!(report.subject, Subject::Deposits(..) | Subject::Ceremony(..))
}

fn keys(report: &Report) -> impl Iterator<Item = (usize, PublicKey)> {
    report.validators.iter().enumerate().filter_map(|(position, line)| Some((position, line.public_key?)))
}

fn fail(report: &mut Report, check: Check, position: Option<usize>, reason: impl Into<Reason>) {
    if !report.checks.iter().any(|(made, _)| *made == check) {
        report.checks.push((check, super::check::CheckResult::default()));
        report.checks.sort_by_key(|(check, _)| *check);
    }
    if let Some((_, result)) = report.checks.iter_mut().find(|(made, _)| *made == check) {
        result.held = result.held.saturating_sub(1);
        result.failures.push((position, reason.into()));
    }
    if let Some(line) = position.and_then(|position| report.validators.get_mut(position)) {
        line.good = false;
    }
    report.verdict = Verdict::NotValid;
}

/// What a file says about one validator.
#[derive(Clone)]
struct Deposit {
    network: String,
    file: String,
    line: Option<DepositLine>,
    of_ceremony: bool,
}

impl Deposit {
    /// A validator's folder of a ceremony, and the file for all validators beside it, name the same deposit twice.
    fn is_the_same_twice(&self, other: &Self) -> bool {
        let beside = || Path::new(&self.file).parent() == Path::new(&other.file).parent();
        self.of_ceremony != other.of_ceremony && self.line == other.line && self.network == other.network && beside()
    }
}

/// The deposits of the files so far.
#[derive(Default)]
struct Deposits {
    /// Each validator's.
    earlier: HashMap<PublicKey, Deposit>,
    /// The network of the first file, and that file.
    first: Option<(String, String)>,
}

impl Deposits {
    /// A second deposit only adds to the first, wherever it stands; and nobody stakes on two networks at once by intention.
    fn compare(&mut self, (file, report): (&String, &mut Report)) {
        let network = report.network.clone().unwrap_or_default();
        let mut repeated = Vec::new();
        let of_ceremony = matches!(report.subject, Subject::Ceremony(..));
        for (position, key) in keys(report) {
            let line = report.deposits().get(position).copied().flatten();
            let deposit = Deposit { network: network.clone(), file: file.clone(), line, of_ceremony };
            match self.earlier.get(&key) {
                // The same path named twice is one file.
                Some(other) if other.file == *file || other.is_the_same_twice(&deposit) => {}
                Some(other) => repeated.push((position, other.file.clone())),
                None => drop(self.earlier.insert(key, deposit)),
            }
        }
        for (position, other) in repeated {
            fail(report, Check::DepositDuplicates, Some(position), DepositReason::InOtherFile(other));
        }
        let Some(found) = report.network.clone() else { return };
        let (first, other) = self.first.get_or_insert_with(|| (found.clone(), file.clone()));
        if *first != found {
            let reason = DepositReason::OtherNetworkInFile { found, first: first.clone(), file: other.clone() };
            fail(report, Check::Fork, None, reason);
        }
    }
}

/// Two sets of shares of one key: operators of both could make it, and only one set can be registered.
fn same_shares(looked: &[(Vec<Found>, Strays)], findings: &mut [Findings]) {
    let mut first: HashMap<&[u8], (&str, &Payload)> = HashMap::new();
    for ((found, _), findings) in looked.iter().zip(findings) {
        for (found, answer) in found.iter().zip(&mut findings.answers) {
            let Outcome::Judged(report) = &mut answer.outcome else { continue };
            for (position, item) in found.seen.positions() {
                let payload = &item.payload;
                let (file, earlier) = *first.entry(&payload.public_key).or_insert((&found.file, payload));
                let same = earlier.operator_ids == payload.operator_ids && earlier.shares_data == payload.shares_data;
                if !same && file != found.file {
                    fail(report, Check::Duplicates, Some(position), Reason::OtherShares(file.to_owned()));
                }
            }
        }
    }
}

/// Keyshares, deposit data and proofs in one folder belong together.
fn same_validators(folder: &mut Findings) {
    let of = |folder: &mut Findings, fits: fn(&Subject) -> bool| -> BTreeSet<PublicKey> {
        let all = reports(std::slice::from_mut(folder)).filter(|(_, report)| fits(&report.subject));
        all.flat_map(|(_, report)| keys(report).map(|(_, key)| key).collect::<Vec<_>>()).collect()
    };
    let shared = of(folder, |subject| matches!(subject, Subject::Keyshares(_)));
    let deposited = of(folder, |subject| matches!(subject, Subject::Deposits(..)));
    let proved = of(folder, |subject| matches!(subject, Subject::Proofs));
    if shared.is_empty() {
        return;
    }
    let mut blame = |fits: fn(&Subject) -> bool, check, reason: Reason| {
        let mut all = reports(std::slice::from_mut(folder));
        if let Some((_, report)) = all.find(|(_, report)| fits(&report.subject)) {
            fail(report, check, None, reason);
        }
    };
    if !deposited.is_empty() && shared != deposited {
        let reason = DepositReason::OtherValidators {
            deposits: deposited.difference(&shared).count(),
            keyshares: shared.difference(&deposited).count(),
        };
        blame(|subject| matches!(subject, Subject::Deposits(..)), Check::DepositCount, reason.into());
    }
    // A proof without keyshares is another matter: it is compared with those of the other paths.
    if !proved.is_empty() {
        for unproved in shared.difference(&proved) {
            let reason = ProofReason::Missing(Box::new(*unproved));
            blame(|subject| matches!(subject, Subject::Proofs), Check::ProofsComplete, reason.into());
        }
    }
}
