//! Identifiers: the non-zero points at which a sharing polynomial is evaluated.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use crate::scalar::Scalar;

/// A non-zero evaluation point.
///
/// The polynomial's value at 0 is the validator key itself, so an identifier of 0 would hand its holder the whole key.
/// No such value can be constructed. Every u64 is below the group order, so distinct identifiers stay distinct points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identifier(NonZeroU64);

/// The number under which the SSV Network knows an operator; its shares are evaluated at the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperatorId(Identifier);

/// Why a text or number is not an identifier.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum IdentifierError {
    /// The value is 0, in whatever spelling.
    #[error("an identifier of 0 would be handed the whole validator key")]
    Zero,
    /// Not the plain decimal digits of a number: a sign, a prefix, an exponent, a leading zero, blanks, letters.
    #[error("{0:?} is not a plain decimal number")]
    NotCanonical(String),
    /// Larger than 2^64 - 1.
    #[error("{0} is larger than 18446744073709551615")]
    TooLarge(String),
}

impl Identifier {
    /// The number.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0.get()
    }

    /// The evaluation point as a field element.
    #[must_use]
    pub fn to_scalar(self) -> Scalar {
        Scalar::from_u64(self.get())
    }
}

impl TryFrom<u64> for Identifier {
    type Error = IdentifierError;

    fn try_from(value: u64) -> Result<Self, Self::Error> {
        NonZeroU64::new(value).map(Self).ok_or(IdentifierError::Zero)
    }
}

impl FromStr for Identifier {
    type Err = IdentifierError;

    /// Reads canonical decimal only: `1` to `18446744073709551615`, without sign, prefix, leading zero or blank.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !text.is_empty() && text.bytes().all(|byte| byte == b'0') {
            return Err(IdentifierError::Zero);
        }
        // The echo is bounded: a hostile file must not turn into a hostile error message.
        let echo = || text.chars().take(40).collect();
        if text.is_empty() || text.starts_with('0') || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(IdentifierError::NotCanonical(echo()));
        }
        text.parse().map(Self).map_err(|_| IdentifierError::TooLarge(echo()))
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl OperatorId {
    /// The number.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0.get()
    }

    /// The point at which this operator's share is evaluated.
    #[must_use]
    pub fn identifier(self) -> Identifier {
        self.0
    }
}

impl TryFrom<u64> for OperatorId {
    type Error = IdentifierError;

    fn try_from(value: u64) -> Result<Self, Self::Error> {
        value.try_into().map(Self)
    }
}

impl FromStr for OperatorId {
    type Err = IdentifierError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl fmt::Display for OperatorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_cannot_exist() {
        assert_eq!(Identifier::try_from(0), Err(IdentifierError::Zero));
        for text in ["0", "00", "0000000000000000000000"] {
            assert_eq!(text.parse::<OperatorId>(), Err(IdentifierError::Zero), "{text}");
        }
    }

    #[test]
    fn only_canonical_decimal_is_read() {
        for text in
            ["", " ", "+1", "-1", "0x10", "010", "4x", "1e3", "1.0", " 1", "1 ", "1_000", "１", "٣", "1\n", "NaN"]
        {
            assert!(matches!(text.parse::<Identifier>(), Err(IdentifierError::NotCanonical(_))), "{text:?}");
        }
        for text in ["18446744073709551616", "99999999999999999999999999"] {
            assert!(matches!(text.parse::<Identifier>(), Err(IdentifierError::TooLarge(_))), "{text:?}");
        }
    }

    #[test]
    fn the_whole_range_is_exact() {
        for value in [1, 4, (1 << 32) - 1, 1 << 32, (1 << 53) + 1, u64::MAX] {
            let id: OperatorId = value.to_string().parse().unwrap();
            assert_eq!(id.get(), value);
            assert_eq!(id.to_string(), value.to_string());
            let point = id.identifier().to_scalar().to_be_bytes();
            assert_eq!(point[24..], value.to_be_bytes());
            assert_eq!(point[..24], [0; 24]);
        }
    }
}
