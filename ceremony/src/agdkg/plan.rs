//! The plan: every parameter of a ceremony, and the cards of its participants (SPEC section 6). `AGDKG1PL`.

use std::collections::BTreeSet;

use crate::address::Address;
use crate::agdkg::PLAN_MAGIC;
use crate::agdkg::card::{Card, MAX_CARD_BYTES};
use crate::agdkg::identity::Identity;
use crate::agdkg::rsa::OperatorKeys;
use crate::agdkg::wire::{Malformed, Reader, put_bytes16, put_text};
use crate::agdkg::words::telephone_words;
use crate::deposit::{ForkVersion, Gwei, WithdrawalCredentials};
use crate::fault::{Check, Culprit, Fault};
use crate::hash::Tag;
use crate::identifier::Identifier;
use crate::message::Nonce;
use crate::threshold::Threshold;

/// A plan has at most so many bytes.
pub const MAX_PLAN_BYTES: usize = 8 << 20;
/// At most so many participants.
pub const MAX_PARTICIPANTS: usize = 64;
/// At most so many validators in one ceremony.
pub const MAX_VALIDATORS: u16 = 1000;
/// A title has at most so many bytes of UTF-8.
pub const MAX_TITLE_BYTES: usize = 64;
const MAX_AMOUNTS: usize = 8;
const MAX_NONCE_WINDOW: u8 = 8;
const KIND_GENERATE: u8 = 1;
const ROLE_BOTH: u8 = 3;
const FLAG_PROOFS: u16 = 1;
const FLAG_PRECOMMIT: u16 = 2;
/// The deposit contract takes no less than 1 ETH; the consensus layer counts no more than 2048.
const AMOUNTS: std::ops::RangeInclusive<u64> = 1_000_000_000..=2_048_000_000_000;

/// Genesis fork version and chain id of the networks: mainnet, hoodi, sepolia, holesky.
///
/// A plan names both, and they must be one pair, so that what is shown as a test network cannot yield deposits on mainnet.
const NETWORKS: [([u8; 4], u64); 4] = [
    ([0, 0, 0, 0], 1),
    ([0x10, 0, 0x09, 0x10], 560_048),
    ([0x90, 0, 0, 0x69], 11_155_111),
    ([0x01, 0x01, 0x70, 0x00], 17_000),
];

/// What a person may override, each knowingly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waivers {
    /// t may be n/2 or less: two disjoint quorums exist, which is a slashing hazard.
    pub two_quorums: bool,
    /// An SSV plan may have cards that are not bound to their operator. For test networks; shares are not sealed then.
    pub unbound_operators: bool,
}

/// One who deals and holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participant {
    /// The point at which its shares are evaluated: the operator id, or 1…n.
    pub id: Identifier,
    /// Its card.
    pub card: Card,
}

/// What the keys are for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Any cluster.
    Generic,
    /// A cluster of the SSV Network.
    Ssv(SsvRegistration),
}

/// How the validators of an SSV plan are registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SsvRegistration {
    /// The account that registers.
    pub owner: Address,
    /// Its nonce at the first validator of the batch.
    pub first_nonce: u64,
    /// For how many nonces in a row each validator is signed.
    pub nonce_window: u8,
}

/// The parameters of a plan, as an organizer chooses them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanDraft {
    /// What the keys are for.
    pub profile: Profile,
    /// Whether certify files carry operator proofs.
    pub operator_proofs: bool,
    /// Whether everybody commits to its deal before anybody shows one.
    pub precommit: bool,
    /// 32 random bytes, which make the plan one of its own.
    pub nonce: [u8; 32],
    /// Unix seconds by the organizer's clock.
    pub created: u64,
    /// Unix seconds after which a warning is due; 0 for never.
    pub expires: u64,
    /// The genesis fork version of the network.
    pub fork_version: ForkVersion,
    /// The chain id of the network.
    pub chain_id: u64,
    /// What the organizer calls the ceremony.
    pub title: String,
    /// How many shares sign.
    pub threshold: u8,
    /// How many validator keys are made.
    pub validators: u16,
    /// The participants, by rising id.
    pub participants: Vec<Participant>,
    /// The amounts for which deposits are signed.
    pub amounts: Vec<Gwei>,
    /// Whom the stake belongs to: one for all validators, or one for each.
    pub credentials: Vec<WithdrawalCredentials>,
}

impl PlanDraft {
    /// The file. `None` when a count or a text does not fit its field.
    #[must_use]
    pub fn encode(&self) -> Option<Vec<u8>> {
        let (profile, section) = match &self.profile {
            Profile::Generic => (0, Vec::new()),
            Profile::Ssv(ssv) => {
                (1, [ssv.owner.as_bytes().as_slice(), &ssv.first_nonce.to_be_bytes(), &[ssv.nonce_window]].concat())
            }
        };
        let flags = u16::from(self.operator_proofs) * FLAG_PROOFS + u16::from(self.precommit) * FLAG_PRECOMMIT;
        let mut out = PLAN_MAGIC.to_vec();
        out.extend([KIND_GENERATE, profile]);
        out.extend(flags.to_be_bytes());
        out.extend(self.nonce);
        out.extend(self.created.to_be_bytes());
        out.extend(self.expires.to_be_bytes());
        out.extend(self.fork_version.as_bytes());
        out.extend(self.chain_id.to_be_bytes());
        put_text(&mut out, &self.title)?;
        out.push(self.threshold);
        out.extend(self.validators.to_be_bytes());
        out.push(u8::try_from(self.participants.len()).ok()?);
        for participant in &self.participants {
            out.push(ROLE_BOTH);
            out.extend(participant.id.get().to_be_bytes());
            out.extend(0u64.to_be_bytes());
            put_bytes16(&mut out, participant.card.as_bytes())?;
        }
        out.push(u8::try_from(self.amounts.len()).ok()?);
        out.extend(self.amounts.iter().flat_map(|amount| amount.get().to_be_bytes()));
        out.extend(u16::try_from(self.credentials.len()).ok()?.to_be_bytes());
        out.extend(self.credentials.iter().flat_map(WithdrawalCredentials::to_bytes));
        put_bytes16(&mut out, &section)?;
        out.extend(0u32.to_be_bytes());
        Some(out)
    }
}

/// A plan that passed all its checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    bytes: Vec<u8>,
    hash: [u8; 32],
    draft: PlanDraft,
    threshold: Threshold,
}

/// The fields as they stand.
struct Raw<'a> {
    flags: u16,
    draft: PlanDraft,
    entries: Vec<Entry<'a>>,
    credentials: Vec<&'a [u8; 32]>,
}

struct Entry<'a> {
    role: u8,
    id: u64,
    old_id: u64,
    card: &'a [u8],
}

impl Plan {
    /// Reads a plan and makes checks C-10 to C-21.
    ///
    /// # Errors
    /// [`Fault`], accusing the organizer, or whose card it is.
    pub fn parse(bytes: &[u8], waivers: Waivers, rsa: &dyn OperatorKeys) -> Result<Self, Fault> {
        if bytes.len() > MAX_PLAN_BYTES {
            return Err(Fault::nobody(Check::PlanForm));
        }
        let raw = Raw::read(bytes)?;
        let organizer = |check| Fault::new(check, Culprit::Organizer);
        if raw.flags & !(FLAG_PROOFS | FLAG_PRECOMMIT) != 0 {
            return Err(organizer(Check::PlanFlags));
        }
        let threshold = raw.threshold(waivers).ok_or(organizer(Check::PlanLimits))?;
        let mut draft = raw.draft;
        draft.participants = participants(&raw.entries, rsa)?;
        if let Profile::Ssv(ssv) = &draft.profile {
            check_ssv(&draft, ssv, threshold, waivers)?;
        } else if draft.operator_proofs {
            return Err(organizer(Check::PlanFlags));
        }
        let amounts: BTreeSet<_> = draft.amounts.iter().collect();
        let lawful = draft.amounts.iter().all(|amount| AMOUNTS.contains(&amount.get()));
        if draft.amounts.is_empty() || amounts.len() != draft.amounts.len() || !lawful {
            return Err(organizer(Check::PlanAmounts));
        }
        draft.credentials = credentials(&raw.credentials).ok_or(organizer(Check::PlanCredentials))?;
        if !NETWORKS.contains(&(*draft.fork_version.as_bytes(), draft.chain_id)) {
            return Err(organizer(Check::PlanNetwork));
        }
        Ok(Self { bytes: bytes.to_vec(), hash: Tag::PLAN.hash(&[bytes]), draft, threshold })
    }

    /// Finds me in the plan: exactly one entry has both of my keys (C-22).
    ///
    /// `binding`: whether my own card is bound to an operator; if it is, the plan's must be the same.
    ///
    /// # Errors
    /// [`Fault`], accusing the organizer.
    pub fn accept(&self, identity: &Identity, my_card: Option<&Card>) -> Result<Identifier, Fault> {
        let refused = Fault::new(Check::PlanMine, Culprit::Organizer);
        let mine = |participant: &&Participant| {
            identity.sign_pk() == participant.card.sign_pk().as_bytes()
                || identity.enc_pk() == participant.card.enc_pk()
        };
        let mut entries = self.participants().iter().filter(mine);
        let (Some(me), None) = (entries.next(), entries.next()) else { return Err(refused) };
        let same_binding = my_card.is_none_or(|card| card.binding() == me.card.binding());
        if !identity.owns(&me.card) || !same_binding { Err(refused) } else { Ok(me.id) }
    }

    /// The file.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// `TH("agdkg-v1/plan", file)`: under it are all parameters, so that a downgrade is another plan.
    #[must_use]
    pub fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// The ten words by which people compare plans.
    #[must_use]
    pub fn words(&self) -> Vec<&'static str> {
        telephone_words(&self.hash)
    }

    /// The parameters.
    #[must_use]
    pub fn parameters(&self) -> &PlanDraft {
        &self.draft
    }

    /// t of n.
    #[must_use]
    pub fn threshold(&self) -> Threshold {
        self.threshold
    }

    /// m, how many validator keys are made.
    #[must_use]
    pub fn validators(&self) -> u16 {
        self.draft.validators
    }

    /// The participants, by rising id: all of them deal, and all of them hold.
    #[must_use]
    pub fn participants(&self) -> &[Participant] {
        &self.draft.participants
    }

    /// The participant with this id.
    #[must_use]
    pub fn participant(&self, id: u64) -> Option<&Participant> {
        self.participants().iter().find(|participant| participant.id.get() == id)
    }

    /// The SSV registration, if that is what the keys are for.
    #[must_use]
    pub fn ssv(&self) -> Option<&SsvRegistration> {
        match &self.draft.profile {
            Profile::Ssv(ssv) => Some(ssv),
            Profile::Generic => None,
        }
    }

    /// Whom the stake of one validator belongs to.
    #[must_use]
    pub fn credentials_of(&self, validator: u16) -> Option<&WithdrawalCredentials> {
        match self.draft.credentials.as_slice() {
            [one] => Some(one),
            each => each.get(usize::from(validator)),
        }
    }

    /// Whether any t operators are more than half of all; without that two sets of operators can sign against each other.
    #[must_use]
    pub fn has_two_quorums(&self) -> bool {
        2 * self.threshold.t() <= self.threshold.n()
    }
}

/// Whether a file that has a plan's hash after its magic was made for this plan.
pub(crate) fn names_plan(file: &[u8], plan: &Plan) -> bool {
    file.get(8..40) == Some(plan.hash())
}

impl<'a> Raw<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, Fault> {
        let mut reader = Reader::new(bytes);
        let damaged = |Malformed| Fault::nobody(Check::PlanForm);
        reader.magic(&PLAN_MAGIC).map_err(damaged)?;
        let (kind, profile) = (reader.u8().map_err(damaged)?, reader.u8().map_err(damaged)?);
        // Kinds 2 to 4 (reshare, sign, repair) and the Obol profile have other sections: nothing of them is read.
        if kind != KIND_GENERATE || profile > 1 {
            return Err(Fault::nobody(Check::PlanKind));
        }
        Self::read_generate(reader, profile).map_err(damaged)
    }

    fn read_generate(mut reader: Reader<'a>, profile: u8) -> Result<Self, Malformed> {
        let flags = reader.u16()?;
        let nonce = *reader.array()?;
        let (created, expires) = (reader.u64()?, reader.u64()?);
        let fork_version = ForkVersion::from_bytes(*reader.array()?);
        let chain_id = reader.u64()?;
        let title = reader.text(MAX_TITLE_BYTES)?.to_owned();
        let (threshold, validators) = (reader.u8()?, reader.u16()?);
        let mut entries = Vec::new();
        for _ in 0..reader.u8()? {
            let (role, id, old_id) = (reader.u8()?, reader.u64()?, reader.u64()?);
            entries.push(Entry { role, id, old_id, card: reader.bytes16(MAX_CARD_BYTES)? });
        }
        let count = usize::from(reader.u8()?);
        if count > MAX_AMOUNTS {
            return Err(Malformed);
        }
        let amounts = (0..count).map(|_| reader.u64().map(Gwei::new)).collect::<Result<_, _>>()?;
        let count = reader.u16()?;
        if count != 1 && count != validators {
            return Err(Malformed);
        }
        let credentials = (0..count).map(|_| reader.array()).collect::<Result<_, _>>()?;
        let section = reader.bytes16(usize::from(u16::MAX))?;
        if reader.u32()? != 0 {
            return Err(Malformed);
        }
        reader.finish()?;
        let profile = if profile == 0 { Profile::Generic } else { Profile::Ssv(read_ssv(section)?) };
        if profile == Profile::Generic && !section.is_empty() {
            return Err(Malformed);
        }
        let draft = PlanDraft {
            profile,
            operator_proofs: flags & FLAG_PROOFS != 0,
            precommit: flags & FLAG_PRECOMMIT != 0,
            nonce,
            created,
            expires,
            fork_version,
            chain_id,
            title,
            threshold,
            validators,
            participants: Vec::new(),
            amounts,
            credentials: Vec::new(),
        };
        Ok(Self { flags, draft, entries, credentials })
    }

    /// 2 ≤ t ≤ n ≤ 64, t > n/2 unless overridden, 1 ≤ m ≤ 1000.
    fn threshold(&self, waivers: Waivers) -> Option<Threshold> {
        let (n, t) = (self.entries.len(), usize::from(self.draft.threshold));
        let lawful = (2..=n).contains(&t)
            && n <= MAX_PARTICIPANTS
            && (2 * t > n || waivers.two_quorums)
            && (1..=MAX_VALIDATORS).contains(&self.draft.validators);
        if lawful { Threshold::ceremony(t, n) } else { None }
    }
}

fn read_ssv(section: &[u8]) -> Result<SsvRegistration, Malformed> {
    let mut reader = Reader::new(section);
    let ssv = SsvRegistration {
        owner: Address::from_bytes(*reader.array()?),
        first_nonce: reader.u64()?,
        nonce_window: reader.u8()?,
    };
    reader.finish()?;
    Ok(ssv)
}

fn participants(entries: &[Entry<'_>], rsa: &dyn OperatorKeys) -> Result<Vec<Participant>, Fault> {
    let organizer = |check| Fault::new(check, Culprit::Organizer);
    let ids: Option<Vec<_>> = entries.iter().map(|entry| Identifier::try_from(entry.id).ok()).collect();
    let ids = ids.ok_or(organizer(Check::PlanEntries))?;
    let roles = entries.iter().all(|entry| entry.role == ROLE_BOTH && entry.old_id == 0);
    if !roles || !ids.is_sorted_by(|a, b| a < b) {
        return Err(organizer(Check::PlanEntries));
    }
    let mut found = Vec::with_capacity(ids.len());
    for (id, entry) in ids.into_iter().zip(entries) {
        let card = Card::parse(entry.card, rsa).map_err(|fault| Fault::new(fault.check, Culprit::CardOf(id)))?;
        found.push(Participant { id, card });
    }
    let signing: BTreeSet<_> = found.iter().map(|one| one.card.sign_pk().as_bytes()).collect();
    let encryption: BTreeSet<_> = found.iter().map(|one| one.card.enc_pk().as_bytes()).collect();
    if signing.len() != found.len() || encryption.len() != found.len() {
        return Err(organizer(Check::PlanDuplicateKeys));
    }
    Ok(found)
}

fn check_ssv(draft: &PlanDraft, ssv: &SsvRegistration, threshold: Threshold, waivers: Waivers) -> Result<(), Fault> {
    let organizer = |check| Fault::new(check, Culprit::Organizer);
    let cluster = Threshold::ssv(draft.participants.len()).ok();
    if cluster != Some(threshold) || !(1..=MAX_NONCE_WINDOW).contains(&ssv.nonce_window) {
        return Err(organizer(Check::PlanSsv));
    }
    for participant in &draft.participants {
        let bound = match participant.card.binding() {
            Some(binding) => binding.operator.identifier() == participant.id && binding.chain_id == draft.chain_id,
            None => waivers.unbound_operators,
        };
        if !bound {
            return Err(Fault::new(Check::PlanBinding, Culprit::CardOf(participant.id)));
        }
    }
    // The last nonce that is signed. The nodes keep nonces in 16 bits and never accept a registration beyond.
    let beyond_first = u64::from(draft.validators) + u64::from(ssv.nonce_window) - 2;
    let last = Nonce::try_from(ssv.first_nonce).and_then(|first| first.checked_add(beyond_first));
    if last.is_err() { Err(organizer(Check::PlanNonce)) } else { Ok(()) }
}

/// 0x01 or 0x02, 11 zero bytes, an address.
fn credentials(raw: &[&[u8; 32]]) -> Option<Vec<WithdrawalCredentials>> {
    let parsed = raw.iter().map(|bytes| WithdrawalCredentials::from_bytes(*bytes).ok());
    parsed.map(|one| one.filter(|credentials| credentials.address().is_some())).collect()
}
