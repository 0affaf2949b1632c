//! Somebody signs any number of files beside the right one, and they come first: what everybody certified is found all the
//! same, by whoever looks, in whatever order files came.

use dvkey_ceremony::agdkg::identity::Identity;
use dvkey_ceremony::testing::forge;

use super::faces::{plan, sent};
use super::{Group, VAULT, root, tree};

const FALSE: u8 = 12;

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
fn false_certifies(group: &Group, name: &str, folder: &str, change: &dyn Fn(&mut Vec<u8>, u8)) {
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
    let changes: [(&str, &dyn Fn(&mut Vec<u8>, u8)); 4] = [
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
