//! RSA keys of SSV operators: sealing a share to an operator, and an operator opening its own.

use std::fmt;

use base64ct::{Base64, Encoding};
use dvkey_ceremony::{SecretBytes, SecretKey};
use rand_core::CryptoRng;
use rsa::pkcs1::{DecodeRsaPrivateKey, DecodeRsaPublicKey, EncodeRsaPrivateKey};
use rsa::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePublicKey};
use rsa::pss::{Signature, VerifyingKey};
use rsa::signature::Verifier;
use rsa::traits::PublicKeyParts;
use rsa::{Pkcs1v15Encrypt, RsaPrivateKey, RsaPublicKey};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::digest::Sha256Digest;
use super::random;

/// Length of the modulus, and so of a sealed share, in bytes.
pub const SEALED_BYTES: usize = 256;

/// The exponents that are taken. 65537 is what every node makes; tiny ones would weaken PKCS #1 v1.5 padding.
const SMALLEST_EXPONENT: u64 = 65_537;
const LARGEST_EXPONENT: u64 = u32::MAX as u64;

/// Why bytes are not a usable operator key.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum OperatorKeyError {
    /// Neither a SubjectPublicKeyInfo nor a PKCS #1 RSA key.
    #[error("not an RSA key in DER form")]
    NotRsa,
    /// Another size than 2048 bits: the sealed share would have a length that every node drops.
    #[error("an RSA key of {0} bits, where 2048 are needed")]
    Bits(u32),
    /// An exponent that is even, tiny or huge.
    #[error("an RSA key with an unusual public exponent")]
    Exponent,
    /// The modulus is even or has a small factor: no key generator makes that.
    #[error("an RSA modulus with a small factor")]
    SmallFactor,
}

/// An operator's public key: RSA with a 2048-bit modulus and a sane exponent.
#[derive(Clone, PartialEq, Eq)]
pub struct OperatorPublicKey {
    key: RsaPublicKey,
    modulus: [u8; SEALED_BYTES],
}

impl OperatorPublicKey {
    /// Reads a SubjectPublicKeyInfo (RFC 5280) or a bare PKCS #1 `RSAPublicKey`.
    ///
    /// # Errors
    /// [`OperatorKeyError`].
    pub fn from_der(der: &[u8]) -> Result<Self, OperatorKeyError> {
        let key = RsaPublicKey::from_public_key_der(der)
            .or_else(|_| RsaPublicKey::from_pkcs1_der(der))
            .map_err(|_| OperatorKeyError::NotRsa)?;
        Self::new(key)
    }

    fn new(key: RsaPublicKey) -> Result<Self, OperatorKeyError> {
        let bits = key.n().bits();
        if bits != 2048 {
            return Err(OperatorKeyError::Bits(bits));
        }
        let exponent = key.e().to_be_bytes_trimmed_vartime();
        let exponent =
            exponent.iter().try_fold(0u64, |sum, byte| sum.checked_mul(256).map(|sum| sum + u64::from(*byte)));
        match exponent {
            Some(e) if e % 2 == 1 && (SMALLEST_EXPONENT..=LARGEST_EXPONENT).contains(&e) => {}
            _ => return Err(OperatorKeyError::Exponent),
        }
        let bytes = key.n().to_be_bytes_trimmed_vartime();
        let modulus: [u8; SEALED_BYTES] = (*bytes).try_into().map_err(|_| OperatorKeyError::Bits(bits))?;
        if has_small_factor(&modulus) {
            return Err(OperatorKeyError::SmallFactor);
        }
        Ok(Self { key, modulus })
    }

    /// The modulus N, 256 bytes big-endian.
    #[must_use]
    pub fn modulus(&self) -> &[u8; SEALED_BYTES] {
        &self.modulus
    }

    /// The DER SubjectPublicKeyInfo: 294 bytes for the usual exponent.
    #[must_use]
    pub fn to_spki_der(&self) -> Vec<u8> {
        self.key.to_public_key_der().map(|document| document.as_bytes().to_vec()).unwrap_or_default()
    }

    /// The SHA-256 of the SubjectPublicKeyInfo, to compare keys by.
    #[must_use]
    pub fn fingerprint(&self) -> Sha256Digest {
        Sha256Digest::of(&self.to_spki_der())
    }

    /// Seals `share` as the ASCII text `0x` and 64 lower-case digits under RSAES-PKCS1-v1_5 (RFC 8017 section 7.2), the
    /// form in which every SSV node reads it.
    ///
    /// # Errors
    /// [`SealError`] when the RSA library refuses.
    pub fn seal<R: CryptoRng + ?Sized>(&self, share: &SecretKey, rng: &mut R) -> Result<[u8; SEALED_BYTES], SealError> {
        let mut plaintext = SecretBytes::with_capacity(66);
        for part in [b"0x".as_slice(), share.to_hex().expose()] {
            plaintext.extend(part).map_err(|_| SealError)?;
        }
        let sealed = self.key.encrypt(rng, Pkcs1v15Encrypt, plaintext.expose()).map_err(|_| SealError)?;
        sealed.try_into().map_err(|_| SealError)
    }

    /// Whether the operator signed `message`: RSASSA-PSS (RFC 8017 section 8.1) with SHA-256, and a salt of whatever length.
    /// Live operators use the longest there is, 222 bytes.
    #[must_use]
    pub fn signed(&self, message: &[u8], signature: &[u8; SEALED_BYTES]) -> bool {
        let Ok(signature) = Signature::try_from(signature.as_slice()) else { return false };
        VerifyingKey::<Sha256>::new_with_auto_salt_len(self.key.clone()).verify(message, &signature).is_ok()
    }

    /// Whether some private key could open `sealed`: a ciphertext is an integer c with 1 < c < N - 1. The others are
    /// their own decryption up to sign, or none at all.
    #[must_use]
    pub fn could_open(&self, sealed: &[u8; SEALED_BYTES]) -> bool {
        let mut largest = self.modulus;
        // N is odd, so that N - 1 differs in the last bit only.
        if let Some(last) = largest.last_mut() {
            *last &= 0xfe;
        }
        !is_zero_or_one(sealed) && *sealed < largest
    }
}

/// Whether `sealed` is the integer 0 or 1, which no share encrypts to under any key.
#[must_use]
pub fn is_zero_or_one(sealed: &[u8; SEALED_BYTES]) -> bool {
    sealed.split_last().is_some_and(|(last, rest)| *last <= 1 && rest.iter().all(|byte| *byte == 0))
}

impl fmt::Debug for OperatorPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OperatorPublicKey({})", self.fingerprint())
    }
}

/// The RSA library refused to seal.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("the share could not be sealed")]
pub struct SealError;

/// An operator's private key. Used offline and blinded only.
pub struct OperatorPrivateKey(RsaPrivateKey);

/// A sealed share does not open with this key. One error for every cause, so that nothing can be learned from it.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("the sealed share does not open with this key")]
pub struct DoesNotOpen;

impl OperatorPrivateKey {
    /// Reads a PKCS #1 `RSAPrivateKey` or a PKCS #8 `PrivateKeyInfo`.
    ///
    /// # Errors
    /// [`OperatorKeyError`]; a private key is held to the same rules as a public one.
    pub fn from_der(der: &SecretBytes) -> Result<Self, OperatorKeyError> {
        let key = RsaPrivateKey::from_pkcs1_der(der.expose())
            .or_else(|_| RsaPrivateKey::from_pkcs8_der(der.expose()))
            .map_err(|_| OperatorKeyError::NotRsa)?;
        OperatorPublicKey::new(key.to_public_key())?;
        Ok(Self(key))
    }

    /// A new key of 2048 bits, as every node has.
    ///
    /// # Errors
    /// [`OperatorKeyError`] when the RSA library makes none.
    pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Result<Self, OperatorKeyError> {
        let key = RsaPrivateKey::new(rng, SEALED_BYTES * 8).map_err(|_| OperatorKeyError::NotRsa)?;
        OperatorPublicKey::new(key.to_public_key())?;
        Ok(Self(key))
    }

    /// The PKCS #1 key as PEM text.
    #[must_use]
    pub fn to_pem(&self) -> SecretBytes {
        let der = self.0.to_pkcs1_der().map(|document| SecretBytes::new(document.as_bytes().to_vec()));
        let der = der.unwrap_or_else(|_| SecretBytes::new(Vec::new()));
        let (begin, end) = ("-----BEGIN RSA PRIVATE KEY-----\n", "-----END RSA PRIVATE KEY-----\n");
        let lines = der.expose().chunks(48);
        // Reserved in full: a text that grows would leave copies behind.
        let mut text = SecretBytes::with_capacity(begin.len() + lines.len() * 65 + end.len());
        let mut add = |part: &[u8]| drop(text.extend(part));
        add(begin.as_bytes());
        for line in lines {
            let mut buffer = Zeroizing::new([0; 64]);
            if let Ok(encoded) = Base64::encode(line, buffer.as_mut()) {
                add(encoded.as_bytes());
                add(b"\n");
            }
        }
        add(end.as_bytes());
        text
    }

    /// The public half.
    ///
    /// # Errors
    /// [`OperatorKeyError`], which construction has ruled out.
    pub fn public(&self) -> Result<OperatorPublicKey, OperatorKeyError> {
        OperatorPublicKey::new(self.0.to_public_key())
    }

    /// The key as the RSA library takes it.
    pub(super) fn rsa(&self) -> &RsaPrivateKey {
        &self.0
    }

    /// Opens a sealed share, blinded. Both plaintext forms are read: 64 hexadecimal digits, with and without `0x`.
    ///
    /// # Errors
    /// [`DoesNotOpen`], whatever the cause.
    pub fn open(&self, sealed: &[u8; SEALED_BYTES]) -> Result<SecretKey, DoesNotOpen> {
        let plaintext = self
            .0
            .decrypt_blinded(&mut random::system_infallible(), Pkcs1v15Encrypt, sealed)
            .map(SecretBytes::new)
            .map_err(|_| DoesNotOpen)?;
        let digits = plaintext.expose();
        let digits = digits.strip_prefix(b"0x").unwrap_or(digits);
        if digits.len() != 64 {
            return Err(DoesNotOpen);
        }
        let bytes = hex::decode(digits).map(SecretBytes::new).map_err(|_| DoesNotOpen)?;
        SecretKey::from_be_bytes(bytes.expose()).map_err(|_| DoesNotOpen)
    }
}

/// Trial division by the odd primes below 256, and by 2.
fn has_small_factor(modulus: &[u8]) -> bool {
    // A composite divides only if its prime factors do, so that asking them all costs time and changes nothing.
    let odd = (3..256u32).step_by(2);
    std::iter::once(2)
        .chain(odd)
        .any(|divisor| modulus.iter().fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % divisor) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(value: u8) -> [u8; SEALED_BYTES] {
        let mut bytes = [0; SEALED_BYTES];
        bytes[255] = value;
        bytes
    }

    #[test]
    fn zero_and_one_are_seen() {
        assert!(is_zero_or_one(&sealed(0)));
        assert!(is_zero_or_one(&sealed(1)));
        assert!(!is_zero_or_one(&sealed(2)));
        let mut high = sealed(0);
        high[0] = 1;
        assert!(!is_zero_or_one(&high));
    }

    #[test]
    fn a_new_key_comes_back_from_its_text() {
        let key = OperatorPrivateKey::generate(&mut random::system_infallible()).unwrap();
        let text = String::from_utf8(key.to_pem().expose().to_vec()).unwrap();
        let body: String = text.lines().filter(|line| !line.starts_with('-')).collect();
        let der = SecretBytes::new(Base64::decode_vec(&body).unwrap());
        let again = OperatorPrivateKey::from_der(&der).unwrap();
        assert_eq!(again.public(), key.public());
        assert!(text.lines().all(|line| line.len() <= 64));
    }

    #[test]
    fn small_factors_are_seen() {
        assert!(has_small_factor(&[0x01, 0x00]));
        assert!(has_small_factor(&(251u32 * 257).to_be_bytes()));
        assert!(!has_small_factor(&(257u32 * 263).to_be_bytes()));
    }

    #[test]
    fn garbage_is_not_a_key() {
        for der in [&b""[..], b"\x30", b"\x30\x82\x01\x22", &[0xff; 294]] {
            assert_eq!(OperatorPublicKey::from_der(der).err(), Some(OperatorKeyError::NotRsa));
            assert!(OperatorPrivateKey::from_der(&SecretBytes::new(der.to_vec())).is_err());
        }
    }
}
