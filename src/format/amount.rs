//! Amounts of ether: exact, never without their unit, and shown in two of them.

use std::fmt;
use std::str::FromStr;

use dvkey_ceremony::Gwei;

/// Wei in a Gwei.
const WEI_PER_GWEI: u128 = 1_000_000_000;

/// Decimal places of ether in Wei.
const ETHER_PLACES: u32 = 18;

/// Decimal places of Gwei in Wei.
const GWEI_PLACES: u32 = 9;

/// An amount in Wei, the unit of the execution layer: 10^-18 ether.
///
/// At most 2^128 - 1, which is three thousand million times all the ether there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wei(u128);

/// Why a text or a number is not an amount.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum AmountError {
    /// Not digits, perhaps with a fraction, and a unit.
    #[error("{0:?} is not an amount such as 1.5ether, 100gwei or 250000wei")]
    Form(String),
    /// A fraction, or a number so small that it was hardly meant in Wei, and no unit.
    #[error("{0:?} has no unit")]
    NoUnit(String),
    /// More decimal places than there are parts of the unit.
    #[error("{given:?} is finer than 1 {finest}")]
    TooFine {
        /// The text as given.
        given: String,
        /// The smallest amount that can be expressed.
        finest: &'static str,
    },
    /// More than the type holds.
    #[error("{0:?} is more ether than can be")]
    TooLarge(String),
}

impl Wei {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// That many Wei.
    #[must_use]
    pub const fn new(wei: u128) -> Self {
        Self(wei)
    }

    /// How many Wei.
    #[must_use]
    pub const fn get(self) -> u128 {
        self.0
    }

    /// Reads plain decimal digits, as JSON files hold an amount.
    ///
    /// # Errors
    /// [`AmountError::Form`] for anything but digits without leading zeros, [`AmountError::TooLarge`].
    pub fn from_decimal(text: &str) -> Result<Self, AmountError> {
        if !is_whole(text) {
            return Err(AmountError::Form(echo(text)));
        }
        text.parse().map(Self).map_err(|_| AmountError::TooLarge(echo(text)))
    }

    /// The sum, unless it is more than can be.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The exact number of ether, as `1.5`.
    #[must_use]
    pub fn ether(self) -> String {
        decimal(self.0, ETHER_PLACES)
    }

    /// The exact number of Gwei, as `1.5`.
    #[must_use]
    pub fn gwei(self) -> String {
        decimal(self.0, GWEI_PLACES)
    }
}

impl From<Gwei> for Wei {
    fn from(gwei: Gwei) -> Self {
        // 2^64 Gwei are 2^94 Wei.
        Self(u128::from(gwei.get()) * WEI_PER_GWEI)
    }
}

impl TryFrom<Wei> for Gwei {
    type Error = AmountError;

    /// A whole number of Gwei that fits 64 bits.
    fn try_from(wei: Wei) -> Result<Self, AmountError> {
        let given = || format!("{}wei", wei.0);
        if !wei.0.is_multiple_of(WEI_PER_GWEI) {
            return Err(AmountError::TooFine { given: given(), finest: "Gwei" });
        }
        (wei.0 / WEI_PER_GWEI).try_into().map(Self::new).map_err(|_| AmountError::TooLarge(given()))
    }
}

impl FromStr for Wei {
    type Err = AmountError;

    /// Reads `1.5ether` (or `eth`), `100gwei`, `250000wei`, in any case and with at most one blank before the unit.
    ///
    /// Digits without a unit are Wei, as everywhere on the execution layer. Below 1 Gwei they are refused: whoever writes
    /// 32 means ether, and 32 Wei would be sent without a word.
    fn from_str(text: &str) -> Result<Self, AmountError> {
        let form = || AmountError::Form(echo(text));
        let digits_end = text.find(|character: char| !character.is_ascii_digit() && character != '.');
        let (number, unit) = text.split_at(digits_end.unwrap_or(text.len()));
        let unit = unit.strip_prefix(' ').unwrap_or(unit).to_ascii_lowercase();
        let (places, has_unit) = match unit.as_str() {
            "ether" | "eth" => (ETHER_PLACES, true),
            "gwei" => (GWEI_PLACES, true),
            "wei" => (0, true),
            "" if !text.ends_with(' ') => (0, false),
            _ => return Err(form()),
        };
        let (whole, fraction) = match number.split_once('.') {
            None => (number, ""),
            Some((_, "")) => return Err(form()),
            Some(parts) => parts,
        };
        if !is_whole(whole) || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(form());
        }
        if !has_unit && !fraction.is_empty() {
            return Err(AmountError::NoUnit(echo(text)));
        }
        let significant = fraction.trim_end_matches('0');
        let missing = places
            .checked_sub(u32::try_from(significant.len()).unwrap_or(u32::MAX))
            .ok_or_else(|| AmountError::TooFine { given: echo(text), finest: "Wei" })?;
        let too_large = || AmountError::TooLarge(echo(text));
        let scale = 10u128.checked_pow(missing).ok_or_else(too_large)?;
        let digits: u128 = format!("{whole}{significant}").parse().map_err(|_| too_large())?;
        let wei = digits.checked_mul(scale).ok_or_else(too_large)?;
        if !has_unit && wei != 0 && wei < WEI_PER_GWEI {
            return Err(AmountError::NoUnit(echo(text)));
        }
        Ok(Self(wei))
    }
}

/// Reads an amount of the beacon chain: as [`Wei`], and a whole number of Gwei.
///
/// # Errors
/// [`AmountError`].
pub fn parse_gwei(text: &str) -> Result<Gwei, AmountError> {
    let wei: Wei = text.parse()?;
    Gwei::try_from(wei).map_err(|error| match error {
        AmountError::TooFine { finest, .. } => AmountError::TooFine { given: echo(text), finest },
        _ => AmountError::TooLarge(echo(text)),
    })
}

impl fmt::Display for Wei {
    /// `1.5 ETH (1500000000000000000 wei)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ETH ({} wei)", self.ether(), self.0)
    }
}

/// Digits, and no leading zero unless it is the only one.
fn is_whole(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'))
}

/// `amount / 10^places`, exactly and without needless zeros.
fn decimal(amount: u128, places: u32) -> String {
    let unit = 10u128.pow(places);
    let (whole, rest) = (amount / unit, amount % unit);
    if rest == 0 {
        return whole.to_string();
    }
    let width = usize::try_from(places).unwrap_or(0);
    let fraction = format!("{rest:0width$}");
    format!("{whole}.{}", fraction.trim_end_matches('0'))
}

/// A hostile text must not turn into a hostile message.
fn echo(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ETHER: u128 = 1_000_000_000_000_000_000;

    #[test]
    fn amounts_are_exact() {
        for (text, wei) in [
            ("0", 0),
            ("0ether", 0),
            ("1.5ether", ETHER * 3 / 2),
            ("1.5eth", ETHER * 3 / 2),
            ("1.50 ETH", ETHER * 3 / 2),
            ("32Ether", 32 * ETHER),
            ("0.1ether", ETHER / 10),
            ("0.000000000000000001ether", 1),
            ("1.0000000000000000000000ether", ETHER),
            ("100gwei", 100 * WEI_PER_GWEI),
            ("0.000000001GWEI", 1),
            ("7wei", 7),
            ("7 wei", 7),
            ("1000000000", WEI_PER_GWEI),
            ("123456789012345678901234567890", 123_456_789_012_345_678_901_234_567_890),
            ("340282366920938463463.374607431768211455ether", u128::MAX),
            ("340282366920938463463374607431768211455", u128::MAX),
        ] {
            assert_eq!(text.parse(), Ok(Wei(wei)), "{text}");
        }
        // The amounts that a binary fraction cannot hold.
        assert_eq!("0.3ether".parse::<Wei>().unwrap().get(), 300_000_000_000_000_000);
        assert_eq!("9007199254740993wei".parse::<Wei>().unwrap().get(), 9_007_199_254_740_993);
    }

    #[test]
    fn other_forms_are_refused() {
        for text in [
            "",
            " ",
            "ether",
            "gwei",
            ".5ether",
            "5.ether",
            "1..5ether",
            "1.5.2ether",
            "1e18",
            "1e3wei",
            "-1ether",
            "+1ether",
            "1,5ether",
            "1_000wei",
            "01ether",
            "00",
            "0x10",
            " 1ether",
            "1ether ",
            "1  ether",
            "1\tether",
            "1 ",
            "1finney",
            "1szabo",
            "1ethers",
            "١ether",
            "１ether",
            "1ether\n",
            "NaN",
            "inf",
            "1 eth er",
        ] {
            assert!(matches!(text.parse::<Wei>(), Err(AmountError::Form(_))), "{text:?}");
            assert!(parse_gwei(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_number_that_was_meant_in_ether_is_not_sent_in_wei() {
        for text in ["1", "32", "1.5", "0.5", "2048", "999999999"] {
            assert_eq!(text.parse::<Wei>(), Err(AmountError::NoUnit(text.to_owned())));
        }
        assert_eq!("32wei".parse(), Ok(Wei(32)));
    }

    #[test]
    fn bounds_hold() {
        fn fine<T>(text: &str, finest: &'static str) -> Result<T, AmountError> {
            Err(AmountError::TooFine { given: text.to_owned(), finest })
        }
        assert_eq!("0.0000000000000000001ether".parse(), fine::<Wei>("0.0000000000000000001ether", "Wei"));
        assert_eq!("0.5wei".parse(), fine::<Wei>("0.5wei", "Wei"));
        assert_eq!("1.00000000001gwei".parse(), fine::<Wei>("1.00000000001gwei", "Wei"));
        for text in [
            "340282366920938463463374607431768211456",
            "340282366920938463463.374607431768211456ether",
            "999999999999999999999999999999999999999999999999999999999999999999999gwei",
        ] {
            assert!(matches!(text.parse::<Wei>(), Err(AmountError::TooLarge(_))), "{text}");
        }
        assert_eq!(parse_gwei("18446744073.709551615ether"), Ok(Gwei::new(u64::MAX)));
        assert!(matches!(parse_gwei("18446744073.709551616ether"), Err(AmountError::TooLarge(_))));
        assert_eq!(parse_gwei("0.0000000001ether"), fine("0.0000000001ether", "Gwei"));
        assert_eq!(Gwei::try_from(Wei(1)), fine("1wei", "Gwei"));
    }

    #[test]
    fn amounts_are_shown_in_two_units() {
        assert_eq!(Wei(ETHER * 3 / 2).to_string(), "1.5 ETH (1500000000000000000 wei)");
        assert_eq!(Wei(1).to_string(), "0.000000000000000001 ETH (1 wei)");
        assert_eq!(Wei::ZERO.to_string(), "0 ETH (0 wei)");
        assert_eq!(Wei(1_500_000_000).gwei(), "1.5");
    }

    #[test]
    fn plain_decimals_are_read_as_files_hold_them() {
        assert_eq!(Wei::from_decimal("0"), Ok(Wei(0)));
        assert_eq!(Wei::from_decimal("32"), Ok(Wei(32)));
        for text in ["", "00", "01", "1wei", "-1", "+1", "0x1", "1.0", " 1"] {
            assert!(matches!(Wei::from_decimal(text), Err(AmountError::Form(_))), "{text:?}");
        }
        assert!(matches!(Wei::from_decimal(&"9".repeat(40)), Err(AmountError::TooLarge(_))));
    }

    proptest::proptest! {
        #[test]
        fn what_is_shown_is_read_again(wei: u128, gwei: u64) {
            let (wei, gwei) = (Wei(wei), Gwei::new(gwei));
            proptest::prop_assert_eq!(format!("{}ether", wei.ether()).parse(), Ok(wei));
            proptest::prop_assert_eq!(format!("{} gwei", wei.gwei()).parse(), Ok(wei));
            proptest::prop_assert_eq!(parse_gwei(&gwei.to_string()), Ok(gwei));
            proptest::prop_assert_eq!(Gwei::try_from(Wei::from(gwei)), Ok(gwei));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = text.parse::<Wei>();
            let _ = parse_gwei(&text);
        }
    }
}
