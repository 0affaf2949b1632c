//! Every file of a ceremony from any bytes: what is accepted is one encoding, and who signed nothing is not blamed.
#![no_main]

use std::sync::LazyLock;

use dvkey_ceremony::agdkg::bundle::{self, Bundle};
use dvkey_ceremony::agdkg::card::Card;
use dvkey_ceremony::agdkg::certificate::Certificate;
use dvkey_ceremony::agdkg::certify::SignedCertify;
use dvkey_ceremony::agdkg::complaint::Complaint;
use dvkey_ceremony::agdkg::deal::SignedDeal;
use dvkey_ceremony::agdkg::journal::Journal;
use dvkey_ceremony::agdkg::judge::{Verdict, judge};
use dvkey_ceremony::agdkg::plan::{Plan, Waivers};
use dvkey_ceremony::agdkg::precommit::Precommit;
use dvkey_ceremony::agdkg::words::read_backup_words;
use dvkey_ceremony::auditor::audit;
use dvkey_ceremony::fault::{Culprit, Fault};
use dvkey_ceremony::testing::forge;
use dvkey_ceremony::testing::network::{Run, SEED, Setup};
use dvkey_ceremony::testing::paper_rsa::PaperRsa;
use dvkey_fuzz::Input;
use libfuzzer_sys::fuzz_target;

/// An honest ceremony, whose files are altered.
static HONEST: LazyLock<(Setup, Run)> = LazyLock::new(|| {
    let setup = Setup { proofs: true, ..Setup::ssv(4, 1) };
    let run = setup.run();
    (setup, run)
});

fuzz_target!(|bytes: &[u8]| {
    let (setup, run) = &*HONEST;
    raw(run, bytes);
    altered(setup, run, Input(bytes));
});

/// The bytes as they are, under every reader.
fn raw(run: &Run, bytes: &[u8]) {
    let plan = &run.plan;
    let waivers = Waivers { two_quorums: true, unbound_operators: true };
    match Card::parse(bytes, &PaperRsa) {
        Ok(card) => assert_eq!(card.as_bytes(), bytes),
        Err(fault) => assert_eq!(fault.culprit, Culprit::Nobody),
    }
    match Plan::parse(bytes, waivers, &PaperRsa) {
        Ok(plan) => assert_eq!(plan.parameters().encode().as_deref(), Some(bytes)),
        Err(fault) => assert!(!matches!(fault.culprit, Culprit::Participant(_))),
    }
    unsigned(SignedDeal::parse(plan, bytes).map(|file| file.as_bytes().to_vec()), bytes);
    unsigned(SignedCertify::parse(plan, bytes).map(|file| file.as_bytes().to_vec()), bytes);
    unsigned(Precommit::parse(plan, bytes).map(|file| file.as_bytes().to_vec()), bytes);
    unsigned(Complaint::parse(plan, bytes).map(|file| file.as_bytes().to_vec()), bytes);
    unsigned(Certificate::parse(plan, bytes).map(|file| file.as_bytes().to_vec()), bytes);
    if let Ok(found) = Bundle::parse(bytes) {
        let files = [found.plans, found.deals, found.certifies, found.others].concat();
        assert!(bundle::encode(&files).is_some_and(|again| Bundle::parse(&again).is_ok()));
    }
    assert!(audit(bytes, waivers, &SEED, &PaperRsa).assembled.is_none());
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Journal::parse(text);
        let _ = read_backup_words(text);
    }
}

fn unsigned(parsed: Result<Vec<u8>, Fault>, bytes: &[u8]) {
    match parsed {
        Ok(file) => assert_eq!(file, bytes),
        Err(fault) => assert_eq!(fault.culprit, Culprit::Nobody, "{fault}"),
    }
}

/// A file of the second participant, altered at a few places and signed again: it can blame itself and nobody else.
fn altered(setup: &Setup, run: &Run, mut input: Input<'_>) {
    let plan = &run.plan;
    let author = plan.participants()[1].id;
    let identity = setup.identity(1);
    let kind = input.byte();
    let edits: Vec<_> = (0..input.byte() % 4).map(|_| (input.array::<2>(), input.byte())).collect();
    let change = |body: &mut Vec<u8>| {
        for (at, xor) in &edits {
            let length = body.len();
            body[usize::from(u16::from_be_bytes(*at)) % length] ^= xor;
        }
    };
    let own_or_nobody = |fault: Fault| match fault.culprit {
        Culprit::Participant(culprit) => assert_eq!(culprit, author, "{fault}"),
        Culprit::CardOf(_) | Culprit::Coalition => panic!("{fault}"),
        Culprit::Nobody | Culprit::Organizer | Culprit::Undecided => {}
    };
    let honest = run.deals.of(author).expect("the second dealt");
    match kind % 3 {
        0 => {
            let file = forge::changed_deal(&identity, plan, honest.as_bytes(), change);
            let opened = SignedDeal::parse(plan, &file).and_then(|deal| deal.open(plan));
            if let Err(fault) = opened.and_then(|deal| deal.check_exactly(None)) {
                own_or_nobody(fault);
            }
        }
        1 => {
            let mut files = run.certifies.iter().filter(|file| file.sender() == author);
            let file = files.next().expect("the second certified");
            let file = forge::changed(&identity, file.as_bytes(), change);
            let outputs = &run.assembled.outputs;
            if let Err(fault) = SignedCertify::parse(plan, &file).and_then(|file| file.open(plan, outputs)) {
                own_or_nobody(fault);
            }
        }
        _ => {
            // Complaints about an honest deal: the dealer is never found guilty.
            let body = [&b"AGDKG1CP"[..], plan.hash(), &author.get().to_be_bytes(), &author.get().to_be_bytes()].concat();
            let mut body = [&body[..], honest.hash(), &[0, 0]].concat();
            body.extend(honest.as_bytes()[48..96].iter().chain(&honest.as_bytes()[48..96]));
            body.extend(honest.as_bytes()[96..144].iter().chain(&honest.as_bytes()[144..176]));
            change(&mut body);
            let verdict = judge(plan, honest.as_bytes(), &forge::signed(&identity, &body));
            assert!(matches!(verdict, Verdict::ComplainerGuilty(_) | Verdict::Invalid(_)), "{verdict:?}");
        }
    }
}
