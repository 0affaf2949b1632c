//! Small pieces of wording that several screens share.

use dvkey_ceremony::{OperatorId, PublicKey};

use crate::format::text::shown;

/// `1 validator`, `3 validators`.
pub(crate) fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// `12, 34, 56, 78`; of more than any cluster has, the first few.
pub(crate) fn ids(ids: &[OperatorId]) -> String {
    const SHOWN: usize = 20;
    let shown = ids.iter().take(SHOWN).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match ids.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The start and the end of a public key, enough to tell validators apart.
pub(crate) fn short_key(key: &PublicKey) -> String {
    let text = key.to_string();
    let (start, end) = (text.get(..10).unwrap_or_default(), text.get(92..).unwrap_or_default());
    format!("{start}…{end}")
}

/// `nonce 7`, `nonces 7 to 9`.
pub(crate) fn nonces(first: u64, last: u64) -> String {
    if first == last { format!("nonce {first}") } else { format!("nonces {first} to {last}") }
}

/// `text` behind `first`, in lines of at most `width` columns where words are short enough; what follows is indented.
pub(crate) fn folded(first: &str, text: &str, width: usize) -> Vec<String> {
    let indent = first.chars().count();
    let mut lines = Vec::new();
    let mut line = first.to_owned();
    let mut empty = true;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if !empty && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    lines.push(line);
    lines
}

/// A path or a text of a file, safe to show on a terminal.
pub(crate) fn printable(text: &str) -> String {
    shown(text, usize::MAX)
}
