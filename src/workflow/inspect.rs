//! Inspect: say in words what a file is, from its content and with public data only.

use std::path::Path;

use dvkey_ceremony::PublicKey;

use crate::crypto::digest::Sha256Digest;
use crate::crypto::kdf::{Kdf, KdfLimits};
use crate::format::cluster_snapshot::{ClusterSnapshot, SnapshotError, Wanted};
use crate::format::contract::call::{AnyCall, Decoded};
use crate::format::detect::{Detected, Kind, detect};
use crate::format::json::{self, Json};
use crate::format::keyshares::{KeysharesFile, MAX_BYTES};
use crate::format::keystore::Keystore;
use crate::format::operator_key_text::OperatorKeyText;
use crate::format::operators::OperatorList;
use crate::format::provenance::Claims;
use crate::format::receipt::Receipt;
use crate::format::safe::Checksum;
use crate::format::text::shown;
use crate::format::watermark::names_nobody;
use crate::store::read::{EntryKind, ReadError, Source, list_dir, read_bounded};
use crate::workflow::payload;
use crate::workflow::payload::describe::{Container, Described};

/// What a file is.
#[derive(Clone, Debug)]
pub struct Description {
    /// The file, as it was named.
    pub file: String,
    /// Its kind.
    pub kind: Kind,
    /// Facts, as pairs of a name and a value.
    pub facts: Vec<(&'static str, String)>,
    /// What is wrong with it, when it is not what it claims to be.
    pub problem: Option<String>,
}

/// Describes a file, or every file of a folder.
///
/// # Errors
/// [`ReadError`] when the file or the folder cannot be read.
pub fn inspect(path: &Path) -> Result<Vec<Description>, ReadError> {
    let source = Source::from_arg(path);
    match read_bounded(&source, MAX_BYTES) {
        Ok(bytes) => Ok(vec![describe(source.to_string(), &bytes)]),
        Err(ReadError::IsDirectory { .. }) => {
            let mut descriptions = Vec::new();
            for entry in list_dir(path)? {
                // A pipe would be waited for; a folder inside is not entered.
                if entry.kind != EntryKind::File {
                    continue;
                }
                let source = Source::File(entry.path);
                match read_bounded(&source, MAX_BYTES) {
                    Ok(bytes) => descriptions.push(describe(source.to_string(), &bytes)),
                    Err(error) => descriptions.push(Description {
                        file: source.to_string(),
                        kind: Kind::Binary,
                        facts: Vec::new(),
                        problem: Some(error.to_string()),
                    }),
                }
            }
            Ok(descriptions)
        }
        Err(error) => Err(error),
    }
}

fn describe(file: String, bytes: &[u8]) -> Description {
    let Detected { kind, document, broken } = detect(bytes);
    // What is not known to be public may be a password or a key. Its size and digest would let others test their guesses.
    let public = !matches!(kind, Kind::OtherText | Kind::Binary | Kind::OperatorPrivateKey | Kind::CeremonyVault);
    let mut facts = Vec::new();
    if public {
        facts.push(("size", format!("{} bytes", bytes.len())));
    }
    let mut problem = broken.filter(|_| kind.is_json()).map(|error| error.to_string());
    match (&document, kind) {
        (Some(document), Kind::Keystore) => keystore(document, &mut facts, &mut problem),
        (Some(document), Kind::Keyshares) => keyshares(document, bytes, &mut facts),
        (Some(_), Kind::Operators) => operators(bytes, &mut facts, &mut problem),
        (Some(_), Kind::Provenance) => provenance(bytes, &mut facts, &mut problem),
        (Some(Json::Array(entries)), Kind::DepositData | Kind::Proofs) => {
            facts.push(("entries", entries.len().to_string()));
        }
        (
            _,
            Kind::Calldata
            | Kind::CalldataFile
            | Kind::UnsignedTransaction
            | Kind::Transaction
            | Kind::RawTransaction
            | Kind::SafeBatch,
        ) => calls(bytes, &mut facts, &mut problem),
        (Some(document), Kind::Receipt) => receipt(document, &mut facts, &mut problem),
        (Some(_), Kind::ClusterSnapshot) => snapshot(bytes, &mut facts, &mut problem),
        (Some(Json::Array(events)), Kind::Event) => facts.push(("events", events.len().to_string())),
        (None, Kind::OperatorPublicKey) => match std::str::from_utf8(bytes).map(OperatorKeyText::parse) {
            Ok(Ok(text)) => facts.push(("key SHA-256", text.key.fingerprint().to_string())),
            Ok(Err(error)) => problem = Some(error.to_string()),
            Err(_) => problem = Some("not text".to_owned()),
        },
        _ => {}
    }
    if public && names_nobody(bytes) {
        facts.push(("REHEARSAL", "nobody has the account that it names; nothing of it is real".to_owned()));
    }
    if public {
        facts.push(("SHA-256", Sha256Digest::of(bytes).to_string()));
    }
    Description { file, kind, facts, problem }
}

fn keystore(document: &Json, facts: &mut Vec<(&'static str, String)>, problem: &mut Option<String>) {
    let keystore = match Keystore::from_json(document, KdfLimits::DEFAULT) {
        Ok(keystore) => keystore,
        Err(error) => return *problem = Some(error.to_string()),
    };
    match keystore.public_key {
        Some(key) => {
            facts.push(("public key", format!("0x{}", hex::encode(key))));
            if let Err(error) = PublicKey::from_bytes(&key) {
                *problem = Some(format!("the public key is {error}"));
            }
        }
        None => facts.push(("public key", "not named in the file".to_owned())),
    }
    facts.push((
        "key derivation",
        match &keystore.envelope.kdf {
            Kdf::Scrypt { log_n, r, p, .. } => format!("scrypt, n = 2^{log_n}, r = {r}, p = {p}"),
            Kdf::Pbkdf2 { c, .. } => format!("pbkdf2, c = {c}"),
        },
    ));
    if !keystore.path.is_empty() {
        facts.push(("path", shown(&keystore.path, 200)));
    }
}

fn keyshares(document: &Json, bytes: &[u8], facts: &mut Vec<(&'static str, String)>) {
    let Ok(file) = KeysharesFile::from_json(document, json::has_byte_order_mark(bytes)) else { return };
    facts.push(("version", file.version.as_deref().map_or("none".to_owned(), |text| shown(text, 200))));
    facts.push(("validators", file.items.len().to_string()));
    let mut items = file.items.iter().flatten();
    if let Some(first) = items.next() {
        let ids: Vec<_> = first.payload.operator_ids.iter().map(ToString::to_string).collect();
        facts.push(("operators", ids.join(", ")));
        if let Some(data) = &first.data {
            facts.push(("owner", data.owner.as_deref().map_or("none".to_owned(), |text| shown(text, 200))));
            let last = items.last().unwrap_or(first).data.as_ref().and_then(|data| data.nonce);
            match (data.nonce, last) {
                (Some(first), Some(last)) if first != last => facts.push(("nonces", format!("{first} to {last}"))),
                (Some(first), _) => facts.push(("nonce", first.to_string())),
                _ => {}
            }
        }
    }
}

fn operators(bytes: &[u8], facts: &mut Vec<(&'static str, String)>, problem: &mut Option<String>) {
    match OperatorList::parse(bytes) {
        Ok(list) => {
            facts.push(("operators", list.ids().len().to_string()));
            let bad = list.ids().filter(|id| list.key_of(*id).is_err()).count();
            if bad > 0 {
                facts.push(("unusable keys", bad.to_string()));
            }
        }
        Err(error) => *problem = Some(error.to_string()),
    }
}

fn provenance(bytes: &[u8], facts: &mut Vec<(&'static str, String)>, problem: &mut Option<String>) {
    match Claims::parse(bytes) {
        Ok(claims) => {
            facts.push(("network", format!("{}, chain {}", shown(&claims.network, 200), claims.chain_id)));
            for (name, sha256) in claims.outputs {
                facts.push(("describes", format!("{}, SHA-256 {}", shown(&name, 200), shown(&sha256, 200))));
            }
        }
        Err(error) => *problem = Some(error.to_string()),
    }
}

/// What is called, with what, where: for whoever signs, `dvkey tx decode` says it whole.
fn calls(bytes: &[u8], facts: &mut Vec<(&'static str, String)>, problem: &mut Option<String>) {
    let (container, calls) = match payload::describe::describe(bytes) {
        Ok(Described::Calls { container, calls }) => (container, calls),
        Ok(Described::Revert(_)) => return,
        Err(error) => return *problem = Some(error.to_string()),
    };
    for call in &calls {
        match &call.decoded {
            Ok(Decoded { call: AnyCall::Current(call), .. }) => facts.push(("calls", call.function().to_owned())),
            Ok(Decoded { call: AnyCall::Legacy(call), .. }) => {
                facts.push(("calls", format!("{}, of contract version 1", call.signature())));
            }
            Err(error) => *problem = Some(error.to_string()),
        }
        facts.extend(call.to.map(|to| ("contract", to.to_string())));
        facts.extend(call.chain_id.map(|chain| ("chain", chain.to_string())));
        facts.extend(call.value.map(|value| ("value", value.to_string())));
    }
    if let Container::Safe(_, Checksum::Broken) = container {
        *problem = Some("the checksum is broken: it was changed after it was made".to_owned());
    }
    facts.push(("all of it", "dvkey tx decode".to_owned()));
}

fn receipt(document: &Json, facts: &mut Vec<(&'static str, String)>, problem: &mut Option<String>) {
    match Receipt::from_json(document, None) {
        Ok(receipt) => {
            facts.extend(receipt.transaction.clone().map(|hash| ("transaction", hash)));
            facts.extend(receipt.block.map(|block| ("block", block.to_string())));
            for event in receipt.clusters() {
                facts.push(("owner", event.owner.to_string()));
                let ids: Vec<_> = event.operators.iter().map(ToString::to_string).collect();
                facts.push(("operators", ids.join(", ")));
            }
        }
        Err(error) => *problem = Some(error.to_string()),
    }
}

fn snapshot(bytes: &[u8], facts: &mut Vec<(&'static str, String)>, problem: &mut Option<String>) {
    let found = match ClusterSnapshot::parse(bytes, Wanted::default()) {
        Ok(found) => found,
        Err(SnapshotError::Several(clusters)) => return facts.push(("clusters", clusters.to_string())),
        Err(error) => return *problem = Some(error.to_string()),
    };
    facts.extend(found.owner.map(|owner| ("owner", owner.to_string())));
    if let Some(operators) = &found.operators {
        let ids: Vec<_> = operators.iter().map(ToString::to_string).collect();
        facts.push(("operators", ids.join(", ")));
    }
    facts.push(("validators", found.snapshot.validator_count.to_string()));
    facts.push(("state", if found.snapshot.active { "active" } else { "liquidated" }.to_owned()));
    facts.extend(found.block.map(|block| ("block", block.to_string())));
}
