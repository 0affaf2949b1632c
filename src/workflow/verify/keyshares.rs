//! Judges a keyshares file of any origin, without any secret.

use std::collections::HashMap;

use dvkey_ceremony::bls::{HeldKeys, PointError, SignedMessage};
use dvkey_ceremony::share::{Sharing, check_sharings};
use dvkey_ceremony::{Address, Gwei, Nonce, OperatorId, OwnerNonce, PublicKey, SharePublicKey, Signature, Threshold};

use super::check::{Check, Reason, Report, SameAs, Subject, Unknown, ValidatorLine, Verdict};
use super::deposit::Withdrawal;
use super::signed::{self, Bundled, CeremonyReason};
use super::tally::{Outcome, Results};
use crate::crypto::operator_key::{SEALED_BYTES, is_zero_or_one};
use crate::format::keyshares::{Item, KeysharesFile, SharesData, shares_data_length};
use crate::format::network::Network;
use crate::format::operator_key_text::{OperatorKeyText, OperatorKeyTextError};
use crate::format::operators::{OperatorList, OperatorsError};
use crate::format::provenance::Claims;
use crate::workflow::parallel::in_chunks;

/// What the caller knows; what is given is compared.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expected<'a> {
    /// The owner.
    pub owner: Option<Address>,
    /// The nonce of the first validator.
    pub nonce: Option<Nonce>,
    /// The network.
    pub network: Option<Network>,
    /// How many validators.
    pub validators: Option<usize>,
    /// The operators with their keys.
    pub operators: Option<&'a OperatorList>,
    /// Whom the stake is paid to.
    pub withdrawal: Option<Withdrawal>,
    /// How much each deposit is.
    pub amount: Option<Gwei>,
    /// Public keys that the caller made. Not compared with anything: they only need not be decoded.
    pub held: Option<&'a HeldKeys>,
}

impl Expected<'_> {
    /// The public key of these bytes.
    fn read_key(&self, bytes: &[u8]) -> Result<PublicKey, PointError> {
        self.held.map_or_else(|| PublicKey::from_bytes(bytes), |held| held.read(bytes))
    }
}

/// The provenance and the ceremony's bundle that lie beside a file.
#[derive(Clone, Debug)]
pub struct Beside {
    /// What the provenance says, if there is one.
    pub claims: Option<Result<Claims, Unclear>>,
    /// What the bundle says, if there is one, or why it cannot be read.
    pub bundled: Option<Result<Bundled, String>>,
    /// The name of the file that is judged.
    pub name: String,
    /// The SHA-256 of that file, in hexadecimal.
    pub sha256: String,
}

/// A provenance that cannot be read, or that a later version of this program wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unclear;

/// Judges `file`. `jobs` threads share the work.
#[must_use]
pub fn judge(file: &KeysharesFile, expected: &Expected<'_>, beside: Option<&Beside>, jobs: usize) -> Report {
    let mut results = Results::default();
    let keys = KeyCache::new(file, expected.operators);
    let context = Context { expected, keys: &keys };

    count(file, expected, &mut results);
    let positions: Vec<_> = file.items.iter().enumerate().collect();
    let judged = in_chunks(&positions, jobs, |items| judge_items(items, &context));
    let mut validators = Vec::with_capacity(judged.len());
    for (position, judged) in judged.into_iter().enumerate() {
        results.absorb(position, judged.results);
        validators.push(judged.line);
    }

    duplicates(&validators, &mut results);
    strangers(file, &validators, &mut results);
    let owner = across_items(file, expected, &keys, &mut results);
    let signed = beside.and_then(|beside| {
        let is_ours = beside.name == OWN_NAME;
        signed::compare(file, beside.bundled.as_ref()?, is_ours, owner, &validators, &mut results)
    });
    let network = network(expected, beside, signed, owner, &validators, &mut results);
    let validator_count = validators.len();
    results.unknown(Check::Opens, Unknown::NeedsOperatorKeys);
    results.settle(&BLOCKED, validator_count);

    let failed = results.failed_positions();
    for (position, line) in validators.iter_mut().enumerate() {
        line.good = !failed.contains(&position);
    }
    Report {
        verdict: verdict(&results),
        checks: results.into_checks(),
        validators,
        owner,
        network,
        subject: Subject::Keyshares(file.oddities.clone()),
    }
}

impl Report {
    /// The same report with the provenance compared, too; nothing else is judged again.
    #[must_use]
    pub fn with_provenance(self, expected: &Expected<'_>, beside: &Beside) -> Self {
        let mut results = Results::of(self.checks);
        results.forget(Check::Network);
        results.forget(Check::Provenance);
        let network = network(expected, Some(beside), None, self.owner, &self.validators, &mut results);
        Self { verdict: verdict(&results), checks: results.into_checks(), network, ..self }
    }
}

/// The checks that an earlier failure of the same item blocks.
const BLOCKED: [Check; 5] = [Check::ShareKeys, Check::Degree, Check::Signature, Check::SealedRange, Check::Length];

fn verdict(results: &Results) -> Verdict {
    // What only the operators know leaves a file valid, and the report says it. What the signature needs, and what was
    // asked for and cannot be compared, does not.
    let missing = [Check::Signature, Check::SealedRange, Check::Degree, Check::Network];
    results.verdict(&missing, |why| matches!(why, Unknown::OwnerNonce | Unknown::Blocked | Unknown::NoNetwork))
}

struct Context<'a> {
    expected: &'a Expected<'a>,
    keys: &'a KeyCache,
}

/// Every operator key of the file and of the list that was given, decoded once.
struct KeyCache {
    texts: HashMap<String, Result<OperatorKeyText, OperatorKeyTextError>>,
    listed: HashMap<OperatorId, Result<OperatorKeyText, OperatorsError>>,
}

impl KeyCache {
    fn new(file: &KeysharesFile, list: Option<&OperatorList>) -> Self {
        let items = file.items.iter().flatten();
        let operators = items.filter_map(|item| item.data.as_ref()?.operators.as_ref()).flatten();
        let mut keys = HashMap::new();
        for text in operators.filter_map(|(_, text)| text.as_ref()) {
            if !keys.contains_key(text) {
                keys.insert(text.clone(), OperatorKeyText::parse(text));
            }
        }
        let mut listed = HashMap::new();
        if let Some(list) = list {
            for id in file.items.iter().flatten().flat_map(|item| &item.payload.operator_ids) {
                listed.entry(*id).or_insert_with(|| list.key_of(*id));
            }
        }
        Self { texts: keys, listed }
    }

    fn get(&self, text: &str) -> Result<&OperatorKeyText, OperatorKeyTextError> {
        match self.texts.get(text) {
            Some(Ok(key)) => Ok(key),
            Some(Err(problem)) => Err(*problem),
            None => Err(OperatorKeyTextError::UnknownForm),
        }
    }
}

/// The most operators that a cluster has.
const LARGEST_CLUSTER: usize = 13;

/// What was found out about one item.
struct Judged {
    results: Vec<(Check, Outcome)>,
    line: ValidatorLine,
}

fn judge_items(
    items: &[(usize, &Result<Item, crate::format::keyshares::ItemError>)],
    context: &Context<'_>,
) -> Vec<Judged> {
    let mut signed = Vec::new();
    let mut shared = Vec::new();
    let mut judged: Vec<_> = items
        .iter()
        .enumerate()
        .map(|(place, (position, item))| match item {
            Ok(item) => {
                let (judged, claimed) = judge_item(item, *position, context);
                signed.extend(claimed.statement.map(|statement| (place, statement)));
                shared.extend(claimed.sharing.map(|sharing| (place, sharing)));
                judged
            }
            Err(error) => Judged {
                results: vec![(Check::Structure, Outcome::Fails(error.clone().into()))],
                line: ValidatorLine { public_key: None, nonce: None, operators: Vec::new(), good: false },
            },
        })
        .collect();

    // All sharings in one sum, and all signatures in one product of pairings: a fraction of the cost of one by one.
    let sharings: Vec<_> = shared.iter().map(|(_, sharing)| sharing.sharing()).collect();
    for ((place, _), outcome) in shared.iter().zip(check_sharings(&sharings)) {
        if let Some(judged) = judged.get_mut(*place) {
            judged.results.push((Check::Degree, outcome.map_err(Reason::from).into()));
        }
    }
    // Only to find out which signature does not hold are they verified one by one.
    let statements: Vec<_> = signed.iter().map(|(_, statement)| statement.signed_message()).collect();
    let all_hold = !statements.is_empty() && Signature::verify_all(&statements);
    for (place, statement) in &signed {
        let holds = all_hold || statement.signature.verify(&statement.public_key, &statement.digest);
        let outcome = if holds {
            Outcome::Holds
        } else {
            Outcome::Fails(Reason::Signature { owner: statement.message.owner, nonce: statement.message.nonce })
        };
        if let Some(judged) = judged.get_mut(*place) {
            judged.results.push((Check::Signature, outcome));
        }
    }
    judged
}

/// What is verified together with the same of other items.
#[derive(Default)]
struct ToVerify {
    sharing: Option<ClaimedSharing>,
    statement: Option<Statement>,
}

/// A sharing that is still to be checked.
struct ClaimedSharing {
    validator: PublicKey,
    shares: Vec<SharePublicKey>,
    threshold: Threshold,
}

impl ClaimedSharing {
    fn sharing(&self) -> Sharing<'_> {
        Sharing { validator: &self.validator, shares: &self.shares, threshold: self.threshold }
    }
}

/// A signature that is still to be verified.
struct Statement {
    public_key: PublicKey,
    message: OwnerNonce,
    digest: [u8; 32],
    signature: Signature,
}

impl Statement {
    fn signed_message(&self) -> SignedMessage<'_> {
        SignedMessage { public_key: &self.public_key, message: &self.digest, signature: &self.signature }
    }
}

fn judge_item(item: &Item, position: usize, context: &Context<'_>) -> (Judged, ToVerify) {
    let payload = &item.payload;
    let ids = &payload.operator_ids;
    let mut results = vec![(Check::Structure, Outcome::Holds)];
    let mut result = |check: Check, outcome: Result<(), Reason>| results.push((check, outcome.into()));

    let validator = context.expected.read_key(&payload.public_key).map_err(Reason::ValidatorKey);
    result(Check::ValidatorKey, validator.clone().map(drop));
    let threshold = Threshold::ssv(ids.len()).map_err(Reason::from);
    result(Check::ClusterSize, threshold.clone().map(drop));
    result(Check::IdOrder, id_order(ids));
    result(Check::Agreement, agreement(item));

    let parts = match SharesData::cut(&payload.shares_data, ids.len()) {
        Some(parts) if threshold.is_ok() => Ok(parts),
        _ => {
            let wanted = shares_data_length(ids.len());
            Err(Reason::Length { found: payload.shares_data.len(), wanted, operators: ids.len() })
        }
    };
    if threshold.is_ok() {
        result(Check::Length, parts.as_ref().map(drop).map_err(Clone::clone));
    }
    operator_keys(item, context, &mut result);

    let nonce = item.data.as_ref().and_then(|data| data.nonce).or_else(|| {
        let first = context.expected.nonce?;
        Some(u64::from(first.get()).saturating_add(position as u64))
    });
    let mut claimed = ToVerify::default();
    if let Ok(parts) = &parts {
        let share_keys = share_keys(parts, ids, validator.as_ref().ok(), context.expected);
        result(Check::ShareKeys, share_keys.as_ref().map(drop).map_err(Clone::clone));
        if let (Ok(shares), Ok(validator), Ok(threshold)) = (share_keys, &validator, &threshold) {
            claimed.sharing = Some(ClaimedSharing { validator: *validator, shares, threshold: *threshold });
        }
        sealed_range(item, parts, context, &mut results);

        let owner = owner_of(item).or(context.expected.owner);
        let signature = Signature::from_bytes(parts.signature).map_err(Reason::SignaturePoint);
        match (validator.as_ref(), owner, nonce.map(Nonce::try_from), signature) {
            (_, _, _, Err(reason)) => results.push((Check::Signature, Outcome::Fails(reason))),
            (Ok(public_key), Some(owner), Some(Ok(nonce)), Ok(signature)) => {
                let message = OwnerNonce { owner, nonce };
                claimed.statement =
                    Some(Statement { public_key: *public_key, message, digest: message.digest(), signature });
            }
            (Ok(_), None, _, _) | (Ok(_), _, None, _) => {
                results.push((Check::Signature, Outcome::Unknown(Unknown::OwnerNonce)));
            }
            // The public key or the nonce was refused by its own check.
            _ => {}
        }
    }
    let line = ValidatorLine { public_key: validator.ok(), nonce, operators: ids.clone(), good: true };
    (Judged { results, line }, claimed)
}

fn id_order(ids: &[OperatorId]) -> Result<(), Reason> {
    for pair in ids.windows(2) {
        match pair {
            [a, b] if a == b => return Err(Reason::RepeatedId(*a)),
            [a, b] if a > b => return Err(Reason::Unsorted(*a, *b)),
            _ => {}
        }
    }
    Ok(())
}

fn agreement(item: &Item) -> Result<(), Reason> {
    let Some(data) = &item.data else { return Ok(()) };
    if data.public_key.as_ref().is_some_and(|key| *key != item.payload.public_key) {
        return Err(Reason::PublicKeysDiffer);
    }
    if let Some(operators) = &data.operators {
        let mut described: Vec<_> = operators.iter().map(|(id, _)| *id).collect();
        let mut sent = item.payload.operator_ids.clone();
        described.sort_unstable();
        sent.sort_unstable();
        if described != sent {
            return Err(Reason::OperatorsDiffer);
        }
    }
    Ok(())
}

fn operator_keys(item: &Item, context: &Context<'_>, result: &mut impl FnMut(Check, Result<(), Reason>)) {
    let Some(operators) = item.data.as_ref().and_then(|data| data.operators.as_ref()) else { return };
    if operators.len() > LARGEST_CLUSTER {
        // Refused as a disagreement with the payload, or as too many operators; not worth more time.
        return;
    }
    let mut seen: Vec<(OperatorId, &OperatorKeyText)> = Vec::with_capacity(operators.len());
    for (id, text) in operators {
        let Some(text) = text else { continue };
        let key = match context.keys.get(text) {
            Ok(key) => key,
            Err(problem) => return result(Check::OperatorKeys, Err(Reason::OperatorKey { operator: *id, problem })),
        };
        // One modulus is one private key, whatever the exponent.
        if let Some((other, _)) = seen.iter().find(|(_, other)| other.key.modulus() == key.key.modulus()) {
            return result(Check::OperatorKeys, Err(Reason::SharedKey(*other, *id)));
        }
        seen.push((*id, key));
    }
    if !seen.is_empty() {
        result(Check::OperatorKeys, Ok(()));
    }
}

fn share_keys(
    parts: &SharesData<'_>,
    ids: &[OperatorId],
    validator: Option<&PublicKey>,
    expected: &Expected<'_>,
) -> Result<Vec<SharePublicKey>, Reason> {
    let mut shares: Vec<(OperatorId, PublicKey)> = Vec::with_capacity(ids.len());
    for (operator, bytes) in ids.iter().zip(&parts.share_public_keys) {
        let operator = *operator;
        let key = expected.read_key(bytes).map_err(|problem| Reason::ShareKey { operator, problem })?;
        if validator == Some(&key) {
            return Err(Reason::RepeatedShareKey { operator, of: SameAs::Validator });
        }
        if let Some((other, _)) = shares.iter().find(|(_, other)| *other == key) {
            return Err(Reason::RepeatedShareKey { operator, of: SameAs::Operator(*other) });
        }
        shares.push((operator, key));
    }
    Ok(shares.into_iter().map(|(id, public_key)| SharePublicKey { identifier: id.identifier(), public_key }).collect())
}

/// A sealed share is an integer between 1 and N - 1, where N is the operator's modulus. Without the keys the lower bound
/// remains.
fn sealed_range(item: &Item, parts: &SharesData<'_>, context: &Context<'_>, results: &mut Vec<(Check, Outcome)>) {
    let mut all_keys = true;
    let mut seen: Vec<(OperatorId, &[u8; SEALED_BYTES])> = Vec::with_capacity(parts.sealed_shares.len());
    for (id, sealed) in item.payload.operator_ids.iter().zip(&parts.sealed_shares) {
        let could_open = match key_of(item, *id, context) {
            Some(key) => key.key.could_open(sealed),
            None => {
                all_keys = false;
                !is_zero_or_one(sealed)
            }
        };
        if !could_open {
            return results.push((Check::SealedRange, Outcome::Fails(Reason::NotACiphertext(*id))));
        }
        // Different shares under different keys: one ciphertext cannot be right for both.
        if let Some((other, _)) = seen.iter().find(|(_, other)| other == sealed) {
            return results.push((Check::SealedRange, Outcome::Fails(Reason::RepeatedCiphertext(*other, *id))));
        }
        seen.push((*id, sealed));
    }
    results.push((Check::SealedRange, Outcome::Holds));
    if !all_keys {
        results.push((Check::SealedRange, Outcome::Unknown(Unknown::OperatorKeys)));
    }
}

/// The key of an operator, from the item or from the list that was given.
fn key_of(item: &Item, id: OperatorId, context: &Context<'_>) -> Option<OperatorKeyText> {
    let described = item.data.as_ref().and_then(|data| data.operators.as_ref());
    let text = described.and_then(|operators| operators.iter().find(|(operator, _)| *operator == id));
    match text.and_then(|(_, text)| text.as_ref()) {
        Some(text) => context.keys.get(text).ok().cloned(),
        None => context.keys.listed.get(&id)?.as_ref().ok().cloned(),
    }
}

/// The owner that an item names, whatever the case of its letters.
pub(super) fn owner_of(item: &Item) -> Option<Address> {
    read_owner(item.data.as_ref()?.owner.as_ref()?)
}

/// An address with its checksum or without: a wrong checksum is unusual, and only that.
fn read_owner(text: &str) -> Option<Address> {
    format!("0x{}", text.strip_prefix("0x")?.to_lowercase()).parse().ok()
}

fn count(file: &KeysharesFile, expected: &Expected<'_>, results: &mut Results) {
    let found = file.items.len();
    match expected.validators {
        Some(wanted) if wanted != found => results.failed(Check::Count, None, Reason::Count { found, wanted }),
        _ if found == 0 => results.failed(Check::Count, None, Reason::Empty),
        _ => results.held(Check::Count),
    }
}

fn duplicates(validators: &[ValidatorLine], results: &mut Results) {
    let mut first = HashMap::new();
    for (position, line) in validators.iter().enumerate() {
        let Some(key) = line.public_key else { continue };
        match first.insert(key, position) {
            None => results.held(Check::Duplicates),
            Some(earlier) => {
                results.failed(Check::Duplicates, Some(position), Reason::Duplicate { first: earlier });
            }
        }
    }
}

/// What stands in one item and can be right only in another: a sealed share, or a validator's public key as a share key.
fn strangers(file: &KeysharesFile, validators: &[ValidatorLine], results: &mut Results) {
    let keys =
        validators.iter().enumerate().filter_map(|(position, line)| Some((*line.public_key?.as_bytes(), position)));
    let whose: HashMap<_, _> = keys.collect();
    let mut sealed_before: HashMap<&[u8; SEALED_BYTES], (usize, OperatorId)> = HashMap::new();
    for (position, item) in file.items.iter().enumerate() {
        let Ok(Item { payload, .. }) = item else { continue };
        let Some(parts) = SharesData::cut(&payload.shares_data, payload.operator_ids.len()) else { continue };
        let own = validators.get(position).and_then(|line| line.public_key);
        for (operator, share_key) in payload.operator_ids.iter().zip(&parts.share_public_keys) {
            let other = <&[u8; PublicKey::BYTES]>::try_from(*share_key).ok().and_then(|key| whose.get(key));
            if let Some(other) = other.filter(|other| **other != position) {
                let reason = Reason::RepeatedShareKey { operator: *operator, of: SameAs::OtherValidator(*other) };
                results.failed(Check::ShareKeys, Some(position), reason);
            }
        }
        for (operator, sealed) in payload.operator_ids.iter().zip(&parts.sealed_shares) {
            match sealed_before.insert(sealed, (position, *operator)) {
                // The same item twice is a duplicate, and named as one; within an item it has been seen already.
                Some((before, _)) if before == position => {}
                Some((before, first)) if validators.get(before).and_then(|line| line.public_key) != own => {
                    let reason = Reason::CiphertextElsewhere { operator: *operator, position: before, first };
                    results.failed(Check::SealedRange, Some(position), reason);
                }
                _ => {}
            }
        }
    }
}

/// What must be the same, or must follow, from item to item. Returns the file's owner.
fn across_items(
    file: &KeysharesFile,
    expected: &Expected<'_>,
    keys: &KeyCache,
    results: &mut Results,
) -> Option<Address> {
    let mut first_owner = None;
    let mut first_nonce = expected.nonce.map(|nonce| u64::from(nonce.get()));
    let mut known = KnownKeys::default();
    for (position, item) in file.items.iter().enumerate() {
        let Ok(item) = item else { continue };
        let data = item.data.clone().unwrap_or_default();
        if let Some(owner) = &data.owner {
            match read_owner(owner) {
                None => results.failed(Check::Owner, Some(position), Reason::OwnerForm(owner.clone())),
                Some(found) if found.is_zero() => results.failed(Check::Owner, Some(position), Reason::OwnerZero),
                Some(found) => match (expected.owner, *first_owner.get_or_insert(found)) {
                    (Some(wanted), _) if wanted != found => {
                        results.failed(Check::Owner, Some(position), Reason::OwnerDiffers { found, wanted });
                    }
                    (None, first) if first != found => {
                        results.failed(Check::Owner, Some(position), Reason::OwnersMixed { found, first });
                    }
                    _ => results.held(Check::Owner),
                },
            }
        }
        let implied = first_nonce.map(|first| first.saturating_add(position as u64));
        if let Some(found) = data.nonce.or(implied) {
            // The first nonce that is named fixes all others.
            let first = *first_nonce.get_or_insert(found.saturating_sub(position as u64));
            let wanted = first.saturating_add(position as u64);
            if found > u64::from(u16::MAX) {
                results.failed(Check::Nonces, Some(position), Reason::NonceTooLarge(found));
            } else if found != wanted {
                results.failed(Check::Nonces, Some(position), Reason::NonceDiffers { found, wanted });
            } else {
                results.held(Check::Nonces);
            }
        }
        operator_keys_agree(item, position, expected, keys, &mut known, results);
    }
    // What the file says itself; what the command says only where the file is silent.
    first_owner.or(expected.owner)
}

/// The keys met so far: by operator, and whose each modulus is.
type KnownKeys<'k> = (HashMap<OperatorId, &'k OperatorKeyText>, HashMap<&'k [u8; SEALED_BYTES], OperatorId>);

fn operator_keys_agree<'k>(
    item: &Item,
    position: usize,
    expected: &Expected<'_>,
    keys: &'k KeyCache,
    (known, moduli): &mut KnownKeys<'k>,
    results: &mut Results,
) {
    let mut good = true;
    let mut fail = |reason: Reason| {
        good = false;
        results.failed(Check::OperatorKeysAgree, Some(position), reason);
    };
    let described = item.data.as_ref().and_then(|data| data.operators.as_deref()).unwrap_or_default();
    if described.len() > LARGEST_CLUSTER || item.payload.operator_ids.len() > LARGEST_CLUSTER {
        return;
    }
    let described: Vec<_> = described.iter().filter_map(|(id, text)| Some((id, text.as_ref()?))).collect();
    for (id, text) in &described {
        let Ok(key) = keys.get(text) else { continue };
        if known.get(id).is_some_and(|earlier| earlier.key != key.key) {
            fail(Reason::KeyChanges(**id));
        }
        known.insert(**id, key);
        match moduli.insert(key.key.modulus(), **id) {
            Some(other) if other != **id => fail(Reason::SharedKey(other, **id)),
            _ => {}
        }
    }
    for id in &item.payload.operator_ids {
        let described = described.iter().find(|(operator, _)| *operator == id).map(|(_, text)| keys.get(text));
        match (keys.listed.get(id), described) {
            (Some(Err(error)), _) => fail(error.clone().into()),
            (Some(Ok(listed)), Some(Ok(key))) if listed.key != key.key => fail(Reason::KeyDiffers(*id)),
            // The item names no key for it: the list's is its key.
            (Some(Ok(listed)), None) => match moduli.insert(listed.key.modulus(), *id) {
                Some(other) if other != *id => fail(Reason::SharedKey(other, *id)),
                _ => {}
            },
            _ => {}
        }
    }
    if good {
        match (described.is_empty(), expected.operators) {
            (true, None) => results.unknown(Check::OperatorKeysAgree, Unknown::OperatorKeys),
            _ => results.held(Check::OperatorKeysAgree),
        }
    }
}

/// The name under which this program writes keyshares.
const OWN_NAME: &str = "keyshares.json";

/// What a provenance says otherwise than the file that it describes.
fn contradiction(claims: &Claims, owner: Option<Address>, validators: &[ValidatorLine]) -> Option<&'static str> {
    if claims.owner.parse().ok() != owner {
        return Some("owner");
    }
    let said = claims.validators.iter().map(|(key, nonce)| (Some(key.clone()), Some(*nonce)));
    let found = validators.iter().map(|line| (line.public_key.map(|key| key.to_string()), line.nonce));
    if !said.eq(found) || claims.first_nonce != claims.validators.first().map_or(0, |(_, nonce)| *nonce) {
        return Some("validators");
    }
    let operators: Vec<_> =
        validators.first().into_iter().flat_map(|line| &line.operators).map(|id| id.get()).collect();
    let threshold = Threshold::ssv(operators.len()).map(|threshold| threshold.t() as u64);
    if claims.operators != operators || threshold != Ok(claims.threshold) {
        return Some("operators");
    }
    None
}

/// Compares the provenance with the file, with the plan that a ceremony's participants signed, and with the network asked
/// for. Returns the network.
fn network(
    expected: &Expected<'_>,
    beside: Option<&Beside>,
    signed: Option<Network>,
    owner: Option<Address>,
    validators: &[ValidatorLine],
    results: &mut Results,
) -> Option<String> {
    let claims = match beside.and_then(|beside| Some((beside.claims.as_ref()?, beside))) {
        None => None,
        Some((Err(Unclear), _)) => {
            results.unknown(Check::Provenance, Unknown::ProvenanceUnclear);
            None
        }
        Some((Ok(claims), beside)) => match claims.outputs.iter().find(|(name, _)| *name == beside.name) {
            Some((_, sha256)) if *sha256 == beside.sha256 => {
                match contradiction(claims, owner, validators) {
                    Some(what) => results.failed(Check::Provenance, None, Reason::ProvenanceContradicts(what)),
                    None => results.held(Check::Provenance),
                }
                Some(claims)
            }
            Some(_) => {
                results.failed(Check::Provenance, None, Reason::OtherContent(beside.name.clone()));
                Some(claims)
            }
            // Ours, and silent about the one file that it is there for.
            None if beside.name == OWN_NAME => {
                results.failed(Check::Provenance, None, Reason::OtherContent(beside.name.clone()));
                Some(claims)
            }
            // It describes other files; this one only lies beside it.
            None => None,
        },
    };
    let Some(named) = signed.map(|network| network.name().to_owned()).or(claims.map(|claims| claims.network.clone()))
    else {
        if expected.network.is_some() {
            results.unknown(Check::Network, Unknown::NoNetwork);
        }
        return None;
    };
    let consistent = claims.is_none_or(|claims| {
        claims.network.parse::<Network>().is_ok_and(|network| {
            network.chain_id() == claims.chain_id && network.ssv_contract().eq_ignore_ascii_case(&claims.contract)
        })
    });
    match (expected.network, claims, signed) {
        (_, Some(claims), _) if !consistent => {
            results.failed(Check::Network, None, Reason::NetworkContradiction(claims.network.clone()));
        }
        (_, Some(claims), Some(signed)) if claims.network != signed.name() => {
            let named = claims.network.clone();
            results.failed(Check::Network, None, CeremonyReason::OtherNetwork { named, signed });
        }
        (Some(wanted), ..) if wanted.name() != named => {
            results.failed(Check::Network, None, Reason::NetworkDiffers { found: named.clone(), wanted });
        }
        _ => results.held(Check::Network),
    }
    Some(named)
}
