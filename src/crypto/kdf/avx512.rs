//! scrypt's mixing of up to twelve keystores at once with AVX-512: four in a register, three registers in turn.
#![expect(
    clippy::indexing_slicing,
    reason = "the lengths are constants of the algorithm, or checked once for each step"
)]

use std::arch::x86_64::{
    __m512i, _mm_cvtsi128_si32, _mm512_add_epi32, _mm512_castsi512_si128, _mm512_extracti32x4_epi32, _mm512_rol_epi32,
    _mm512_setzero_si512, _mm512_shuffle_epi32, _mm512_shuffle_i32x4, _mm512_ternarylogic_epi32, _mm512_xor_si512,
};

super::interleave::interleave!("avx512f", __m512i, width: 4, lines: 1);

#[inline]
#[target_feature(enable = "avx512f")]
fn zero() -> __m512i {
    _mm512_setzero_si512()
}

#[inline]
#[target_feature(enable = "avx512f")]
fn add(a: __m512i, b: __m512i) -> __m512i {
    _mm512_add_epi32(a, b)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn xor(a: __m512i, b: __m512i) -> __m512i {
    _mm512_xor_si512(a, b)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn xor3(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<0x96>(a, b, c)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn rotate<const LEFT: i32, const RIGHT: i32>(a: __m512i) -> __m512i {
    _mm512_rol_epi32::<LEFT>(a)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn shuffle<const ORDER: i32>(a: __m512i) -> __m512i {
    _mm512_shuffle_epi32::<ORDER>(a)
}

/// A 4 x 4 transpose of 16-byte pieces: it joins the lines of four keystores to rows, and splits rows into lines.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose([a, b, c, d]: [__m512i; 4]) -> [__m512i; 4] {
    let (low_ab, high_ab) = (_mm512_shuffle_i32x4::<0x44>(a, b), _mm512_shuffle_i32x4::<0xee>(a, b));
    let (low_cd, high_cd) = (_mm512_shuffle_i32x4::<0x44>(c, d), _mm512_shuffle_i32x4::<0xee>(c, d));
    [
        _mm512_shuffle_i32x4::<0x88>(low_ab, low_cd),
        _mm512_shuffle_i32x4::<0xdd>(low_ab, low_cd),
        _mm512_shuffle_i32x4::<0x88>(high_ab, high_cd),
        _mm512_shuffle_i32x4::<0xdd>(high_ab, high_cd),
    ]
}

#[inline]
#[target_feature(enable = "avx512f")]
fn join([[a], [b], [c], [d]]: [[__m512i; 1]; 4]) -> [__m512i; 4] {
    transpose([a, b, c, d])
}

#[inline]
#[target_feature(enable = "avx512f")]
fn split(rows: [__m512i; 4]) -> [[__m512i; 1]; 4] {
    let [a, b, c, d] = transpose(rows);
    [[a], [b], [c], [d]]
}

/// The first word of each keystore's part.
#[inline]
#[target_feature(enable = "avx512f")]
fn first_words(row: __m512i) -> [u32; 4] {
    [
        _mm_cvtsi128_si32(_mm512_castsi512_si128(row)).cast_unsigned(),
        _mm_cvtsi128_si32(_mm512_extracti32x4_epi32::<1>(row)).cast_unsigned(),
        _mm_cvtsi128_si32(_mm512_extracti32x4_epi32::<2>(row)).cast_unsigned(),
        _mm_cvtsi128_si32(_mm512_extracti32x4_epi32::<3>(row)).cast_unsigned(),
    ]
}
