//! A call in words and as JSON: every key, every operator, every amount in two units, every address in full.

use alloy_sol_types::SolValue;
use dvkey_ceremony::Address;
use serde_json::{Value, json};

use crate::cli::ui::words::{count, printable};
use crate::crypto::operator_key::OperatorPublicKey;
use crate::format::amount::Wei;
use crate::format::contract::call::{AnyCall, Asset, Call, OperatorAction, OperatorsAction, Registrations};
use crate::format::contract::legacy::LegacyAction;
use crate::format::contract::revert::{Revert, Subject};
use crate::format::contract::snapshot::Snapshot;
use crate::format::keyshares::shares_data_length;
use crate::format::operator_key_text::OperatorKeyText;

/// A label and what stands behind it; a label is empty where a list goes on.
pub(super) type Line = (&'static str, String);

/// What a call does, in one line.
pub(super) fn title(call: &AnyCall) -> String {
    match call {
        AnyCall::Legacy(call) => match &call.action {
            LegacyAction::Register(validators) => {
                format!("register {}", count(validators.public_keys().len(), "validator"))
            }
            LegacyAction::Deposit(_) => "deposit into a cluster".to_owned(),
            LegacyAction::Reactivate => "reactivate a cluster".to_owned(),
        },
        AnyCall::Current(call) => match call {
            Call::Register { validators, .. } => {
                format!("register {}", count(validators.public_keys().len(), "validator"))
            }
            Call::Remove { keys, .. } => format!("remove {}", count(keys.all().len(), "validator")),
            Call::Exit { keys, .. } => format!("exit {}", count(keys.all().len(), "validator")),
            Call::Deposit { .. } => "deposit into a cluster".to_owned(),
            Call::Withdraw { .. } => "withdraw from a cluster".to_owned(),
            Call::Reactivate { .. } => "reactivate a cluster".to_owned(),
            Call::Migrate { .. } => "migrate a cluster to ETH".to_owned(),
            Call::Liquidate { asset: Asset::Eth, .. } => "liquidate a cluster".to_owned(),
            Call::Liquidate { asset: Asset::Ssv, .. } => "liquidate a cluster that pays in SSV".to_owned(),
            Call::UpdateBalance { .. } => "report a cluster's effective balance".to_owned(),
            Call::FeeRecipient(_) => "set the fee recipient of all of the sender's validators".to_owned(),
            Call::RegisterOperator { .. } => "register an operator".to_owned(),
            Call::Operator { id, action } => operator_title(*id, *action),
            Call::Operators { action, .. } => operators_title(action).to_owned(),
            Call::GetVersion => "ask for the contract's version".to_owned(),
        },
    }
}

fn operator_title(id: u64, action: OperatorAction) -> String {
    let what = match action {
        OperatorAction::Remove => "remove",
        OperatorAction::DeclareFee(_) => "declare a new fee of",
        OperatorAction::ExecuteFee => "put the declared fee into effect for",
        OperatorAction::CancelFee => "cancel the declared fee of",
        OperatorAction::ReduceFee(_) => "reduce the fee of",
        OperatorAction::Withdraw(Asset::Eth, _) => "withdraw ETH earned by",
        OperatorAction::Withdraw(Asset::Ssv, _) => "withdraw SSV earned by",
        OperatorAction::WithdrawAll(Asset::Eth) => "withdraw all ETH earned by",
        OperatorAction::WithdrawAll(Asset::Ssv) => "withdraw all SSV earned by",
        OperatorAction::WithdrawEverything => "withdraw all ETH and all SSV earned by",
    };
    format!("{what} operator {id}")
}

fn operators_title(action: &OperatorsAction) -> &'static str {
    match action {
        OperatorsAction::Whitelist(_) => "whitelist owners for operators",
        OperatorsAction::Unwhitelist(_) => "take owners off the whitelist of operators",
        OperatorsAction::SetWhitelistingContract(_) => "let a contract decide who may use operators",
        OperatorsAction::RemoveWhitelistingContract => "remove the whitelisting contract of operators",
        OperatorsAction::MakePrivate => "make operators private",
        OperatorsAction::MakePublic => "make operators public",
    }
}

/// The arguments of a call, line by line.
pub(super) fn lines(call: &AnyCall) -> Vec<Line> {
    let mut out = Vec::new();
    match call {
        AnyCall::Legacy(call) => {
            out.push(("amount", format!("{} SSV", call.amount.ether())));
            if let LegacyAction::Deposit(owner) = call.action {
                out.push(("owner", owner.to_string()));
            }
            cluster(&call.operators, Some(&call.cluster), Some(Asset::Ssv), &mut out);
            if let LegacyAction::Register(validators) = &call.action {
                registrations(validators, call.operators.len(), &mut out);
            }
        }
        AnyCall::Current(call) => current(call, &mut out),
    }
    out
}

fn current(call: &Call, out: &mut Vec<Line>) {
    if let Some((owner, operators)) = call.cluster() {
        out.extend(owner.map(|owner| ("owner", owner.to_string())));
        cluster(operators, call.snapshot(), asset_of(call), out);
    }
    match call {
        Call::Register { validators, operators, .. } => registrations(validators, operators.len(), out),
        Call::Remove { keys, .. } | Call::Exit { keys, .. } => public_keys(&keys.all(), out),
        Call::Withdraw { amount, .. } => out.push(("amount", amount.to_string())),
        Call::FeeRecipient(recipient) => out.push(("recipient", recipient.to_string())),
        Call::UpdateBalance { block, effective_balance, proof, .. } => {
            out.push(("block", block.to_string()));
            out.push(("balance", format!("{effective_balance} ETH effective")));
            out.push(("proof", format!("{} nodes", proof.len())));
        }
        Call::RegisterOperator { public_key, fee, private } => {
            // As elsewhere, a key is named by its digest; what is no key is shown as it is.
            out.push(match operator_key(public_key) {
                Some(key) => ("key", format!("RSA, SHA-256 {}", key.fingerprint())),
                None => ("key", format!("WRONG: not the text of an RSA key: 0x{}", hex::encode(public_key))),
            });
            fee_lines(*fee, out);
            out.push(("privacy", if *private { "private" } else { "public" }.to_owned()));
        }
        Call::Operator { id, action } => {
            out.push(("operator", id.to_string()));
            match action {
                OperatorAction::DeclareFee(fee) | OperatorAction::ReduceFee(fee) => fee_lines(*fee, out),
                OperatorAction::Withdraw(Asset::Eth, amount) => out.push(("amount", amount.to_string())),
                OperatorAction::Withdraw(Asset::Ssv, amount) => {
                    out.push(("amount", format!("{} SSV", amount.ether())));
                }
                _ => {}
            }
        }
        Call::Operators { ids, action } => {
            out.push(("operators", listed(ids)));
            match action {
                OperatorsAction::Whitelist(addresses) | OperatorsAction::Unwhitelist(addresses) => {
                    list("addresses", addresses.iter().map(Address::to_string), out);
                }
                OperatorsAction::SetWhitelistingContract(contract) => out.push(("whitelist", contract.to_string())),
                _ => {}
            }
        }
        _ => {}
    }
}

/// The key of an operator's registration: on chain it is the ABI encoding of one string, the base64 of the PEM text.
pub(super) fn operator_key(encoded: &[u8]) -> Option<OperatorPublicKey> {
    let text = String::abi_decode(encoded).ok().filter(|text| text.abi_encode() == encoded)?;
    OperatorKeyText::parse(&text).ok().map(|text| text.key)
}

/// Blocks of 12 seconds in 365 days.
const BLOCKS_A_YEAR: u128 = 7200 * 365;

fn fee_lines(fee: Wei, out: &mut Vec<Line>) {
    out.push(("fee", format!("{fee} per block and 32 ETH")));
    if let Some(year) = fee.get().checked_mul(BLOCKS_A_YEAR) {
        out.push(("", format!("about {} ETH a year for each 32 ETH", Wei::new(year).ether())));
    }
}

/// What the balance in a call's snapshot is of; the SSV token in clusters that were not migrated yet. A removal does not
/// say it.
fn asset_of(call: &Call) -> Option<Asset> {
    match call {
        Call::Migrate { .. } => Some(Asset::Ssv),
        Call::Liquidate { asset, .. } => Some(*asset),
        Call::Remove { .. } => None,
        _ => Some(Asset::Eth),
    }
}

/// A balance in its own currency.
pub(super) fn balance_words(balance: Wei, asset: Option<Asset>) -> String {
    match asset {
        Some(Asset::Eth) => balance.to_string(),
        Some(Asset::Ssv) => format!("{} SSV ({} units)", balance.ether(), balance.get()),
        None => format!("{balance}, or as much SSV in a cluster that was not migrated"),
    }
}

fn cluster(operators: &[u64], snapshot: Option<&Snapshot>, asset: Option<Asset>, out: &mut Vec<Line>) {
    out.push(("operators", listed(operators)));
    if let Some(snapshot) = snapshot {
        out.push(("cluster", snapshot_words(snapshot)));
        if *snapshot != Snapshot::NEW {
            out.push(("balance", format!("{} at the last settlement", balance_words(snapshot.balance, asset))));
            out.push(("indices", format!("network fee {}, operators {}", snapshot.network_fee_index, snapshot.index)));
        }
    }
}

/// A snapshot in a few words.
pub(super) fn snapshot_words(snapshot: &Snapshot) -> String {
    if *snapshot == Snapshot::NEW {
        return "new".to_owned();
    }
    let validators = usize::try_from(snapshot.validator_count).unwrap_or(usize::MAX);
    let state = if snapshot.active { "active" } else { "LIQUIDATED" };
    format!("{}, {state}", count(validators, "validator"))
}

fn registrations(validators: &Registrations, operators: usize, out: &mut Vec<Line>) {
    public_keys(&validators.public_keys(), out);
    let shares = validators.shares_data();
    let right = shares_data_length(operators);
    let wrong = shares.iter().filter(|shares| shares.len() != right).count();
    out.push(match (wrong, validators.public_keys().len() == shares.len()) {
        (0, true) => ("shares", format!("{right} bytes each, right for {operators} operators")),
        (_, false) => ("shares", format!("WRONG: {} sharesData for another number of keys", shares.len())),
        (_, true) => {
            ("shares", format!("WRONG: {wrong} sharesData without the {right} bytes of {operators} operators"))
        }
    });
}

fn public_keys(keys: &[&[u8]], out: &mut Vec<Line>) {
    let noun = if keys.len() == 1 { "validator" } else { "validators" };
    list(noun, keys.iter().map(|key| format!("0x{}", hex::encode(key))), out);
}

fn list(label: &'static str, items: impl Iterator<Item = String>, out: &mut Vec<Line>) {
    for (position, item) in items.enumerate() {
        out.push((if position == 0 { label } else { "" }, item));
    }
}

pub(super) fn listed(ids: &[u64]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// An amount for JSON: exact in both units, and as text because JSON readers round.
pub(super) fn wei(amount: Wei) -> Value {
    json!({"wei": amount.get().to_string(), "ether": amount.ether()})
}

/// A call as JSON.
pub(super) fn as_json(call: &AnyCall) -> Value {
    let (signature, version) = match call {
        AnyCall::Current(call) => (call.signature(), 2),
        AnyCall::Legacy(call) => (call.signature(), 1),
    };
    let function = signature.split('(').next().unwrap_or_default();
    let mut object = json!({
        "function": function, "signature": signature, "contractVersion": version, "summary": title(call),
    });
    let mut put = |name: &str, value: Value| {
        if let Some(object) = object.as_object_mut() {
            object.insert(name.to_owned(), value);
        }
    };
    let snapshot = |snapshot: &Snapshot| {
        json!({
            "validatorCount": snapshot.validator_count, "networkFeeIndex": snapshot.network_fee_index.to_string(),
            "index": snapshot.index.to_string(), "active": snapshot.active,
            // In units of 10^-18 of what the cluster pays with.
            "balance": snapshot.balance.get().to_string(),
        })
    };
    let keys = |keys: Vec<&[u8]>| -> Value {
        keys.iter().map(|key| Value::from(format!("0x{}", hex::encode(key)))).collect::<Vec<_>>().into()
    };
    let sizes = |validators: &Registrations| -> Value {
        validators.shares_data().iter().map(|shares| Value::from(shares.len())).collect::<Vec<_>>().into()
    };
    let call = match call {
        AnyCall::Legacy(call) => {
            put("operatorIds", call.operators.clone().into());
            put("cluster", snapshot(&call.cluster));
            put("amountSsv", call.amount.ether().into());
            match &call.action {
                LegacyAction::Register(validators) => {
                    put("publicKeys", keys(validators.public_keys()));
                    put("sharesDataBytes", sizes(validators));
                }
                LegacyAction::Deposit(owner) => put("owner", owner.to_string().into()),
                LegacyAction::Reactivate => {}
            }
            return object;
        }
        AnyCall::Current(call) => call,
    };
    if let Some((owner, operators)) = call.cluster() {
        put("operatorIds", operators.to_vec().into());
        if let Some(owner) = owner {
            put("owner", owner.to_string().into());
        }
    }
    if let Some(cluster) = call.snapshot() {
        put("cluster", snapshot(cluster));
    }
    match call {
        Call::Register { validators, .. } => {
            put("publicKeys", keys(validators.public_keys()));
            put("sharesDataBytes", sizes(validators));
        }
        Call::Remove { keys: all, .. } | Call::Exit { keys: all, .. } => put("publicKeys", keys(all.all())),
        Call::Withdraw { amount, .. } => put("amount", wei(*amount)),
        Call::FeeRecipient(recipient) => put("recipient", recipient.to_string().into()),
        Call::UpdateBalance { block, effective_balance, .. } => {
            put("block", (*block).into());
            put("effectiveBalance", (*effective_balance).into());
        }
        Call::RegisterOperator { public_key, fee, private } => {
            put("publicKey", format!("0x{}", hex::encode(public_key)).into());
            put("keySha256", operator_key(public_key).map(|key| key.fingerprint().to_string()).into());
            put("fee", wei(*fee));
            put("private", (*private).into());
        }
        Call::Operator { id, action } => {
            put("operatorId", (*id).into());
            match action {
                OperatorAction::DeclareFee(fee) | OperatorAction::ReduceFee(fee) => put("fee", wei(*fee)),
                OperatorAction::Withdraw(Asset::Eth, amount) => put("amount", wei(*amount)),
                OperatorAction::Withdraw(Asset::Ssv, amount) => put("amountSsv", amount.ether().into()),
                _ => {}
            }
        }
        Call::Operators { ids, action } => {
            put("operatorIds", ids.clone().into());
            match action {
                OperatorsAction::Whitelist(all) | OperatorsAction::Unwhitelist(all) => {
                    put("addresses", all.iter().map(|one| Value::from(one.to_string())).collect::<Vec<_>>().into());
                }
                OperatorsAction::SetWhitelistingContract(one) => put("whitelistingContract", one.to_string().into()),
                _ => {}
            }
        }
        _ => {}
    }
    object
}

/// A refusal of the contract: its name, what it is about, what it means, what helps.
pub(super) struct RevertWords {
    pub(super) name: String,
    pub(super) about: Option<String>,
    pub(super) meaning: &'static str,
    pub(super) remedy: &'static str,
}

pub(super) fn revert(revert: &Revert) -> RevertWords {
    match revert {
        Revert::Text(text) => RevertWords {
            name: "Error".to_owned(),
            about: Some(printable(text)),
            meaning: "a contract refused with these words",
            remedy: "the SSV contract has errors with names: this one may come from another contract on the way",
        },
        Revert::Panic(code) => RevertWords {
            name: format!("Panic 0x{code:x}"),
            about: None,
            meaning: "a check of the compiler: 0x11 is a number below 0 or too large, 0x32 a place outside a list",
            remedy: "amounts and counts in the call do not fit the cluster; get the snapshot again",
        },
        Revert::Named(name, subject) => {
            let about = match subject {
                Subject::Nothing => None,
                Subject::Validator(key) => Some(format!("validator 0x{}", hex::encode(key))),
                Subject::Operator(id) => Some(format!("operator {id}")),
                Subject::Caller { caller, owner } => Some(format!("sent by {caller}; the owner is {owner}")),
                Subject::Number(number) => Some(format!("number {number}")),
            };
            let (meaning, remedy) = meaning(name);
            RevertWords { name: (*name).to_owned(), about, meaning, remedy }
        }
    }
}

fn meaning(name: &str) -> (&'static str, &'static str) {
    match name {
        "EmptyPublicKeysList" => ("the list of validators is empty", "name at least one validator"),
        "PublicKeysSharesLengthMismatch" => {
            ("not as many sharesData as public keys", "build the call again with dvkey tx register")
        }
        "InvalidOperatorIdsLength" => ("not 4, 7, 10 or 13 operators", "name all operators of the cluster"),
        "InvalidPublicKeyLength" => ("a public key does not have 48 bytes", "build the call again"),
        "ValidatorAlreadyExistsWithData" => (
            "this owner has registered the validator before, or it stands twice in the call",
            "leave it out; no nonce was used. If the file has to lose it, split the rest again with new nonces",
        ),
        "IncorrectClusterVersion" => {
            ("the cluster pays in SSV and this call is for ETH, or the other way round", "first: dvkey tx migrate")
        }
        "IncorrectClusterState" => (
            "the snapshot in the call is not the cluster's last one",
            "another transaction came first: take the snapshot from its receipt with dvkey tx next, and build again",
        ),
        "ClusterIsLiquidated" => ("the cluster is liquidated", "first: dvkey tx reactivate"),
        "ClusterDoesNotExist" | "ClusterDoesNotExists" => {
            ("the owner has no cluster with these operators", "check the sender and the operator ids")
        }
        "UnsortedOperatorsList" => ("the operator ids do not ascend", "build the call again: dvkey sorts them"),
        "OperatorsListNotUnique" => ("an operator stands twice", "name each operator once"),
        "OperatorDoesNotExist" => {
            ("an operator was removed, or was never registered", "choose another operator and split again")
        }
        "CallerNotWhitelistedWithData" => {
            ("the operator is private and does not know the sender", "ask the operator to whitelist the owner")
        }
        "ExceedValidatorLimitWithData" => {
            ("the operator has as many validators as it may", "choose another operator and split again")
        }
        "InsufficientBalance" => (
            "the balance would not cover the liquidation collateral, or less is there than is asked for",
            "send more ether along, or take less out",
        ),
        "IncorrectValidatorStateWithData" => (
            "the sender has not registered the validator with these operators",
            "check the sender, the public key, and that all operators are named",
        ),
        "ValidatorDoesNotExist" => ("no validator is named, or the sender has none such", "check the public keys"),
        "ClusterAlreadyEnabled" => ("the cluster is active", "to add ether: dvkey tx deposit"),
        "ClusterNotLiquidatable" => ("the cluster has enough balance", "nobody but its owner can liquidate it now"),
        "CallerNotOwnerWithData" => ("somebody else owns it", "send from the owner's account"),
        "MaxValueExceeded" => ("a number is larger than the contract can keep", "check the amount"),
        "MaxPrecisionExceeded" => {
            ("an amount is finer than the contract keeps", "round it to a multiple of 100000 wei")
        }
        "NotAuthorized" => ("the sender may not do this", "send from the account that may"),
        "ETHTransferFailed" => ("the receiver did not take the ether", "can the receiving contract take ether?"),
        "TokenTransferFailed" => ("the SSV token was not transferred", "check balance and allowance"),
        "IncorrectOperatorVersion" => {
            ("the operator is of another version than the call", "use the call for its version: ETH or SSV")
        }
        "TargetModuleDoesNotExistWithData" => ("the contract lacks a module", "is it the right contract?"),
        _ => ("the contract refused", "look the name up in the contract's documentation"),
    }
}
