//! Writes payloads in the forms that wallets take, and decodes what was written before it is shown to anybody.

use std::path::PathBuf;

use dvkey_ceremony::Address;

use super::Payload;
use crate::format::amount::Wei;
use crate::format::contract::call::{AnyCall, Decoded};
use crate::format::payload_file::{self, Target};
use crate::format::safe::{Batch, Beside, Checksum, SafeCall};
use crate::format::transaction::Transaction;
use crate::store::atomic::{Mode, Staged};
use crate::store::output_dir::OutputDir;
use crate::store::read::{Source, read_bounded};
use crate::store::write_error::WriteError;

/// A form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// The calldata with its target.
    Calldata,
    /// An EIP-1559 transaction that nobody has signed.
    Unsigned,
    /// A batch for the Safe Transaction Builder.
    Safe,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Calldata, Self::Unsigned, Self::Safe];

    /// The part of a file name that says it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Calldata => "calldata",
            Self::Unsigned => "unsigned",
            Self::Safe => "safe",
        }
    }
}

/// What the sender knows; what is absent stays absent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sender {
    /// The account, or the Safe.
    pub from: Option<Address>,
    /// Its transaction count.
    pub nonce: Option<u64>,
    /// For whoever builds the block.
    pub max_priority_fee: Option<Wei>,
    /// The most for each unit of gas.
    pub max_fee: Option<Wei>,
    /// The gas limit.
    pub gas: Option<u64>,
    /// Now, in milliseconds since 1970.
    pub created_at: u64,
}

/// A file to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum PayloadWriteError {
    /// The disk.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The JSON writer.
    #[error("the file could not be made: {0}")]
    Json(#[from] serde_json::Error),
    /// What was written does not say what was meant.
    #[error("{0} was decoded again and does not say what it should")]
    ReadBack(String),
    /// The file is not where it was put.
    #[error("{} was published, but not found there with the same content", .0.display())]
    Moved(PathBuf),
}

/// Makes one form of some payloads, which are more than one only for a Safe, and decodes it again.
///
/// # Errors
/// [`PayloadWriteError::ReadBack`], [`PayloadWriteError::Json`].
pub fn make(
    form: Form,
    title: &str,
    description: &str,
    payloads: &[Payload],
    sender: &Sender,
) -> Result<Vec<u8>, PayloadWriteError> {
    let unfit = || PayloadWriteError::ReadBack(title.to_owned());
    let bytes = match (form, payloads) {
        (Form::Calldata, [only]) => {
            payload_file::write_calldata(only.network, only.call.signature(), only.value, &only.call.encode())?
        }
        (Form::Unsigned, [only]) => payload_file::write_unsigned(only.network, &transaction(only, sender))?,
        (Form::Safe, [first, ..]) => {
            let call = |payload: &Payload| SafeCall {
                to: payload.to(),
                value: payload.value,
                data: payload.call.encode(),
                beside: Beside::default(),
            };
            let batch = Batch {
                chain_id: first.network.chain_id(),
                safe: sender.from,
                name: title.to_owned(),
                description: description.to_owned(),
                created_at: sender.created_at,
                calls: payloads.iter().map(call).collect(),
            };
            batch.to_bytes()?
        }
        _ => return Err(unfit()),
    };
    if says(form, &bytes, payloads) { Ok(bytes) } else { Err(unfit()) }
}

/// The transaction that a payload becomes, as far as it is known.
#[must_use]
pub fn transaction(payload: &Payload, sender: &Sender) -> Transaction {
    Transaction {
        chain_id: Some(payload.network.chain_id()),
        from: sender.from,
        nonce: sender.nonce,
        max_priority_fee: sender.max_priority_fee,
        max_fee: sender.max_fee,
        gas_price: None,
        gas: sender.gas,
        to: Some(payload.to()),
        value: payload.value,
        data: payload.call.encode(),
    }
}

/// Whether bytes, read as a stranger would, say exactly these payloads.
fn says(form: Form, bytes: &[u8], payloads: &[Payload]) -> bool {
    let targets = match form {
        Form::Calldata | Form::Unsigned => payload_file::parse(bytes).map(|target| vec![target]).unwrap_or_default(),
        Form::Safe => match Batch::parse(bytes) {
            Ok((batch, Checksum::Holds)) => {
                let chain_id = Some(batch.chain_id);
                let target =
                    |call: SafeCall| Target { chain_id, to: Some(call.to), value: call.value, data: call.data };
                batch.calls.into_iter().map(target).collect()
            }
            _ => Vec::new(),
        },
    };
    let agrees = |(target, payload): (&Target, &Payload)| {
        let decoded = Decoded::from_calldata(&target.data);
        let meant = Decoded { call: AnyCall::Current(payload.call.clone()), canonical: true };
        target.chain_id == Some(payload.network.chain_id())
            && target.to == Some(payload.to())
            && target.value == payload.value
            && decoded == Ok(meant)
    };
    targets.len() == payloads.len() && targets.iter().zip(payloads).all(agrees)
}

/// Writes all files or none, reading each back from the disk before it appears.
///
/// # Errors
/// [`PayloadWriteError`].
pub fn publish(output: OutputDir, files: &[Written]) -> Result<Vec<PathBuf>, PayloadWriteError> {
    let mut staged: Vec<Staged> = Vec::with_capacity(files.len());
    for file in files {
        let mut one = output.stage(&file.name, &file.bytes, Mode::Public)?;
        if one.read_back()? != file.bytes {
            return Err(PayloadWriteError::ReadBack(file.name.clone()));
        }
        staged.push(one);
    }
    let paths = output.publish(staged)?;
    for (path, file) in paths.iter().zip(files) {
        match read_bounded(&Source::Path(path.clone()), crate::format::safe::MAX_BYTES) {
            Ok(found) if found == file.bytes => {}
            _ => return Err(PayloadWriteError::Moved(path.clone())),
        }
    }
    Ok(paths)
}
