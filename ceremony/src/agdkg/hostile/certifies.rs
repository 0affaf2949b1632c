//! Checks C-50 to C-71.

use super::{id, put, refuses};
use crate::address::Address;
use crate::agdkg::certificate::Certificate;
use crate::agdkg::certify::{Certifies, MAX_FILES_OF_ONE, Signed, SignedCertify, certify_bytes, proof_of};
use crate::agdkg::outputs::{assemble, combine};
use crate::agdkg::plan::{Plan, PlanDraft};
use crate::agdkg::transcript::{Deals, Outputs};
use crate::deposit::{Gwei, WithdrawalCredentials};
use crate::fault::{Check, Culprit, Fault};
use crate::message::OwnerNonce;
use crate::participant::Dealt;
use crate::testing::forge;
use crate::testing::network::{Run, SEED, Setup};
use crate::testing::paper_rsa::PaperRsa;

const SECOND: u64 = 84;
const TRANSCRIPT: usize = 48;
const ROOT: usize = 80;
const CERT_SIGNATURE: usize = 112;
const POSSESSION: usize = 176;
const VALIDATORS: usize = 256;

fn setup() -> Setup {
    Setup { proofs: true, ..Setup::ssv(4, 2) }
}

fn file_of(run: &Run, who: u64) -> &SignedCertify {
    run.certifies.iter().find(|file| file.sender() == id(who)).unwrap()
}

/// The second's certify file, changed by its author.
fn changed(run: &Run, change: impl FnOnce(&mut Vec<u8>)) -> Result<SignedCertify, Fault> {
    let file = forge::changed(&setup().identity(1), file_of(run, SECOND).as_bytes(), change);
    SignedCertify::parse(&run.plan, &file)
}

fn with(run: &Run, file: SignedCertify) -> Certifies {
    let mut files = Certifies::default();
    run.certifies.iter().filter(|one| one.sender() != file.sender()).for_each(|one| files.insert(one.clone()));
    files.insert(file);
    files
}

/// What every consumer says: the one who assembles, and the participants who want their shares.
#[track_caller]
fn consumers_refuse(mut run: Run, files: &Certifies, check: Check, culprit: Culprit) {
    let assembled = assemble(&run.plan, &run.deals, &[], files, &SEED, &PaperRsa);
    refuses(assembled.map(|_| ()), check, culprit);
    let refused = run.certified.remove(0).finish(&run.certificate, files, &SEED, &PaperRsa);
    refuses(refused.map(|_| ()).map_err(|refused| refused.fault), check, culprit);
}

#[test]
fn c_50_certify_plan() {
    let run = setup().run();
    let other = Setup { nonce: [1; 32], ..setup() }.plan();
    refuses(SignedCertify::parse(&other, file_of(&run, SECOND).as_bytes()), Check::CertifyPlan, Culprit::Nobody);
    refuses(changed(&run, |body| put(body, 0, b"AGDKG1R1")), Check::CertifyPlan, Culprit::Nobody);
    // Read under its own plan, and taken for one of another.
    refuses(file_of(&run, SECOND).open(&other, &run.assembled.outputs), Check::CertifyPlan, Culprit::Nobody);
}

#[test]
fn an_author_who_writes_without_end_exhausts_nobody() {
    let run = setup().run();
    let good = file_of(&run, SECOND).clone();
    // Other partial signatures each time, all of them validly signed as a file.
    let written: Vec<_> =
        (0..3 * MAX_FILES_OF_ONE).map(|i| changed(&run, |body| body[VALIDATORS + 192 + i] ^= 1).unwrap()).collect();
    let mut kept = Certifies::default();
    [&good].into_iter().chain(&written).chain([&good]).for_each(|file| kept.insert(file.clone()));
    assert_eq!(kept.iter().count(), MAX_FILES_OF_ONE);
    // What came first stays, whatever its author signs later: it takes nothing back by that.
    assert!(kept.iter().eq([&good].into_iter().chain(written.iter().take(MAX_FILES_OF_ONE - 1))));
    // One author's do not take the place of another's.
    run.certifies.iter().for_each(|file| kept.insert(file.clone()));
    assert_eq!(kept.missing(&run.plan), []);
}

#[test]
fn c_51_certify_sender() {
    let refused = changed(&setup().run(), |body| put(body, 40, &999u64.to_be_bytes()));
    refuses(refused, Check::CertifySender, Culprit::Nobody);
}

#[test]
fn c_52_certify_length() {
    let run = setup().run();
    let file = file_of(&run, SECOND).as_bytes();
    assert_eq!(file.len(), 320 + 2 * (96 * 2 + 256 * 2));
    assert_eq!(file.len(), certify_bytes(&run.plan, &run.plan.participants()[1]));
    let without_proofs = Setup::ssv(4, 2).plan();
    assert_eq!(certify_bytes(&without_proofs, &without_proofs.participants()[1]), 320 + 2 * (96 * 2 + 256));
    for length in (0..TRANSCRIPT).chain(file.len() - 300..file.len()) {
        refuses(SignedCertify::parse(&run.plan, &file[..length]), Check::CertifyLength, Culprit::Nobody);
    }
    for more in [1, 96, 256, 704] {
        let refused = changed(&run, |body| body.resize(body.len() + more, 0));
        refuses(refused, Check::CertifyLength, Culprit::Nobody);
    }
}

#[test]
fn c_53_certify_signature() {
    let run = setup().run();
    let file = file_of(&run, SECOND).as_bytes();
    for position in TRANSCRIPT..file.len() {
        let mut flipped = file.to_vec();
        flipped[position] ^= 1;
        refuses(SignedCertify::parse(&run.plan, &flipped), Check::CertifySignature, Culprit::Nobody);
    }
}

#[test]
fn c_54_certify_transcript() {
    let run = setup().run();
    let file = changed(&run, |body| body[TRANSCRIPT] ^= 1).unwrap();
    let files = with(&run, file);
    consumers_refuse(run, &files, Check::CertifyTranscript, Culprit::Undecided);
}

#[test]
fn c_55_certify_outputs() {
    let run = setup().run();
    let file = changed(&run, |body| body[ROOT] ^= 1).unwrap();
    let files = with(&run, file);
    consumers_refuse(run, &files, Check::CertifyOutputs, Culprit::Participant(id(SECOND)));
}

#[test]
fn c_56_certify_cert_signature() {
    let run = setup().run();
    let file = changed(&run, |body| body[CERT_SIGNATURE] ^= 1).unwrap();
    let files = with(&run, file);
    consumers_refuse(run, &files, Check::CertifyCertSignature, Culprit::Participant(id(SECOND)));
}

#[test]
fn c_57_certify_decode() {
    let run = setup().run();
    let guilty = Culprit::Participant(id(SECOND));
    let outputs = &run.assembled.outputs;
    let good = file_of(&run, SECOND).as_bytes()[POSSESSION..POSSESSION + 48].try_into().unwrap();
    for bad in forge::bad_points(&good) {
        let file = changed(&run, |body| put(body, POSSESSION, &bad)).unwrap();
        refuses(file.open(&run.plan, outputs), Check::CertifyDecode, guilty);
    }
    let file = changed(&run, |body| put(body, POSSESSION + 48, &forge::ORDER)).unwrap();
    refuses(file.open(&run.plan, outputs), Check::CertifyDecode, guilty);
    // A partial signature: infinity, outside of the subgroup, not on the curve.
    let mut infinity = [0; 96];
    infinity[0] = 0xc0;
    let outside = (0..=255u8).map(|x| {
        let mut bytes = [0; 96];
        (bytes[0], bytes[95]) = (0x80, x);
        bytes
    });
    let outside =
        outside.filter(|bytes| crate::bls::Signature::from_bytes(bytes) == Err(crate::bls::PointError::NotInSubgroup));
    for bad in outside.take(1).chain([infinity, [0xff; 96], [0; 96]]) {
        let file = changed(&run, |body| put(body, VALIDATORS + 96, &bad)).unwrap();
        refuses(file.open(&run.plan, outputs), Check::CertifyDecode, guilty);
    }
    let file = changed(&run, |body| put(body, VALIDATORS, &infinity)).unwrap();
    let files = with(&run, file);
    consumers_refuse(run, &files, Check::CertifyDecode, guilty);
}

#[test]
fn c_58_certify_possession() {
    let run = setup().run();
    let guilty = Culprit::Participant(id(SECOND));
    // Another's proof, and a response that is off by one.
    let first = file_of(&run, 41).as_bytes()[POSSESSION..VALIDATORS].to_vec();
    let file = changed(&run, |body| put(body, POSSESSION, &first)).unwrap();
    refuses(file.open(&run.plan, &run.assembled.outputs), Check::CertifyPossession, guilty);
    let file = changed(&run, |body| body[VALIDATORS - 1] ^= 1).unwrap();
    // The author writes again: one file that holds is enough, in whatever order they come.
    for order in [[&file, file_of(&run, SECOND)], [file_of(&run, SECOND), &file]] {
        let mut files = with(&run, order[0].clone());
        files.insert(order[1].clone());
        assert!(assemble(&run.plan, &run.deals, &[], &files, &SEED, &PaperRsa).is_ok());
    }
    let files = with(&run, file);
    consumers_refuse(run, &files, Check::CertifyPossession, guilty);
}

#[test]
fn c_59_certify_partial() {
    for v in 0..2u16 {
        for message in 0..2 {
            let run = setup().run();
            let at = VALIDATORS + usize::from(v) * 704 + 96 * message;
            // A valid signature of somebody else over the same message.
            let other = file_of(&run, 41).as_bytes()[at..at + 96].to_vec();
            let file = changed(&run, |body| put(body, at, &other)).unwrap();
            let files = with(&run, file.clone());
            let fault = assemble(&run.plan, &run.deals, &[], &files, &SEED, &PaperRsa).map(|_| ()).unwrap_err();
            assert_eq!(fault, Fault::of(Check::CertifyPartial, id(SECOND)).at(v));
            // The author writes again: the good file beside the bad one is enough, in whatever order they come.
            for order in [[&file, file_of(&run, SECOND)], [file_of(&run, SECOND), &file]] {
                let mut files = with(&run, order[0].clone());
                files.insert(order[1].clone());
                assert!(assemble(&run.plan, &run.deals, &[], &files, &SEED, &PaperRsa).is_ok());
            }
            consumers_refuse(run, &files, Check::CertifyPartial, Culprit::Participant(id(SECOND)));
        }
    }
}

#[test]
fn partials_that_cancel_each_other_out_are_seen() {
    // Two partials of one file exchanged: every sum without weights would hold.
    let run = Setup { ssv: Some((7, 2)), ..setup() }.run();
    let setup = Setup { ssv: Some((7, 2)), ..setup() };
    let file = file_of(&run, SECOND).as_bytes();
    let file = forge::changed(&setup.identity(1), file, |body| {
        let (one, two) =
            (body[VALIDATORS + 96..VALIDATORS + 192].to_vec(), body[VALIDATORS + 192..VALIDATORS + 288].to_vec());
        put(body, VALIDATORS + 96, &two);
        put(body, VALIDATORS + 192, &one);
    });
    let files = with(&run, SignedCertify::parse(&run.plan, &file).unwrap());
    consumers_refuse(run, &files, Check::CertifyPartial, Culprit::Participant(id(SECOND)));
}

#[test]
fn c_60_certify_proof() {
    // The operator's signature, and the sealed share that it is about.
    for at in [VALIDATORS + 192 + 256 + 9, VALIDATORS + 192 + 9, VALIDATORS + 704 + 192 + 9] {
        let run = setup().run();
        let file = changed(&run, |body| body[at] ^= 1).unwrap();
        let files = with(&run, file);
        consumers_refuse(run, &files, Check::CertifyProof, Culprit::Participant(id(SECOND)));
    }
    // As the software of the operators makes it: the longest salt that fits, and no other.
    let run = setup().run();
    let at = VALIDATORS + 192 + 256;
    let sealed = file_of(&run, SECOND).as_bytes()[VALIDATORS + 192..at].to_vec();
    let owner = Address::from_bytes([0xab; 20]);
    let root = proof_of(&run.assembled.outputs.validators[0], 1, &sealed, owner).unwrap().root();
    let key = setup().operator_key(1);
    assert_eq!(file_of(&run, SECOND).as_bytes()[at..at + 256], key.signature(&root, 256 - 34));
    let file = changed(&run, |body| put(body, at, &key.signature(&root, 32))).unwrap();
    let files = with(&run, file);
    consumers_refuse(run, &files, Check::CertifyProof, Culprit::Participant(id(SECOND)));
    // Without the operator's key nothing is written.
    let plan = setup().plan();
    let (mut dealt, deals) = setup().all_dealt(&plan);
    let mut rng = crate::testing::network::CountingRngInfallible(crate::testing::CountingRng::new(1));
    let refused = dealt.remove(0).certify(&deals, &[], &PaperRsa, None, &mut rng);
    let refused = refused.map(|_| ()).map_err(|refused| refused.fault);
    refuses(refused, Check::CertifyProof, Culprit::Participant(id(41)));
}

#[test]
fn of_several_faults_the_lowest_check_is_told() {
    let run = setup().run();
    let first = forge::changed(&setup().identity(0), file_of(&run, 41).as_bytes(), |body| body[VALIDATORS - 1] ^= 1);
    let mut files = with(&run, changed(&run, |body| body[CERT_SIGNATURE] ^= 1).unwrap());
    let mut both = Certifies::default();
    both.insert(SignedCertify::parse(&run.plan, &first).unwrap());
    files.iter().filter(|file| file.sender() != id(41)).for_each(|file| both.insert(file.clone()));
    files = both;
    consumers_refuse(run, &files, Check::CertifyCertSignature, Culprit::Participant(id(SECOND)));
}

#[test]
fn c_61_certify_missing() {
    // n-1 files and a certificate by all n: there is no way around the last one.
    for missing in setup().ids {
        let run = setup().run();
        let mut files = Certifies::default();
        run.certifies.iter().filter(|file| file.sender() != id(missing)).for_each(|file| files.insert(file.clone()));
        assert_eq!(files.missing(&run.plan), [id(missing)]);
        consumers_refuse(run, &files, Check::CertifyMissing, Culprit::Participant(id(missing)));
    }
}

fn certificate(change: impl FnOnce(&mut Vec<u8>)) -> Result<Certificate, Fault> {
    let run = setup().run();
    let mut bytes = run.certificate.as_bytes().to_vec();
    change(&mut bytes);
    Certificate::parse(&run.plan, &bytes)
}

#[test]
fn c_65_certificate_form() {
    let run = setup().run();
    let good = run.certificate.as_bytes();
    assert_eq!(good.len(), 105 + 72 * 4);
    for length in 0..good.len() {
        refuses(Certificate::parse(&run.plan, &good[..length]), Check::CertificateForm, Culprit::Nobody);
    }
    refuses(certificate(|bytes| bytes.push(0)), Check::CertificateForm, Culprit::Nobody);
    refuses(certificate(|bytes| bytes[7] = 0), Check::CertificateForm, Culprit::Nobody);
    refuses(certificate(|bytes| bytes[104] = 5), Check::CertificateForm, Culprit::Nobody);
}

#[test]
fn c_66_certificate_plan() {
    refuses(certificate(|bytes| bytes[8] ^= 1), Check::CertificatePlan, Culprit::Nobody);
}

#[test]
fn c_67_certificate_transcript() {
    check_of_another(Check::CertificateTranscript, |outputs| outputs.transcript[0] ^= 1);
}

#[test]
fn c_68_certificate_outputs() {
    check_of_another(Check::CertificateOutputs, |outputs| outputs.root[0] ^= 1);
}

fn check_of_another(check: Check, change: impl FnOnce(&mut Outputs)) {
    let mut run = setup().run();
    assert_eq!(run.certificate.check(&run.assembled.outputs), Ok(()));
    change(&mut run.assembled.outputs);
    refuses(run.certificate.check(&run.assembled.outputs), check, Culprit::Undecided);
}

#[test]
fn a_certificate_of_other_deals_releases_nothing() {
    // The same people sign, the same plan, but one of them dealt something else: a certificate from another view.
    let setup = setup();
    let mut run = setup.run();
    let plan = run.plan.clone();
    let second = setup.dealt(&plan, 1).1;
    let other = forge::changed_deal(&setup.identity(1), &plan, second.as_bytes(), |body| {
        let last = body.len() - 64;
        body[last] ^= 1;
    });
    let other = crate::agdkg::deal::SignedDeal::parse(&plan, &other).unwrap();
    let mut deals = Deals::default();
    run.deals.iter().filter(|deal| deal.sender() != id(SECOND)).for_each(|deal| deals.insert(deal.clone()).unwrap());
    deals.insert(other).unwrap();
    let outputs = deals.audit(&plan, &[], &SEED).unwrap();
    let open = |file: &SignedCertify| file.open(&plan, &run.assembled.outputs).unwrap();
    let mut files: Vec<_> = run.certifies.iter().map(open).collect();
    for (position, file) in files.iter_mut().enumerate() {
        let who = plan.participants()[position].id;
        let hash = crate::agdkg::certify::certificate_hash(&plan, &outputs.transcript, &outputs.root, who);
        file.certificate_signature = setup.identity(position).sign(&hash);
    }
    let certificate = Certificate::assemble(&plan, &outputs, &files);
    assert!(Certificate::parse(&plan, certificate.as_bytes()).is_ok());
    let refused = run.certified.remove(0).finish(&certificate, &run.certifies, &SEED, &PaperRsa);
    let refused = refused.map(|_| ()).map_err(|refused| refused.fault);
    refuses(refused, Check::CertificateTranscript, Culprit::Undecided);
}

#[test]
fn a_certificate_that_was_put_together_from_others_signatures_releases_nothing() {
    let mut run = setup().run();
    let open = |file: &SignedCertify| file.open(&run.plan, &run.assembled.outputs).unwrap();
    let mut files: Vec<_> = run.certifies.iter().map(open).collect();
    files[1].certificate_signature = files[0].certificate_signature;
    let certificate = Certificate::assemble(&run.plan, &run.assembled.outputs, &files);
    let refused = run.certified.remove(0).finish(&certificate, &run.certifies, &SEED, &PaperRsa);
    let refused = refused.map(|_| ()).map_err(|refused| refused.fault);
    refuses(refused, Check::CertificateSignature, Culprit::Nobody);
}

#[test]
fn c_69_certificate_holders() {
    let holders = |change: fn(&mut Vec<u8>)| refuses(certificate(change), Check::CertificateHolders, Culprit::Nobody);
    holders(|bytes| bytes[105 + 7] ^= 1);
    holders(|bytes| {
        bytes[104] = 3;
        bytes.truncate(105 + 72 * 3);
    });
    holders(|bytes| {
        let (first, second) = (bytes[105..177].to_vec(), bytes[177..249].to_vec());
        put(bytes, 105, &second);
        put(bytes, 177, &first);
    });
}

#[test]
fn c_70_certificate_signature() {
    for holder in 0..4 {
        refuses(certificate(|bytes| bytes[105 + 72 * holder + 20] ^= 1), Check::CertificateSignature, Culprit::Nobody);
    }
    refuses(certificate(|bytes| bytes[40] ^= 1), Check::CertificateSignature, Culprit::Nobody);
    refuses(certificate(|bytes| bytes[72] ^= 1), Check::CertificateSignature, Culprit::Nobody);
}

#[test]
fn c_71_combined_signature() {
    let run = setup().run();
    let outputs = &run.assembled.outputs;
    let mut files: Vec<_> = run.certifies.iter().map(|file| file.open(&run.plan, outputs).unwrap()).collect();
    let signed = Signed::new(&run.plan, outputs);
    assert!(combine(&signed, &files, &SEED).is_ok());
    // A fault of this machine after the partial signatures were verified.
    files[1].validators[1].partials[0] = files[0].validators[1].partials[0];
    refuses(combine(&signed, &files, &SEED), Check::CombinedSignature, Culprit::Nobody);
    // Two faults that cancel each other out in a sum without weights.
    let mut files: Vec<_> = run.certifies.iter().map(|file| file.open(&run.plan, outputs).unwrap()).collect();
    files[1].validators[0].partials.swap(0, 1);
    refuses(combine(&signed, &files, &SEED), Check::CombinedSignature, Culprit::Nobody);
}

#[test]
fn sealed_shares_open_and_everything_is_composed_in_order() {
    let setup = setup();
    let mut run = setup.run();
    let first = &run.assembled.validators[0];
    let shares_data = first.shares_data(7).unwrap();
    assert_eq!(shares_data.len(), 96 + 4 * (48 + 256));
    assert_eq!(shares_data[..96], *first.owner_nonces[0].1.as_bytes());
    assert!(first.shares_data(8).is_none() && run.assembled.validators[1].shares_data(8).is_some());
    assert_eq!(first.operator_proofs.len(), 4);
    for (position, state) in run.certified.drain(..).enumerate() {
        let finished = state.finish(&run.certificate, &run.certifies, &SEED, &PaperRsa).unwrap();
        for (share, made) in finished.shares.iter().zip(&run.assembled.validators) {
            assert_eq!(share.public().public_key, made.share_public_keys[position]);
            let opened = setup.operator_key(position).open(&made.sealed_shares[position]).unwrap();
            assert_eq!(opened, share.secret.to_hex().expose());
            assert!(made.deposits[0].is_signed(run.plan.parameters().fork_version));
        }
    }
}

#[test]
fn where_nothing_was_sealed_there_is_nothing_to_register() {
    let run = Setup { bound: false, ..Setup::ssv(4, 1) }.run();
    let made = &run.assembled.validators[0];
    assert_eq!((made.owner_nonces[0].0, made.sealed_shares.len()), (7, 0));
    assert_eq!(made.shares_data(7), None);
}

#[test]
fn each_validator_has_its_own_credentials_amounts_and_nonces() {
    let setup = Setup { ssv: Some((7, 2)), amounts: vec![1, 31], ..Setup::ssv(4, 2) };
    let owners = [0x21, 0x22].map(|byte| WithdrawalCredentials::Compounding(Address::from_bytes([byte; 20])));
    let draft = PlanDraft { credentials: owners.to_vec(), ..setup.draft() };
    let plan = Plan::parse(&draft.encode().unwrap(), setup.waivers(), &PaperRsa).unwrap();
    let (dealt, deals) = setup.all_dealt(&plan);
    let mut files = Certifies::default();
    for (position, me) in dealt.into_iter().enumerate() {
        files.insert(setup.certify(me, position, &deals).unwrap().1);
    }
    let assembled = assemble(&plan, &deals, &[], &files, &SEED, &PaperRsa).unwrap();
    for ((made, credentials), first) in assembled.validators.iter().zip(owners).zip([7, 8]) {
        let deposits: Vec<_> = made.deposits.iter().map(|one| (one.message.credentials, one.message.amount)).collect();
        assert_eq!(deposits, [1, 31].map(|ether| (credentials, Gwei::from_ether(ether))));
        assert!(made.deposits.iter().all(|one| one.is_signed(plan.parameters().fork_version)));
        let nonces: Vec<_> = made.owner_nonces.iter().map(|(nonce, _)| *nonce).collect();
        assert_eq!(nonces, [first, first + 1]);
        for (nonce, signature) in &made.owner_nonces {
            let text = OwnerNonce { owner: Address::from_bytes([0xab; 20]), nonce: (*nonce).try_into().unwrap() };
            assert!(signature.verify(&made.public_key, &text.digest()));
        }
    }
}

#[test]
fn my_own_deal_must_be_mine() {
    let setup = setup();
    let plan = setup.plan();
    let (mut dealt, all) = setup.all_dealt(&plan);
    let mine = all.of(id(SECOND)).unwrap();
    let other = forge::changed_deal(&setup.identity(1), &plan, mine.as_bytes(), |body| *body.last_mut().unwrap() ^= 1);
    let mut deals = Deals::default();
    all.iter().filter(|deal| deal.sender() != id(SECOND)).for_each(|deal| deals.insert(deal.clone()).unwrap());
    deals.insert(crate::agdkg::deal::SignedDeal::parse(&plan, &other).unwrap()).unwrap();
    let me: Dealt = dealt.remove(1);
    refuses(setup.certify(me, 1, &deals).map(|_| ()), Check::DealTwice, Culprit::Undecided);
}
