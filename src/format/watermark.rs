//! The account that the files of a rehearsed ceremony name: its bytes say so, and nobody has it.

use dvkey_ceremony::Address;

/// The owner and the withdrawal address of every rehearsal, 20 bytes of ASCII. Payments to it are lost.
pub const NOBODY: [u8; 20] = *b"REHEARSAL NOT REAL !";

/// Whether an account is the one of rehearsals, which nobody has.
#[must_use]
pub fn is_nobody(address: &Address) -> bool {
    *address.as_bytes() == NOBODY
}

/// Whether a text names the account of rehearsals, in either case of hexadecimal, or in words.
#[must_use]
pub fn names_nobody(text: &[u8]) -> bool {
    let digits = hex::encode(NOBODY);
    let named = |window: &[u8]| window.eq_ignore_ascii_case(digits.as_bytes());
    text.windows(digits.len()).any(named) || text.windows(NOBODY.len()).any(|window| window == NOBODY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_is_found_in_any_spelling() {
        let address = Address::from_bytes(NOBODY);
        assert!(is_nobody(&address) && !is_nobody(&Address::from_bytes([1; 20])));
        for text in [address.to_checksum(), address.to_checksum().to_uppercase(), address.to_checksum().to_lowercase()]
        {
            assert!(names_nobody(format!("owner: {text}.").as_bytes()), "{text}");
            assert!(!names_nobody(text.get(3..).unwrap_or_default().as_bytes()));
        }
        assert!(names_nobody(b"\x00REHEARSAL NOT REAL !\x00"));
        assert!(!names_nobody(b"") && !names_nobody(b"REHEARSAL"));
    }
}
