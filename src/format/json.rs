//! Strict JSON: no duplicate keys, bounded depth and size, exact integers, and errors that name the field.

use std::cell::Cell;
use std::fmt;

use super::text::shown;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// The most values that one document may hold. The largest lawful file (thousands of validators) has a tenth of it.
const MAX_VALUES: usize = 2_000_000;

/// A JSON value. Objects keep the order of the file and have no key twice.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number; integers of the whole u64 range are exact.
    Number(serde_json::Number),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// An object.
    Object(Vec<(String, Json)>),
}

/// Why bytes are not a document.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum JsonError {
    /// No bytes, or blanks only.
    #[error("the file is empty")]
    Empty,
    /// UTF-16 or UTF-32 text.
    #[error("the text is UTF-16 or UTF-32; JSON files are UTF-8")]
    Utf16,
    /// Not UTF-8.
    #[error("not UTF-8 text: the byte at position {0} does not fit")]
    NotUtf8(usize),
    /// The text stops in the middle.
    #[error("the file ends in the middle, at line {line}")]
    Truncated {
        /// Where it ends.
        line: usize,
    },
    /// One key stands twice in an object: different programs would read different values.
    #[error("the key {key:?} stands twice in one object, at line {line}")]
    DuplicateKey {
        /// The key.
        key: String,
        /// The line.
        line: usize,
    },
    /// More values than any lawful file has.
    #[error("more than {MAX_VALUES} values")]
    TooManyValues,
    /// Anything else that is not JSON.
    #[error("not JSON at line {line}, column {column}: {what}")]
    Syntax {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
        /// What the parser says.
        what: String,
    },
}

/// Reads a whole document. A UTF-8 byte order mark at the start is skipped.
///
/// # Errors
/// [`JsonError`].
pub fn parse(bytes: &[u8]) -> Result<Json, JsonError> {
    if let [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, 0, ..] | [_, 0, ..] = bytes {
        return Err(JsonError::Utf16);
    }
    let bytes = without_byte_order_mark(bytes);
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(JsonError::Empty);
    }
    let text = std::str::from_utf8(bytes).map_err(|error| JsonError::NotUtf8(error.valid_up_to()))?;
    let state = State { left: Cell::new(MAX_VALUES), duplicate: Cell::new(None), too_many: Cell::new(false) };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let parsed = ValueSeed(&state).deserialize(&mut deserializer);
    parsed.and_then(|value| deserializer.end().map(|()| value)).map_err(|error| {
        if let Some(key) = state.duplicate.take() {
            JsonError::DuplicateKey { key, line: error.line() }
        } else if state.too_many.get() {
            JsonError::TooManyValues
        } else if error.is_eof() {
            JsonError::Truncated { line: error.line() }
        } else {
            let what = error.to_string();
            let what = what.rsplit_once(" at line ").map_or(what.as_str(), |(what, _)| what).to_owned();
            JsonError::Syntax { line: error.line(), column: error.column(), what }
        }
    })
}

/// Whether the text starts with a UTF-8 byte order mark, which JavaScript's parser refuses.
#[must_use]
pub fn has_byte_order_mark(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xef, 0xbb, 0xbf])
}

fn without_byte_order_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(bytes)
}

struct State {
    left: Cell<usize>,
    duplicate: Cell<Option<String>>,
    too_many: Cell<bool>,
}

struct ValueSeed<'a>(&'a State);

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        let Some(left) = self.0.left.get().checked_sub(1) else {
            self.0.too_many.set(true);
            return Err(de::Error::custom("too many values"));
        };
        self.0.left.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Json, E> {
        serde_json::Number::from_f64(value).map(Json::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Json, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = elements.next_element_seed(ValueSeed(self.0))? {
            values.push(value);
        }
        Ok(Json::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut fields: Vec<(String, Json)> = Vec::new();
        while let Some(key) = entries.next_key::<String>()? {
            fields.push((key, entries.next_value_seed(ValueSeed(self.0))?));
        }
        let mut keys: Vec<&str> = fields.iter().map(|(key, _)| key.as_str()).collect();
        keys.sort_unstable();
        let twice = keys.windows(2).find_map(|pair| match pair {
            [a, b] if a == b => Some(a.chars().take(60).collect::<String>()),
            _ => None,
        });
        if let Some(key) = twice {
            self.0.duplicate.set(Some(key));
            return Err(de::Error::custom("duplicate key"));
        }
        Ok(Json::Object(fields))
    }
}

impl Json {
    /// The field of that name, for objects that have it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Json> {
        match self {
            Self::Object(fields) => fields.iter().find(|(key, _)| key == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The string, for strings.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// Whether both say the same: the order of an object's fields means nothing.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Array(these), Self::Array(those)) => {
                these.len() == those.len() && these.iter().zip(those).all(|(this, that)| this.says_the_same(that))
            }
            (Self::Object(these), Self::Object(those)) => {
                let sorted = |fields: &[(String, Self)]| {
                    let mut places: Vec<_> = (0..fields.len()).collect();
                    places.sort_by_key(|place| fields.get(*place).map(|(name, _)| name.clone()));
                    places
                };
                let pairs = sorted(these).into_iter().zip(sorted(those));
                these.len() == those.len()
                    && pairs.into_iter().all(|(this, that)| match (these.get(this), those.get(that)) {
                        (Some((name, this)), Some((other, that))) => name == other && this.says_the_same(that),
                        _ => false,
                    })
            }
            _ => self == other,
        }
    }

    /// What kind of value it is, in words.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }
}

/// A value and where it stands in its document.
#[derive(Clone, Debug)]
pub struct Field<'a> {
    /// The value.
    pub value: &'a Json,
    path: String,
}

/// A field that is missing or of another kind than it must be.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{}: {problem}", if path.is_empty() { "the document" } else { path })]
pub struct FieldError {
    /// Where, as `shares[3].payload.sharesData`; empty for the whole document.
    pub path: String,
    /// What is wrong there.
    pub problem: FieldProblem,
}

/// What is wrong with a field.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum FieldProblem {
    /// It is not there.
    #[error("is missing")]
    Missing,
    /// It is another kind of value.
    #[error("should be {wanted}, is {found}")]
    Kind {
        /// What it should be.
        wanted: &'static str,
        /// What it is.
        found: String,
    },
    /// Not hexadecimal digits.
    #[error("is not hexadecimal")]
    NotHex,
    /// Another number of bytes.
    #[error("has {found} bytes instead of {wanted}")]
    Length {
        /// How many it should have.
        wanted: usize,
        /// How many it has.
        found: usize,
    },
    /// More bytes than allowed.
    #[error("has {found} bytes, more than {most}")]
    TooLong {
        /// The most that is allowed.
        most: usize,
        /// How many it has.
        found: usize,
    },
    /// Another name for a known field, by its capitals: readers written in Go take the last of the two, others the exact one.
    #[error("is {known:?} to some readers, and nothing to others")]
    Spelling {
        /// The field that it could be taken for.
        known: &'static str,
    },
    /// A value that the format does not know.
    #[error("is {found:?}; {wanted}")]
    Unsupported {
        /// What it is.
        found: String,
        /// What would be taken.
        wanted: &'static str,
    },
}

impl<'a> Field<'a> {
    /// The document itself.
    #[must_use]
    pub fn root(value: &'a Json) -> Self {
        Self { value, path: String::new() }
    }

    /// Where the field stands.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// An error about this field.
    #[must_use]
    pub fn error(&self, problem: FieldProblem) -> FieldError {
        FieldError { path: self.path.clone(), problem }
    }

    /// The named field of an object; `null` counts as absent.
    ///
    /// # Errors
    /// [`FieldProblem::Missing`], or [`FieldProblem::Kind`] when this is no object.
    pub fn get(&self, name: &str) -> Result<Field<'a>, FieldError> {
        self.optional(name)?.ok_or_else(|| self.missing(name))
    }

    /// The named field of an object, if it is there and not `null`.
    ///
    /// # Errors
    /// [`FieldProblem::Kind`] when this is no object.
    pub fn optional(&self, name: &str) -> Result<Option<Field<'a>>, FieldError> {
        let Json::Object(_) = self.value else { return Err(self.kind_error("an object")) };
        let value = self.value.get(name).filter(|value| **value != Json::Null);
        Ok(value.map(|value| Field { value, path: self.child_path(name) }))
    }

    /// The error that a field of this object is missing.
    #[must_use]
    pub fn missing(&self, name: &str) -> FieldError {
        FieldError { path: self.child_path(name), problem: FieldProblem::Missing }
    }

    /// The first of several names that is there.
    ///
    /// # Errors
    /// As [`Field::optional`].
    pub fn any_of(&self, names: &[&str]) -> Result<Option<Field<'a>>, FieldError> {
        for name in names {
            if let Some(field) = self.optional(name)? {
                return Ok(Some(field));
            }
        }
        Ok(None)
    }

    /// The elements of an array.
    ///
    /// # Errors
    /// [`FieldProblem::Kind`].
    pub fn elements(&self) -> Result<Vec<Field<'a>>, FieldError> {
        let Json::Array(values) = self.value else { return Err(self.kind_error("an array")) };
        let place = |(position, value)| Field { value, path: format!("{}[{position}]", self.path) };
        Ok(values.iter().enumerate().map(place).collect())
    }

    /// The entries of an object.
    ///
    /// # Errors
    /// [`FieldProblem::Kind`].
    pub fn entries(&self) -> Result<Vec<(&'a str, Field<'a>)>, FieldError> {
        let Json::Object(fields) = self.value else { return Err(self.kind_error("an object")) };
        Ok(fields.iter().map(|(key, value)| (key.as_str(), Field { value, path: self.child_path(key) })).collect())
    }

    /// The text of a string.
    ///
    /// # Errors
    /// [`FieldProblem::Kind`].
    pub fn text(&self) -> Result<&'a str, FieldError> {
        self.value.as_str().ok_or_else(|| self.kind_error("a string"))
    }

    /// A whole number that is written as a JSON number.
    ///
    /// # Errors
    /// [`FieldProblem::Kind`] for negative, fractional and larger numbers and for other values.
    pub fn integer(&self) -> Result<u64, FieldError> {
        let integer = match self.value {
            Json::Number(number) => number.as_u64(),
            _ => None,
        };
        integer.ok_or_else(|| {
            let found = match self.value {
                Json::Number(number) => number.to_string(),
                other => other.kind().to_owned(),
            };
            self.error(FieldProblem::Kind { wanted: "a whole number", found })
        })
    }

    /// A u32, as [`Field::integer`].
    ///
    /// # Errors
    /// [`FieldProblem::Kind`].
    pub fn small_integer(&self) -> Result<u32, FieldError> {
        let integer = self.integer()?;
        integer
            .try_into()
            .map_err(|_| self.error(FieldProblem::Kind { wanted: "a number below 2^32", found: integer.to_string() }))
    }

    /// At most `most` bytes of hexadecimal, in any case, with or without `0x`.
    ///
    /// # Errors
    /// [`FieldProblem::NotHex`], [`FieldProblem::TooLong`], [`FieldProblem::Kind`].
    pub fn hex_up_to(&self, most: usize) -> Result<Vec<u8>, FieldError> {
        let text = self.text()?;
        let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
        if digits.len() / 2 > most {
            return Err(self.error(FieldProblem::TooLong { most, found: digits.len() / 2 }));
        }
        hex::decode(digits).map_err(|_| self.error(FieldProblem::NotHex))
    }

    /// Exactly `N` bytes of hexadecimal, in any case, with or without `0x`.
    ///
    /// # Errors
    /// [`FieldProblem::NotHex`], [`FieldProblem::Length`], [`FieldProblem::Kind`].
    pub fn hex<const N: usize>(&self) -> Result<[u8; N], FieldError> {
        let bytes = self.hex_up_to(N.saturating_mul(4))?;
        let found = bytes.len();
        bytes.try_into().map_err(|_| self.error(FieldProblem::Length { wanted: N, found }))
    }

    fn kind_error(&self, wanted: &'static str) -> FieldError {
        self.error(FieldProblem::Kind { wanted, found: self.value.kind().to_owned() })
    }

    fn child_path(&self, name: &str) -> String {
        // A hostile key must not turn into a hostile message.
        let name = shown(name, 40);
        if self.path.is_empty() { name } else { format!("{}.{name}", self.path) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_exact_and_nothing_else_is_an_integer() {
        let document = parse(br#"{"a": 18446744073709551615, "b": 9007199254740993, "c": [-1, 1.0, 1e3, 18446744073709551616, "7", -0]}"#).unwrap();
        let root = Field::root(&document);
        assert_eq!(root.get("a").unwrap().integer(), Ok(u64::MAX));
        assert_eq!(root.get("b").unwrap().integer(), Ok((1 << 53) + 1));
        for element in root.get("c").unwrap().elements().unwrap() {
            assert!(element.integer().is_err(), "{element:?}");
        }
    }

    #[test]
    fn ambiguous_and_broken_texts_are_named() {
        let line = 1;
        assert_eq!(parse(b""), Err(JsonError::Empty));
        assert_eq!(parse(b" \r\n\t"), Err(JsonError::Empty));
        assert_eq!(parse(b"\xef\xbb\xbf"), Err(JsonError::Empty));
        assert_eq!(parse(b"{\"a\":1,\"a\":2}"), Err(JsonError::DuplicateKey { key: "a".into(), line }));
        assert_eq!(
            parse(b"[{\"a\":{\"b\":1,\"c\":2,\"b\":1}}]"),
            Err(JsonError::DuplicateKey { key: "b".into(), line })
        );
        assert_eq!(parse(b"{\"a\": [1, 2"), Err(JsonError::Truncated { line }));
        assert_eq!(parse(b"\"abc"), Err(JsonError::Truncated { line }));
        assert_eq!(parse(b"\xff\xfe{\0"), Err(JsonError::Utf16));
        assert_eq!(parse(b"{\0\"\0"), Err(JsonError::Utf16));
        assert_eq!(parse(b"{\"a\": \"\xf1\"}"), Err(JsonError::NotUtf8(7)));
        assert!(matches!(parse(b"{} {}"), Err(JsonError::Syntax { .. })));
        assert!(matches!(parse(b"hello"), Err(JsonError::Syntax { .. })));
        assert!(matches!(parse("[".repeat(100_000).as_bytes()), Err(JsonError::Syntax { .. })));
        assert_eq!(parse(format!("[{}1]", "1,".repeat(MAX_VALUES)).as_bytes()), Err(JsonError::TooManyValues));
    }

    #[test]
    fn the_order_of_fields_means_nothing() {
        let parse = |text: &str| parse(text.as_bytes()).unwrap();
        let one = parse(r#"[{"a":1,"b":{"c":[1,2],"d":null}}]"#);
        assert!(one.says_the_same(&parse(r#"[{"b":{"d":null,"c":[1,2]},"a":1}]"#)));
        for other in [
            r#"[{"a":1,"b":{"c":[2,1],"d":null}}]"#,
            r#"[{"a":1,"b":{"c":[1,2],"e":null}}]"#,
            r#"[{"a":1,"b":{"c":[1,2]}}]"#,
            r#"[{"a":1,"b":{"c":[1,2],"d":null}},1]"#,
            "{}",
        ] {
            assert!(!one.says_the_same(&parse(other)) && !parse(other).says_the_same(&one), "{other}");
        }
    }

    #[test]
    fn a_byte_order_mark_and_crlf_are_read() {
        let document = parse(b"\xef\xbb\xbf{\r\n\"a\": null\r\n}\r\n").unwrap();
        assert!(Field::root(&document).optional("a").unwrap().is_none());
        assert!(has_byte_order_mark(b"\xef\xbb\xbf{"));
    }

    #[test]
    fn errors_say_where() {
        let document = parse(br#"{"shares":[{"payload":{"x":"0xzz"}}]}"#).unwrap();
        let share = Field::root(&document).get("shares").unwrap().elements().unwrap().remove(0);
        let payload = share.get("payload").unwrap();
        assert_eq!(payload.get("y").unwrap_err().to_string(), "shares[0].payload.y: is missing");
        assert_eq!(
            payload.get("x").unwrap().hex::<2>().unwrap_err().to_string(),
            "shares[0].payload.x: is not hexadecimal"
        );
        assert_eq!(share.text().unwrap_err().to_string(), "shares[0]: should be a string, is an object");
    }
}
