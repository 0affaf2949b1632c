//! How a typed password becomes the bytes that a key derivation takes (EIP-2335, "Password requirements").

use dvkey_ceremony::SecretBytes;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;

/// A password as UTF-8 text.
pub struct Password(SecretBytes);

/// Bytes that are not UTF-8 text, which EIP-2335 passwords are.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("the password is not UTF-8 text (the byte at position {0} does not fit)")]
pub struct NotUtf8(pub usize);

/// Two ways to read the same typed password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// EIP-2335: NFKD, then C0, DEL and C1 removed.
    Standard,
    /// What the wealdtech keystore library up to 1.1 does: NFKD, then combining marks, C0 and DEL removed; C1 stays.
    Wealdtech,
}

impl Reading {
    /// Its name in messages and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "EIP-2335",
            Self::Wealdtech => "wealdtech",
        }
    }

    fn keeps(self, c: char) -> bool {
        match self {
            Self::Standard => !c.is_control(),
            Self::Wealdtech => canonical_combining_class(c) == 0 && !c.is_ascii_control(),
        }
    }
}

impl Password {
    /// Takes the typed bytes.
    ///
    /// # Errors
    /// [`NotUtf8`].
    pub fn new(bytes: SecretBytes) -> Result<Self, NotUtf8> {
        match std::str::from_utf8(bytes.expose()) {
            Ok(_) => Ok(Self(bytes)),
            Err(error) => Err(NotUtf8(error.valid_up_to())),
        }
    }

    /// A second copy, for the next keystore that has the same password; wiped like the first.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self(SecretBytes::new(self.0.expose().to_vec()))
    }

    /// The bytes that the key derivation takes under `reading`.
    #[must_use]
    pub fn read_as(&self, reading: Reading) -> SecretBytes {
        let characters = || self.text().nfkd().filter(|c| reading.keeps(*c));
        // Measured first and reserved in full, so that no half-built copy is left behind by a reallocation.
        let mut bytes = SecretBytes::with_capacity(characters().map(char::len_utf8).sum());
        for c in characters() {
            // The capacity was measured from the same iterator.
            let _ = bytes.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
        bytes
    }

    /// How many characters the key derivation takes of it.
    #[must_use]
    pub fn length(&self) -> usize {
        self.text().nfkd().filter(|c| Reading::Standard.keeps(*c)).count()
    }

    /// Whether two typed passwords are the same. In constant time.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        use subtle::ConstantTimeEq;
        bool::from(self.0.expose().ct_eq(other.0.expose()))
    }

    /// Whether the two readings differ, so that trying the second makes sense.
    #[must_use]
    pub fn readings_differ(&self) -> bool {
        let standard = self.text().nfkd().filter(|c| Reading::Standard.keeps(*c));
        let wealdtech = self.text().nfkd().filter(|c| Reading::Wealdtech.keeps(*c));
        !standard.eq(wealdtech)
    }

    fn text(&self) -> &str {
        // Checked on construction.
        std::str::from_utf8(self.0.expose()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::new(SecretBytes::new(text.into())).unwrap()
    }

    fn standard(text: &str) -> String {
        String::from_utf8(password(text).read_as(Reading::Standard).expose().into()).unwrap()
    }

    fn wealdtech(text: &str) -> String {
        String::from_utf8(password(text).read_as(Reading::Wealdtech).expose().into()).unwrap()
    }

    #[test]
    fn the_example_of_the_eip() {
        assert_eq!(standard("𝔱𝔢𝔰𝔱𝔭𝔞𝔰𝔰𝔴𝔬𝔯𝔡🔑"), "testpassword🔑");
    }

    #[test]
    fn controls_go_and_spaces_stay() {
        assert_eq!(standard("a\tb\nc\x7fd\u{85}e\0"), "abcde");
        assert_eq!(standard(" a b "), " a b ");
        assert_eq!(standard("\t\n"), "");
        assert_eq!(standard("\u{a0}"), " ");
    }

    #[test]
    fn readings_differ_in_marks_and_c1_only() {
        assert_eq!(standard("ñ"), "n\u{303}");
        assert_eq!(wealdtech("ñ"), "n");
        assert_eq!(wealdtech("a\u{85}\x7f"), "a\u{85}");
        assert!(password("ñ").readings_differ());
        assert!(password("a\u{85}").readings_differ());
        assert!(!password("plain ﬁ\t").readings_differ());
    }

    #[test]
    fn other_encodings_are_named() {
        let latin_1 = Password::new(SecretBytes::new(vec![b'a', 0xf1]));
        assert_eq!(latin_1.err(), Some(NotUtf8(1)));
    }
}
