//! The card: who a participant is, in public (SPEC section 5). `AGDKG1CD`.

use sha2::{Digest, Sha256};

use crate::agdkg::rsa::OperatorKeys;
use crate::agdkg::signing::{SIGNATURE_BYTES, SigningPublicKey, message_hash, split_signature};
use crate::agdkg::wire::{Malformed, Reader, put_bytes16};
use crate::agdkg::words::telephone_words;
use crate::agdkg::{CARD_MAGIC, sigma};
use crate::fault::{Check, Fault};
use crate::group::{Point, PublicScalar};
use crate::hash::Tag;
use crate::identifier::OperatorId;

/// A card has at most so many bytes.
pub const MAX_CARD_BYTES: usize = 2048;
/// A label has at most so many bytes of UTF-8.
pub const MAX_LABEL_BYTES: usize = 64;
/// An RSA key in a card has at most so many bytes of DER.
const MAX_SPKI_BYTES: usize = 600;
/// The salt of the binding signature.
const BINDING_SALT_BYTES: usize = 32;

/// A link from a card to the RSA key of an SSV operator, made once where that key lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorBinding {
    /// The chain on which the operator is registered.
    pub chain_id: u64,
    /// The operator.
    pub operator: OperatorId,
    /// Its RSA key, a DER `SubjectPublicKeyInfo`.
    pub spki: Vec<u8>,
    /// The RSA key's signature over [`OperatorBinding::statement`].
    pub signature: Vec<u8>,
}

impl OperatorBinding {
    /// What the RSA key signs: `"agdkg-v1/operator-bind" ‖ chain_id ‖ operator_id ‖ H(spki) ‖ sign_pk ‖ enc_pk`.
    #[must_use]
    pub fn statement(chain_id: u64, operator: OperatorId, spki: &[u8], sign_pk: &[u8; 32], enc_pk: &Point) -> Vec<u8> {
        [
            Tag::OPERATOR_BIND.as_bytes(),
            &chain_id.to_be_bytes(),
            &operator.get().to_be_bytes(),
            &Sha256::digest(spki),
            sign_pk,
            enc_pk.as_bytes(),
        ]
        .concat()
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) -> Option<()> {
        out.push(1);
        out.extend(self.chain_id.to_be_bytes());
        out.extend(self.operator.get().to_be_bytes());
        put_bytes16(out, &self.spki)?;
        put_bytes16(out, &self.signature)
    }
}

/// A card that passed all its checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    bytes: Vec<u8>,
    sign_pk: SigningPublicKey,
    enc_pk: Point,
    label: String,
    created: u64,
    binding: Option<OperatorBinding>,
}

/// The fields as they stand, before any of them is believed.
struct Raw<'a> {
    sign_pk: &'a [u8; 32],
    enc_pk: &'a [u8; 48],
    announced: &'a [u8; 48],
    z: &'a [u8; 32],
    label: &'a str,
    created: u64,
    binding: Option<OperatorBinding>,
}

impl Card {
    /// Reads a card and makes checks C-01 to C-06.
    ///
    /// # Errors
    /// [`Fault`], accusing nobody: who put the card where it is found, is not known here.
    pub fn parse(bytes: &[u8], rsa: &dyn OperatorKeys) -> Result<Self, Fault> {
        let refused = Fault::nobody;
        if bytes.len() > MAX_CARD_BYTES {
            return Err(refused(Check::CardForm));
        }
        let (body, signature) = split_signature(bytes).ok_or(refused(Check::CardForm))?;
        let raw = Raw::read(body).map_err(|Malformed| refused(Check::CardForm))?;

        let sign_pk = SigningPublicKey::from_bytes(raw.sign_pk).ok_or(refused(Check::CardKeys))?;
        let enc_pk = Point::from_bytes(raw.enc_pk).map_err(|_| refused(Check::CardKeys))?;
        let announced = Point::from_bytes(raw.announced).map_err(|_| refused(Check::CardKeys))?;
        let z = PublicScalar::from_be_bytes(raw.z).ok_or(refused(Check::CardKeys))?;

        if !sign_pk.verifies(&message_hash(body), signature) {
            return Err(refused(Check::CardSignature));
        }
        let challenge = Tag::POK_ID.challenge(&[raw.sign_pk, raw.enc_pk, raw.announced]);
        if !sigma::holds(None, &announced, &challenge, &enc_pk, &z) {
            return Err(refused(Check::CardProof));
        }
        if let Some(binding) = &raw.binding {
            let modulus = rsa.modulus_bytes(&binding.spki).ok_or(refused(Check::BindingKey))?;
            if binding.signature.len() != modulus {
                return Err(refused(Check::BindingKey));
            }
            let OperatorBinding { chain_id, operator, spki, signature } = binding;
            let statement = OperatorBinding::statement(*chain_id, *operator, spki, raw.sign_pk, &enc_pk);
            if !rsa.verifies(spki, &statement, BINDING_SALT_BYTES, signature) {
                return Err(refused(Check::BindingSignature));
            }
        }
        Ok(Self {
            bytes: bytes.to_vec(),
            sign_pk,
            enc_pk,
            label: raw.label.to_owned(),
            created: raw.created,
            binding: raw.binding,
        })
    }

    /// The file.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The key under which its author signs.
    #[must_use]
    pub fn sign_pk(&self) -> &SigningPublicKey {
        &self.sign_pk
    }

    /// The key to which its author's shares are encrypted.
    #[must_use]
    pub fn enc_pk(&self) -> &Point {
        &self.enc_pk
    }

    /// What its author calls itself. Proves nothing.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// When it was made, in Unix seconds, by its author's clock.
    #[must_use]
    pub fn created(&self) -> u64 {
        self.created
    }

    /// The operator that its author speaks for.
    #[must_use]
    pub fn binding(&self) -> Option<&OperatorBinding> {
        self.binding.as_ref()
    }

    /// The ten words by which people compare cards.
    #[must_use]
    pub fn words(&self) -> Vec<&'static str> {
        let body = self.bytes.split_last_chunk::<SIGNATURE_BYTES>().map_or(&[][..], |(body, _)| body);
        telephone_words(&Tag::CARD.hash(&[body]))
    }
}

impl<'a> Raw<'a> {
    fn read(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        reader.magic(&CARD_MAGIC)?;
        let (sign_pk, enc_pk) = (reader.array()?, reader.array()?);
        let (announced, z) = (reader.array()?, reader.array()?);
        let label = reader.text(MAX_LABEL_BYTES)?;
        let created = reader.u64()?;
        let binding = match reader.u8()? {
            0 => None,
            1 => Some(OperatorBinding {
                chain_id: reader.u64()?,
                operator: OperatorId::try_from(reader.u64()?).map_err(|_| Malformed)?,
                spki: reader.bytes16(MAX_SPKI_BYTES)?.to_vec(),
                signature: reader.bytes16(MAX_SPKI_BYTES)?.to_vec(),
            }),
            _ => return Err(Malformed),
        };
        reader.finish()?;
        Ok(Self { sign_pk, enc_pk, announced, z, label, created, binding })
    }
}
