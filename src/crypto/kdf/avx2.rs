//! scrypt's mixing of up to six keystores at once with AVX2: two in a register, three registers in turn.
#![expect(
    clippy::indexing_slicing,
    reason = "the lengths are constants of the algorithm, or checked once for each step"
)]

use std::arch::x86_64::{
    __m256i, _mm_cvtsi128_si32, _mm256_add_epi32, _mm256_castsi256_si128, _mm256_extracti128_si256, _mm256_or_si256,
    _mm256_permute2x128_si256, _mm256_setzero_si256, _mm256_shuffle_epi32, _mm256_slli_epi32, _mm256_srli_epi32,
    _mm256_xor_si256,
};

super::interleave::interleave!("avx2", __m256i, width: 2, lines: 2);

#[inline]
#[target_feature(enable = "avx2")]
fn zero() -> __m256i {
    _mm256_setzero_si256()
}

#[inline]
#[target_feature(enable = "avx2")]
fn add(a: __m256i, b: __m256i) -> __m256i {
    _mm256_add_epi32(a, b)
}

#[inline]
#[target_feature(enable = "avx2")]
fn xor(a: __m256i, b: __m256i) -> __m256i {
    _mm256_xor_si256(a, b)
}

#[inline]
#[target_feature(enable = "avx2")]
fn xor3(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
    _mm256_xor_si256(a, _mm256_xor_si256(b, c))
}

#[inline]
#[target_feature(enable = "avx2")]
fn rotate<const LEFT: i32, const RIGHT: i32>(a: __m256i) -> __m256i {
    _mm256_or_si256(_mm256_slli_epi32::<LEFT>(a), _mm256_srli_epi32::<RIGHT>(a))
}

#[inline]
#[target_feature(enable = "avx2")]
fn shuffle<const ORDER: i32>(a: __m256i) -> __m256i {
    _mm256_shuffle_epi32::<ORDER>(a)
}

/// Joins the lines of two keystores, two rows in each, to rows of both.
#[inline]
#[target_feature(enable = "avx2")]
fn join([[a, b], [c, d]]: [[__m256i; 2]; 2]) -> [__m256i; 4] {
    [
        _mm256_permute2x128_si256::<0x20>(a, c),
        _mm256_permute2x128_si256::<0x31>(a, c),
        _mm256_permute2x128_si256::<0x20>(b, d),
        _mm256_permute2x128_si256::<0x31>(b, d),
    ]
}

#[inline]
#[target_feature(enable = "avx2")]
fn split([a, b, c, d]: [__m256i; 4]) -> [[__m256i; 2]; 2] {
    [
        [_mm256_permute2x128_si256::<0x20>(a, b), _mm256_permute2x128_si256::<0x20>(c, d)],
        [_mm256_permute2x128_si256::<0x31>(a, b), _mm256_permute2x128_si256::<0x31>(c, d)],
    ]
}

/// The first word of each keystore's part.
#[inline]
#[target_feature(enable = "avx2")]
fn first_words(row: __m256i) -> [u32; 2] {
    [
        _mm_cvtsi128_si32(_mm256_castsi256_si128(row)).cast_unsigned(),
        _mm_cvtsi128_si32(_mm256_extracti128_si256::<1>(row)).cast_unsigned(),
    ]
}
