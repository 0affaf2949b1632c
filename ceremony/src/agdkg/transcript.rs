//! What all deals make together: the transcript, the keys, and the tree over them (SPEC section 9).

use std::collections::{BTreeMap, BTreeSet};

use crate::agdkg::deal::{Batch, OpenDeal, SignedDeal};
use crate::agdkg::plan::Plan;
use crate::agdkg::precommit::Precommit;
use crate::fault::{Check, Culprit, Fault};
use crate::group::{MultiSum, Point, PublicScalar, Sum, Width, normalise};
use crate::hash::{Prk, Running, Tag, Weights};
use crate::identifier::Identifier;

/// Two validly signed deals of one sender: a proof of guilt that needs nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Equivocation {
    /// The deal that came first.
    pub first: SignedDeal,
    /// The other one.
    pub second: SignedDeal,
}

impl Equivocation {
    /// The fault, C-34.
    #[must_use]
    pub fn fault(&self) -> Fault {
        Fault::of(Check::DealTwice, self.first.sender())
    }
}

/// The deals of a ceremony as they come in, in any order, perhaps twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deals(BTreeMap<Identifier, SignedDeal>);

impl Deals {
    /// Takes a deal. The same deal again is nothing new; a full one replaces its redacted form.
    ///
    /// # Errors
    /// [`Equivocation`] when its sender signed another one before.
    pub fn insert(&mut self, deal: SignedDeal) -> Result<(), Box<Equivocation>> {
        match self.0.get(&deal.sender()) {
            Some(first) if first.hash() != deal.hash() => {
                Err(Box::new(Equivocation { first: first.clone(), second: deal }))
            }
            Some(_) if deal.is_redacted() => Ok(()),
            _ => {
                self.0.insert(deal.sender(), deal);
                Ok(())
            }
        }
    }

    /// The deals, by rising id.
    pub fn iter(&self) -> impl Iterator<Item = &SignedDeal> {
        self.0.values()
    }

    /// The deal of one participant.
    #[must_use]
    pub fn of(&self, id: Identifier) -> Option<&SignedDeal> {
        self.0.get(&id)
    }

    /// Who has not dealt yet.
    #[must_use]
    pub fn missing(&self, plan: &Plan) -> Vec<Identifier> {
        plan.participants().iter().map(|one| one.id).filter(|id| !self.0.contains_key(id)).collect()
    }

    /// Whether all are there (C-39), with the pre-commits that the plan asks for (C-24), and each deal is the one that was
    /// committed to (C-29).
    ///
    /// # Errors
    /// [`Fault`]: naming, without blame, the first that is missing; or whose pre-commit does not match.
    pub fn check_complete(&self, plan: &Plan, precommits: &[Precommit]) -> Result<(), Fault> {
        if let Some(id) = self.missing(plan).first() {
            return Err(Fault::of(Check::DealMissing, *id));
        }
        if plan.parameters().precommit {
            let committed = |id: &Identifier| precommits.iter().any(|one| one.is_of(plan, *id));
            if let Some(id) = self.0.keys().find(|id| !committed(id)) {
                return Err(Fault::of(Check::PrecommitMissing, *id));
            }
        }
        self.0.values().flat_map(|deal| precommits.iter().map(move |one| one.check(deal))).collect()
    }

    /// `T`: the hash over the plan and every deal.
    #[must_use]
    pub fn transcript(&self, plan: &Plan) -> [u8; 32] {
        transcript_of(plan, self.iter().map(|deal| (deal.sender(), *deal.hash())))
    }

    /// Checks every deal with public data alone, and computes what they make.
    ///
    /// `seed`: 32 bytes that no dealer could predict.
    ///
    /// # Errors
    /// [`Fault`], the first by rising id of the dealer.
    pub fn audit(&self, plan: &Plan, precommits: &[Precommit], seed: &[u8; 32]) -> Result<Outputs, Fault> {
        self.check_complete(plan, precommits)?;
        self.outputs(plan, seed)
    }

    /// The same whatever was committed to: what certify files are judged by.
    ///
    /// # Errors
    /// As [`Deals::audit`].
    pub fn outputs(&self, plan: &Plan, seed: &[u8; 32]) -> Result<Outputs, Fault> {
        if let Some(id) = self.missing(plan).first() {
            return Err(Fault::of(Check::DealMissing, *id));
        }
        let transcript = self.transcript(plan);
        let seed = Prk::extract(seed, &[Tag::BATCH.as_bytes(), &transcript]);
        let mut batch = Batch::new(plan, None, Weights::new(seed));
        let mut sums = Coefficients::new(plan);
        // All of them are opened before one is told, so that a check with a lower number is known to hold for all.
        let mut faults = Vec::new();
        for deal in self.iter() {
            match deal.open(plan) {
                Ok(open) => {
                    batch.add(&open, &[]);
                    sums.add(&open);
                }
                Err(fault) => faults.push(fault),
            }
        }
        if let Some(fault) = faults.into_iter().min_by_key(|fault| fault.check) {
            return Err(fault);
        }
        if !batch.holds() {
            for deal in self.iter() {
                deal.open(plan)?.check_exactly(None)?;
            }
        }
        sums.outputs(plan, transcript)
    }
}

/// `TH("agdkg-v1/transcript", plan_hash ‖ u8 n ‖ n × (u64 sender ‖ r1_hash))`, of deals by rising sender.
pub(crate) fn transcript_of(plan: &Plan, deals: impl Iterator<Item = (Identifier, [u8; 32])>) -> [u8; 32] {
    let deals: Vec<_> = deals.collect();
    let add =
        |hash: Running, (sender, deal): (Identifier, [u8; 32])| hash.then(&sender.get().to_be_bytes()).then(&deal);
    let start = transcript_from(plan, deals.len());
    deals.into_iter().fold(start, add).end()
}

/// The same as far as it does not depend on the deals; `u64 sender ‖ r1_hash` of each follow.
pub(crate) fn transcript_from(plan: &Plan, deals: usize) -> Running {
    Tag::TRANSCRIPT.begin().then(plan.hash()).then(&[u8::try_from(deals).unwrap_or(u8::MAX)])
}

/// `A_{v,k} = Σ_i C_{i,v,k}`, dealer by dealer.
pub(crate) struct Coefficients(Vec<Vec<Sum>>);

impl Coefficients {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self(vec![vec![Sum::infinity(); plan.threshold().t()]; usize::from(plan.validators())])
    }

    pub(crate) fn add(&mut self, deal: &OpenDeal) {
        for (sums, validator) in self.0.iter_mut().zip(&deal.validators) {
            for (sum, commitment) in sums.iter_mut().zip(&validator.commitments) {
                sum.accumulate(commitment);
            }
        }
    }

    /// The keys, with checks C-40 to C-43.
    pub(crate) fn outputs(&self, plan: &Plan, transcript: [u8; 32]) -> Result<Outputs, Fault> {
        self.outputs_after(plan, transcript, &|_| ())
    }

    /// The same with something happening to the keys before they are looked at together.
    pub(crate) fn outputs_after(
        &self,
        plan: &Plan,
        transcript: [u8; 32],
        between: &dyn Fn(&mut Vec<ValidatorKeys>),
    ) -> Result<Outputs, Fault> {
        let coalition = |check| Fault::new(check, Culprit::Coalition);
        let mut sums = Vec::with_capacity(self.0.len() * (1 + plan.participants().len()));
        for (v, coefficients) in (0u16..).zip(&self.0) {
            if coefficients.iter().any(Sum::is_infinity) {
                return Err(coalition(Check::OutputCoefficient).at(v));
            }
        }
        for (v, coefficients) in (0u16..).zip(&self.0) {
            sums.extend(coefficients.first());
            for holder in plan.participants() {
                let evaluate = |sum: Sum, coefficient: &Sum| sum.times_u64(holder.id.get()).add(coefficient);
                let share = coefficients.iter().rev().fold(Sum::infinity(), evaluate);
                if share.is_infinity() {
                    // One dealer alone can do this to itself, by dealing last.
                    return Err(coalition(Check::OutputShareKey).at(v));
                }
                sums.push(share);
            }
        }
        let points = normalise(&sums).ok_or(coalition(Check::OutputCoefficient))?;
        let rows = points.chunks(1 + plan.participants().len());
        let validators: Option<Vec<_>> = rows
            .map(|row| {
                let (public_key, share_keys) = row.split_first()?;
                Some(ValidatorKeys { public_key: *public_key, share_keys: share_keys.to_vec() })
            })
            .collect();
        let mut validators = validators.ok_or(coalition(Check::OutputCoefficient))?;
        between(&mut validators);
        let mut seen = BTreeSet::new();
        for (v, keys) in (0u16..).zip(&validators) {
            if !seen.insert(keys.public_key.as_bytes()) {
                return Err(coalition(Check::OutputDistinct).at(v));
            }
        }
        let outputs = Outputs::new(plan, transcript, validators);
        if !outputs.interpolate(plan) {
            return Err(coalition(Check::OutputSelfTest));
        }
        Ok(outputs)
    }
}

/// The public keys of one validator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidatorKeys {
    /// `PK_v`, the validator key.
    pub public_key: Point,
    /// `SPK_{v,j}`, the share public keys in the plan's order.
    pub share_keys: Vec<Point>,
}

/// What a ceremony makes, in public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outputs {
    /// `T`.
    pub transcript: [u8; 32],
    /// The root of the tree over all keys.
    pub root: [u8; 32],
    /// The keys, by validator.
    pub validators: Vec<ValidatorKeys>,
}

impl Outputs {
    /// What these keys come to, with the root of the tree over them. Whether they are any ceremony's, certify files show.
    #[must_use]
    pub fn new(plan: &Plan, transcript: [u8; 32], validators: Vec<ValidatorKeys>) -> Self {
        let leaves: Vec<_> = (0u16..).zip(&validators).map(|(v, keys)| leaf(plan, v, keys)).collect();
        Self { transcript, root: tree_root(leaves), validators }
    }

    /// The share public keys of the holder at a position of the plan, by validator.
    pub fn share_keys_at(&self, position: usize) -> impl Iterator<Item = Option<&Point>> {
        self.validators.iter().map(move |keys| keys.share_keys.get(position))
    }

    /// The siblings from a validator's leaf up to the root; a level at which the node moves up unchanged has none.
    #[must_use]
    pub fn path(&self, plan: &Plan, validator: u16) -> Vec<[u8; 32]> {
        let mut level: Vec<_> = (0u16..).zip(&self.validators).map(|(v, keys)| leaf(plan, v, keys)).collect();
        let mut position = usize::from(validator);
        let mut path = Vec::new();
        while level.len() > 1 {
            path.extend(level.get(position ^ 1));
            level = parents(&level);
            position /= 2;
        }
        path
    }

    /// Whether the first t share public keys of every validator make its key: a guard against a faulty machine.
    pub(crate) fn interpolate(&self, plan: &Plan) -> bool {
        let t = plan.threshold().t();
        let ids: Vec<_> = plan.participants().iter().take(t).map(|one| one.id).collect();
        let Some(lagrange) = lagrange_at_zero(&ids) else { return false };
        let mut weights = Weights::new(Prk::extract(&self.transcript, &[&self.root]));
        let mut keys = MultiSum::with_capacity(Width::Half, self.validators.len());
        let mut shares: Vec<_> =
            ids.iter().map(|_| MultiSum::with_capacity(Width::Half, self.validators.len())).collect();
        for validator in &self.validators {
            let weight = weights.draw();
            keys.push(&weight, &validator.public_key);
            for (sum, share) in shares.iter_mut().zip(&validator.share_keys) {
                sum.push(&weight, share);
            }
        }
        let Some(shares) = normalise(&shares.iter().map(MultiSum::sum).collect::<Vec<_>>()) else { return false };
        let mut made = MultiSum::with_capacity(Width::Full, t);
        for (coefficient, share) in lagrange.iter().zip(&shares) {
            made.push(coefficient, share);
        }
        made.sum() == keys.sum()
    }
}

/// `TH("agdkg-v1/leaf", u16 v ‖ u8 t ‖ PK_v ‖ u8 n ‖ n × (u64 id ‖ SPK))`.
#[must_use]
pub fn leaf(plan: &Plan, validator: u16, keys: &ValidatorKeys) -> [u8; 32] {
    // At most 64 of either.
    let small = |count: usize| u8::try_from(count).unwrap_or(u8::MAX);
    let mut body = validator.to_be_bytes().to_vec();
    body.push(small(plan.threshold().t()));
    body.extend(keys.public_key.as_bytes());
    body.push(small(plan.threshold().n()));
    for (holder, share) in plan.participants().iter().zip(&keys.share_keys) {
        body.extend(holder.id.get().to_be_bytes());
        body.extend(share.as_bytes());
    }
    Tag::LEAF.hash(&[&body])
}

/// The root that a leaf and its path give, for a tree of `leaves` leaves; `None` when the path has another length.
#[must_use]
pub fn root_from_path(leaf: [u8; 32], validator: u16, leaves: u16, path: &[[u8; 32]]) -> Option<[u8; 32]> {
    let (mut node, mut position, mut width) = (leaf, usize::from(validator), usize::from(leaves));
    if position >= width {
        return None;
    }
    let mut siblings = path.iter();
    while width > 1 {
        if position % 2 == 1 {
            node = Tag::NODE.hash(&[siblings.next()?, &node]);
        } else if position + 1 < width {
            node = Tag::NODE.hash(&[&node, siblings.next()?]);
        }
        (position, width) = (position / 2, width.div_ceil(2));
    }
    siblings.next().is_none().then_some(node)
}

fn tree_root(mut level: Vec<[u8; 32]>) -> [u8; 32] {
    while level.len() > 1 {
        level = parents(&level);
    }
    level.pop().unwrap_or_default()
}

/// `TH("agdkg-v1/node", left ‖ right)`; an odd last node moves up unchanged.
fn parents(level: &[[u8; 32]]) -> Vec<[u8; 32]> {
    let pairs = level.chunks(2);
    pairs
        .filter_map(|pair| match pair {
            [left, right] => Some(Tag::NODE.hash(&[left, right])),
            [odd] => Some(*odd),
            _ => None,
        })
        .collect()
}

/// The Lagrange coefficients at zero over distinct identifiers; `None` when two are the same.
#[must_use]
pub fn lagrange_at_zero(ids: &[Identifier]) -> Option<Vec<PublicScalar>> {
    let scalar = |id: &Identifier| PublicScalar::from_u64(id.get());
    ids.iter()
        .map(|i| {
            let one = (PublicScalar::from_u64(1), PublicScalar::from_u64(1));
            let (top, bottom) = ids
                .iter()
                .filter(|j| *j != i)
                .fold(one, |(top, bottom), j| (top.mul(&scalar(j)), bottom.mul(&scalar(j).sub(&scalar(i)))));
            Some(top.mul(&bottom.invert()?))
        })
        .collect::<Option<Vec<_>>>()
        .filter(|_| ids.iter().collect::<BTreeSet<_>>().len() == ids.len())
}
