//! SSZ Merkle roots of the few containers that are signed here (consensus-specs, ssz/simple-serialize.md).

use sha2::{Digest, Sha256};

/// A node of the tree: a leaf of 32 bytes, or the SHA-256 of two nodes.
pub(crate) type Chunk = [u8; 32];

/// The root over `chunks`, filled up with zero chunks to the next power of two that holds `limit` of them.
///
/// `limit` is what the type allows, not what the value has: SSZ gives a list the depth of its longest value.
pub(crate) fn root(chunks: &[Chunk], limit: usize) -> Chunk {
    let mut level = chunks.to_vec();
    level.resize(limit.max(chunks.len()).next_power_of_two(), [0; 32]);
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| pair.iter().fold(Sha256::new(), |hash, node| hash.chain_update(node)).finalize().into())
            .collect();
    }
    level.first().copied().unwrap_or([0; 32])
}

/// The bytes in chunks of 32, the last one filled up with zeros.
pub(crate) fn pack(bytes: &[u8]) -> Vec<Chunk> {
    bytes.chunks(32).map(left_aligned).collect()
}

/// The root of a byte vector, whose length its type fixes.
pub(crate) fn byte_vector(bytes: &[u8]) -> Chunk {
    let chunks = pack(bytes);
    root(&chunks, chunks.len())
}

/// The root of a byte list of at most `limit` bytes.
pub(crate) fn byte_list(bytes: &[u8], limit: usize) -> Chunk {
    // mix_in_length: the length as a 256-bit little-endian integer.
    root(&[root(&pack(bytes), limit.div_ceil(32)), uint64(bytes.len() as u64)], 2)
}

/// The leaf of a number: little-endian, filled up with zeros.
pub(crate) fn uint64(value: u64) -> Chunk {
    left_aligned(&value.to_le_bytes())
}

/// Up to 32 bytes, filled up with zeros.
pub(crate) fn left_aligned(bytes: &[u8]) -> Chunk {
    let mut chunk = [0; 32];
    for (to, from) in chunk.iter_mut().zip(bytes) {
        *to = *from;
    }
    chunk
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_follows_the_limit_and_not_the_value() {
        let zero = [0; 32];
        let two: Chunk = Sha256::digest([0; 64]).into();
        let four: Chunk = Sha256::new().chain_update(two).chain_update(two).finalize().into();
        assert_eq!(root(&[], 1), zero);
        assert_eq!(root(&[zero], 1), zero);
        assert_eq!(root(&[], 2), two);
        assert_eq!(root(&[zero], 3), four);
        assert_eq!(byte_vector(&[0; 48]), two);
        assert_ne!(byte_list(&[0; 48], 48), byte_list(&[0; 49], 64));
    }
}
