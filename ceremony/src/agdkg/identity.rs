//! Who somebody is in a ceremony: one root of 32 bytes, and everything derived from it (SPEC section 5).

use ed25519_dalek::{Signer, SigningKey};
use rand_core::TryCryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::agdkg::card::{Card, OperatorBinding};
use crate::agdkg::plan::Plan;
use crate::agdkg::rsa::OperatorKeys;
use crate::agdkg::sigma;
use crate::agdkg::signing::{SIGNATURE_BYTES, message_hash};
use crate::agdkg::words::{backup_words, read_backup_words};
use crate::agdkg::{CARD_MAGIC, wire};
use crate::fault::{Check, Culprit, Fault};
use crate::group::Point;
use crate::hash::{Prk, Tag};
use crate::scalar::Scalar;

/// Fewer dice rolls than this are not 256 bits: 100 of six faces are 258.
pub const DICE_ROLLS: usize = 100;

/// The one secret of a person: 32 bytes, wiped on drop.
pub struct Root(Zeroizing<[u8; 32]>);

/// Why there is no root.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum RootError {
    /// Too few dice rolls.
    #[error("{found} dice rolls, where {DICE_ROLLS} are needed")]
    TooFewRolls {
        /// How many there are.
        found: usize,
    },
    /// A character that is no face of a die.
    #[error("a dice roll is one of the digits 1 to 6")]
    NoDie,
    /// Not 24 words of the list, or their checksum does not hold.
    #[error("these are not 24 words of the list with a right checksum")]
    Words,
    /// The root gives a key of zero; no other than a deliberately broken hash does that.
    #[error("the root gives a key of zero")]
    Degenerate,
}

impl From<RootError> for Fault {
    fn from(_: RootError) -> Self {
        Self::nobody(Check::WordsForm)
    }
}

impl Root {
    /// Draws a root.
    ///
    /// # Errors
    /// Whatever the source of randomness reports.
    pub fn random<R: TryCryptoRng + ?Sized>(rng: &mut R) -> Result<Self, R::Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.try_fill_bytes(bytes.as_mut())?;
        Ok(Self(bytes))
    }

    /// Wraps 32 bytes, as a vault holds them.
    #[must_use]
    pub fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// A root from at least [`DICE_ROLLS`] rolls, the digits 1 to 6: `TH("agdkg-v1/dice", digits)`.
    ///
    /// # Errors
    /// [`RootError::TooFewRolls`], [`RootError::NoDie`].
    pub fn from_dice(rolls: &str) -> Result<Self, RootError> {
        if !rolls.bytes().all(|roll| (b'1'..=b'6').contains(&roll)) {
            return Err(RootError::NoDie);
        }
        if rolls.len() < DICE_ROLLS {
            return Err(RootError::TooFewRolls { found: rolls.len() });
        }
        Ok(Self(Zeroizing::new(Tag::DICE.hash(&[rolls.as_bytes()]))))
    }

    /// The root that 24 words encode.
    ///
    /// # Errors
    /// [`RootError::Words`].
    pub fn from_words(words: &str) -> Result<Self, RootError> {
        read_backup_words(words).map(Self).ok_or(RootError::Words)
    }

    /// The 24 words.
    #[must_use]
    pub fn to_words(&self) -> Zeroizing<String> {
        backup_words(&self.0)
    }

    /// The 32 bytes.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The keys of one person. Boxed, so that moving it does not scatter copies; wiped on drop.
pub struct Identity(Box<Keys>);

struct Keys {
    master: Prk,
    sign: SigningKey,
    decrypt: Scalar,
    enc_pk: Point,
    deal: Prk,
}

impl Identity {
    /// Derives the keys of a root.
    ///
    /// # Errors
    /// [`RootError::Degenerate`], which does not happen.
    pub fn derive(root: &Root) -> Result<Self, RootError> {
        let master = Prk::extract(Tag::ROOT.as_bytes(), &[root.expose()]);
        let sign = SigningKey::from_bytes(&master.expand::<32>(&[Tag::ID_SIGN.as_bytes()]));
        let decrypt = master.scalar(&[Tag::ID_ENC.as_bytes()]);
        let enc_pk = commitment(&decrypt).ok_or(RootError::Degenerate)?;
        let deal = master.derive(&[Tag::ID_DEAL.as_bytes()]);
        Ok(Self(Box::new(Keys { master, sign, decrypt, enc_pk, deal })))
    }

    /// The public signing key.
    #[must_use]
    pub fn sign_pk(&self) -> &[u8; 32] {
        // The key is held with its public half.
        self.0.sign.as_ref().as_bytes()
    }

    /// The public decryption key.
    #[must_use]
    pub fn enc_pk(&self) -> &Point {
        &self.0.enc_pk
    }

    /// The secret of one ceremony: everything in it is derived from this.
    #[must_use]
    pub fn ceremony(&self, plan: &Plan) -> Prk {
        self.0.deal.derive(&[Tag::CEREMONY.as_bytes(), plan.hash()])
    }

    /// Whether this card is mine: both keys.
    #[must_use]
    pub fn owns(&self, card: &Card) -> bool {
        let sign = self.sign_pk().ct_eq(card.sign_pk().as_bytes());
        bool::from(sign & self.0.enc_pk.as_bytes().ct_eq(card.enc_pk().as_bytes()))
    }

    /// Writes this person's card, and reads it as others do before it leaves memory.
    ///
    /// A fault of the machine in the challenge, and a clean second card, would give the decryption key away.
    ///
    /// # Errors
    /// [`Fault`]: [`Check::OwnWork`] when the card does not pass its checks; [`Check::BindingKey`] or
    /// [`Check::BindingSignature`] for a binding that is not lawful, [`Check::CardForm`] for a label that is not.
    pub fn card(
        &self,
        label: &str,
        created: u64,
        binding: Option<&OperatorBinding>,
        rsa: &dyn OperatorKeys,
    ) -> Result<Card, Fault> {
        self.card_after(label, created, binding, rsa, &|_| ())
    }

    /// The same with something happening to the bytes of the proof before they are checked.
    pub(crate) fn card_after(
        &self,
        label: &str,
        created: u64,
        binding: Option<&OperatorBinding>,
        rsa: &dyn OperatorKeys,
        between: &dyn Fn(&mut Vec<u8>),
    ) -> Result<Card, Fault> {
        let own_work = Fault::new(Check::OwnWork, Culprit::Nobody);
        let (sign_pk, enc_pk) = (self.sign_pk(), self.0.enc_pk.as_bytes());
        let nonce = self.0.master.scalar(&[Tag::NONCE_ID.as_bytes(), sign_pk, enc_pk]);
        let announced = commitment(&nonce).ok_or(own_work)?;
        let challenge = Tag::POK_ID.challenge(&[sign_pk, enc_pk, announced.as_bytes()]);
        let z = sigma::respond(&nonce, &challenge, &self.0.decrypt);
        let mut body = [CARD_MAGIC.as_slice(), sign_pk, enc_pk, announced.as_bytes(), &z.to_be_bytes()].concat();
        wire::put_text(&mut body, label).ok_or(Fault::nobody(Check::CardForm))?;
        body.extend(created.to_be_bytes());
        match binding {
            None => body.push(0),
            Some(binding) => binding.write(&mut body).ok_or(Fault::nobody(Check::BindingKey))?,
        }
        between(&mut body);
        let signature = self.sign(&message_hash(&body));
        body.extend(signature);
        Card::parse(&body, rsa).map_err(|fault| match fault.check {
            Check::BindingKey | Check::BindingSignature | Check::CardForm => fault,
            _ => own_work,
        })
    }

    /// Signs a 32-byte hash. Deterministic.
    pub(crate) fn sign(&self, hash: &[u8; 32]) -> [u8; SIGNATURE_BYTES] {
        self.0.sign.sign(hash).to_bytes()
    }

    /// The Diffie-Hellman value with a dealer's ephemeral key. Only after its proof of knowledge was verified.
    pub(crate) fn shared_with(&self, ephemeral: &Point) -> Option<Point> {
        ephemeral.times_secret(&self.0.decrypt)
    }

    /// The witness of a complaint's proof.
    pub(crate) fn decryption_key(&self) -> &Scalar {
        &self.0.decrypt
    }
}

/// `secret * G`; `None` for zero, where the operation aborts: no second try with other inputs.
pub(crate) fn commitment(secret: &Scalar) -> Option<Point> {
    crate::group::normalise(&[crate::group::Sum::generator_times_secret(secret)])?.pop()
}
