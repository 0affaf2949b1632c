//! A command line with placeholders, turned into arguments without a shell.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use thiserror::Error;

/// What is known of a keystore before it is opened.
#[derive(Debug, Clone, Copy)]
pub struct KeystoreFacts<'a> {
    /// The keystore file.
    pub file: &'a Path,
    /// Its public key: 96 lower-case hexadecimal digits without `0x`.
    pub public_key: Option<&'a str>,
    /// Its place in the plan, from 0.
    pub index: usize,
}

impl KeystoreFacts<'_> {
    /// The public key if it is one. It comes from an unverified file and goes into file names
    /// and arguments, so anything but plain digits is refused.
    ///
    /// # Errors
    /// [`BadPublicKey`] unless it is missing or has the promised form.
    pub(crate) fn checked_public_key(&self) -> Result<Option<&str>, BadPublicKey> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        match self.public_key {
            Some(key) if key.len() != 96 || !key.bytes().all(is_digit) => Err(BadPublicKey),
            other => Ok(other),
        }
    }
}

/// The public key does not have the form of one.
#[derive(Debug)]
pub(crate) struct BadPublicKey;

/// Why a text is no command template.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TemplateError {
    /// There is no word in it.
    #[error("the command is empty")]
    Empty,
    /// A quotation mark is never closed, or the text ends in a backslash.
    #[error("the command ends within a quotation")]
    OpenQuote,
    /// A placeholder other than `{pubkey}`, `{file}` and `{index}`.
    #[error("unknown placeholder {{{name}}}")]
    UnknownPlaceholder {
        /// The word between the braces.
        name: String,
    },
    /// A placeholder in the first word: whoever names a keystore would choose the program.
    #[error("the program name holds a placeholder")]
    PlaceholderInProgram,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Placeholder {
    PublicKey,
    File,
    Index,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Value(Placeholder),
}

/// A program and its arguments, with places for the facts of a keystore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandTemplate {
    program: String,
    arguments: Vec<Vec<Part>>,
}

impl CommandTemplate {
    /// Splits `text` into words by the quoting rules of a shell; no shell is involved.
    ///
    /// `{pubkey}`, `{file}` and `{index}` are places for values. They are found here, once, so
    /// that a value is never looked through for placeholders, quotes or blanks. Braces around
    /// anything but a single word (`awk '{print $1}'`) are plain text.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let words = shell_words::split(text).map_err(|_| TemplateError::OpenQuote)?;
        let mut words = words.iter();
        let program = words.next().filter(|word| !word.is_empty());
        let program = program.ok_or(TemplateError::Empty)?;
        if parts(program)?.iter().any(|part| matches!(part, Part::Value(_))) {
            return Err(TemplateError::PlaceholderInProgram);
        }
        Ok(Self { program: program.clone(), arguments: words.map(|word| parts(word)).collect::<Result<_, _>>()? })
    }

    /// The program, as written.
    #[must_use]
    pub fn program(&self) -> &str {
        &self.program
    }

    /// Whether it asks for the public key.
    #[must_use]
    pub fn needs_public_key(&self) -> bool {
        let wanted = Part::Value(Placeholder::PublicKey);
        self.arguments.iter().flatten().any(|part| *part == wanted)
    }

    /// Program and arguments for one keystore; `public_key` is checked by the caller. A missing
    /// public key leaves its place empty.
    pub(crate) fn fill(&self, facts: &KeystoreFacts<'_>, public_key: Option<&str>) -> Vec<OsString> {
        let argument = |parts: &Vec<Part>| {
            let mut bytes = Vec::new();
            for part in parts {
                match part {
                    Part::Text(text) => bytes.extend_from_slice(text.as_bytes()),
                    Part::Value(Placeholder::PublicKey) => {
                        bytes.extend_from_slice(public_key.unwrap_or_default().as_bytes());
                    }
                    Part::Value(Placeholder::File) => {
                        bytes.extend_from_slice(undashed(facts.file).as_bytes());
                    }
                    Part::Value(Placeholder::Index) => {
                        bytes.extend_from_slice(facts.index.to_string().as_bytes());
                    }
                }
            }
            OsString::from_vec(bytes)
        };
        std::iter::once(OsString::from(&self.program)).chain(self.arguments.iter().map(argument)).collect()
    }
}

/// A file called `-x` must not become an option of the command.
fn undashed(file: &Path) -> OsString {
    if file.as_os_str().as_bytes().starts_with(b"-") {
        Path::new(".").join(file).into_os_string()
    } else {
        OsStr::to_os_string(file.as_os_str())
    }
}

fn parts(word: &str) -> Result<Vec<Part>, TemplateError> {
    let is_name = |text: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        !text.is_empty() && text.bytes().all(fits)
    };
    let mut found = Vec::new();
    let mut plain = String::new();
    let mut rest = word;
    while let Some((before, after)) = rest.split_once('{') {
        plain.push_str(before);
        match after.split_once('}') {
            Some((name, beyond)) if is_name(name) => {
                let value = match name {
                    "pubkey" => Placeholder::PublicKey,
                    "file" => Placeholder::File,
                    "index" => Placeholder::Index,
                    _ => return Err(TemplateError::UnknownPlaceholder { name: name.into() }),
                };
                found.push(Part::Text(std::mem::take(&mut plain)));
                found.push(Part::Value(value));
                rest = beyond;
            }
            _ => {
                plain.push('{');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    found.push(Part::Text(plain));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "abababababababababababababababababababababababababababababababab\
                       abababababababababababababababab";

    fn fill(template: &str, file: &str) -> Vec<String> {
        let facts = KeystoreFacts { file: Path::new(file), public_key: Some(KEY), index: 7 };
        let key = facts.checked_public_key().unwrap();
        let words = CommandTemplate::parse(template).unwrap().fill(&facts, key);
        words.into_iter().map(|word| word.into_string().unwrap()).collect()
    }

    #[test]
    fn words_are_split_and_filled() {
        assert_eq!(
            fill("vault kv get -field=pw 'kv/my keys/{pubkey}'", "k.json"),
            ["vault", "kv", "get", "-field=pw", &format!("kv/my keys/{KEY}")]
        );
        assert_eq!(fill("a {index}{index}-{file} ''", "k"), ["a", "77-k", ""]);
        assert_eq!(fill("awk '{print $1}' {} '{' 'a}{index}'", "k"), ["awk", "{print $1}", "{}", "{", "a}7"]);
    }

    #[test]
    fn values_stay_values() {
        let nasty = "a b'; $(rm) {index} \"";
        assert_eq!(fill("cat {file}", nasty), ["cat", nasty]);
        assert_eq!(fill("cat {file}", "-rf"), ["cat", "./-rf"]);
        assert_eq!(fill("cat {file}", "/-rf"), ["cat", "/-rf"]);
    }

    #[test]
    fn bad_templates_are_refused() {
        let error = |text| CommandTemplate::parse(text).unwrap_err();
        assert_eq!(error(""), TemplateError::Empty);
        assert_eq!(error("  "), TemplateError::Empty);
        assert_eq!(error("'' x"), TemplateError::Empty);
        assert_eq!(error("a 'b"), TemplateError::OpenQuote);
        assert_eq!(error("{file} x"), TemplateError::PlaceholderInProgram);
        assert_eq!(error("a {pub-key}"), TemplateError::UnknownPlaceholder { name: "pub-key".into() });
    }

    #[test]
    fn public_keys_are_checked() {
        fn check(public_key: Option<&str>) -> bool {
            let file = Path::new("k");
            let facts = KeystoreFacts { file, public_key, index: 0 };
            facts.checked_public_key().is_ok()
        }
        assert!(check(None));
        assert!(check(Some(KEY)));
        assert!(!check(Some("")));
        assert!(!check(Some("AB".repeat(48).as_str())));
        assert!(!check(Some(&KEY[1..])));
        assert!(!check(Some(format!("../{}", &KEY[3..]).as_str())));
        assert!(CommandTemplate::parse("a x{pubkey}").unwrap().needs_public_key());
        assert!(!CommandTemplate::parse("a {file}").unwrap().needs_public_key());
    }
}
