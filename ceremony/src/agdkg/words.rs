//! Words: ten of them to compare by telephone, twenty-four to write down as the backup of a root.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::hash::Tag;

/// The English list of BIP-39, one word a line, sorted.
static LIST: LazyLock<Vec<&'static str>> = LazyLock::new(|| include_str!("bip39-english.txt").lines().collect());

/// How many words are compared. Not a lawful length of a mnemonic, so that nobody takes them for a secret.
pub const TELEPHONE_WORDS: usize = 10;

/// How many words a root is written down in.
pub const BACKUP_WORDS: usize = 24;

/// The ten words of a hash (SPEC section 6): scrypt, so that a search for two plans with the same words is hopeless.
#[must_use]
pub fn telephone_words(hash: &[u8; 32]) -> Vec<&'static str> {
    let bytes = stretched(hash);
    (0..TELEPHONE_WORDS).filter_map(|word| LIST.get(eleven_bits(&bytes, word)).copied()).collect()
}

/// `scrypt(P = h, S = "agdkg-v1/words", N = 32768, r = 8, p = 1, dkLen = 14)`.
pub(super) fn stretched(hash: &[u8; 32]) -> [u8; 14] {
    let mut out = [0; 14];
    // Lawful parameters and a lawful length: neither can fail.
    if let Ok(params) = scrypt::Params::new(15, 8, 1) {
        let _ = scrypt::scrypt(hash, Tag::WORDS.as_bytes(), &params, &mut out);
    }
    out
}

/// The 24 words of 32 bytes, as BIP-39 writes 256 bits of entropy. No passphrase, no derived seed.
#[must_use]
pub fn backup_words(entropy: &[u8; 32]) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new([0; 33]);
    let checksum = Sha256::digest(entropy);
    for (to, from) in bytes.iter_mut().zip(entropy.iter().chain(checksum.first())) {
        *to = *from;
    }
    // The longest word has eight letters. Reserved in full: a text that grows would leave words behind.
    let mut text = Zeroizing::new(String::with_capacity(BACKUP_WORDS * 9));
    for word in 0..BACKUP_WORDS {
        if word > 0 {
            text.push(' ');
        }
        text.push_str(LIST.get(eleven_bits(bytes.as_ref(), word)).copied().unwrap_or_default());
    }
    text
}

/// Reads 24 words, separated by any white space, in any case; `None` unless all are in the list and the checksum holds.
#[must_use]
pub fn read_backup_words(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let mut bytes = Zeroizing::new([0u8; 33]);
    let mut count = 0;
    for word in text.split_whitespace() {
        if count == BACKUP_WORDS {
            return None;
        }
        let word = Zeroizing::new(word.to_ascii_lowercase());
        let index = LIST.binary_search(&word.as_str()).ok()?;
        for bit in 0..11 {
            if index >> (10 - bit) & 1 == 1 {
                let position = count * 11 + bit;
                *bytes.get_mut(position / 8)? |= 0x80 >> (position % 8);
            }
        }
        count += 1;
    }
    let (entropy, checksum) = bytes.split_first_chunk::<32>()?;
    let right = count == BACKUP_WORDS && Sha256::digest(entropy).first() == checksum.first();
    right.then(|| Zeroizing::new(*entropy))
}

/// The `number`-th group of eleven bits.
fn eleven_bits(bytes: &[u8], number: usize) -> usize {
    (number * 11..number * 11 + 11).fold(0, |value, position| {
        let byte = bytes.get(position / 8).copied().unwrap_or_default();
        value << 1 | usize::from(byte >> (7 - position % 8) & 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_the_list() {
        assert_eq!(LIST.len(), 2048);
        assert!(LIST.is_sorted());
        assert_eq!(
            hex::encode(Sha256::digest(include_bytes!("bip39-english.txt"))),
            "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda"
        );
    }

    #[test]
    fn roots_come_back_from_their_words() {
        // The all-zero and all-one entropies of BIP-39's own vectors.
        let zero = backup_words(&[0; 32]);
        assert_eq!(zero.as_str(), format!("{}art", "abandon ".repeat(23)));
        let ones = backup_words(&[0xff; 32]);
        assert_eq!(ones.as_str(), format!("{}vote", "zoo ".repeat(23)));
        for byte in [0, 1, 0x80, 0xff] {
            let words = backup_words(&[byte; 32]);
            assert_eq!(read_backup_words(&words).map(|entropy| *entropy), Some([byte; 32]));
            assert_eq!(read_backup_words(&words.to_uppercase().replace(' ', "\n  ")).map(|e| *e), Some([byte; 32]));
        }
    }

    #[test]
    fn wrong_words_are_refused() {
        let words = backup_words(&[3; 32]);
        let mut list: Vec<_> = words.split(' ').collect();
        let all = |list: &[&str]| read_backup_words(&list.join(" ")).is_some();
        assert!(all(&list));
        list.swap(2, 9);
        assert!(!all(&list));
        list.swap(2, 9);
        assert!(!all(&list[..23]));
        assert!(!all(&[&list[..], &["abandon"]].concat()));
        list[4] = "bitcoin";
        assert!(!all(&list));
        assert!(!all(&[]));
        // A root whose last word is the first of the list: without it, the bits are the same and the checksum holds.
        let lucky = |root: &[u8; 32]| root[31] & 7 == 0 && Sha256::digest(root)[0] == 0;
        let root = (0..u16::MAX).map(|i| [i.to_be_bytes(); 16].concat().try_into().unwrap()).find(lucky).unwrap();
        let words = backup_words(&root);
        assert!(words.ends_with(" abandon") && read_backup_words(&words).is_some());
        assert!(read_backup_words(words.strip_suffix(" abandon").unwrap()).is_none());
    }
}
