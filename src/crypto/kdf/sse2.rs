//! scrypt's mixing of up to three keystores at once with SSE2, which every x86-64 has: one in a register.
#![expect(
    clippy::indexing_slicing,
    reason = "the lengths are constants of the algorithm, or checked once for each step"
)]

use std::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_cvtsi128_si32, _mm_or_si128, _mm_setzero_si128, _mm_shuffle_epi32, _mm_slli_epi32,
    _mm_srli_epi32, _mm_xor_si128,
};

super::interleave::interleave!("sse2", __m128i, width: 1, lines: 4);

#[inline]
#[target_feature(enable = "sse2")]
fn zero() -> __m128i {
    _mm_setzero_si128()
}

#[inline]
#[target_feature(enable = "sse2")]
fn add(a: __m128i, b: __m128i) -> __m128i {
    _mm_add_epi32(a, b)
}

#[inline]
#[target_feature(enable = "sse2")]
fn xor(a: __m128i, b: __m128i) -> __m128i {
    _mm_xor_si128(a, b)
}

#[inline]
#[target_feature(enable = "sse2")]
fn xor3(a: __m128i, b: __m128i, c: __m128i) -> __m128i {
    _mm_xor_si128(a, _mm_xor_si128(b, c))
}

#[inline]
#[target_feature(enable = "sse2")]
fn rotate<const LEFT: i32, const RIGHT: i32>(a: __m128i) -> __m128i {
    _mm_or_si128(_mm_slli_epi32::<LEFT>(a), _mm_srli_epi32::<RIGHT>(a))
}

#[inline]
#[target_feature(enable = "sse2")]
fn shuffle<const ORDER: i32>(a: __m128i) -> __m128i {
    _mm_shuffle_epi32::<ORDER>(a)
}

/// One keystore's lines are its rows.
#[inline]
#[target_feature(enable = "sse2")]
fn join([rows]: [[__m128i; 4]; 1]) -> [__m128i; 4] {
    rows
}

#[inline]
#[target_feature(enable = "sse2")]
fn split(rows: [__m128i; 4]) -> [[__m128i; 4]; 1] {
    [rows]
}

/// The first word of the row.
#[inline]
#[target_feature(enable = "sse2")]
fn first_words(row: __m128i) -> [u32; 1] {
    [_mm_cvtsi128_si32(row).cast_unsigned()]
}
