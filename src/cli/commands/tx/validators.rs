//! Validators as they are named on the command line: typed, listed in a file, or as a keyshares file has them.

use std::path::Path;

use dvkey_ceremony::{Address, OperatorId, PublicKey};

use super::read;
use super::words::listed;
use crate::cli::codes::Code;
use crate::cli::report::Failure;
use crate::format::keyshares::{self, Item};

/// The validators, and what the files that name them say around them.
#[derive(Default)]
pub(super) struct Named {
    /// The public keys, in the order in which they are named.
    pub(super) keys: Vec<Vec<u8>>,
    /// The operators of a keyshares file, ascending, and the file.
    operators: Option<(Vec<OperatorId>, String)>,
    /// The owner of a keyshares file, and the file.
    owner: Option<(Address, String)>,
}

impl Named {
    /// Reads what was typed: public keys, and files of them.
    pub(super) fn read(texts: &[String]) -> Result<Self, Failure> {
        let mut named = Self::default();
        for text in texts {
            if text.starts_with("0x") || (text.len() == 2 * PublicKey::BYTES && is_hex(text)) {
                named.keys.push(public_key(text)?);
            } else {
                named.file(text)?;
            }
        }
        Ok(named)
    }

    fn file(&mut self, path: &str) -> Result<(), Failure> {
        let bytes = read(Path::new(path), keyshares::MAX_BYTES)?;
        if let Ok(file) = keyshares::parse(&bytes) {
            for item in file.items {
                let item = item.map_err(|error| {
                    Failure::new(Code::TxValidators, format!("{path}: a validator cannot be read"))
                        .cause(error.to_string())
                })?;
                self.item(path, item)?;
            }
            return Ok(());
        }
        let lines = std::str::from_utf8(&bytes).map_err(|_| {
            Failure::new(Code::TxValidators, format!("{path}: neither keyshares nor a list of public keys"))
        })?;
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            self.keys.push(public_key(line)?);
        }
        Ok(())
    }

    /// A validator with its operators and its owner: a call is about one cluster.
    fn item(&mut self, path: &str, item: Item) -> Result<(), Failure> {
        let mut operators = item.payload.operator_ids;
        operators.sort_unstable();
        match &self.operators {
            Some((known, file)) if *known != operators => {
                return Err(Failure::new(Code::TxOperators, "the validators are not of one cluster")
                    .cause(format!("{file}: operators {}", ids(known)))
                    .cause(format!("{path}: operators {}", ids(&operators)))
                    .hint("a call is about one cluster: name its validators alone"));
            }
            Some(_) => {}
            None => self.operators = Some((operators, path.to_owned())),
        }
        if let Some(text) = item.data.and_then(|described| described.owner) {
            let owner = text
                .parse()
                .map_err(|error| Failure::address(&format!("{path}: the owner"), &error).code(Code::TxAddress))?;
            match &self.owner {
                Some((known, file)) if *known != owner => {
                    return Err(Failure::new(Code::TxAddress, "the validators are not of one owner")
                        .cause(format!("{file}: {known}"))
                        .cause(format!("{path}: {owner}"))
                        .hint("a call is about one owner's validators: name those alone"));
                }
                Some(_) => {}
                None => self.owner = Some((owner, path.to_owned())),
            }
        }
        self.keys.push(item.payload.public_key);
        Ok(())
    }

    /// The operators: as they were given, or as the keyshares say them; both have to say the same.
    pub(super) fn operators(&self, given: Vec<OperatorId>) -> Result<Vec<OperatorId>, Failure> {
        match &self.operators {
            Some((found, file)) if !given.is_empty() && *found != given => {
                Err(Failure::new(Code::TxOperators, format!("{file} is of other operators than --operator-ids"))
                    .cause(format!("the file: {}", ids(found)))
                    .cause(format!("--operator-ids: {}", ids(&given)))
                    .hint("leave --operator-ids out: the file names them"))
            }
            Some((found, _)) => Ok(found.clone()),
            None => Ok(given),
        }
    }

    /// The owner: as given, or as the keyshares say; both have to say the same.
    pub(super) fn owner(&self, given: Option<Address>) -> Result<Option<Address>, Failure> {
        match (&self.owner, given) {
            (Some((found, file)), Some(given)) if *found != given => {
                Err(Failure::new(Code::TxAddress, format!("{file} is of another owner than --owner"))
                    .cause(format!("the file: {found}"))
                    .cause(format!("--owner: {given}")))
            }
            (found, given) => Ok(given.or(found.as_ref().map(|(owner, _)| *owner))),
        }
    }
}

fn ids(operators: &[OperatorId]) -> String {
    listed(&super::numbers(operators))
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn public_key(text: &str) -> Result<Vec<u8>, Failure> {
    hex::decode(text.strip_prefix("0x").unwrap_or(text)).map_err(|_| {
        let shown: String = text.chars().take(60).collect();
        Failure::new(Code::TxValidators, format!("{shown:?} is no public key"))
            .hint("a validator public key is 0x and 96 hexadecimal digits; a file has one a line")
    })
}
