//! Text armour: the small binary files of a ceremony as lines of text that survive mail, chat and paper.
//!
//! A line `-----BEGIN AGDKG1R1-----` with the file's own first eight bytes, lines of base64, a line `-----END …-----`.
//! What stands around a block is passed over, and a text may hold several.

use base64ct::{Base64, Encoding};

use super::ceremony_file::CeremonyFile;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";
/// How the label of every file begins.
const LABEL: &str = "AGDKG1";
const LINE: usize = 64;

/// A block that cannot be read.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ArmorError {
    /// The last line of the block is missing.
    #[error("the armoured text ends before its END line")]
    Cut,
    /// A line that is no base64.
    #[error("the armoured text is damaged")]
    Base64,
    /// The file inside is of another kind than the lines around it say.
    #[error("the armoured text holds another kind of file than it says")]
    Label,
}

/// The text of a file; `None` for bytes that are no file of a ceremony.
#[must_use]
pub fn encode(bytes: &[u8]) -> Option<String> {
    let label = CeremonyFile::of(bytes).and(bytes.get(..8)).and_then(|label| std::str::from_utf8(label).ok())?;
    let mut text = format!("{BEGIN}{label}{DASHES}\n");
    for chunk in bytes.chunks(LINE / 4 * 3) {
        text += &Base64::encode_string(chunk);
        text.push('\n');
    }
    text += &format!("{END}{label}{DASHES}\n");
    Some(text)
}

/// Whether a text, or its beginning, holds a block.
#[must_use]
pub fn is_armored(head: &[u8]) -> bool {
    let begin = [BEGIN.as_bytes(), LABEL.as_bytes()].concat();
    head.windows(begin.len()).any(|window| window == begin)
}

/// The files of all blocks, in order.
#[must_use]
pub fn decode_all(text: &[u8]) -> Vec<Result<Vec<u8>, ArmorError>> {
    let text = String::from_utf8_lossy(text);
    let mut found = Vec::new();
    let mut block: Option<(String, String)> = None;
    for line in text.lines() {
        // Mail programs quote with these.
        let line = line.trim().trim_start_matches(['>', ' ', '\u{feff}']);
        let label = |start: &str| {
            let label = line.strip_prefix(start)?.strip_suffix(DASHES)?;
            label.starts_with(LABEL).then(|| label.to_owned())
        };
        if let Some(label) = label(BEGIN) {
            if block.replace((label, String::new())).is_some() {
                found.push(Err(ArmorError::Cut));
            }
        } else if let Some(end) = label(END) {
            if let Some((begin, body)) = block.take() {
                found.push(if begin == end { decode(&begin, &body) } else { Err(ArmorError::Cut) });
            }
        } else if let Some((_, body)) = &mut block {
            body.extend(line.chars().filter(|character| !character.is_whitespace()));
        }
    }
    if block.is_some() {
        found.push(Err(ArmorError::Cut));
    }
    found
}

fn decode(label: &str, body: &str) -> Result<Vec<u8>, ArmorError> {
    let bytes = Base64::decode_vec(body).map_err(|_| ArmorError::Base64)?;
    match bytes.get(..8) == Some(label.as_bytes()) && CeremonyFile::of(&bytes).is_some() {
        true => Ok(bytes),
        false => Err(ArmorError::Label),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(length: usize) -> Vec<u8> {
        b"AGDKG1R1".iter().copied().chain((0..=u8::MAX).cycle().take(length)).collect()
    }

    #[test]
    fn text_comes_back_as_it_was_through_mail_and_editors() {
        for length in [0, 1, 40, 47, 48, 500] {
            let bytes = file(length);
            let text = encode(&bytes).unwrap();
            assert!(text.lines().all(|line| line.len() <= LINE), "{text}");
            let mailed = format!("\u{feff}Dear all,\n\n> {}\nyours", text.replace('\n', "\r\n> "));
            for form in [text.clone(), text.trim_end().to_owned(), mailed, text.replace('\n', "\n\n  ")] {
                assert_eq!(decode_all(form.as_bytes()), [Ok(bytes.clone())], "{form}");
                assert!(is_armored(form.as_bytes()));
            }
            assert_eq!(decode_all(text.repeat(3).as_bytes()).len(), 3);
        }
        assert_eq!(encode(b"AGDKG1XX and more"), None);
    }

    #[test]
    fn what_is_damaged_is_said_to_be() {
        let text = encode(&file(300)).unwrap();
        let (cut, _) = text.split_at(text.len() - 20);
        assert_eq!(decode_all(cut.as_bytes()), [Err(ArmorError::Cut)]);
        let twice = [cut, text.as_str()].concat();
        assert_eq!(decode_all(twice.as_bytes()).len(), 1, "the second BEGIN stands in the line of the first END");
        let twice = [cut, "\n", text.as_str()].concat();
        assert_eq!(decode_all(twice.as_bytes()), [Err(ArmorError::Cut), Ok(file(300))]);
        let relabelled = text.replace("AGDKG1R1-", "AGDKG1R2-");
        assert_eq!(decode_all(relabelled.as_bytes()), [Err(ArmorError::Label)]);
        let damaged = text.replacen("QUdES", "QU*ES", 1);
        assert_eq!(decode_all(damaged.as_bytes()), [Err(ArmorError::Base64)]);
        assert!(decode_all(b"\xff\xfe-----END AGDKG1R1-----\n").is_empty());
        assert!(decode_all(b"-----BEGIN RSA PRIVATE KEY-----\nAAAA\n").is_empty());
    }
}
