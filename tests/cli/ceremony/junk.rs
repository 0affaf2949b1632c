//! Somebody signs any number of files beside the right one, and they come first: what everybody certified is found all the
//! same, by whoever looks, in whatever order files came.

use std::path::PathBuf;

use dvkey_ceremony::agdkg::identity::Identity;
use dvkey_ceremony::testing::forge;

use super::faces::{plan, sent};
use super::{Group, VAULT, root, tree};
use crate::objects;

const FALSE: u8 = 12;

/// A change of a body, each time another one.
type Change<'a> = &'a dyn Fn(&mut Vec<u8>, u8);

/// Deals of somebody with other ciphertexts, validly signed, under names that come first.
fn false_deals(group: &Group, name: &str, folder: &str) {
    let (plan, identity) = (plan(group), Identity::derive(&root(&group.at(name))).unwrap());
    let own = sent(group, name, "-deal-");
    for flip in 1..=FALSE {
        let deal = forge::changed_deal(&identity, &plan, &own, |body| *body.last_mut().unwrap() ^= flip);
        std::fs::write(group.at(folder).join(format!("0 deal {flip}")), deal).unwrap();
    }
}

/// Certify files of somebody after a change, validly signed, under names that come first.
fn false_certifies(group: &Group, name: &str, folder: &str, change: Change<'_>) {
    let (identity, own) = (Identity::derive(&root(&group.at(name))).unwrap(), sent(group, name, "-certify-"));
    for flip in 1..=FALSE {
        let file = forge::changed(&identity, &own, |body| change(body, flip));
        std::fs::write(group.at(folder).join(format!("0 certify {flip}")), file).unwrap();
    }
}

fn copy(group: &Group, from: &str, to: &str) {
    let copied = std::process::Command::new("cp").args(["-r", from, to]).current_dir(group.folder.path()).status();
    assert!(copied.unwrap().success());
}

fn kept(group: &Group, name: &str, bytes: &[u8]) -> bool {
    tree(&group.at(&format!("{name}/files"))).values().any(|content| content == bytes)
}

/// Everything that is made from this folder, by anybody, is there.
fn gives_everything(group: &Group, folder: &str, tag: &str) {
    let (output, back) = (format!("output-{tag}"), format!("back-{tag}"));
    group.run(&["assemble", folder, "--out", &output], 0);
    group.run(&["audit", folder], 0);
    group.run(&["verify", folder, &output], 0);
    let recover = ["recover", "--bundle", folder, "--folder", "ann", "--out", &back, "--keystore-password-file", "pp"];
    group.run(&[&recover[..], &VAULT].concat(), 0);
    // A bundle of what was assembled has nothing of the false files in it.
    group.run(&["audit", &format!("{output}/ceremony.public.bn")], 0);
}

/// Whoever is stuck is told of the bundle of whoever assembled, and it does what is said of it.
fn goes_on_by_the_bundle(group: &Group, folder: &str, said: &str) {
    let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let recover = ["recover", "--bundle", "ceremony.bn", "--folder", folder, "--out", "recovered"];
    assert!(flat.contains(&format!("dvkey ceremony {}", recover.join(" "))), "{flat}");
    assert!(flat.contains(&format!("put it into {folder}/inbox")), "{flat}");
    group.run(&[&recover[..], &VAULT, &["--keystore-password-file", "pp"]].concat(), 0);
    std::fs::remove_dir_all(group.at("recovered")).unwrap();
    let stepped = format!("{folder}-stepped");
    copy(group, folder, &stepped);
    std::fs::copy(group.at("ceremony.bn"), group.at(&stepped).join("inbox/ceremony.bn")).unwrap();
    let step = ["step", &stepped, "--keystore-password-file", "pp"];
    assert!(group.run(&[&step[..], &VAULT].concat(), 0).stderr.contains("The ceremony is finished"));
}

#[test]
fn every_kind_of_evidence_has_a_name_of_its_own_and_is_judged() {
    let mut group = Group::new(&["ann", "ben"], &[]);
    group.plan(&["--threshold", "2", "--precommit", "--title", "REHEARSAL of evidence"]);
    group.round(&[0, 0]);
    // Ben signs another commitment and another deal before Ann deals.
    let (plan, identity) = (plan(&group), Identity::derive(&root(&group.at("ben"))).unwrap());
    let other = forge::changed(&identity, &sent(&group, "ben", "-precommit-"), |body| body[48] ^= 1);
    std::fs::write(group.at("ann/inbox/0"), other).unwrap();
    let deal = sent(&group, "ben", "-deal-");
    let other = forge::changed_deal(&identity, &plan, &deal, |body| *body.last_mut().unwrap() ^= 1);
    std::fs::write(group.at("ann/inbox/1"), other).unwrap();
    let said = group.step("ann", &[], 4);
    assert_eq!(said.stderr.matches("evidence: ").count(), 2, "{}", said.stderr);
    let outbox = tree(&group.at("ann/outbox"));
    for (end, check, code) in [("-evidence-2-c34.agdkg", "C-34", "E10"), ("-evidence-2-c29.agdkg", "C-29", "E11")] {
        let path = outbox.keys().find(|path| path.display().to_string().ends_with(end)).unwrap();
        let said = group.run(&["judge", path.to_str().unwrap(), "--json"], 4);
        said.code("ceremony.fault");
        let mut verdicts = objects(&said.stdout);
        verdicts.retain(|line| line["schema"] == "dvkey.ceremony-verdict/1");
        assert_eq!(verdicts.len(), 1, "{}", said.stdout);
        assert_eq!((&verdicts[0]["guilty"], &verdicts[0]["check"]), (&2.into(), &check.into()));
        assert_eq!((&verdicts[0]["code"], &verdicts[0]["complainer"]), (&code.into(), &().into()));
        let said = group.run(&["judge", path.to_str().unwrap()], 4).stdout;
        assert!(said.contains("ben (2)") && said.contains(check), "{said}");
    }
    // What a rehearsal's cheats leave: a deal and a certify file that are wrong on their face.
    for (cheat, check) in [("bad-proof", "C-37"), ("bad-certify", "C-58")] {
        group.run(&["rehearse", "--participants", "3", "--out", cheat, "--cheat", cheat, "--quiet"], 0);
        let end = format!("-evidence-3-c{}.agdkg", &check[2..]);
        let step = ["step", &format!("{cheat}/alice"), "--stick", &format!("{cheat}/stick"), "--no-input"];
        std::fs::write(group.at("pr"), "rehearsal").unwrap();
        group.run(&[&step[..], &["--passphrase-file", "pr"]].concat(), 4);
        let outbox = tree(&group.at(&format!("{cheat}/alice/outbox")));
        let path = outbox.keys().find(|path| path.display().to_string().ends_with(&end));
        let path = path.unwrap_or_else(|| panic!("{cheat}: {:?}", outbox.keys()));
        let said = group.run(&["judge", path.to_str().unwrap(), "--json"], 4);
        let verdict = objects(&said.stdout).remove(0);
        assert_eq!((&verdict["guilty"], &verdict["check"]), (&3.into(), &check.into()));
    }
}

#[test]
fn files_of_another_ceremony_are_not_held_and_are_counted() {
    let mut group = Group::new(&["ann", "ben"], &[]);
    group.plan(&["--threshold", "2"]);
    group.step("ann", &[], 0);
    // Each as large as a file may be, and of a plan that nobody has.
    let mut foreign = [b"AGDKG1R1".as_slice(), &[7; 32]].concat();
    foreign.resize(8 << 20, 0);
    for number in 0..6_u8 {
        foreign[100] = number;
        std::fs::write(group.at(&format!("stick/0 {number}")), &foreign).unwrap();
    }
    let said = group.step("ben", &[], 0);
    assert!(said.stderr.contains("left alone: 6 files not of plan "), "{}", said.stderr);
    assert!(group.run(&["status", "stick"], 0).stdout.contains("missing: the certify files of ann (1)"));
}

#[test]
fn any_number_of_false_deals_that_come_first_hides_none_that_everybody_certified() {
    let mut group = Group::new(&["ann", "ben", "cat"], &[]);
    group.plan(&["--threshold", "2", "--title", "REHEARSAL of many deals"]);
    group.round(&[0, 0, 0]);
    // Ben has two laptops. To one of them Cat's false deals come before the true one, which is not kept there.
    copy(&group, "ben", "laptop");
    false_deals(&group, "cat", "ben/inbox");
    group.step("ben", &[], 4).code("ceremony.fault");
    let honest = sent(&group, "cat", "-deal-3");
    assert!(!kept(&group, "ben", &honest));
    let is_cats = |file: &&Vec<u8>| file.starts_with(b"AGDKG1R1") && file[47] == 3;
    assert_eq!(tree(&group.at("ben/files")).values().filter(is_cats).count(), 4);
    // The evidence has two of them in it, and has come to nobody yet.
    for path in tree(&group.at("stick")).into_keys().filter(|path| path.display().to_string().contains("evidence")) {
        std::fs::remove_file(path).unwrap();
    }
    // On the other everybody's true deals are certified; Ann and Cat do the same.
    for name in ["ann", "laptop", "cat"] {
        group.step(name, &[], 0);
    }
    false_deals(&group, "cat", "stick");
    for name in ["ann", "ben", "cat", "laptop"] {
        let said = group.step(name, &[], 0);
        assert!(said.stderr.contains("The ceremony is finished"), "{}", said.stderr);
        assert!(kept(&group, name, &honest));
        // Nothing is on the way any more, and the folder has all by itself.
        group.run(&[&["step", name][..], &VAULT].concat(), 0);
    }
    // Each has noted which deals these are, for the day on which there are more of them than can be tried.
    let noted = ["ann", "ben", "cat", "laptop"].map(|name| {
        let files = tree(&group.at(&format!("{name}/files")));
        let note = |path: &&PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with("certified-deals-");
        let path = files.keys().find(note).unwrap_or_else(|| panic!("{name} noted nothing"));
        String::from_utf8(files[path].clone()).unwrap()
    });
    assert_eq!(noted[0].lines().map(|line| line.split_once(' ').unwrap().0).collect::<Vec<_>>(), ["1", "2", "3"]);
    assert!(noted.iter().all(|note| *note == noted[0]), "{noted:?}");
    gives_everything(&group, "stick", "stick");
    gives_everything(&group, "ben", "ben");
    let said = group.run(&["audit", "stick", "--json"], 0).last_object();
    assert_eq!(said["evidenceAgainst"], serde_json::json!([3]));
}

#[test]
fn any_number_of_false_commitments_that_come_first_hides_none_that_everybody_certified() {
    let mut group = Group::new(&["ann", "ben"], &[]);
    group.plan(&["--threshold", "2", "--precommit"]);
    for _ in 0..2 {
        group.round(&[0, 0]);
    }
    group.step("ann", &[], 0);
    let (identity, own) = (Identity::derive(&root(&group.at("ben"))).unwrap(), sent(&group, "ben", "-precommit-"));
    for flip in 1..=FALSE {
        let file = forge::changed(&identity, &own, |body| body[48] ^= flip);
        std::fs::write(group.at("stick").join(format!("0 precommit {flip}")), file).unwrap();
    }
    gives_everything(&group, "stick", "stick");
    group.step("ben", &[], 0);
    group.step("ann", &[], 0);
}

#[test]
fn any_number_of_false_certify_files_that_come_first_hides_none_that_completes_the_certificate() {
    // A certificate signature, a proof of possession, a partial signature, the transcript.
    let changes: [(&str, Change<'_>); 4] = [
        ("E22", &|body, flip| body[112] ^= flip),
        ("E22", &|body, flip| body[112 + 64 + 48 + 31] ^= flip),
        ("E22", &|body, flip| {
            let end = body.len();
            body[end - 96 + usize::from(flip)] ^= flip;
        }),
        ("E20", &|body, flip| body[48] ^= flip),
    ];
    let mut group = Group::new(&["ann", "ben", "cat"], &[]);
    group.plan(&["--threshold", "2", "--title", "REHEARSAL of many certify files"]);
    group.round(&[0, 0, 0]);
    group.round(&[0, 0, 0]);
    let honest = sent(&group, "cat", "-certify-3");
    group.run(&["assemble", "stick", "--out", "output"], 0);
    std::fs::copy(group.at("output/ceremony.bn"), group.at("ceremony.bn")).unwrap();
    for (number, (code, change)) in changes.into_iter().enumerate() {
        let [set, here] = ["set", "here"].map(|name| format!("{name}{number}"));
        // Ann has certified and has nobody's certify file yet; then false ones of Cat come, and Ben's.
        copy(&group, "ann", &here);
        for (path, content) in tree(&group.at(&format!("{here}/files"))) {
            if content.starts_with(b"AGDKG1R2") && content[47] != 1 {
                std::fs::remove_file(path).unwrap();
            }
        }
        std::fs::create_dir(group.at(&set)).unwrap();
        false_certifies(&group, "cat", &set, change);
        std::fs::write(group.at(&set).join("of ben"), sent(&group, "ben", "-certify-2")).unwrap();
        let step = ["step", &here, "--stick", &set, "--keystore-password-file", "pp"];
        let said = group.run(&[&step[..], &VAULT].concat(), if code == "E22" { 4 } else { 1 });
        assert!(said.stderr.contains(code), "{number}: {}", said.stderr);
        goes_on_by_the_bundle(&group, &here, &said.stderr);
        // The true one, last.
        std::fs::write(group.at(&set).join("z"), &honest).unwrap();
        let said = group.run(&[&step[..], &VAULT].concat(), 0);
        assert!(said.stderr.contains("The ceremony is finished"), "{number}: {}", said.stderr);
        assert!(kept(&group, &here, &honest));
        for (path, content) in tree(&group.at("stick")) {
            if !content.starts_with(b"AGDKG1R2") {
                std::fs::copy(&path, group.at(&set).join(path.file_name().unwrap())).unwrap();
            }
        }
        std::fs::write(group.at(&set).join("of ann"), sent(&group, "ann", "-certify-1")).unwrap();
        gives_everything(&group, &set, &set);
    }
}
