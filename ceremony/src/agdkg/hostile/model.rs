//! Random adversaries against small ceremonies: whenever a consumer accepts, all honest hold shares of the same keys.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::{id, put};
use crate::agdkg::certify::{Certifies, SignedCertify};
use crate::agdkg::deal::SignedDeal;
use crate::agdkg::judge::{Verdict, judge};
use crate::agdkg::outputs::assemble;
use crate::agdkg::transcript::{Deals, lagrange_at_zero};
use crate::bls::SecretKey;
use crate::fault::{Check, Culprit, Fault};
use crate::participant::Certified;
use crate::scalar::Scalar;
use crate::testing::forge::{self, Contribution};
use crate::testing::network::{CountingRngInfallible, SEED, Setup};
use crate::testing::paper_rsa::PaperRsa;

/// Choices of one run, from its number.
struct Dice {
    seed: u64,
    rolls: u64,
}

impl Dice {
    fn roll(&mut self, faces: u64) -> u64 {
        self.rolls += 1;
        let hash = Sha256::new_with_prefix(self.seed.to_be_bytes()).chain_update(self.rolls.to_be_bytes()).finalize();
        u64::from_be_bytes(*hash.first_chunk().unwrap()) % faces
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Accepted,
    Refused,
}

#[test]
fn whoever_accepts_is_right_and_nobody_honest_is_blamed() {
    let mut ends = Vec::new();
    for seed in 0..120 {
        let shape = [(2, 2), (2, 3), (3, 4), (3, 5)][usize::try_from(seed % 4).unwrap()];
        ends.push(run(shape, seed));
    }
    let accepted = ends.iter().filter(|end| **end == End::Accepted).count();
    // Both ends are met, or the model models nothing.
    assert!(accepted > 10 && accepted < 110, "{accepted} of {} accepted", ends.len());
}

fn run((t, n): (u8, u64), seed: u64) -> End {
    let mut dice = Dice { seed, rolls: 0 };
    let setup = Setup::generic(t, n, 1);
    let plan = setup.plan();
    // At most t-1 cheats.
    let corrupt: BTreeSet<u64> = (0..dice.roll(u64::from(t))).map(|_| 1 + dice.roll(n)).collect();
    let honest = |who: &u64| !corrupt.contains(who);
    let blame = |fault: &Fault| {
        let absent = matches!(fault.check, Check::DealMissing | Check::CertifyMissing);
        if let Culprit::Participant(culprit) = fault.culprit {
            assert!(absent || corrupt.contains(&culprit.get()), "seed {seed}: an honest one is blamed: {fault}");
        }
    };

    // Walk 1: each cheat has one or two deals, and shows one of them to each holder.
    let mut faces: Vec<Vec<SignedDeal>> = Vec::new();
    for position in 0..setup.ids.len() {
        let good = setup.dealt(&plan, position).1;
        let mut shown = vec![good.clone()];
        if corrupt.contains(&setup.ids[position]) {
            shown = vec![cheat(&setup, position, &good, &mut dice)];
            if dice.roll(4) == 0 {
                shown.push(good);
            }
        }
        faces.push(shown);
    }

    // Walk 2: everybody certifies what it was shown, or complains.
    let mut certified: Vec<(u64, Certified)> = Vec::new();
    let mut files = Certifies::default();
    let mut views = Vec::new();
    for (position, who) in setup.ids.iter().enumerate() {
        let mut view = Deals::default();
        for shown in &faces {
            let face = usize::try_from(dice.roll(shown.len() as u64)).unwrap();
            view.insert(shown[face].clone()).unwrap();
        }
        let (me, own) = setup.dealt(&plan, position);
        if view.of(own.sender()) != Some(&own) {
            // A cheat certifies for the deal it dealt, in whatever way it can.
            views.push(view);
            continue;
        }
        let mut rng = CountingRngInfallible(crate::testing::CountingRng::new(seed));
        match me.certify(&view, &[], &PaperRsa, None, &mut rng) {
            Ok((state, file)) => {
                let file =
                    if honest(who) || dice.roll(2) == 0 { file } else { spoil(&setup, position, &file, &mut dice) };
                files.insert(file);
                certified.push((*who, state));
            }
            Err(refused) => {
                blame(&refused.fault);
                if let (Check::DealShare, Culprit::Participant(dealer)) = (refused.fault.check, refused.fault.culprit) {
                    let deal = view.of(dealer).unwrap();
                    let complained = refused.state.complain(deal, refused.fault.validator.unwrap()).unwrap();
                    let verdict = judge(&plan, deal.as_bytes(), complained.complaint.as_bytes());
                    assert!(matches!(verdict, Verdict::DealerGuilty(_)), "seed {seed}: {verdict:?}");
                    blame(&verdict.fault());
                }
            }
        }
        views.push(view);
    }

    // Consumers with every view that anybody was shown.
    let mut end = End::Refused;
    for view in &views {
        match assemble(&plan, view, &[], &files, &SEED, &PaperRsa) {
            Err(fault) => blame(&fault),
            Ok(assembled) => {
                end = End::Accepted;
                assert_eq!(files.missing(&plan), [], "seed {seed}");
                let mut shares = Vec::new();
                for (who, state) in certified.drain(..).filter(|(who, _)| honest(who)) {
                    let finished = state.finish(&assembled.certificate, &files, &SEED, &PaperRsa);
                    let finished = finished.unwrap_or_else(|refused| panic!("seed {seed}: {}", refused.fault));
                    let position = setup.ids.iter().position(|one| *one == who).unwrap();
                    let public = finished.shares[0].public().public_key;
                    assert_eq!(public, assembled.validators[0].share_public_keys[position], "seed {seed}");
                    shares.push((id(who), finished.shares[0].secret.to_scalar()));
                }
                assert_eq!(shares.len(), setup.ids.iter().filter(|who| honest(who)).count(), "seed {seed}");
                if shares.len() >= usize::from(t) {
                    let ids: Vec<_> = shares.iter().map(|(id, _)| *id).collect();
                    let terms = lagrange_at_zero(&ids).unwrap();
                    let key = terms
                        .iter()
                        .zip(&shares)
                        .fold(Scalar::zero(), |sum, (l, (_, share))| sum.add(&l.as_scalar().mul(share)));
                    let key = SecretKey::from_scalar(&key).unwrap().public_key();
                    assert_eq!(key, assembled.validators[0].public_key, "seed {seed}");
                }
                break;
            }
        }
    }
    end
}

/// A deal that its author changed in one of many ways, some of them harmless.
fn cheat(setup: &Setup, position: usize, good: &SignedDeal, dice: &mut Dice) -> SignedDeal {
    let (plan, identity) = (setup.plan(), setup.identity(position));
    let t = u64::from(setup.t);
    let n = setup.ids.len();
    let enc = good.as_bytes().len() - 64 - 32 * n;
    let file = match dice.roll(7) {
        // Another polynomial than the root gives: lawful.
        0 | 1 => {
            let coefficients: Vec<_> = (0..t).map(|_| Scalar::from_u64(1 + dice.roll(1 << 40))).collect();
            forge::deal(&identity, &plan, good.sender(), &[Contribution::of(&plan, &coefficients)])
        }
        2 => {
            let victim = usize::try_from(dice.roll(n as u64)).unwrap();
            forge::changed_deal(&identity, &plan, good.as_bytes(), |body| body[enc + 32 * victim + 31] ^= 1)
        }
        3 => forge::changed_deal(&identity, &plan, good.as_bytes(), |body| put(body, 176, &forge::point_of_order_3())),
        4 => forge::changed_deal(&identity, &plan, good.as_bytes(), |body| body[175] ^= 1),
        5 => forge::changed_deal(&identity, &plan, good.as_bytes(), |body| body[enc - 1] ^= 1),
        _ => good.as_bytes().to_vec(),
    };
    SignedDeal::parse(&plan, &file).unwrap()
}

/// A certify file that its author spoilt.
fn spoil(setup: &Setup, position: usize, file: &SignedCertify, dice: &mut Dice) -> SignedCertify {
    let at = [48, 80, 112, 180, 255, 300][usize::try_from(dice.roll(6)).unwrap()];
    let file = forge::changed(&setup.identity(position), file.as_bytes(), |body| body[at] ^= 1);
    SignedCertify::parse(&setup.plan(), &file).unwrap()
}
