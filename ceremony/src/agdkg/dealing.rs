//! Making a deal: a deterministic function of root and plan, checked before it leaves memory (SPEC section 7).

use subtle::ConstantTimeEq;

use crate::agdkg::DEAL_MAGIC;
use crate::agdkg::deal::{Batch, SignedDeal, deal_bytes, deal_hash, pad, pad_key, signed_hash};
use crate::agdkg::identity::{Identity, commitment};
use crate::agdkg::plan::Plan;
use crate::agdkg::sigma;
use crate::fault::{Check, Culprit, Fault};
use crate::group::{MultiSum, Point, PublicScalar, Sum, Width, normalise};
use crate::hash::{Prk, Tag, Weights};
use crate::identifier::Identifier;
use crate::scalar::Scalar;

/// Makes my deal.
///
/// The same root and plan give the same bytes, for ever and anywhere: two different deals of one sender are proof of
/// guilt, and a nonce is never used twice. Before it is returned, the file is read and verified as others will do, and
/// the share equation is checked for every holder: a fault of the machine in one challenge, followed by a clean second
/// run, would publish two responses for one nonce.
///
/// # Errors
/// [`Check::OwnWork`] when the file does not pass.
pub fn make_deal(identity: &Identity, plan: &Plan, me: Identifier) -> Result<SignedDeal, Fault> {
    make_deal_after(identity, plan, me, &|_, _| ())
}

/// What happens to the commitments' proofs and to the shared values before they are used; nothing, outside of tests.
pub(crate) type Glitch<'a> = &'a dyn Fn(Stage, &mut Vec<u8>);

/// Where something may happen to bytes on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The public part, before it is hashed and signed.
    Public,
    /// The ciphertexts, before they are hashed and signed.
    Ciphertexts,
}

/// The same with something happening on the way.
pub(crate) fn make_deal_after(
    identity: &Identity,
    plan: &Plan,
    me: Identifier,
    glitch: Glitch<'_>,
) -> Result<SignedDeal, Fault> {
    let own_work = Fault::new(Check::OwnWork, Culprit::Nobody);
    let secrets = Secrets::derive(identity, plan).ok_or(own_work)?;
    let commitments = secrets.commitments().ok_or(own_work)?;
    let (e, ephemeral) = secrets.ephemeral(&commitments).ok_or(own_work)?;
    let mut public = secrets.public_part(plan, me, &commitments, &e, &ephemeral).ok_or(own_work)?;
    glitch(Stage::Public, &mut public);
    let (mut enc, sent) = secrets.ciphertexts(plan, me, &e, &ephemeral).ok_or(own_work)?;
    glitch(Stage::Ciphertexts, &mut enc);

    let hash = deal_hash(&public, &Tag::R1_ENC.hash(&[&enc]));
    let mut bytes = public;
    bytes.reserve_exact(deal_bytes(plan).saturating_sub(bytes.len()));
    bytes.extend(enc);
    bytes.extend(identity.sign(&signed_hash(&hash)));

    let deal = SignedDeal::parse(plan, &bytes).map_err(|_| own_work)?;
    verify_own(identity, plan, me, &deal, &secrets, &sent).ok_or(own_work)?;
    Ok(deal)
}

/// What one holder is sent, before it is encrypted.
struct Sent {
    key: Prk,
    shares: Vec<Scalar>,
}

/// Everything secret of one dealer in one ceremony.
struct Secrets {
    ceremony: Prk,
    /// `a_{v,k}`, by validator.
    coefficients: Vec<Vec<Scalar>>,
}

impl Secrets {
    fn derive(identity: &Identity, plan: &Plan) -> Option<Self> {
        let ceremony = identity.ceremony(plan);
        let t = u8::try_from(plan.threshold().t()).ok()?;
        let mut coefficients = Vec::with_capacity(usize::from(plan.validators()));
        for v in 0..plan.validators() {
            let mut row = Vec::with_capacity(usize::from(t));
            for k in 0..t {
                row.push(nonzero(ceremony.scalar(&[Tag::COEF.as_bytes(), &v.to_be_bytes(), &[k]]))?);
            }
            coefficients.push(row);
        }
        Some(Self { ceremony, coefficients })
    }

    /// `C_{v,k}`, v-major.
    fn commitments(&self) -> Option<Vec<Point>> {
        let sums: Vec<_> = self.coefficients.iter().flatten().map(Sum::generator_times_secret).collect();
        normalise(&sums)
    }

    /// e and E: dependent on the commitments, so that other polynomials never meet the same pads.
    fn ephemeral(&self, commitments: &[Point]) -> Option<(Scalar, Point)> {
        let e = self.ceremony.scalar(&[Tag::EPH.as_bytes(), &commitments_hash(commitments)]);
        let ephemeral = commitment(&e)?;
        Some((e, ephemeral))
    }

    fn public_part(
        &self,
        plan: &Plan,
        me: Identifier,
        commitments: &[Point],
        e: &Scalar,
        ephemeral: &Point,
    ) -> Option<Vec<u8>> {
        let sender = me.get().to_be_bytes();
        let nonce = self.ceremony.scalar(&[Tag::NONCE_EPH.as_bytes(), &commitments_hash(commitments)]);
        let announced = commitment(&nonce)?;
        let challenge = Tag::POK_EPH.challenge(&[plan.hash(), &sender, ephemeral.as_bytes(), announced.as_bytes()]);
        let z = sigma::respond(&nonce, &challenge, e);
        let mut out = Vec::with_capacity(deal_bytes(plan));
        out.extend(DEAL_MAGIC);
        out.extend(plan.hash());
        out.extend(sender);
        out.extend(ephemeral.as_bytes());
        out.extend(announced.as_bytes());
        out.extend(z.to_be_bytes());

        let blocks: Vec<_> = commitments.chunks(plan.threshold().t()).collect();
        let mut nonces = Vec::with_capacity(blocks.len());
        for (v, block) in (0u16..).zip(&blocks) {
            let info = [Tag::NONCE_POK.as_bytes(), &v.to_be_bytes(), &commitments_hash(block)];
            nonces.push(nonzero(self.ceremony.scalar(&info))?);
        }
        let announced = normalise(&nonces.iter().map(Sum::generator_times_secret).collect::<Vec<_>>())?;
        let proofs = blocks.iter().zip(&self.coefficients).zip(nonces.iter().zip(&announced));
        for (v, ((block, row), (nonce, announced))) in (0u16..).zip(proofs) {
            let block: Vec<u8> = block.iter().flat_map(Point::as_bytes).copied().collect();
            let challenge =
                Tag::POK_DEAL.challenge(&[plan.hash(), &sender, &v.to_be_bytes(), &block, announced.as_bytes()]);
            let z = sigma::respond(nonce, &challenge, row.first()?);
            out.extend(block);
            out.extend(announced.as_bytes());
            out.extend(z.to_be_bytes());
        }
        Some(out)
    }

    /// All ciphertexts, and what they were made of.
    fn ciphertexts(&self, plan: &Plan, me: Identifier, e: &Scalar, ephemeral: &Point) -> Option<(Vec<u8>, Vec<Sent>)> {
        let mut sent = Vec::with_capacity(plan.participants().len());
        for holder in plan.participants() {
            let shared = holder.card.enc_pk().times_secret(e)?;
            // A fault here would give a share that fails, and a true complaint against an honest dealer.
            if holder.card.enc_pk().times_secret(e)? != shared {
                return None;
            }
            let key = pad_key(plan, me, holder, ephemeral, &shared);
            sent.push(Sent { key, shares: Vec::with_capacity(self.coefficients.len()) });
        }
        let mut out = Vec::with_capacity(self.coefficients.len() * sent.len() * 32);
        for (v, row) in (0u16..).zip(&self.coefficients) {
            for (holder, sent) in plan.participants().iter().zip(&mut sent) {
                let x = holder.id.to_scalar();
                let share = row.iter().rev().fold(Scalar::zero(), |sum, a| sum.mul(&x).add(a));
                out.extend(PublicScalar::disclose(share.add(&pad(&sent.key, v))).to_be_bytes());
                sent.shares.push(share);
            }
        }
        Some((out, sent))
    }
}

/// All proofs, every ciphertext, my own way to mine, and the share equation of every holder.
fn verify_own(
    identity: &Identity,
    plan: &Plan,
    me: Identifier,
    deal: &SignedDeal,
    secrets: &Secrets,
    sent: &[Sent],
) -> Option<()> {
    let open = deal.open(plan).ok()?;
    let mut weights = Weights::new(Prk::extract(secrets.ceremony.expose(), &[Tag::BATCH.as_bytes(), deal.hash()]));
    let position = plan.participants().iter().position(|holder| holder.id == me)?;
    let holder = plan.participants().get(position)?;
    let key = pad_key(plan, me, holder, &open.ephemeral, &identity.shared_with(&open.ephemeral)?);
    if !bool::from(key.expose().ct_eq(sent.get(position)?.key.expose())) {
        return None;
    }
    for (position, sent) in sent.iter().enumerate() {
        for (v, share) in (0u16..).zip(&sent.shares) {
            let opened = open.ciphertext(v, position)?.as_scalar().sub(&pad(&sent.key, v));
            if !bool::from(opened.ct_eq(share)) {
                return None;
            }
        }
    }

    // Σ_j ρ_{j,v}·s_{j,v}·G = Σ_k (Σ_j ρ_{j,v}·id_j^k)·C_{v,k}
    let mut left = Scalar::zero();
    let mut right = MultiSum::with_capacity(Width::Full, open.validators.len() * plan.threshold().t());
    for (v, validator) in open.validators.iter().enumerate() {
        let mut factors: Vec<_> = validator.commitments.iter().map(|_| PublicScalar::from_u64(0)).collect();
        for (holder, sent) in plan.participants().iter().zip(sent) {
            let rho = weights.draw();
            left = left.add(&rho.as_scalar().mul(sent.shares.get(v)?));
            let id = PublicScalar::from_u64(holder.id.get());
            let mut power = rho;
            for factor in &mut factors {
                *factor = factor.add(&power);
                power = power.mul(&id);
            }
        }
        for (factor, commitment) in factors.iter().zip(&validator.commitments) {
            right.push(factor, commitment);
        }
    }
    let shares_hold = Sum::generator_times_secret(&left) == right.sum();
    let mut proofs = Batch::new(plan, None, weights);
    proofs.add(&open, &[]);
    (shares_hold && proofs.holds()).then_some(())
}

/// `TH("agdkg-v1/coms", …)`.
fn commitments_hash(commitments: &[Point]) -> [u8; 32] {
    let parts: Vec<&[u8]> = commitments.iter().map(|point| point.as_bytes().as_slice()).collect();
    Tag::COMS.hash(&parts)
}

/// A secret that comes out as zero aborts the operation; it is never derived again from other inputs.
fn nonzero(scalar: Scalar) -> Option<Scalar> {
    (!bool::from(scalar.is_zero())).then_some(scalar)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::network::Setup;

    /// Whether the first participant's file passes its own checks, when it is put together from faulty parts.
    fn passes(fault: impl FnOnce(&mut Secrets, &mut Scalar)) -> bool {
        let setup = Setup::ssv(4, 2);
        let (plan, identity) = (setup.plan(), setup.identity(0));
        let me = plan.participants()[0].id;
        let mut secrets = Secrets::derive(&identity, &plan).unwrap();
        let commitments = secrets.commitments().unwrap();
        let (mut e, ephemeral) = secrets.ephemeral(&commitments).unwrap();
        let mut bytes = secrets.public_part(&plan, me, &commitments, &e, &ephemeral).unwrap();
        fault(&mut secrets, &mut e);
        let (enc, sent) = secrets.ciphertexts(&plan, me, &e, &ephemeral).unwrap();
        let hash = deal_hash(&bytes, &Tag::R1_ENC.hash(&[&enc]));
        bytes.extend(enc);
        bytes.extend(identity.sign(&signed_hash(&hash)));
        let deal = SignedDeal::parse(&plan, &bytes).unwrap();
        verify_own(&identity, &plan, me, &deal, &secrets, &sent).is_some()
    }

    #[test]
    fn c_95_shares_of_another_polynomial_do_not_leave() {
        assert!(passes(|_, _| ()));
        // A coefficient that memory lost after it was committed to: of either validator, the lowest and the highest.
        for (v, k) in [(0, 0), (0, 2), (1, 1)] {
            assert!(!passes(|secrets, _| secrets.coefficients[v][k] = Scalar::from_u64(5)), "{v} {k}");
        }
        // Two errors that cancel each other out in a sum without weights.
        assert!(!passes(|secrets, _| {
            let (one, two) = (&secrets.coefficients[0][0], &secrets.coefficients[1][0]);
            let (one, two) = (one.add(&Scalar::one()), two.sub(&Scalar::one()));
            (secrets.coefficients[0][0], secrets.coefficients[1][0]) = (one, two);
        }));
    }

    #[test]
    fn c_95_shares_that_nobody_can_decrypt_do_not_leave() {
        // The key that encrypts is not the one that was published: my own way to my own share sees it.
        assert!(!passes(|_, e| *e = e.add(&Scalar::one())));
    }

    #[test]
    fn a_secret_of_zero_aborts() {
        assert!(nonzero(Scalar::zero()).is_none());
        assert!(nonzero(Scalar::one()).is_some());
    }
}
