//! Outputs of which a power cut left some: the same command makes the rest, touches nothing, and needs no --force.

use super::{Group, VAULT, tree};

#[test]
fn keystores_and_results_that_were_cut_short_are_completed() {
    let mut group = Group::new(&["ann", "ben"], &[]);
    group.plan(&["--threshold", "2", "--validators", "2"]);
    group.round(&[0, 0, 0]);
    group.step("ann", &[], 0);
    let keystores = tree(&group.at("ann/keystores"));
    assert_eq!(keystores.len(), 2);
    // The power went between the first keystore and the second, and before the journal.
    let journal = std::fs::read_to_string(group.at("ann/journal.agj")).unwrap();
    let (before, last) = journal.trim_end().rsplit_once('\n').unwrap();
    assert!(last.contains(" finished "), "{last}");
    std::fs::write(group.at("ann/journal.agj"), format!("{before}\n")).unwrap();
    let (first, second) = (keystores.keys().next().unwrap(), keystores.keys().next_back().unwrap());
    std::fs::remove_file(second).unwrap();
    // Under another password it would be a keystore that nobody asked for.
    std::fs::write(group.at("other"), "another password").unwrap();
    let other = ["finish", "ann", "--keystore-password-file", "other"];
    group.run(&[&other[..], &VAULT].concat(), 1).code("output.exists");
    assert_eq!(tree(&group.at("ann/keystores")).len(), 1);
    group.step("ann", &[], 0);
    let again = tree(&group.at("ann/keystores"));
    assert_eq!((again.keys().collect::<Vec<_>>(), &again[first]), (keystores.keys().collect(), &keystores[first]));
    assert_eq!(std::fs::read_to_string(group.at("ann/journal.agj")).unwrap(), journal);
    // The same from the paper's side.
    std::fs::remove_file(second).unwrap();
    group.run(&["assemble", "stick", "--out", "output"], 0);
    let recover = ["recover", "--bundle", "output/ceremony.bn", "--folder", "ann", "--out", "ann/keystores"];
    group.run(&[&recover[..], &["--keystore-password-file", "pp"], &VAULT].concat(), 0);
    assert_eq!(tree(&group.at("ann/keystores")).len(), 2);

    let results = tree(&group.at("output"));
    for left_out in [vec!["ceremony.ct", "report.txt"], vec!["report.txt"], results_but(&results, "ceremony.bn")] {
        for name in &left_out {
            std::fs::remove_file(group.at("output").join(name)).unwrap();
        }
        group.run(&["assemble", "stick", "--out", "output"], 0);
        assert!(tree(&group.at("output")) == results, "after {left_out:?} were missing");
    }
    // What somebody changed is not replaced, and nothing is put beside it.
    std::fs::write(group.at("output/ceremony.ct"), "changed").unwrap();
    std::fs::remove_file(group.at("output/report.txt")).unwrap();
    group.run(&["assemble", "stick", "--out", "output"], 1).code("output.exists");
    assert!(!group.at("output/report.txt").exists());
}

/// The names of all results but one.
fn results_but<'a>(results: &'a std::collections::BTreeMap<std::path::PathBuf, Vec<u8>>, one: &str) -> Vec<&'a str> {
    let names = results.keys().map(|path| path.file_name().unwrap().to_str().unwrap());
    names.filter(|name| *name != one).collect()
}

#[test]
fn a_second_plan_for_the_same_people_is_offered_and_not_taken_unasked() {
    let mut group = Group::new(&["ann", "ben"], &[]);
    group.plan(&["--threshold", "2", "--title", "the first"]);
    group.round(&[0, 0, 0]);
    group.step("ann", &[], 0);
    let first = std::fs::read(group.at("stick/the plan.bin")).unwrap();
    std::fs::remove_file(group.at("stick/the plan.bin")).unwrap();
    group.plan(&["--threshold", "2", "--title", "the second"]);
    // One of other people is nobody's business here.
    let mut others = Group::new(&["cat", "dan"], &[]);
    others.plan(&["--threshold", "2", "--title", "the third"]);
    std::fs::copy(others.at("stick/the plan.bin"), group.at("stick/third")).unwrap();
    for _ in 0..2 {
        let said = group.step("ann", &[], 0).stderr;
        let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains("Another plan for you is here") && flat.contains("the second. To leave"), "{said}");
        assert!(flat.contains("The ceremony is finished") && !flat.contains("the third"), "{said}");
    }
    // Once it is accepted, the one from before is not offered again.
    group.run(&[&["plan", "accept", "ann", "stick/the plan.bin", "--confirm", &group.confirm][..], &VAULT].concat(), 0);
    std::fs::write(group.at("stick/the first.bin"), first).unwrap();
    let said = group.step("ann", &[], 0).stderr;
    assert!(said.contains("wrote deal") && !said.contains("Another plan"), "{said}");
}
