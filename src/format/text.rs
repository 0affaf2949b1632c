//! Text from foreign files and names, made safe to show.

/// The first `most` characters of `text`, with everything that would move the cursor, colour, hide or turn text round
/// replaced by a question mark.
#[must_use]
pub fn shown(text: &str, most: usize) -> String {
    text.chars().take(most).map(|c| if is_plain(c) { c } else { '?' }).collect()
}

/// Whether a character stands for itself: no control character, and none of the invisible ones that change how others
/// are read.
fn is_plain(c: char) -> bool {
    let invisible = matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    !c.is_control() && !invisible
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_the_reading_is_replaced() {
        assert_eq!(shown("a\u{1b}[31mb\n\u{85}c", 100), "a?[31mb??c");
        assert_eq!(shown("gpj.\u{202e}txe", 100), "gpj.?txe");
        assert_eq!(shown("pässwörd 🔑 日本", 100), "pässwörd 🔑 日本");
        assert_eq!(shown("abcdef", 3), "abc");
    }
}
