//! `dvkey split` with a person at a terminal: questions, corrections, read-backs, passwords, Ctrl-C.
//!
//! The terminal is made by script(1), which every Debian machine has.
#![cfg(target_os = "linux")]

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::{OWNER, workshop};

/// A program at a terminal.
pub(crate) struct Terminal {
    child: Child,
    keys: ChildStdin,
    screen: Arc<Mutex<String>>,
    seen: usize,
}

impl Terminal {
    /// `None` where there is no script(1).
    pub(crate) fn open(folder: &Path, arguments: &str) -> Option<Self> {
        Self::start(folder, arguments, "")
    }

    /// As [`Terminal::open`], with 24 rows of 80 columns.
    pub(crate) fn sized(folder: &Path, arguments: &str) -> Option<Self> {
        Self::start(folder, arguments, "stty cols 80 rows 24; ")
    }

    fn start(folder: &Path, arguments: &str, first: &str) -> Option<Self> {
        let program = env!("CARGO_BIN_EXE_dvkey");
        // Ctrl-C reaches the shell, too: with a trap it goes on and tells how the program ended, whichever shell it is.
        let line = format!("{first}trap : INT; {program} {arguments}; echo \"exit $?\"; stty -a");
        let spawned = Command::new("script")
            .args(["-qec", &line, "/dev/null"])
            .env("SHELL", "/bin/sh")
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut child) = spawned else {
            eprintln!("SKIPPED: script(1) is not installed");
            return None;
        };
        let keys = child.stdin.take().unwrap();
        let mut output = child.stdout.take().unwrap();
        let screen = Arc::new(Mutex::new(String::new()));
        let filled = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut bytes) {
                filled.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..length]));
            }
        });
        Some(Self { child, keys, screen, seen: 0 })
    }

    /// Waits until `text` appears behind everything waited for before.
    pub(crate) fn expect(&mut self, text: &str) {
        let started = Instant::now();
        loop {
            let screen = self.screen.lock().unwrap().clone();
            if let Some(position) = screen[self.seen..].find(text) {
                self.seen += position + text.len();
                return;
            }
            assert!(started.elapsed() < Duration::from_secs(60), "{text:?} did not appear:\n{screen}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What appears from here on until `text`, which is waited for.
    pub(crate) fn until(&mut self, text: &str) -> String {
        let start = self.seen;
        self.expect(text);
        let screen = self.screen.lock().unwrap();
        screen[start..self.seen - text.len()].to_owned()
    }

    pub(crate) fn press(&mut self, keys: &str) {
        // The question is asked before the terminal is ready to take a hidden answer.
        std::thread::sleep(Duration::from_millis(150));
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    pub(crate) fn answer(&mut self, question: &str, answer: &str) {
        self.expect(question);
        self.press(&format!("{answer}\n"));
    }

    /// The exit code, and everything that was on the screen.
    pub(crate) fn end(mut self, exit: i32) -> String {
        self.expect(&format!("exit {exit}"));
        self.expect(" echo ");
        drop(self.keys);
        self.child.wait().unwrap();
        let screen = self.screen.lock().unwrap();
        screen.clone()
    }
}

fn password(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("password.txt")).unwrap().trim_end().to_owned()
}

#[test]
fn missing_answers_are_asked_for_and_mistakes_can_be_mended() {
    let folder = workshop();
    let Some(mut terminal) = Terminal::open(folder.path(), "split keystores --out out") else { return };
    terminal.expect("3 keystores found");
    terminal.answer("Network", "goerli");
    terminal.answer("Network", "hoodi");
    terminal.answer("Owner", "0x1234");
    terminal.answer("Owner", OWNER);
    terminal.answer("Registration nonce?", "65536");
    terminal.answer("Registration nonce?", "7");
    terminal.answer("File with the operators", "absent.json");
    terminal.answer("File with the operators", "operators.json");
    terminal.expect("Plan: split 3 keystores");
    terminal.answer("last six characters of the owner", "000000");
    terminal.answer("last six characters of the owner", "91F494");
    terminal.answer("first nonce", "7");
    terminal.answer("Password of the 3 keystores", "wrong");
    terminal.expect("does not open");
    let password = password(folder.path());
    terminal.answer("Password of keystore-m_12381_3600_9", &password);
    terminal.expect("done:");
    let screen = terminal.end(0);
    assert!(!screen.contains(&password), "the password was shown");
    // The correction was good for the others, too.
    assert!(!screen.contains("Password of keystore-m_12381_3600_10"), "{screen}");
    assert!(folder.path().join("out/keyshares.json").exists());
}

#[test]
fn a_list_that_is_too_long_is_picked_from() {
    let folder = workshop();
    let path = folder.path().join("operators.json");
    let mut operators: Vec<serde_json::Value> = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    operators.push(serde_json::json!({"id": 99, "operatorKey": "none"}));
    std::fs::write(&path, serde_json::to_vec(&operators).unwrap()).unwrap();
    let arguments = format!(
        "split keystore-demo.json --out out --network hoodi --owner {OWNER} --nonce 0 --operators operators.json \
         --confirm owner={OWNER},nonce=0"
    );
    let Some(mut terminal) = Terminal::open(folder.path(), &arguments) else { return };
    terminal.expect("The list has 5 operators");
    terminal.answer("Which of them", "12,34,56,99");
    terminal.answer("Which of them", "12, 34, 56, 78");
    let password = password(folder.path());
    terminal.answer("Password of keystore-demo.json", &password);
    terminal.expect("done:");
    terminal.end(0);
}

#[test]
fn three_wrong_answers_are_enough() {
    let folder = workshop();
    let arguments = format!(
        "split keystores --out out --network hoodi --owner {OWNER} --nonce 0 --operators operators.json \
         --confirm owner={OWNER},nonce=0"
    );
    let Some(mut terminal) = Terminal::open(folder.path(), &arguments) else { return };
    for _ in 0..3 {
        terminal.answer("Password of", "wrong");
    }
    terminal.expect("code: keystore.wrong-password");
    terminal.end(1);
    assert!(!folder.path().join("out").exists());

    let Some(mut terminal) = Terminal::open(folder.path(), "split keystores --out out") else { return };
    for _ in 0..3 {
        terminal.answer("Network", "");
    }
    terminal.expect("code: input.missing");
    terminal.end(1);
}

#[test]
fn ctrl_c_at_a_hidden_question_gives_the_echo_back() {
    let folder = workshop();
    let arguments = format!(
        "split keystores --out out --network hoodi --owner {OWNER} --nonce 0 --operators operators.json \
         --confirm owner={OWNER},nonce=0"
    );
    let Some(mut terminal) = Terminal::open(folder.path(), &arguments) else { return };
    terminal.expect("Password of the 3 keystores");
    terminal.press("half a pass\x03");
    terminal.expect("interrupted; nothing was left behind");
    let screen = terminal.end(130);
    assert!(!screen.contains("half a pass"), "{screen}");
    assert!(!folder.path().join("out").exists());
}

#[test]
fn ctrl_c_at_a_repeated_question_ends_at_once() {
    let folder = workshop();
    let arguments = format!(
        "split keystores --out out --network hoodi --owner {OWNER} --nonce 0 --operators operators.json \
         --confirm owner={OWNER},nonce=0"
    );
    let Some(mut terminal) = Terminal::open(folder.path(), &arguments) else { return };
    terminal.answer("Password of the 3 keystores", "wrong");
    terminal.expect("Password of keystore-m_12381_3600_9");
    let pressed = Instant::now();
    terminal.press("\x03");
    terminal.expect("interrupted; nothing was left behind");
    assert!(pressed.elapsed() < Duration::from_secs(5), "it hung for {:?}", pressed.elapsed());
    terminal.end(130);
}

#[test]
fn no_input_means_no_question() {
    let folder = workshop();
    let Some(mut terminal) = Terminal::open(folder.path(), "split keystores --out out --no-input") else { return };
    terminal.expect("code: input.missing");
    let screen = terminal.end(1);
    assert!(!screen.contains("Network"), "{screen}");
}
