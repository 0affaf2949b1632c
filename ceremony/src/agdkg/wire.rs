//! Reading and writing the fixed binary layouts: big-endian, nothing read past the end, nothing allocated before checked.

/// The bytes end early, or go on after the end, or are not what must stand there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// A cursor over bytes.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn magic(&mut self, magic: &[u8; 8]) -> Result<(), Malformed> {
        if self.array::<8>()? == magic { Ok(()) } else { Err(Malformed) }
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        self.array().map(|bytes: &[u8; 1]| u8::from_be_bytes(*bytes))
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(|bytes| u16::from_be_bytes(*bytes))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(|bytes| u32::from_be_bytes(*bytes))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(|bytes| u64::from_be_bytes(*bytes))
    }

    /// `u8 length ‖ text`: well-formed, at most `limit` bytes, without the characters that change how others show.
    pub(crate) fn text(&mut self, limit: usize) -> Result<&'a str, Malformed> {
        let length = usize::from(self.u8()?);
        let text = std::str::from_utf8(self.take(length)?).map_err(|_| Malformed)?;
        if length > limit || !is_plain(text) { Err(Malformed) } else { Ok(text) }
    }

    /// `u16 length ‖ bytes`, at most `limit` bytes.
    pub(crate) fn bytes16(&mut self, limit: usize) -> Result<&'a [u8], Malformed> {
        let length = usize::from(self.u16()?);
        if length > limit { Err(Malformed) } else { self.take(length) }
    }

    /// Ends the reading; every byte must have been consumed.
    pub(crate) fn finish(self) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}

/// No control characters, and none that is invisible or turns the direction of writing (SPEC section 3).
pub(crate) fn is_plain(text: &str) -> bool {
    !text.chars().any(|character| {
        character.is_control()
            || matches!(character,
                '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    })
}

/// Appends `u8 length ‖ text`; `None` when it is too long.
pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) -> Option<()> {
    out.push(u8::try_from(text.len()).ok()?);
    out.extend(text.as_bytes());
    Some(())
}

/// Appends `u16 length ‖ bytes`; `None` when they are too long.
pub(crate) fn put_bytes16(out: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    out.extend(u16::try_from(bytes.len()).ok()?.to_be_bytes());
    out.extend(bytes);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_read_past_the_end() {
        let mut reader = Reader::new(&[1, 0, 2, 7, 8]);
        assert_eq!(reader.u8(), Ok(1));
        assert_eq!(reader.bytes16(2), Ok(&[7, 8][..]));
        assert_eq!(reader.u8(), Err(Malformed));
        assert!(reader.finish().is_ok());
        assert_eq!(Reader::new(&[0, 3, 1, 2, 3]).bytes16(2), Err(Malformed));
        assert_eq!(Reader::new(&[0, 3, 1, 2]).bytes16(9), Err(Malformed));
        assert_eq!(Reader::new(&[1]).finish(), Err(Malformed));
        assert_eq!(Reader::new(b"AGDKG1XX").magic(b"AGDKG1CD"), Err(Malformed));
    }

    #[test]
    fn texts_that_deceive_are_refused() {
        for text in [
            "a\u{0}",
            "\u{1b}[2J",
            "\u{7f}",
            "\u{85}",
            "\u{061c}",
            "\u{200b}",
            "\u{200f}",
            "\u{2028}",
            "\u{202e}",
            "\u{2060}",
            "\u{206f}",
            "\u{feff}",
        ] {
            let mut bytes = Vec::new();
            put_text(&mut bytes, text).unwrap();
            assert_eq!(Reader::new(&bytes).text(64), Err(Malformed), "{text:?}");
        }
        for text in ["", "op-1", "Zürich", "日本", "\u{200a}", "\u{2010}", "\u{202f}", "\u{2070}"] {
            let mut bytes = Vec::new();
            put_text(&mut bytes, text).unwrap();
            assert_eq!(Reader::new(&bytes).text(64), Ok(text));
        }
        assert_eq!(Reader::new(&[2, 0xc0, 0x80]).text(64), Err(Malformed));
        assert_eq!(Reader::new(&[3, b'a', b'b', b'c']).text(2), Err(Malformed));
        assert!(put_text(&mut Vec::new(), &"x".repeat(256)).is_none());
        assert!(put_bytes16(&mut Vec::new(), &[0; 65_536]).is_none());
    }
}
