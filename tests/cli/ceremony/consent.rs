//! What people confirm, at a terminal and in a script.

use dvkey_ceremony::agdkg::plan::{Plan, Waivers};

use super::{Group, VAULT, WITHDRAWAL, root};
use crate::objects;
use crate::terminal::Terminal;

#[test]
fn a_script_confirms_whole_values_or_nothing() {
    let mut group = Group::new(&["ann", "ben"], &[]);
    group.plan(&["--threshold", "2"]);
    let right = group.confirm.clone();
    let accept = |confirm: &str, exit: i32| {
        let accept = ["plan", "accept", "ann", "stick/the plan.bin", "--confirm", confirm];
        group.run(&[&accept[..], &VAULT].concat(), exit)
    };
    let words = right.split_once("words=").unwrap().1;
    for wrong in [
        right.replace("network=hoodi", "network=mainnet"),
        right.replace("32ether", "31ether"),
        right.replace("32ether", "32ether,amount=1ether"),
        right.replace(WITHDRAWAL, "0x52454845415253414C204e4f54205245414C2021"),
        right.replace(words, &words.split('-').rev().collect::<Vec<_>>().join("-")),
        right.replace(words, words.rsplit_once('-').unwrap().0),
        format!("{right},owner={WITHDRAWAL}"),
        format!("{right},validators=2"),
        format!("{right},colour=blue"),
    ] {
        accept(&wrong, 1).code("confirm.differs");
    }
    for part in ["network=hoodi,", "amount=32ether,"] {
        accept(&right.replace(part, ""), 1).code("input.missing");
    }
    accept("network=hoodi", 1).code("input.missing");
    group.run(&[&["plan", "accept", "ann", "stick/the plan.bin"][..], &VAULT].concat(), 1).code("input.missing");
    assert!(!group.at("ann/journal.agj").exists());
    let said = accept(&right, 0);
    assert!(said.stderr.contains("HOODI (chain 560048): a test network") && said.stderr.contains(WITHDRAWAL));
    assert!(said.stderr.lines().all(|line| line.chars().count() <= 80), "{}", said.stderr);
    accept(&right, 0);
}

#[test]
fn at_a_terminal_addresses_are_typed_and_words_compared() {
    let mut group = Group::new(&["ann", "ben"], &[]);
    group.plan(&["--threshold", "2"]);
    let shown = group.run(&["plan", "show", "stick", "--json"], 0);
    let plan = objects(&shown.stdout).remove(0);
    let words: Vec<_> = plan["words"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    let Some(mut terminal) = Terminal::open(group.folder.path(), "ceremony step ann --stick stick") else {
        return;
    };
    terminal.answer("last six characters of the withdrawal address", "000000");
    terminal.expect("that is not what stands above");
    terminal.answer("last six characters of the withdrawal address", "91f494");
    terminal.expect("Now the telephone.");
    for _ in 0..3 {
        terminal.expect("Word ");
        let number: usize = terminal.until(",").parse().unwrap();
        terminal.answer("reads it to you:", &words[number - 1].to_uppercase());
    }
    // Once, and not before the plan is confirmed.
    terminal.answer("Passphrase of the vault in ann:", "a wrong one");
    terminal.answer("Passphrase of the vault in ann:", super::PASSPHRASE);
    terminal.expect("accepted:");
    terminal.expect("Waiting for the deals of ben (2).");
    terminal.end(0);
}

#[test]
fn wrong_words_are_told_on_the_page_on_which_they_are_typed_again() {
    let folder = super::quick_folder();
    std::fs::write(folder.path().join("pp"), super::PASSPHRASE).unwrap();
    let arguments = "ceremony identity new ann --label ann --from-words --vault-memory 64MiB --passphrase-file pp";
    let Some(mut terminal) = Terminal::open(folder.path(), arguments) else { return };
    terminal.expect("Words:");
    terminal.press("abandon abandon\n");
    // The next page opens, and says why, before it asks.
    terminal.expect("\x1b[?1049h");
    let page = terminal.until("Words:");
    assert!(page.contains("Type the 24 words") && page.contains("again:") && page.contains("24"), "{page}");
    terminal
        .press(&format!("{}\n", dvkey_ceremony::agdkg::identity::Root::from_bytes([7; 32].into()).to_words().as_str()));
    terminal.expect("done:");
    terminal.end(0);
}

#[test]
fn words_are_shown_once_on_a_page_and_asked_back() {
    let folder = super::quick_folder();
    std::fs::write(folder.path().join("pp"), super::PASSPHRASE).unwrap();
    let arguments = "ceremony identity new ann --label ann --vault-memory 64MiB --passphrase-file pp";
    let Some(mut terminal) = Terminal::open(folder.path(), arguments) else { return };
    terminal.expect("CEREMONY ROOT, NOT A WALLET");
    terminal.expect("a lost laptop is a lost share.");
    let page = terminal.until("All on paper?");
    let mut words = vec![String::new(); 24];
    let plain = |cell: &&str| cell.chars().all(char::is_alphanumeric);
    let cells: Vec<_> = page.split_whitespace().filter(plain).collect();
    for pair in cells.chunks(2) {
        words[pair[0].parse::<usize>().unwrap() - 1] = pair[1].to_owned();
    }
    terminal.press("\n");
    for _ in 0..3 {
        terminal.expect("From the paper, word ");
        let number: usize = terminal.until(":").parse().unwrap();
        terminal.press(&format!("{}\n", words[number - 1]));
    }
    terminal.expect("done:");
    terminal.end(0);
    assert_eq!(root(&folder.path().join("ann")).to_words().as_str(), words.join(" "));
    // No file has them.
    for (path, content) in super::tree(&folder.path().join("ann")) {
        let text = String::from_utf8_lossy(&content).into_owned();
        assert!(!text.contains(&words[..3].join(" ")), "{}", path.display());
    }
    // Where a vault is already, nobody writes words on paper that belong to nothing.
    let Some(terminal) = Terminal::open(folder.path(), arguments) else { return };
    let screen = terminal.end(1);
    assert!(screen.contains("a vault is in this folder already") && !screen.contains("NOT A WALLET"), "{screen}");
    // Whoever interrupts leaves no words on the screen; whoever wants to stop for a while cannot leave them, either.
    let Some(mut terminal) = Terminal::open(folder.path(), &arguments.replace("ann", "cat")) else { return };
    terminal.expect("All on paper?");
    terminal.press("\x1a\x03");
    terminal.expect("\x1b[2J\x1b[H\x1b[?1049l");
    terminal.end(130);
    let Some(mut terminal) = Terminal::open(folder.path(), &arguments.replace("ann", "bob")) else { return };
    terminal.expect("All on paper?");
    terminal.press("\n");
    for _ in 0..3 {
        terminal.expect("From the paper, word ");
        terminal.expect(":");
        terminal.press("zzz\n");
    }
    terminal.expect("code: confirm.differs");
    terminal.end(1);
    assert!(!folder.path().join("bob/vault.agv").exists());
}

#[test]
fn what_is_asked_about_stands_on_the_same_small_screen() {
    let names = ["ann", "ben", "cat", "dan", "eve", "fay", "gus", "hal", "ida", "joe", "kim", "leo", "mae"];
    let group = Group::new(&names, &[]);
    let address = |fill: u8| dvkey_ceremony::Address::from_bytes([fill; 20]);
    let owner = address(0xab).to_checksum();
    let cards: Vec<_> = (1..).zip(names).map(|(id, name)| format!("{id}={name}/outbox")).collect();
    let amounts: Vec<_> = (0..8).map(|i| format!("{}.99999999{i}ether", 2040 + i)).collect();
    let mut arguments = vec!["plan", "new", "--network", "hoodi", "--withdrawal", WITHDRAWAL, "--owner", &owner];
    arguments.extend(["--nonce", "3", "--nonce-window", "8", "--allow-unbound", "--precommit", "--validators", "3"]);
    arguments.extend(["--out", "stick/the plan.bin"]);
    arguments.extend(amounts.iter().flat_map(|amount| ["--amount", amount]));
    arguments.extend(cards.iter().map(String::as_str));
    group.run(&arguments, 0);
    // What no organizer's program here makes, but is lawful: a withdrawal address for each validator.
    let waived = Waivers { two_quorums: true, unbound_operators: true };
    let bytes = std::fs::read(group.at("stick/the plan.bin")).unwrap();
    let rsa = dvkey::crypto::ceremony_rsa::CeremonyRsa;
    let one = Plan::parse(&bytes, waived, &rsa).unwrap();
    let mut draft = one.parameters().clone();
    draft.credentials = (1..=3).map(|fill| dvkey_ceremony::WithdrawalCredentials::Execution(address(fill))).collect();
    std::fs::create_dir(group.at("several")).unwrap();
    std::fs::write(group.at("several/plan"), draft.encode().unwrap()).unwrap();
    let several = Plan::parse(&draft.encode().unwrap(), waived, &rsa).unwrap();
    for (stick, plan, quiet) in [("stick", &one, ""), ("stick", &one, " --quiet"), ("several", &several, "")] {
        let arguments = format!("ceremony plan accept ann {stick} --allow-unbound{quiet}");
        let Some(mut terminal) = Terminal::sized(group.folder.path(), &arguments) else { return };
        let screen = std::cell::RefCell::new(String::new());
        let asks = |terminal: &mut Terminal, question: &str, answers: &[&str], parts: &[&str]| {
            for answer in answers {
                *screen.borrow_mut() += &terminal.until(question);
                let rows = last_rows(&screen.borrow(), 23);
                for part in parts {
                    assert!(flat(&rows).contains(part), "{part:?} has left the screen:\n{rows}\n{question}");
                }
                terminal.press(&format!("{answer}\n"));
            }
        };
        let addresses: Vec<_> =
            plan.parameters().credentials.iter().map(|one| one.address().unwrap().to_checksum()).collect();
        for (i, address) in addresses.iter().enumerate() {
            let mut parts = vec![address.as_str()];
            if i == 0 {
                parts.extend(["NETWORK HOODI", "AMOUNT 2040.99999999 ETH", "2047.999999997 ETH", &owner]);
                parts.extend(["validators 3", "nonces 3 to 5", "any 9 of 13", "one walk more"]);
            }
            if stick == "several" {
                parts.truncate(if i == 0 { 4 } else { 1 });
            }
            asks(&mut terminal, "last six characters of the withdrawal address", &["no", "no", &address[36..]], &parts);
        }
        asks(&mut terminal, "last six characters of the owner", &["no", "no", &owner[36..]], &[&owner]);
        let words = plan.words();
        for _ in 0..3 {
            *screen.borrow_mut() += &terminal.until("Word ");
            let number: usize = terminal.until(",").parse().unwrap();
            asks(&mut terminal, "reads it to you:", &["no", "no", words[number - 1]], &words);
        }
        terminal.expect("Passphrase of the vault");
        terminal.press("\x03");
        terminal.end(130);
    }
}

fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The last rows of a screen of 80 columns.
pub(super) fn last_rows(screen: &str, most: usize) -> String {
    let mut plain = String::new();
    let mut inside = false;
    for c in screen.chars() {
        match c {
            '\x1b' => inside = true,
            c if inside => inside = !c.is_ascii_alphabetic(),
            '\r' => {}
            c => plain.push(c),
        }
    }
    let mut rows: Vec<String> = Vec::new();
    for line in plain.lines() {
        let all: Vec<char> = line.chars().collect();
        rows.extend(if all.is_empty() { vec![String::new()] } else { all.chunks(80).map(String::from_iter).collect() });
    }
    rows.split_off(rows.len().saturating_sub(most)).join("\n")
}

#[test]
fn nothing_is_left_of_an_identity_that_was_not_made() {
    let folder = super::quick_folder();
    std::fs::write(folder.path().join("pp"), super::PASSPHRASE).unwrap();
    std::fs::create_dir(folder.path().join("eve")).unwrap();
    std::fs::write(folder.path().join("eve/notes"), "hers").unwrap();
    let new = |name: &str, more: &str| {
        Terminal::open(folder.path(), &format!("ceremony identity new {name} --label x --vault-memory 64MiB {more}"))
    };
    let is_clean = || {
        let mut names: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["eve", "pp"]);
        assert_eq!(std::fs::read_dir(folder.path().join("eve")).unwrap().count(), 1);
    };
    for name in ["ann", "eve"] {
        let Some(mut terminal) = new(name, "") else { return };
        terminal.expect("New passphrase for the vault:");
        terminal.press("\x03");
        terminal.expect("interrupted; no identity was made, and nothing was left behind");
        terminal.end(130);
        is_clean();
        // Somebody has begun to write.
        let Some(mut terminal) = new(name, "--passphrase-file pp") else { return };
        terminal.expect("All on paper?");
        terminal.press("\x03");
        terminal.expect("interrupted; no identity was made; destroy the words that you wrote down");
        terminal.end(130);
        is_clean();
        let Some(mut terminal) = new(name, "--passphrase-file pp") else { return };
        terminal.answer("All on paper?", "");
        terminal.expect("From the paper, word");
        terminal.press("\x03");
        terminal.expect("no identity was made; destroy the words that you wrote down");
        terminal.end(130);
        is_clean();
        let Some(mut terminal) = new(name, "--passphrase-file pp") else { return };
        terminal.answer("All on paper?", "");
        for _ in 0..3 {
            terminal.expect("From the paper, word ");
            terminal.answer(":", "zzz");
        }
        terminal.expect("no identity was made; destroy the words that you wrote down");
        terminal.end(1);
        is_clean();
        // What was on paper before stays there.
        let Some(mut terminal) = new(name, "--passphrase-file pp --from-words") else { return };
        terminal.expect("Words:");
        terminal.press("\x03");
        terminal.expect("interrupted; no identity was made, and nothing was left behind");
        terminal.end(130);
        is_clean();
    }
    let Some(mut terminal) = new("eve", "--passphrase-file pp --without-words") else { return };
    terminal.expect("done:");
    terminal.end(0);
    assert!(folder.path().join("eve/vault.agv").exists() && folder.path().join("eve/notes").exists());
}
