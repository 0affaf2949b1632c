//! An honest ceremony for the fuzz targets, and its files as somebody else would have them: any bytes, altered, or
//! altered and signed again by the second participant.

use std::sync::LazyLock;

use dvkey_ceremony::agdkg::identity::Identity;
use dvkey_ceremony::agdkg::precommit::Precommit;
use dvkey_ceremony::fault::{Culprit, Fault};
use dvkey_ceremony::identifier::Identifier;
use dvkey_ceremony::testing::network::{Run, Setup};

use crate::Input;

/// Four operators make one key, with operator proofs.
pub struct Honest {
    /// Who they are.
    pub setup: Setup,
    /// What they made.
    pub run: Run,
    /// The one whose altered files are signed again.
    pub second: Identity,
    /// Its id.
    pub author: Identifier,
    /// Its pre-commit, for a plan that does not ask for one.
    pub precommit: Vec<u8>,
}

/// Made once.
pub static HONEST: LazyLock<Honest> = LazyLock::new(|| {
    let setup = Setup { proofs: true, ..Setup::ssv(4, 1) };
    let run = setup.run();
    let second = setup.identity(1);
    let author = run.plan.participants()[1].id;
    let deal = run.deals.of(author).expect("the second dealt");
    let precommit = Precommit::make(&second, &run.plan, deal).as_bytes().to_vec();
    Honest { setup, run, second, author, precommit }
});

/// A file that was made from the input.
pub struct Made {
    /// The file.
    pub bytes: Vec<u8>,
    /// Whether the second participant signed it as it is.
    pub is_signed: bool,
}

/// Any bytes, or `file` after a few edits, or its body after a few edits and `sign`.
pub fn made(bytes: &[u8], file: &[u8], sign: impl FnOnce(&mut dyn FnMut(&mut Vec<u8>)) -> Vec<u8>) -> Made {
    let mut input = Input(bytes);
    match input.byte() % 3 {
        0 => Made { bytes: input.0.to_vec(), is_signed: false },
        1 => Made { bytes: edited(&mut input, file), is_signed: false },
        _ => Made { bytes: sign(&mut |body| edit(&mut input, body)), is_signed: true },
    }
}

/// Any bytes, or `file` after a few edits; for what nobody signs.
pub fn made_unsigned(bytes: &[u8], file: &[u8]) -> Vec<u8> {
    let mut input = Input(bytes);
    match input.byte() % 2 {
        0 => input.0.to_vec(),
        _ => edited(&mut input, file),
    }
}

fn edited(input: &mut Input<'_>, file: &[u8]) -> Vec<u8> {
    let mut file = file.to_vec();
    edit(input, &mut file);
    file
}

/// Up to three edits: a byte, a run of chosen bytes, edge values, a cut, an insertion, a run moved elsewhere.
fn edit(input: &mut Input<'_>, body: &mut Vec<u8>) {
    for _ in 0..input.byte() % 4 {
        let at = input.below(body.len() + 1);
        let most = body.len() - at;
        match input.byte() % 6 {
            0 if most > 0 => body[at] ^= input.byte(),
            1 => {
                let length = input.below(65).min(most);
                let chosen = input.take(length);
                body[at..at + chosen.len()].copy_from_slice(chosen);
            }
            2 => {
                let length = input.below(65).min(most);
                let value = [0x00, 0xff, 0x80, 0x01][usize::from(input.byte() % 4)];
                body[at..at + length].fill(value);
            }
            3 => body.truncate(at),
            4 => {
                let chosen = input.take(64);
                body.splice(at..at, chosen.iter().copied());
            }
            _ => {
                let length = input.below(97).min(most);
                let run: Vec<u8> = body.drain(at..at + length).collect();
                let to = input.below(body.len() + 1);
                body.splice(to..to, run);
            }
        }
    }
}

/// Who signed nothing is not blamed, and whose file is wrong can blame itself alone.
pub fn assert_fair(fault: Fault, is_signed: bool) {
    match fault.culprit {
        Culprit::Participant(culprit) => {
            assert!(is_signed, "{fault}: nobody signed this");
            assert_eq!(culprit, HONEST.author, "{fault}");
        }
        Culprit::CardOf(_) | Culprit::Coalition => panic!("{fault}"),
        Culprit::Nobody | Culprit::Organizer | Culprit::Undecided => {}
    }
}
