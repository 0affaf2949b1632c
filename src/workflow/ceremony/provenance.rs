//! provenance.json of a ceremony's keyshares: for which network, by which plan, from which files; nothing secret.
//!
//! A function of the ceremony and of the program's version, as all results are.

use dvkey_ceremony::agdkg::outputs::Assembled;
use dvkey_ceremony::agdkg::plan::Plan;
use dvkey_ceremony::agdkg::rehearsal::is_rehearsal;

use super::assemble::{KEYSHARES, cluster_of, created};
use super::{CeremonyError, network_of};
use crate::crypto::digest::Sha256Digest;
use crate::format::ceremony_file::{CeremonyFile, sent_name, short};
use crate::format::provenance::{
    CeremonyFacts, CheckFacts, FileFacts, OperatorFacts, Provenance, SCHEMA, Tool, ValidatorFacts,
};
use crate::workflow::ceremony::collection::Collection;

/// Describes the files that were made; `None` where there are no keyshares: deposit data name their network themselves.
///
/// # Errors
/// [`CeremonyError`].
pub(super) fn describe(
    collection: &Collection,
    assembled: &Assembled,
    nonce: Option<u64>,
    files: &[(String, Vec<u8>)],
) -> Result<Option<Vec<u8>>, CeremonyError> {
    let plan = &collection.plan;
    let (Some((_, cluster)), Some(ssv), Some(first)) = (cluster_of(plan)?, plan.ssv(), nonce) else { return Ok(None) };
    let Some(network) = network_of(plan).filter(|_| files.iter().any(|(name, _)| name == KEYSHARES)) else {
        return Ok(None);
    };
    let first = u16::try_from(first).map_err(|_| CeremonyError::Nonce)?;
    let provenance = Provenance {
        schema: SCHEMA,
        tool: Tool::THIS,
        created_at: created(plan),
        network: network.into(),
        owner: ssv.owner.to_checksum(),
        first_nonce: first,
        threshold: plan.threshold().t(),
        operators: cluster.operators().iter().map(OperatorFacts::from).collect(),
        validators: (first..)
            .zip(&assembled.validators)
            .map(|(nonce, validator)| ValidatorFacts {
                public_key: validator.public_key.to_string(),
                nonce,
                keystore: None,
                password_reading: None,
            })
            .collect(),
        inputs: inputs(collection),
        outputs: files.iter().map(|(name, bytes)| file(name, bytes)).collect(),
        checks: checks(plan, assembled),
        run: None,
        plan: None,
        ceremony: Some(CeremonyFacts {
            plan: hex::encode(plan.hash()),
            transcript: hex::encode(assembled.outputs.transcript),
            rehearsal: is_rehearsal(plan),
        }),
    };
    Ok(Some(provenance.to_bytes()?))
}

fn file(name: &str, bytes: &[u8]) -> FileFacts {
    FileFacts { name: name.to_owned(), sha256: Sha256Digest::of(bytes).to_string() }
}

/// The plan and every deal, as their senders name them. Which of several certify files were taken stands in the bundle.
fn inputs(collection: &Collection) -> Vec<FileFacts> {
    let hash = collection.plan.hash();
    let plan = file(&format!("plan-{}.agdkg", short(hash)), collection.plan.as_bytes());
    let deals = collection.deals.iter();
    let deals = deals.map(|deal| file(&sent_name(hash, CeremonyFile::Deal, deal.sender().get()), deal.as_bytes()));
    std::iter::once(plan).chain(deals).collect()
}

/// What held before anything was written: nothing is assembled otherwise.
fn checks(plan: &Plan, assembled: &Assembled) -> Vec<CheckFacts> {
    let (n, m) = (plan.participants().len(), assembled.validators.len());
    let check = |id, title, held| CheckFacts { id, title, held };
    vec![
        check("ceremony.dealt", "each participant dealt, and knows what it contributed", n),
        check("ceremony.certified", "each participant certified these deals and these keys", n),
        check("ceremony.possession", "each participant proved to have its shares", n),
        check("ceremony.signatures", "the signatures on deposits and registrations are the validator key's", m),
    ]
}
