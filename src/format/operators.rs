//! Operator lists in every shape they come in, and the cluster that is picked from one.

use std::collections::BTreeMap;

use dvkey_ceremony::identifier::IdentifierError;
use dvkey_ceremony::threshold::ClusterSizeError;
use dvkey_ceremony::{OperatorId, Threshold};

use super::json::{self, Field, FieldError, FieldProblem, Json, JsonError};
use super::operator_key_text::{OperatorKeyText, OperatorKeyTextError};

/// The largest file that is read as a list of operators, in bytes; the whole network fits four times.
pub const MAX_BYTES: u64 = 16 << 20;

/// From here on the tools of the field that keep ids in 32 bits read another number.
pub const WRAPS_ELSEWHERE: u64 = 1 << 31;

const ID_NAMES: [&str; 4] = ["id", "operatorId", "operator_id", "operatorID"];
const KEY_NAMES: [&str; 6] = ["operatorKey", "public_key", "publicKey", "pubkey", "operator_key", "key"];

/// A list: each id is bound to its key in one entry. Ids are checked, keys are decoded when they are picked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorList {
    entries: BTreeMap<OperatorId, String>,
}

/// An operator with its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// The operator's number on the network.
    pub id: OperatorId,
    /// Its key, with the text that other programs compare.
    pub key: OperatorKeyText,
}

/// The operators of one validator: a lawful number, distinct, sorted by id, each with a usable key of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    operators: Vec<Operator>,
    threshold: Threshold,
}

/// Why a file is not a list of operators, or no cluster can be picked from it.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum OperatorsError {
    /// Not JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A field is missing or wrong.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// JSON of none of the known shapes.
    #[error("no list of operators was found in it")]
    UnknownShape,
    /// A list without entries.
    #[error("the list of operators is empty")]
    Empty,
    /// An id that is none.
    #[error("{path}: {problem}")]
    Id {
        /// Where it stands.
        path: String,
        /// What is wrong with it.
        problem: IdentifierError,
    },
    /// Two spellings of the id in one entry differ.
    #[error("{path}: the entry names two different ids")]
    TwoIds {
        /// Where it stands.
        path: String,
    },
    /// One entry has two keys.
    #[error("{path}: the entry has two different keys")]
    TwoKeys {
        /// Where it stands.
        path: String,
    },
    /// One id stands twice.
    #[error("operator {0} stands twice in the list")]
    DuplicateId(OperatorId),
    /// One id was asked for twice.
    #[error("operator {0} was asked for twice")]
    AskedTwice(OperatorId),
    /// An id that was asked for is not in the list.
    #[error("operator {0} is not in the list")]
    NotInList(OperatorId),
    /// A key that cannot be used.
    #[error("the key of operator {id}: {problem}")]
    Key {
        /// Whose key.
        id: OperatorId,
        /// What is wrong with it.
        problem: OperatorKeyTextError,
    },
    /// Two operators have the same key: whoever holds it would hold two shares.
    #[error("operators {0} and {1} have the same key")]
    SharedKey(OperatorId, OperatorId),
    /// Not 4, 7, 10 or 13.
    #[error(transparent)]
    Size(#[from] ClusterSizeError),
}

impl OperatorList {
    /// Reads a list. Known shapes: an array of entries; `{"operators": […]}` as the SSV API gives it; a subgraph answer
    /// `{"data": {"operators": […]}}`; one entry alone; an object from id to key; a keyshares file, whose operators are
    /// taken. An entry has an id (a JSON number or a string of digits) and a key, under any name in use.
    ///
    /// # Errors
    /// [`OperatorsError`]; every id in the list must be lawful and stand once.
    pub fn parse(bytes: &[u8]) -> Result<Self, OperatorsError> {
        let document = json::parse(bytes)?;
        Self::from_json(&document)
    }

    fn from_json(document: &Json) -> Result<Self, OperatorsError> {
        let root = Field::root(document);
        let mut entries = BTreeMap::new();
        let add = |entries: &mut BTreeMap<_, _>, id, key: &str| match entries.insert(id, key.to_owned()) {
            None => Ok(()),
            Some(_) => Err(OperatorsError::DuplicateId(id)),
        };
        match document {
            Json::Array(_) => {
                for entry in root.elements()? {
                    let (id, key) = read_entry(&entry)?;
                    add(&mut entries, id, key)?;
                }
            }
            Json::Object(_) => {
                if let Some(shares) = root.optional("shares")? {
                    // A keyshares file says the same for each validator, or it is of no use here.
                    for entry in keyshares_entries(&shares)? {
                        let (id, key) = read_entry(&entry)?;
                        match entries.insert(id, key.to_owned()) {
                            Some(earlier) if !is_same_key(&earlier, key) => {
                                return Err(OperatorsError::DuplicateId(id));
                            }
                            _ => {}
                        }
                    }
                } else if let Some(list) = find_list(&root)? {
                    for entry in list.elements()? {
                        let (id, key) = read_entry(&entry)?;
                        add(&mut entries, id, key)?;
                    }
                } else if root.any_of(&ID_NAMES)?.is_some() {
                    let (id, key) = read_entry(&root)?;
                    add(&mut entries, id, key)?;
                } else {
                    let map = root.entries()?;
                    if map.is_empty() || !map.iter().all(|(_, field)| field.value.as_str().is_some()) {
                        return Err(OperatorsError::UnknownShape);
                    }
                    for (name, field) in map {
                        let id = name
                            .parse()
                            .map_err(|problem| OperatorsError::Id { path: field.path().to_owned(), problem })?;
                        add(&mut entries, id, field.text()?)?;
                    }
                }
            }
            _ => return Err(OperatorsError::UnknownShape),
        }
        if entries.is_empty() { Err(OperatorsError::Empty) } else { Ok(Self { entries }) }
    }

    /// A list of these operators and the texts of their keys.
    ///
    /// # Errors
    /// [`OperatorsError::DuplicateId`], [`OperatorsError::Empty`].
    pub fn from_entries(operators: impl IntoIterator<Item = (OperatorId, String)>) -> Result<Self, OperatorsError> {
        let mut entries = BTreeMap::new();
        for (id, key) in operators {
            if entries.insert(id, key).is_some() {
                return Err(OperatorsError::DuplicateId(id));
            }
        }
        if entries.is_empty() { Err(OperatorsError::Empty) } else { Ok(Self { entries }) }
    }

    /// The ids in the list, ascending.
    pub fn ids(&self) -> impl ExactSizeIterator<Item = OperatorId> + '_ {
        self.entries.keys().copied()
    }

    /// Picks a cluster: the operators with these ids, or the whole list.
    ///
    /// # Errors
    /// [`OperatorsError`] unless they make a lawful cluster with usable, distinct keys.
    pub fn pick(&self, ids: Option<&[OperatorId]>) -> Result<Cluster, OperatorsError> {
        let mut picked: Vec<OperatorId> = match ids {
            Some(ids) => ids.to_vec(),
            None => self.ids().collect(),
        };
        picked.sort_unstable();
        if let Some(twice) = first_repeated(&picked) {
            return Err(OperatorsError::AskedTwice(*twice));
        }
        // The size first: a list of the whole network must not have all its keys decoded to be refused.
        let threshold = Threshold::ssv(picked.len())?;
        let mut operators: Vec<Operator> = Vec::with_capacity(picked.len());
        for id in picked {
            let text = self.entries.get(&id).ok_or(OperatorsError::NotInList(id))?;
            let key = OperatorKeyText::parse(text).map_err(|problem| OperatorsError::Key { id, problem })?;
            if let Some(other) = operators.iter().find(|other| other.key.key.modulus() == key.key.modulus()) {
                return Err(OperatorsError::SharedKey(other.id, id));
            }
            operators.push(Operator { id, key });
        }
        Ok(Cluster { operators, threshold })
    }

    /// The key that the list has for an operator, decoded.
    ///
    /// # Errors
    /// [`OperatorsError::NotInList`], [`OperatorsError::Key`].
    pub fn key_of(&self, id: OperatorId) -> Result<OperatorKeyText, OperatorsError> {
        let text = self.entries.get(&id).ok_or(OperatorsError::NotInList(id))?;
        OperatorKeyText::parse(text).map_err(|problem| OperatorsError::Key { id, problem })
    }
}

impl Cluster {
    /// The operators, ascending by id.
    #[must_use]
    pub fn operators(&self) -> &[Operator] {
        &self.operators
    }

    /// How many of them make the key.
    #[must_use]
    pub fn threshold(&self) -> Threshold {
        self.threshold
    }

    /// The ids, ascending.
    #[must_use]
    pub fn ids(&self) -> Vec<OperatorId> {
        self.operators.iter().map(|operator| operator.id).collect()
    }
}

/// Reads an operator id from a JSON number or a string of digits. Exact over the whole u64 range.
///
/// # Errors
/// [`OperatorsError::Id`] for everything but canonical decimal above 0.
pub fn read_id(field: &Field<'_>) -> Result<OperatorId, OperatorsError> {
    let id = match field.value {
        Json::String(text) => text.parse(),
        // A number that is not a u64 is shown as it was read, and refused as any other text would be.
        Json::Number(number) => match number.as_u64() {
            Some(number) => number.try_into(),
            None => Err(IdentifierError::NotCanonical(number.to_string())),
        },
        other => {
            let problem = FieldProblem::Kind { wanted: "an operator id", found: other.kind().to_owned() };
            return Err(field.error(problem).into());
        }
    };
    id.map_err(|problem| OperatorsError::Id { path: field.path().to_owned(), problem })
}

fn first_repeated<T: PartialEq>(sorted: &[T]) -> Option<&T> {
    sorted.windows(2).find_map(|pair| match pair {
        [a, b] if a == b => Some(a),
        _ => None,
    })
}

fn read_entry<'a>(entry: &Field<'a>) -> Result<(OperatorId, &'a str), OperatorsError> {
    let missing = |name: &str| entry.missing(name);
    let mut id = None;
    for name in ID_NAMES.iter().chain(&["id_str"]) {
        let Some(field) = entry.optional(name)? else { continue };
        let found = read_id(&field)?;
        if id.is_some_and(|id| id != found) {
            return Err(OperatorsError::TwoIds { path: entry.path().to_owned() });
        }
        id = Some(found);
    }
    let id = id.ok_or_else(|| missing("id"))?;
    let mut key: Option<&str> = None;
    for name in KEY_NAMES {
        let Some(field) = entry.optional(name)? else { continue };
        let found = field.text()?;
        if key.is_some_and(|key| !is_same_key(key, found)) {
            return Err(OperatorsError::TwoKeys { path: entry.path().to_owned() });
        }
        key = Some(found);
    }
    Ok((id, key.ok_or_else(|| missing("operatorKey"))?))
}

/// Whether two texts are one key, be it in two spellings.
fn is_same_key(a: &str, b: &str) -> bool {
    a == b || matches!((OperatorKeyText::parse(a), OperatorKeyText::parse(b)), (Ok(a), Ok(b)) if a.key == b.key)
}

/// The operators of every item of a keyshares file.
fn keyshares_entries<'a>(shares: &Field<'a>) -> Result<Vec<Field<'a>>, FieldError> {
    let mut entries = Vec::new();
    for item in shares.elements()? {
        entries.extend(item.get("data")?.get("operators")?.elements()?);
    }
    Ok(entries)
}

/// The array of entries inside the shapes that wrap one.
fn find_list<'a>(root: &Field<'a>) -> Result<Option<Field<'a>>, FieldError> {
    if let Some(list) = root.optional("operators")? {
        return Ok(Some(list));
    }
    match root.optional("data")? {
        Some(data) if data.value.get("operators").is_some() => data.optional("operators"),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shapes(id: &str) -> Vec<String> {
        let quoted = if id.starts_with('"') { id.to_owned() } else { format!("\"{id}\"") };
        vec![
            format!(r#"[{{"id": {id}, "operatorKey": "k"}}]"#),
            format!(r#"[{{"id": {id}, "public_key": "k", "ip": "https://a"}}]"#),
            format!(r#"[{{"id": {id}, "pubkey": "k"}}]"#),
            format!(r#"{{"operators": [{{"id": {id}, "public_key": "k", "name": "n"}}], "pagination": {{}}}}"#),
            format!(r#"{{"data": {{"operators": [{{"id": {id}, "publicKey": "k"}}]}}}}"#),
            format!(r#"{{"operatorId": {id}, "publicKey": "k"}}"#),
            format!(r#"{{{quoted}: "k"}}"#),
            format!(
                r#"{{"version": "v1.2.0", "shares": [{{"data": {{"operators": [{{"id": {id}, "operatorKey": "k"}}]}}}}]}}"#
            ),
        ]
    }

    #[test]
    fn every_shape_is_read_exactly() {
        for id in [1u64, 4, 1 << 31, 1 << 32, (1 << 53) + 1, u64::MAX] {
            for written in [id.to_string(), format!("\"{id}\"")] {
                for shape in shapes(&written) {
                    let list = OperatorList::parse(shape.as_bytes()).unwrap();
                    assert_eq!(list.ids().map(OperatorId::get).collect::<Vec<_>>(), [id], "{shape}");
                }
            }
        }
    }

    #[test]
    fn ids_that_are_none_are_refused_in_every_shape() {
        let numbers = ["0", "-1", "1.5", "1e3", "18446744073709551616", "-0"];
        let texts = [
            "\"0\"",
            "\"00\"",
            "\"+1\"",
            "\"-1\"",
            "\"0x10\"",
            "\"4x\"",
            "\"1e3\"",
            "\"18446744073709551616\"",
            "\"\"",
            "\" 1\"",
        ];
        for id in numbers.iter().chain(&texts) {
            for shape in shapes(id) {
                let refused = OperatorList::parse(shape.as_bytes());
                assert!(matches!(refused, Err(OperatorsError::Id { .. })), "{shape}: {refused:?}");
            }
        }
    }

    #[test]
    fn ambiguity_is_refused() {
        let parse = |text: &str| OperatorList::parse(text.as_bytes());
        assert!(matches!(
            parse(r#"[{"id": 1, "public_key": "a"}, {"id": "1", "public_key": "a"}]"#),
            Err(OperatorsError::DuplicateId(_))
        ));
        assert!(matches!(parse(r#"[{"id": 1, "id_str": "2", "key": "a"}]"#), Err(OperatorsError::TwoIds { .. })));
        assert!(parse(r#"[{"id": 1, "id_str": "1", "key": "a"}]"#).is_ok());
        assert!(matches!(parse(r#"{"1": "a", "1": "b"}"#), Err(OperatorsError::Json(JsonError::DuplicateKey { .. }))));
        assert_eq!(parse("[]"), Err(OperatorsError::Empty));
        assert_eq!(parse("{}"), Err(OperatorsError::UnknownShape));
        assert_eq!(parse("7"), Err(OperatorsError::UnknownShape));
        assert!(matches!(parse(r#"[{"id": 1}]"#), Err(OperatorsError::Field(_))));
        assert!(matches!(parse(r#"[{"public_key": "k"}]"#), Err(OperatorsError::Field(_))));
        assert!(matches!(parse(r#"[{"id": [1], "public_key": "k"}]"#), Err(OperatorsError::Field(_))));
    }
}
