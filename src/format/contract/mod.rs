//! The SSVNetwork contract, version 2.0.0: its calls, events and errors as bytes; and what is left of version 1.

pub mod call;
pub mod interface;
pub mod legacy;
pub mod revert;
pub mod snapshot;
mod wire;

/// The most calldata that is read, in bytes: the size limit of a whole transaction on the network (128 KiB).
///
/// Also the bound on what a hostile encoding can unfold into: elements of a list may point to the same bytes.
pub const MAX_CALLDATA: usize = 128 << 10;

/// A function selector or an error selector.
pub type Selector = [u8; 4];

/// The first four bytes.
#[must_use]
pub fn selector_of(bytes: &[u8]) -> Option<Selector> {
    bytes.first_chunk().copied()
}
