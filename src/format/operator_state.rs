//! What the SSV API and the subgraph say about operators besides their keys: removed, private, for whom, how busy.

use std::collections::BTreeMap;

use dvkey_ceremony::Address;

use super::json::{self, Field, FieldError, FieldProblem, Json};
use super::operators::{OperatorsError, read_id};
use super::transaction::quantity;

/// What is known of the operators of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperatorStates(BTreeMap<u64, OperatorState>);

/// What is known of one operator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperatorState {
    /// It was removed.
    pub removed: bool,
    /// Only whitelisted owners may use it.
    pub private: bool,
    /// The whitelisted owners, where the list says them.
    pub whitelisted: Option<Vec<Address>>,
    /// A contract decides who else may: nobody else can tell.
    pub whitelisting_contract: bool,
    /// How many validators it has.
    pub validators: Option<u32>,
}

impl OperatorState {
    /// Whether an owner may use it, as far as is known.
    #[must_use]
    pub fn admits(&self, owner: Address) -> bool {
        let named = self.whitelisted.as_ref().is_none_or(|list| list.contains(&owner));
        !self.private || self.whitelisting_contract || named
    }
}

impl OperatorStates {
    /// Reads a list in the shapes of the SSV API (`operators`, with `is_private`, `is_deleted`, `validators_count`,
    /// `whitelist_addresses`, `whitelisting_contract`) and of the subgraph (`isPrivate`, `removed`, `validatorCount`,
    /// `whitelisted`, `whitelistedContract`).
    ///
    /// # Errors
    /// [`OperatorsError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, OperatorsError> {
        let document = json::parse(bytes)?;
        let root = Field::root(&document);
        let list = match &document {
            Json::Array(_) => root,
            _ => {
                let inner = root.optional("data")?.unwrap_or(root);
                inner.optional("operators")?.ok_or(OperatorsError::UnknownShape)?
            }
        };
        let mut states = BTreeMap::new();
        for entry in list.elements()? {
            let id = entry.any_of(&["id", "operatorId"])?.ok_or_else(|| entry.missing("id"))?;
            let id = read_id(&id)?;
            if states.insert(id.get(), state(&entry)?).is_some() {
                return Err(OperatorsError::DuplicateId(id));
            }
        }
        Ok(Self(states))
    }

    /// What is known of one of them.
    #[must_use]
    pub fn get(&self, id: u64) -> Option<&OperatorState> {
        self.0.get(&id)
    }
}

fn state(entry: &Field<'_>) -> Result<OperatorState, FieldError> {
    // A flag that is no boolean is not read as no: "true" and 1 mean the contrary.
    let flag = |names: &[&str]| -> Result<bool, FieldError> {
        let Some(field) = entry.any_of(names)? else { return Ok(false) };
        match field.value {
            Json::Bool(flag) => Ok(*flag),
            other => {
                let found = other.kind().to_owned();
                Err(field.error(FieldProblem::Kind { wanted: "true or false", found }))
            }
        }
    };
    let mut whitelisted = None;
    if let Some(list) = entry.any_of(&["whitelist_addresses", "whitelisted"])? {
        let mut addresses = Vec::new();
        for element in list.elements()? {
            let text = match element.value {
                Json::Object(_) => element.get("id")?.text()?,
                _ => element.text()?,
            };
            addresses.extend(text.parse::<Address>());
        }
        whitelisted = Some(addresses);
    }
    let contract = entry.any_of(&["whitelisting_contract", "whitelistedContract"])?;
    let contract = contract.and_then(|field| field.value.as_str().map(str::to_owned));
    let contract = contract.and_then(|text| text.parse::<Address>().ok()).is_some_and(|address| !address.is_zero());
    let count = entry.any_of(&["validators_count", "validatorCount"])?;
    let count = count.map(|field| quantity(&field)).transpose()?;
    Ok(OperatorState {
        removed: flag(&["is_deleted", "removed"])?,
        private: flag(&["is_private", "isPrivate"])?,
        whitelisted,
        whitelisting_contract: contract,
        validators: count.map(|count| u32::try_from(count).unwrap_or(u32::MAX)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sources_are_read() {
        let owner: Address = "0x81592c3DE184A3E2c0DCB5a261BC107Bfa91f494".parse().unwrap();
        let api = r#"{"operators":[{"id":1,"is_private":true,"is_deleted":false,"validators_count":7,
            "whitelist_addresses":["0x81592c3de184a3e2c0dcb5a261bc107bfa91f494"]},{"id":2,"is_deleted":true}]}"#;
        let states = OperatorStates::parse(api.as_bytes()).unwrap();
        assert!(states.get(1).unwrap().admits(owner) && states.get(2).unwrap().removed && states.get(3).is_none());
        assert_eq!(states.get(1).unwrap().validators, Some(7));
        assert!(!states.get(1).unwrap().admits(Address::from_bytes([1; 20])));
        let subgraph = r#"{"data":{"operators":[{"id":"1","isPrivate":true,"validatorCount":"9","whitelisted":[],
            "whitelistedContract":"0x0000000000000000000000000000000000000000"}]}}"#;
        let states = OperatorStates::parse(subgraph.as_bytes()).unwrap();
        assert!(!states.get(1).unwrap().admits(owner));
        assert_eq!(states.get(1).unwrap().validators, Some(9));
        let twice = r#"[{"id":1},{"id":"1"}]"#;
        assert!(matches!(OperatorStates::parse(twice.as_bytes()), Err(OperatorsError::DuplicateId(_))));
        assert_eq!(OperatorStates::parse(b"{}"), Err(OperatorsError::UnknownShape));
    }

    #[test]
    fn a_flag_is_a_boolean_or_nothing() {
        for name in ["is_private", "isPrivate", "is_deleted", "removed"] {
            for (value, holds) in [("true", Some(true)), ("false", Some(false)), ("null", Some(false))] {
                let states = OperatorStates::parse(format!(r#"[{{"id":1,"{name}":{value}}}]"#).as_bytes()).unwrap();
                let state = states.get(1).unwrap();
                assert_eq!(Some(state.private || state.removed), holds, "{name} {value}");
            }
            for value in [r#""true""#, r#""false""#, "1", "0", "[]", "{}", r#""""#] {
                let refused = OperatorStates::parse(format!(r#"[{{"id":1,"{name}":{value}}}]"#).as_bytes());
                assert!(
                    matches!(&refused, Err(OperatorsError::Field(error)) if error.path == format!("[0].{name}")),
                    "{name} {value}: {refused:?}"
                );
            }
        }
    }
}
