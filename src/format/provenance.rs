//! provenance.json: what was made from what, by which program, with which checks; nothing secret.

use std::cell::RefCell;
use std::fmt::Display;
use std::io::Write;

use serde::ser::{Error, SerializeSeq};
use serde::{Serialize, Serializer};

use super::json::{self, Field, FieldError, JsonError};
use super::network::Network;
use super::operators::Operator;

/// A list that is made while it is written, so that it is never held as a whole.
pub struct Streamed<I>(RefCell<Option<I>>);

impl<I> Streamed<I> {
    /// The list that the iterator gives, once.
    pub fn new(items: I) -> Self {
        Self(RefCell::new(Some(items)))
    }
}

impl<T: Serialize, E: Display, I: Iterator<Item = Result<T, E>>> Serialize for Streamed<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for item in self.0.borrow_mut().take().into_iter().flatten() {
            list.serialize_element(&item.map_err(S::Error::custom)?)?;
        }
        list.end()
    }
}

/// The name of the file, beside the keyshares that it describes.
pub const FILE_NAME: &str = "provenance.json";

/// The schema that is written.
pub const SCHEMA: &str = "dvkey.provenance/1";

/// The largest file that is read as a provenance, in bytes.
pub const MAX_BYTES: u64 = 32 << 20;

/// The file's content.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Provenance<V = Vec<ValidatorFacts>, F = Vec<FileFacts>> {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// Which program wrote it.
    pub tool: Tool,
    /// The same moment as in the keyshares.
    pub created_at: String,
    /// For which network and contract.
    pub network: NetworkFacts,
    /// Who registers.
    pub owner: String,
    /// The nonce of the first validator.
    pub first_nonce: u16,
    /// How many shares make a key.
    pub threshold: usize,
    /// Who holds the shares.
    pub operators: Vec<OperatorFacts>,
    /// The validators, in the order of registration.
    pub validators: V,
    /// The files that were read.
    pub inputs: F,
    /// The files that were written beside this one.
    pub outputs: Vec<FileFacts>,
    /// What was checked before anything was written.
    pub checks: Vec<CheckFacts>,
    /// How the machine was used; a merge of a batch has had many runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunFacts>,
    /// The hash of the batch's plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// Which key ceremony made it, where one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ceremony: Option<CeremonyFacts>,
}

/// A key ceremony.
#[derive(Clone, Debug, Serialize)]
pub struct CeremonyFacts {
    /// The hash of its plan.
    pub plan: String,
    /// The transcript of all deals, which every participant certified.
    pub transcript: String,
    /// Whether it was a rehearsal, whose keys are worth nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub rehearsal: bool,
}

/// A program and its version.
#[derive(Clone, Debug, Serialize)]
pub struct Tool {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
}

impl Tool {
    /// This program.
    pub const THIS: Self = Self { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") };
}

/// A network and its contract.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkFacts {
    /// The name.
    pub name: &'static str,
    /// The EIP-155 chain id.
    pub chain_id: u64,
    /// The address of the SSVNetwork contract.
    pub contract: &'static str,
}

impl From<Network> for NetworkFacts {
    fn from(network: Network) -> Self {
        Self { name: network.name(), chain_id: network.chain_id(), contract: network.ssv_contract() }
    }
}

/// An operator.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OperatorFacts {
    /// Its id.
    pub id: u64,
    /// The SHA-256 of its SubjectPublicKeyInfo.
    pub key_sha256: String,
}

impl From<&Operator> for OperatorFacts {
    fn from(operator: &Operator) -> Self {
        Self { id: operator.id.get(), key_sha256: operator.key.key.fingerprint().to_string() }
    }
}

/// A validator.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ValidatorFacts {
    /// Its public key.
    pub public_key: String,
    /// Its registration nonce.
    pub nonce: u16,
    /// The name of the keystore it came from; a key of a ceremony came from none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keystore: Option<String>,
    /// How the password was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_reading: Option<String>,
}

/// A file by name and content.
#[derive(Clone, Debug, Serialize)]
pub struct FileFacts {
    /// The name, without folders.
    pub name: String,
    /// The SHA-256 of the content.
    pub sha256: String,
}

/// A check that held.
#[derive(Clone, Debug, Serialize)]
pub struct CheckFacts {
    /// Its id.
    pub id: &'static str,
    /// What it says.
    pub title: &'static str,
    /// How often it held.
    pub held: usize,
}

/// How the machine was used.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunFacts {
    /// Workers that opened keystores.
    pub jobs: usize,
    /// The memory for key derivation, in bytes.
    pub memory: u64,
    /// How scrypt was computed.
    pub key_derivation: &'static str,
    /// Whether the right to open a socket was dropped first.
    pub offline_enforced: bool,
}

/// What a reader needs of a provenance file: which files it describes, and for which network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The network's name.
    pub network: String,
    /// Its chain id.
    pub chain_id: u64,
    /// The contract.
    pub contract: String,
    /// Names and SHA-256 of the files it describes.
    pub outputs: Vec<(String, String)>,
    /// The owner.
    pub owner: String,
    /// The nonce of the first validator.
    pub first_nonce: u64,
    /// How many shares make a key.
    pub threshold: u64,
    /// The operators' ids.
    pub operators: Vec<u64>,
    /// The hash of the batch's plan, where it was made by one.
    pub plan: Option<String>,
    /// The validators' public keys and nonces.
    pub validators: Vec<(String, u64)>,
}

/// Why a file is not a provenance that can be read.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ProvenanceError {
    /// Not JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A field is missing or wrong.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// A newer or foreign schema.
    #[error("the schema {0:?} is not known")]
    Schema(String),
}

impl<V: Serialize, F: Serialize> Provenance<V, F> {
    /// Writes the file's bytes, piece by piece.
    ///
    /// # Errors
    /// Those of `writer`, and of lists that are made while they are written.
    pub fn write_to(&self, mut writer: impl Write) -> Result<(), serde_json::Error> {
        serde_json::to_writer_pretty(&mut writer, self)?;
        writer.write_all(b"\n").map_err(serde_json::Error::io)
    }
}

impl Provenance {
    /// The file's bytes.
    ///
    /// # Errors
    /// Those of the JSON writer, which strings and integers do not cause.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = Vec::new();
        self.write_to(&mut bytes)?;
        Ok(bytes)
    }
}

impl Claims {
    /// Reads a provenance file.
    ///
    /// # Errors
    /// [`ProvenanceError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ProvenanceError> {
        let document = json::parse(bytes)?;
        let root = Field::root(&document);
        let schema = root.get("schema")?.text()?;
        if schema != SCHEMA {
            return Err(ProvenanceError::Schema(schema.chars().take(60).collect()));
        }
        let network = root.get("network")?;
        let mut outputs = Vec::new();
        for output in root.get("outputs")?.elements()? {
            outputs.push((output.get("name")?.text()?.to_owned(), output.get("sha256")?.text()?.to_owned()));
        }
        let mut operators = Vec::new();
        for operator in root.get("operators")?.elements()? {
            operators.push(operator.get("id")?.integer()?);
        }
        let mut validators = Vec::new();
        for validator in root.get("validators")?.elements()? {
            validators.push((validator.get("publicKey")?.text()?.to_owned(), validator.get("nonce")?.integer()?));
        }
        Ok(Self {
            network: network.get("name")?.text()?.to_owned(),
            chain_id: network.get("chainId")?.integer()?,
            contract: network.get("contract")?.text()?.to_owned(),
            outputs,
            owner: root.get("owner")?.text()?.to_owned(),
            first_nonce: root.get("firstNonce")?.integer()?,
            threshold: root.get("threshold")?.integer()?,
            operators,
            plan: root.optional("plan")?.map(|plan| plan.text().map(str::to_owned)).transpose()?,
            validators,
        })
    }
}
