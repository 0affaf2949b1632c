//! scrypt's mixing (RFC 7914, section 5, r = 8) of one keystore, for every CPU.
#![expect(
    clippy::indexing_slicing,
    reason = "the lengths are constants of the algorithm, or checked once for each step"
)]

use zeroize::Zeroizing;

use super::{BLOCK_BYTES, Block, diagonal, undo_diagonal};

/// One 64-byte sub-block, in diagonal order.
type Words = [u32; 16];

/// The running block, or one place of the table.
type State = [Words; 16];

/// Runs SMix of RFC 7914 on the block, with N = `n`, a power of two from 2 on.
///
/// Takes a table of `n * BLOCK_BYTES` bytes, aligned to 4 bytes; panics where it is shorter.
pub(super) fn smix(block: &mut Block, n: usize, table: &mut [u8]) {
    let table: &mut [State] = bytemuck::cast_slice_mut(&mut table[..n * BLOCK_BYTES]);
    let mut x: Zeroizing<State> = Zeroizing::new([[0; 16]; 16]);
    let mut y: Zeroizing<State> = Zeroizing::new([[0; 16]; 16]);
    for (k, words) in x.iter_mut().enumerate() {
        *words = diagonal(block, k);
    }
    // N is even: after each pair of steps the running block is in `x` again.
    for pair in table.chunks_exact_mut(2) {
        pair[0] = *x;
        block_mix(&x, &mut y);
        pair[1] = *y;
        block_mix(&y, &mut x);
    }
    for _ in 0..n / 2 {
        block_mix_with(&x, &table[x[15][0] as usize & (n - 1)], &mut y);
        block_mix_with(&y, &table[y[15][0] as usize & (n - 1)], &mut x);
    }
    for (k, words) in x.iter().enumerate() {
        undo_diagonal(words, block, k);
    }
}

fn block_mix(x: &State, y: &mut State) {
    let mut chain = x[15];
    for k in 0..16 {
        chain = salsa20_8(xor(&chain, &x[k]));
        y[k / 2 + k % 2 * 8] = chain;
    }
}

fn block_mix_with(x: &State, v: &State, y: &mut State) {
    let mut chain = xor(&x[15], &v[15]);
    for k in 0..16 {
        chain = salsa20_8(xor(&chain, &xor(&x[k], &v[k])));
        y[k / 2 + k % 2 * 8] = chain;
    }
}

#[inline(always)]
fn xor(a: &Words, b: &Words) -> Words {
    std::array::from_fn(|word| a[word] ^ b[word])
}

/// The quarter steps of Salsa20, word by word. The rotations of rows are in the places, not in moves.
macro_rules! quarters {
    ($x:ident, $left:literal: $($to:literal ^= $a:literal + $b:literal),*) => {
        $($x[$to] ^= $x[$a].wrapping_add($x[$b]).rotate_left($left);)*
    };
}

#[inline(always)]
fn salsa20_8(input: Words) -> Words {
    let mut x = input;
    for _ in 0..4 {
        quarters!(x, 7: 4 ^= 0 + 12, 5 ^= 1 + 13, 6 ^= 2 + 14, 7 ^= 3 + 15);
        quarters!(x, 9: 8 ^= 4 + 0, 9 ^= 5 + 1, 10 ^= 6 + 2, 11 ^= 7 + 3);
        quarters!(x, 13: 12 ^= 8 + 4, 13 ^= 9 + 5, 14 ^= 10 + 6, 15 ^= 11 + 7);
        quarters!(x, 18: 0 ^= 12 + 8, 1 ^= 13 + 9, 2 ^= 14 + 10, 3 ^= 15 + 11);
        quarters!(x, 7: 13 ^= 0 + 7, 14 ^= 1 + 4, 15 ^= 2 + 5, 12 ^= 3 + 6);
        quarters!(x, 9: 10 ^= 13 + 0, 11 ^= 14 + 1, 8 ^= 15 + 2, 9 ^= 12 + 3);
        quarters!(x, 13: 7 ^= 10 + 13, 4 ^= 11 + 14, 5 ^= 8 + 15, 6 ^= 9 + 12);
        quarters!(x, 18: 0 ^= 7 + 10, 1 ^= 4 + 11, 2 ^= 5 + 8, 3 ^= 6 + 9);
    }
    std::array::from_fn(|word| x[word].wrapping_add(input[word]))
}
