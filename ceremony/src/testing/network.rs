//! Whole ceremonies in memory, from a description of who takes part.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "scripts for tests fail by panicking")]

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::CountingRng;
use super::paper_rsa::{PaperKey, PaperRsa};
use crate::address::Address;
use crate::agdkg::card::{Card, OperatorBinding};
use crate::agdkg::certificate::Certificate;
use crate::agdkg::certify::{Certifies, SignedCertify};
use crate::agdkg::deal::SignedDeal;
use crate::agdkg::identity::{Identity, Root};
use crate::agdkg::outputs::{Assembled, assemble};
use crate::agdkg::plan::{Participant, Plan, PlanDraft, Profile, SsvRegistration, Waivers};
use crate::agdkg::transcript::Deals;
use crate::deposit::{ForkVersion, Gwei, WithdrawalCredentials};
use crate::fault::Fault;
use crate::identifier::{Identifier, OperatorId};
use crate::participant::{Certified, Dealt, Planned};

/// A seed for batches: in tests, predictable by everybody.
pub const SEED: [u8; 32] = [0x5e; 32];

/// Who takes part, and in what.
#[derive(Clone, Debug)]
pub struct Setup {
    /// One root for each participant.
    pub roots: Vec<[u8; 32]>,
    /// Their ids, rising.
    pub ids: Vec<u64>,
    /// The threshold.
    pub t: u8,
    /// How many validators.
    pub m: u16,
    /// For an SSV cluster: first nonce and window.
    pub ssv: Option<(u64, u8)>,
    /// Whether cards are bound to operators.
    pub bound: bool,
    /// Whether operator proofs are part of walk 2.
    pub proofs: bool,
    /// Whether deals are committed to.
    pub precommit: bool,
    /// The amounts, in ETH.
    pub amounts: Vec<u64>,
    /// The plan's nonce.
    pub nonce: [u8; 32],
}

impl Setup {
    /// An SSV cluster of n with sparse operator ids, bound cards and one nonce for each validator.
    #[must_use]
    pub fn ssv(n: usize, m: u16) -> Self {
        let ids = (1..=n as u64).map(|i| i * i + 40 * i).collect();
        Self { ssv: Some((7, 1)), bound: true, ..Self::of(ids, u8::try_from(n - (n - 1) / 3).unwrap(), m) }
    }

    /// t of n without a profile, ids 1…n.
    #[must_use]
    pub fn generic(t: u8, n: u64, m: u16) -> Self {
        Self::of((1..=n).collect(), t, m)
    }

    fn of(ids: Vec<u64>, t: u8, m: u16) -> Self {
        let root = |id: &u64| Sha256::new_with_prefix(b"root of ").chain_update(id.to_be_bytes()).finalize().into();
        Self {
            roots: ids.iter().map(root).collect(),
            ids,
            t,
            m,
            ssv: None,
            bound: false,
            proofs: false,
            precommit: false,
            amounts: vec![32],
            nonce: [0x5a; 32],
        }
    }

    /// The keys of the participant at a position.
    #[must_use]
    pub fn identity(&self, position: usize) -> Identity {
        Identity::derive(&Root::from_bytes(Zeroizing::new(self.roots[position]))).unwrap()
    }

    /// Its operator's key.
    #[must_use]
    pub fn operator_key(&self, position: usize) -> PaperKey {
        PaperKey::new(self.ids[position])
    }

    /// Its card.
    #[must_use]
    pub fn card(&self, position: usize) -> Card {
        let (identity, id) = (self.identity(position), self.ids[position]);
        let binding = self.bound.then(|| {
            let operator = OperatorId::try_from(id).unwrap();
            let key = self.operator_key(position);
            let statement =
                OperatorBinding::statement(560_048, operator, key.spki(), identity.sign_pk(), identity.enc_pk());
            let signature = key.signature(&statement, 32);
            OperatorBinding { chain_id: 560_048, operator, spki: key.spki().to_vec(), signature }
        });
        identity.card(&format!("op-{id}"), 1_767_225_600, binding.as_ref(), &PaperRsa).unwrap()
    }

    /// The plan as its organizer chose it.
    #[must_use]
    pub fn draft(&self) -> PlanDraft {
        self.draft_of(|position, id| Participant { id: Identifier::try_from(id).unwrap(), card: self.card(position) })
    }

    /// The same with other participants, by position and id.
    #[must_use]
    pub fn draft_of(&self, participant: impl Fn(usize, u64) -> Participant) -> PlanDraft {
        let credentials = WithdrawalCredentials::Execution(Address::from_bytes([0x11; 20]));
        let participants = self.ids.iter().enumerate().map(|(position, id)| participant(position, *id));
        PlanDraft {
            profile: self.ssv.map_or(Profile::Generic, |(first_nonce, nonce_window)| {
                Profile::Ssv(SsvRegistration { owner: Address::from_bytes([0xab; 20]), first_nonce, nonce_window })
            }),
            operator_proofs: self.proofs,
            precommit: self.precommit,
            nonce: self.nonce,
            created: 1_767_225_600,
            expires: 0,
            fork_version: ForkVersion::from_bytes([0x10, 0, 0x09, 0x10]),
            chain_id: 560_048,
            title: "test".to_owned(),
            threshold: self.t,
            validators: self.m,
            participants: participants.collect(),
            amounts: self.amounts.iter().map(|ether| Gwei::from_ether(*ether)).collect(),
            credentials: vec![credentials],
        }
    }

    /// What this setup overrides.
    #[must_use]
    pub fn waivers(&self) -> Waivers {
        Waivers { two_quorums: 2 * usize::from(self.t) <= self.ids.len(), unbound_operators: !self.bound }
    }

    /// The plan, checked.
    ///
    /// # Errors
    /// [`Fault`] of the plan.
    pub fn try_plan(&self) -> Result<Plan, Fault> {
        Plan::parse(&self.draft().encode().unwrap(), self.waivers(), &PaperRsa)
    }

    /// The plan of a setup that is right.
    #[must_use]
    pub fn plan(&self) -> Plan {
        self.try_plan().unwrap()
    }

    /// The participant at a position, having accepted the plan.
    #[must_use]
    pub fn planned(&self, plan: &Plan, position: usize) -> Planned {
        Planned::accept(self.identity(position), plan.clone(), None).unwrap()
    }

    /// The participant at a position, having dealt.
    #[must_use]
    pub fn dealt(&self, plan: &Plan, position: usize) -> (Dealt, SignedDeal) {
        self.planned(plan, position).deal().unwrap()
    }

    /// All of them, having dealt.
    #[must_use]
    pub fn all_dealt(&self, plan: &Plan) -> (Vec<Dealt>, Deals) {
        let mut deals = Deals::default();
        let dealt = (0..self.ids.len()).map(|position| {
            let (dealt, deal) = self.dealt(plan, position);
            deals.insert(deal).unwrap();
            dealt
        });
        (dealt.collect(), deals)
    }

    /// Walk 2 of the participant at a position.
    ///
    /// # Errors
    /// [`Fault`] of a deal.
    pub fn certify(&self, dealt: Dealt, position: usize, deals: &Deals) -> Result<(Certified, SignedCertify), Fault> {
        let key = self.operator_key(position);
        let mut rng = CountingRngInfallible(CountingRng::new(position as u64));
        dealt.certify(deals, &[], &PaperRsa, Some(&key), &mut rng).map_err(|refused| refused.fault)
    }

    /// A ceremony in which everybody is honest.
    #[must_use]
    pub fn run(&self) -> Run {
        let plan = self.plan();
        let (dealt, deals) = self.all_dealt(&plan);
        let mut certifies = Certifies::default();
        let mut certified = Vec::new();
        for (position, dealt) in dealt.into_iter().enumerate() {
            let (state, file) = self.certify(dealt, position, &deals).unwrap();
            certifies.insert(file);
            certified.push(state);
        }
        let assembled = assemble(&plan, &deals, &[], &certifies, &SEED, &PaperRsa).unwrap();
        let certificate = assembled.certificate.clone();
        Run { plan, deals, certifies, certified, assembled, certificate }
    }
}

/// A ceremony that came to its end.
pub struct Run {
    /// The plan.
    pub plan: Plan,
    /// All deals.
    pub deals: Deals,
    /// All certify files.
    pub certifies: Certifies,
    /// Everybody, before finishing.
    pub certified: Vec<Certified>,
    /// The results.
    pub assembled: Assembled,
    /// The certificate.
    pub certificate: Certificate,
}

impl rand_core::TryRng for CountingRngInfallible {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(rand_core::TryRng::try_next_u32(&mut self.0).unwrap())
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(rand_core::TryRng::try_next_u64(&mut self.0).unwrap())
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Self::Error> {
        rand_core::TryRng::try_fill_bytes(&mut self.0, dst).unwrap();
        Ok(())
    }
}

impl rand_core::TryCryptoRng for CountingRngInfallible {}

/// A source that never fails, as sealing wants it.
pub struct CountingRngInfallible(pub CountingRng);
