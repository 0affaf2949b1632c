//! Open: an operator learns whether its own sealed shares open and match, before anybody deposits.

use dvkey_ceremony::{OperatorId, PublicKey};

use crate::crypto::operator_key::{OperatorKeyError, OperatorPrivateKey};
use crate::format::keyshares::{Item, KeysharesFile, SharesData};
use crate::format::operator_key_text::OperatorKeyText;

/// What the key does for one validator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The validator, if its public key could be read.
    pub validator: Option<PublicKey>,
    /// What was found out.
    pub opening: Opening,
}

/// What a private key does to the sealed shares of one validator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// The sealed share of this operator opens and matches its share public key.
    Matches(OperatorId),
    /// The file says that this key is the operator's; its sealed share does not give the secret behind its share key.
    Fails(OperatorId),
    /// The file says that this key is the first operator's, and it opens the sealed share of the second.
    Misplaced(OperatorId, OperatorId),
    /// Somebody says that this is the key of an operator who has no share here; nothing was tried.
    NotListed(OperatorId),
    /// The key opens none of the sealed shares.
    NotAnOperator,
    /// The item is damaged.
    Unreadable,
}

/// Opens the sealed shares of every validator in the file.
///
/// `operator` says whose key it is; without it the file's own operator keys tell, or else every sealed share is tried.
///
/// # Errors
/// [`OperatorKeyError`] when the key has no usable public half, which reading it has ruled out.
pub fn open(
    file: &KeysharesFile,
    key: &OperatorPrivateKey,
    operator: Option<OperatorId>,
) -> Result<Vec<Opened>, OperatorKeyError> {
    let public = key.public()?;
    let named = |item: &Item| {
        let operators = item.data.as_ref()?.operators.as_ref()?;
        let mine = |text: &Option<String>| {
            text.as_ref().is_some_and(|text| OperatorKeyText::parse(text).is_ok_and(|text| text.key == public))
        };
        operators.iter().find(|(_, text)| mine(text)).map(|(id, _)| *id)
    };
    // Whose key it is in one item, it is in all: an item that gives the same operator another key, or whose sealed share
    // is damaged, is not passed over. Where the file does not say, a sealed share that opens and matches does.
    let tried = |item: &Item| match open_item(item, key, None) {
        Opening::Matches(id) => Some(id),
        _ => None,
    };
    let known = operator
        .or_else(|| file.items.iter().flatten().find_map(named))
        .or_else(|| file.items.iter().flatten().find_map(tried));
    let open_item = |item: &Item| {
        let listed = known.filter(|id| item.payload.operator_ids.contains(id));
        Opened {
            validator: PublicKey::from_bytes(&item.payload.public_key).ok(),
            opening: match (operator, listed) {
                // Somebody says whose key it is, and that operator has no share here.
                (Some(said), None) => Opening::NotListed(said),
                _ => open_item(item, key, listed),
            },
        }
    };
    let unreadable = Opened { validator: None, opening: Opening::Unreadable };
    Ok(file.items.iter().map(|item| item.as_ref().map_or_else(|_| unreadable.clone(), open_item)).collect())
}

fn open_item(item: &Item, key: &OperatorPrivateKey, named: Option<OperatorId>) -> Opening {
    let payload = &item.payload;
    let Some(parts) = SharesData::cut(&payload.shares_data, payload.operator_ids.len()) else {
        return Opening::Unreadable;
    };
    let slots = || payload.operator_ids.iter().zip(&parts.share_public_keys).zip(&parts.sealed_shares);
    let matches = |public: &[u8], sealed| key.open(sealed).is_ok_and(|share| share.public_key().as_bytes() == public);
    if let Some(named) = named {
        for ((id, public), sealed) in slots() {
            if *id == named && matches(public, sealed) {
                return Opening::Matches(named);
            }
        }
    }
    // Whose sealed share is it then? Compared with every share key, since both halves may have been moved.
    for ((id, _), sealed) in slots() {
        let Ok(share) = key.open(sealed) else { continue };
        let found = share.public_key();
        let belongs = slots().any(|((_, public), _)| found.as_bytes() == *public);
        match named {
            Some(named) if belongs && named != *id => return Opening::Misplaced(named, *id),
            None if belongs && matches_own(&parts, payload.operator_ids.as_slice(), *id, &found) => {
                return Opening::Matches(*id);
            }
            _ => {}
        }
    }
    named.map_or(Opening::NotAnOperator, Opening::Fails)
}

fn matches_own(parts: &SharesData<'_>, ids: &[OperatorId], id: OperatorId, found: &PublicKey) -> bool {
    ids.iter().zip(&parts.share_public_keys).any(|(slot, public)| *slot == id && found.as_bytes() == *public)
}
