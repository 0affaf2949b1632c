//! The byte container for secrets: wiped on drop, never copied, printed or compared by accident.

use zeroize::Zeroizing;

/// Secret bytes of any length: passwords, derived keys, decrypted private keys.
///
/// Not `Clone`, `Debug`, `Display`, `PartialEq` or serialisable. The bytes are reached through [`SecretBytes::expose`]
/// only and are wiped when the value is dropped. The buffer never grows, because a reallocation would leave the old
/// bytes behind.
pub struct SecretBytes(Zeroizing<Vec<u8>>);

/// More bytes were offered than the buffer was made for.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a secret is longer than the {capacity} bytes reserved for it")]
pub struct CapacityExceeded {
    /// What the buffer was made for, in bytes.
    pub capacity: usize,
}

impl SecretBytes {
    /// Takes ownership of `bytes`; the caller must hold no other copy.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// An empty secret with room for exactly `capacity` bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(capacity)))
    }

    /// Appends `bytes` without ever reallocating.
    ///
    /// # Errors
    /// [`CapacityExceeded`] when they do not fit; nothing is appended then.
    pub fn extend(&mut self, bytes: &[u8]) -> Result<(), CapacityExceeded> {
        if self.0.capacity() - self.0.len() < bytes.len() {
            return Err(CapacityExceeded { capacity: self.0.capacity() });
        }
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    /// Drops every byte from position `len` on, wiping it.
    pub fn truncate(&mut self, len: usize) {
        if let Some(tail) = self.0.get_mut(len..) {
            zeroize::Zeroize::zeroize(tail);
        }
        self.0.truncate(len);
    }

    /// The bytes, for the duration of a borrow.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_grows() {
        let mut secret = SecretBytes::with_capacity(4);
        let room = secret.0.capacity();
        secret.extend(&vec![7; room]).unwrap();
        let before = secret.0.as_ptr();
        assert_eq!(secret.extend(&[1]), Err(CapacityExceeded { capacity: room }));
        assert_eq!(secret.0.as_ptr(), before);
        assert_eq!(secret.expose().len(), room);
        secret.truncate(1);
        assert_eq!(secret.expose(), [7]);
    }
}
