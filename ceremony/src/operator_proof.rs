//! What an operator signs, with its RSA key, about the share it holds: the `Proof` of dkg-spec.

use crate::address::Address;
use crate::bls::PublicKey;
use crate::merkle;

/// "I hold the key share behind this share public key, of this validator, for this owner; sealed, it is these bytes."
///
/// With it the operators take part in a later reshare or in signing again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorProof {
    /// The validator key's public half.
    pub validator: PublicKey,
    /// The share, sealed to the operator's RSA key.
    pub encrypted_share: Vec<u8>,
    /// The share's public half.
    pub share: PublicKey,
    /// The account that registers the validator.
    pub owner: Address,
}

impl OperatorProof {
    /// The longest sealed share that the container holds.
    pub const MAX_ENCRYPTED_SHARE: usize = 512;

    /// `hash_tree_root(Proof)`: the 32 bytes of which RSASSA-PSS takes the SHA-256.
    #[must_use]
    pub fn root(&self) -> [u8; 32] {
        let leaves = [
            merkle::byte_vector(self.validator.as_bytes()),
            merkle::byte_list(&self.encrypted_share, Self::MAX_ENCRYPTED_SHARE),
            merkle::byte_vector(self.share.as_bytes()),
            merkle::left_aligned(self.owner.as_bytes()),
        ];
        merkle::root(&leaves, leaves.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bls::SecretKey;
    use tree_hash::{MerkleHasher, TreeHash, merkle_root, mix_in_length};

    #[test]
    fn the_root_is_that_of_an_ssz_library() {
        for length in [0, 1, 31, 32, 33, 256, 512] {
            let proof = OperatorProof {
                validator: SecretKey::from_be_bytes(&[7; 32]).unwrap().public_key(),
                encrypted_share: (0..=u8::MAX).cycle().take(length).collect(),
                share: SecretKey::from_be_bytes(&[8; 32]).unwrap().public_key(),
                owner: Address::from_bytes([0xab; 20]),
            };
            let list = mix_in_length(&merkle_root(&proof.encrypted_share, 16), length);
            let mut hasher = MerkleHasher::with_leaves(4);
            for leaf in [
                proof.validator.as_bytes().tree_hash_root(),
                list,
                proof.share.as_bytes().tree_hash_root(),
                proof.owner.as_bytes().tree_hash_root(),
            ] {
                hasher.write(leaf.as_slice()).unwrap();
            }
            assert_eq!(proof.root(), hasher.finish().unwrap().0, "{length}");
        }
    }
}
