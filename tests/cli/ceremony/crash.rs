//! Power cut at every write: the next run ends in the same bytes, or says again what was said before.

use std::path::Path;

use dvkey::store::ceremony_dir::CeremonyDir;
use dvkey::workflow::ceremony::CeremonyError;
use dvkey::workflow::ceremony::draft::{self, draft};
use dvkey::workflow::ceremony::folder::Folder;
use dvkey::workflow::ceremony::identity::{self, NewIdentity, create};
use dvkey::workflow::ceremony::walks;
use dvkey_ceremony::agdkg::card::Card;
use dvkey_ceremony::agdkg::identity::{Identity, Root};
use dvkey_ceremony::agdkg::plan::{Plan, Waivers};
use dvkey_ceremony::agdkg::vault::Work;
use dvkey_ceremony::{Address, Gwei, SecretBytes, WithdrawalCredentials};
use zeroize::Zeroizing;

use super::{quick_folder, tree};

fn root(number: u8) -> Root {
    Root::from_bytes(Zeroizing::new([number; 32]))
}

fn make(path: &Path, number: u8) -> Card {
    let passphrase = SecretBytes::new(b"a passphrase".to_vec());
    let work = Work { memory: 65_536, passes: 2, lanes: 1 };
    let label = format!("person {number}");
    let card = identity::card(&root(number), &label, 7).unwrap();
    let new = NewIdentity { passphrase: &passphrase, work, restored: false };
    create(CeremonyDir::create(path).unwrap(), &root(number), &card, &new).unwrap();
    card
}

fn plan(cards: &[Card], precommit: bool) -> Plan {
    let request = draft::Request {
        cards: cards.iter().map(|card| (None, card.clone())).collect(),
        network: dvkey::format::network::Network::Hoodi,
        validators: 1,
        credentials: WithdrawalCredentials::Execution(Address::from_bytes([1; 20])),
        amounts: vec![Gwei::from_ether(32)],
        threshold: Some(2),
        ssv: None,
        proofs: false,
        precommit,
        title: "cut".to_owned(),
        created: 7,
        expires: 0,
        waivers: Waivers::default(),
    };
    draft(&request).unwrap()
}

/// All that one participant does, from the plan to the end, with a disk that is full after so many writes.
fn all_steps(path: &Path, plan: &Plan, inbox: &[Vec<u8>], writes: Option<usize>) -> Result<(), CeremonyError> {
    let me = root(1);
    for (number, file) in inbox.iter().enumerate() {
        std::fs::write(path.join(format!("inbox/{number}")), file).unwrap();
    }
    let mut folder = Folder::load(CeremonyDir::open(path)?)?;
    if let Some(writes) = writes {
        folder.dir().fail_after(writes);
    }
    folder.accept(plan.clone(), &Identity::derive(&me)?, None)?;
    folder.import(&[])?;
    walks::deal(&mut folder, &me)?;
    walks::certify(&mut folder, &me, None, false)?;
    Ok(())
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)
        } else {
            let _ = std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_cut_at_every_write_changes_nothing_that_is_said() {
    let outer = quick_folder();
    let at = |name: &str| outer.path().join(name);
    let cards = [make(&at("one"), 1), make(&at("two"), 2)];
    for precommit in [false, true] {
        let plan = plan(&cards, precommit);
        // The other participant: what it sends does not depend on anybody's crashes.
        let mut other = Folder::open(&at("two")).unwrap();
        other.accept(plan.clone(), &Identity::derive(&root(2)).unwrap(), None).unwrap();
        let mut inbox = Vec::new();
        if precommit {
            walks::precommit(&mut other, &root(2)).unwrap();
        }
        // With pre-commits, its deal waits for mine; it is made by the same function, from another folder.
        let planned =
            dvkey_ceremony::participant::Planned::accept(Identity::derive(&root(2)).unwrap(), plan.clone(), None)
                .unwrap();
        inbox.push(planned.deal().unwrap().1.as_bytes().to_vec());
        inbox.extend(tree(&other.dir().outbox()).into_values());
        drop(other);

        let whole = at(&format!("whole {precommit}"));
        copy(&at("one"), &whole);
        all_steps(&whole, &plan, &inbox, None).unwrap();
        let names = |path: &Path| -> Vec<(String, Vec<u8>)> {
            let name =
                |path: &Path| path.strip_prefix(outer.path()).unwrap().iter().skip(1).collect::<std::path::PathBuf>();
            tree(path).into_iter().map(|(path, content)| (name(&path).display().to_string(), content)).collect()
        };
        let expected = names(&whole);
        let mut cuts = 0;
        loop {
            let path = at(&format!("cut {precommit} {cuts}"));
            copy(&at("one"), &path);
            let done = all_steps(&path, &plan, &inbox, Some(cuts)).is_ok();
            // Whatever lies there is whole, and nothing is said that the whole run does not say.
            for (name, content) in names(&path) {
                let same = expected.iter().find(|(known, _)| *known == name);
                let journal = name == "journal.agj" && same.is_some_and(|(_, whole)| whole.starts_with(&content));
                assert!(journal || same.is_some_and(|(_, whole)| *whole == content), "{name} after {cuts} writes");
            }
            all_steps(&path, &plan, &inbox, None).unwrap();
            for (found, whole) in names(&path).iter().zip(&expected) {
                assert_eq!(found.0, whole.0, "after a cut at write {cuts}");
                assert!(found.1 == whole.1, "{} after a cut at write {cuts}", found.0);
            }
            assert_eq!(names(&path).len(), expected.len());
            if done {
                break;
            }
            cuts += 1;
        }
        assert!(cuts >= 8, "{cuts} writes are too few to be true");
    }
}

#[test]
fn a_state_from_before_cannot_be_made_to_certify_twice() {
    let outer = quick_folder();
    let at = |name: &str| outer.path().join(name);
    let cards = [make(&at("one"), 1), make(&at("two"), 2)];
    let plan = plan(&cards, false);
    let deal = |number: u8, plan: &Plan| {
        let identity = Identity::derive(&root(number)).unwrap();
        let planned = dvkey_ceremony::participant::Planned::accept(identity, plan.clone(), None).unwrap();
        planned.deal().unwrap().1.as_bytes().to_vec()
    };
    all_steps(&at("one"), &plan, &[deal(2, &plan)], None).unwrap();
    let mut folder = Folder::open(&at("one")).unwrap();
    // Certified is certified: no complaint any more.
    let refused = walks::complain(&mut folder, &root(1)).err().unwrap();
    assert!(
        matches!(refused, CeremonyError::Fault(fault) if fault.check == dvkey_ceremony::fault::Check::ComplaintShare)
    );
    let event = dvkey_ceremony::agdkg::journal::Event::Certified { transcript: [1; 32], outputs_root: [2; 32] };
    let refused = folder.record(event).unwrap_err();
    assert!(matches!(refused, CeremonyError::Fault(fault) if fault.code() == dvkey_ceremony::fault::Code::E30));
    let event = dvkey_ceremony::agdkg::journal::Event::Complained { accused: 2 };
    assert!(matches!(folder.record(event), Err(CeremonyError::Fault(_))));
}
