//! Questions to a person at a terminal: one at a time, three tries each.

use std::io::{Read, Write};
use std::os::fd::AsFd;

use dvkey_ceremony::SecretBytes;
use zeroize::Zeroizing;

use super::printer::{Printer, Tone, tone};
use crate::cli::codes::Code;
use crate::cli::report::Failure;
use crate::crypto::password::Password;
use crate::machine::interrupt;

/// How often a question is asked.
pub(crate) const TRIES: usize = 3;

/// The longest password that is taken from a terminal, in bytes; the same as from a file.
const MAX_PASSWORD: usize = 4096;

/// Asks until `read` takes the answer.
pub(crate) fn ask<T>(
    printer: &Printer,
    question: &str,
    read: impl Fn(&str) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut tries = 1;
    loop {
        let answer = line(question)?;
        match read(answer.trim()) {
            Ok(value) => return Ok(value),
            Err(failure) if tries >= TRIES => return Err(failure),
            Err(failure) => {
                printer.warning(&failure.headline);
                for cause in &failure.causes {
                    printer.message(&format!("  {cause}"));
                }
            }
        }
        tries += 1;
    }
}

/// Lets a person type a value back, so that a mistake is seen before it costs anything.
pub(crate) fn read_back(printer: &Printer, question: &str, expected: &str) -> Result<(), Failure> {
    let same = |answer: &str| {
        if answer.eq_ignore_ascii_case(expected) {
            return Ok(());
        }
        Err(Failure::new(Code::ConfirmDiffers, "that is not what stands above"))
    };
    ask(printer, question, same)
}

/// Asks for a password without showing it.
pub(crate) fn password(question: &str) -> Result<Password, Failure> {
    Password::new(hidden(question)?).map_err(|error| Failure::new(Code::PasswordEncoding, error.to_string()))
}

/// Asks for a secret text without showing it.
pub(crate) fn hidden(question: &str) -> Result<SecretBytes, Failure> {
    // The echo comes back even when Ctrl-C ends the question.
    let _terminal = interrupt::remember_terminal();
    let typed = rpassword::prompt_password(format!("{} ", tone(Tone::Bold, question)));
    if typed.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::Interrupted) {
        // Ctrl-C was read as a key: it ends the program as the signal does.
        interrupt::interrupt_now();
    }
    let typed = typed.map(|text| SecretBytes::new(text.into_bytes())).map_err(|error| {
        Failure::new(Code::InputMissing, "no password could be read from the terminal").cause(error.to_string())
    })?;
    if typed.expose().len() > MAX_PASSWORD {
        return Err(Failure::new(Code::PasswordSource, "the password is longer than 4096 bytes"));
    }
    Ok(typed)
}

/// Asks for a secret text that has to be seen while it is typed, such as backup words. It stays in no buffer.
pub(crate) fn secret_line(question: &str) -> Result<SecretBytes, Failure> {
    let _ = write!(anstream::stderr(), "{} ", tone(Tone::Bold, question));
    let _ = anstream::stderr().flush();
    let failed = |error: std::io::Error| {
        Failure::new(Code::InputMissing, "the answer could not be read").cause(error.to_string())
    };
    // A duplicate of the descriptor: std's own reader keeps a buffer in which the answer would stay behind.
    let terminal = std::io::stdin().as_fd().try_clone_to_owned().map_err(failed)?;
    let mut terminal = std::fs::File::from(terminal);
    let mut answer = SecretBytes::with_capacity(MAX_PASSWORD);
    let mut byte = Zeroizing::new([0; 1]);
    loop {
        match terminal.read(byte.as_mut()) {
            Ok(0) => return Err(Failure::new(Code::InputMissing, "the input ended before the question was answered")),
            Ok(_) if *byte == *b"\n" => return Ok(answer),
            Ok(_) if answer.extend(byte.as_ref()).is_err() => {
                return Err(Failure::new(Code::InputMissing, "the answer is longer than 4096 bytes"));
            }
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

/// Shows something on a screen of its own, which is gone once `then` is done.
pub(crate) fn on_a_page<T>(lines: &[impl AsRef<str>], then: impl FnOnce() -> T) -> T {
    let _page = interrupt::open_page();
    let mut screen = anstream::stderr();
    for line in lines {
        let _ = writeln!(screen, "{}", line.as_ref());
    }
    then()
}

fn line(question: &str) -> Result<String, Failure> {
    let _ = write!(anstream::stderr(), "{} ", tone(Tone::Bold, question));
    let _ = anstream::stderr().flush();
    let mut answer = String::new();
    match std::io::stdin().read_line(&mut answer) {
        Ok(1..) => Ok(answer),
        Ok(0) => Err(Failure::new(Code::InputMissing, "the input ended before the question was answered")),
        Err(error) => Err(Failure::new(Code::InputMissing, "the answer could not be read").cause(error.to_string())),
    }
}
