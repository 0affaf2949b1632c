//! One unlocked validator key becomes what its cluster and the contract get: dealt, sealed, signed.

use dvkey_ceremony::dealer::DealError;
use dvkey_ceremony::{Dealer, OwnerNonce, SecretKey};

use super::unlock::RefusalCause;
use crate::crypto::random;
use crate::format::keyshares::NewItem;
use crate::format::operators::Cluster;

/// Deals the key for the cluster that `dealer` was appointed for, seals every share, and signs `message`.
///
/// [`random::check`] must have passed. What a stranger can check of the result, its degree and its signature, is still to
/// be checked.
///
/// # Errors
/// [`RefusalCause::Deal`], [`RefusalCause::Seal`].
pub(crate) fn deal_and_seal(
    cluster: &Cluster,
    dealer: &Dealer,
    message: OwnerNonce,
    key: &SecretKey,
) -> Result<NewItem, RefusalCause> {
    let deal = dealer.deal(key, &mut random::system()).map_err(|error| {
        // The source of a failed draw is the system's error; its text is enough here.
        RefusalCause::Deal(match &error {
            DealError::Randomness(source) => format!("{error}: {source}"),
            other => other.to_string(),
        })
    })?;
    let mut sealed_shares = Vec::with_capacity(deal.shares.len());
    for (operator, share) in cluster.operators().iter().zip(&deal.shares) {
        sealed_shares.push(operator.key.key.seal(&share.secret, &mut random::system_infallible())?);
    }
    Ok(NewItem {
        public_key: deal.validator,
        nonce: message.nonce,
        signature: key.sign(&message.digest()),
        share_public_keys: deal.share_public_keys,
        sealed_shares,
    })
}
