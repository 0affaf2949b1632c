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
