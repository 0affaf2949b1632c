//! Calldata, events, errors, transactions and batches, byte for byte against encoders that are not ours.
#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test reads its own fixtures and fails by panicking"
)]

mod support;

use alloy_primitives::{U256, hex, keccak256};
use alloy_sol_types::SolInterface;
use dvkey::format::amount::Wei;
use dvkey::format::contract::call::{
    AnyCall, Asset, Call, CallError, Decoded, Keys, OperatorAction, OperatorsAction, Registrations,
};
use dvkey::format::contract::interface::SsvNetwork::{SsvNetworkCalls, SsvNetworkErrors};
use dvkey::format::contract::legacy::{LegacyAction, LegacyCall};
use dvkey::format::contract::revert::{Revert, RevertError, Subject};
use dvkey::format::contract::snapshot::{Snapshot, cluster_id};
use dvkey::format::json::{self, Field};
use dvkey::format::network::Network;
use dvkey::format::payload_file::{read_unsigned, write_unsigned};
use dvkey::format::receipt::{ClusterEvent, topics_of};
use dvkey::format::safe::{Batch, Beside, Checksum, SafeCall, checksum, checksum_by_old_rule};
use dvkey::format::transaction::{Raw, Transaction};
use dvkey_ceremony::{Address, OperatorId};
use proptest::prelude::*;
use serde_json::Value;
use support::{fixture, text, vectors};

fn ethers() -> Value {
    serde_json::from_slice(&std::fs::read(fixture("ethers/ethers.json")).unwrap()).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(text(value)).unwrap()
}

fn many(value: &Value) -> Vec<Vec<u8>> {
    value.as_array().unwrap().iter().map(bytes).collect()
}

/// A number as it stands in a fixture: a JSON number or a string of digits.
fn number(value: &Value) -> u128 {
    value.as_u64().map_or_else(|| text(value).parse().unwrap(), u128::from)
}

fn small(value: &Value) -> u64 {
    number(value).try_into().unwrap()
}

fn ids(value: &Value) -> Vec<u64> {
    value.as_array().unwrap().iter().map(small).collect()
}

fn owner(value: &Value) -> Address {
    text(value).parse().unwrap()
}

fn owners(value: &Value) -> Vec<Address> {
    value.as_array().unwrap().iter().map(owner).collect()
}

fn wei(value: &Value) -> Wei {
    Wei::new(number(value))
}

/// A cluster by name or as a tuple.
fn cluster(value: &Value) -> Snapshot {
    let names = ["validatorCount", "networkFeeIndex", "index", "active", "balance"];
    let at = |place: usize| if value.is_array() { &value[place] } else { &value[names[place]] };
    Snapshot {
        validator_count: small(at(0)).try_into().unwrap(),
        network_fee_index: small(at(1)),
        index: small(at(2)),
        active: at(3).as_bool().unwrap(),
        balance: wei(at(4)),
    }
}

/// The call with these arguments.
fn call(function: &str, a: &Value) -> AnyCall {
    let operator = |action| Call::Operator { id: small(&a[0]), action };
    let operators = |action| Call::Operators { ids: ids(&a[0]), action };
    let one = || Registrations::One(bytes(&a[0]), bytes(&a[2]));
    let several = || Registrations::Many(many(&a[0]), many(&a[2]));
    let arguments = a.as_array().unwrap().len();
    let legacy = |action, operators: &Value, amount: &Value, snapshot: &Value| {
        let (operators, amount, cluster) = (ids(operators), wei(amount), cluster(snapshot));
        AnyCall::Legacy(LegacyCall { action, operators, amount, cluster })
    };
    AnyCall::Current(match (function, arguments) {
        ("registerValidator", 5) => return legacy(LegacyAction::Register(one()), &a[1], &a[3], &a[4]),
        ("bulkRegisterValidator", 5) => return legacy(LegacyAction::Register(several()), &a[1], &a[3], &a[4]),
        ("deposit", 4) => return legacy(LegacyAction::Deposit(owner(&a[0])), &a[1], &a[2], &a[3]),
        ("reactivate", 3) => return legacy(LegacyAction::Reactivate, &a[0], &a[1], &a[2]),
        ("registerValidator", _) => {
            Call::Register { validators: one(), operators: ids(&a[1]), cluster: cluster(&a[3]) }
        }
        ("bulkRegisterValidator", _) => {
            Call::Register { validators: several(), operators: ids(&a[1]), cluster: cluster(&a[3]) }
        }
        ("removeValidator", _) => {
            Call::Remove { keys: Keys::One(bytes(&a[0])), operators: ids(&a[1]), cluster: cluster(&a[2]) }
        }
        ("bulkRemoveValidator", _) => {
            Call::Remove { keys: Keys::Many(many(&a[0])), operators: ids(&a[1]), cluster: cluster(&a[2]) }
        }
        ("exitValidator", _) => Call::Exit { keys: Keys::One(bytes(&a[0])), operators: ids(&a[1]) },
        ("bulkExitValidator", _) => Call::Exit { keys: Keys::Many(many(&a[0])), operators: ids(&a[1]) },
        ("deposit", _) => Call::Deposit { owner: owner(&a[0]), operators: ids(&a[1]), cluster: cluster(&a[2]) },
        ("withdraw", _) => Call::Withdraw { operators: ids(&a[0]), amount: wei(&a[1]), cluster: cluster(&a[2]) },
        ("reactivate", _) => Call::Reactivate { operators: ids(&a[0]), cluster: cluster(&a[1]) },
        ("migrateClusterToETH", _) => Call::Migrate { operators: ids(&a[0]), cluster: cluster(&a[1]) },
        ("liquidate" | "liquidateSSV", _) => Call::Liquidate {
            owner: owner(&a[0]),
            operators: ids(&a[1]),
            cluster: cluster(&a[2]),
            asset: if function == "liquidate" { Asset::Eth } else { Asset::Ssv },
        },
        ("setFeeRecipientAddress", _) => Call::FeeRecipient(owner(&a[0])),
        ("updateClusterBalance", _) => Call::UpdateBalance {
            block: small(&a[0]),
            owner: owner(&a[1]),
            operators: ids(&a[2]),
            cluster: cluster(&a[3]),
            effective_balance: small(&a[4]).try_into().unwrap(),
            proof: many(&a[5]).into_iter().map(|node| node.try_into().unwrap()).collect(),
        },
        ("registerOperator", _) => {
            Call::RegisterOperator { public_key: bytes(&a[0]), fee: wei(&a[1]), private: a[2].as_bool().unwrap() }
        }
        ("removeOperator", _) => operator(OperatorAction::Remove),
        ("declareOperatorFee", _) => operator(OperatorAction::DeclareFee(wei(&a[1]))),
        ("executeOperatorFee", _) => operator(OperatorAction::ExecuteFee),
        ("cancelDeclaredOperatorFee", _) => operator(OperatorAction::CancelFee),
        ("reduceOperatorFee", _) => operator(OperatorAction::ReduceFee(wei(&a[1]))),
        ("setOperatorsWhitelists", _) => operators(OperatorsAction::Whitelist(owners(&a[1]))),
        ("removeOperatorsWhitelists", _) => operators(OperatorsAction::Unwhitelist(owners(&a[1]))),
        ("setOperatorsWhitelistingContract", _) => operators(OperatorsAction::SetWhitelistingContract(owner(&a[1]))),
        ("removeOperatorsWhitelistingContract", _) => operators(OperatorsAction::RemoveWhitelistingContract),
        ("setOperatorsPrivateUnchecked", _) => operators(OperatorsAction::MakePrivate),
        ("setOperatorsPublicUnchecked", _) => operators(OperatorsAction::MakePublic),
        ("withdrawOperatorEarnings", _) => operator(OperatorAction::Withdraw(Asset::Eth, wei(&a[1]))),
        ("withdrawOperatorEarningsSSV", _) => operator(OperatorAction::Withdraw(Asset::Ssv, wei(&a[1]))),
        ("withdrawAllOperatorEarnings", _) => operator(OperatorAction::WithdrawAll(Asset::Eth)),
        ("withdrawAllOperatorEarningsSSV", _) => operator(OperatorAction::WithdrawAll(Asset::Ssv)),
        ("withdrawAllVersionOperatorEarnings", _) => operator(OperatorAction::WithdrawEverything),
        ("getVersion", _) => Call::GetVersion,
        _ => panic!("no such function: {function}"),
    })
}

fn encode(call: &AnyCall) -> Vec<u8> {
    match call {
        AnyCall::Current(call) => call.encode(),
        AnyCall::Legacy(call) => call.encode(),
    }
}

#[test]
fn recorded_calldata_is_reproduced() {
    let file = vectors("calldata.json");
    let cases = file["vectors"].as_array().unwrap();
    assert_eq!(cases.len(), 15);
    for case in cases {
        let function = text(&case["function"]).split(' ').next().unwrap();
        let call = call(function, &case["args"]);
        let calldata = bytes(&case["calldata"]);
        assert_eq!(hex::encode(encode(&call)), hex::encode(&calldata), "{}", case["note"]);
        assert_eq!(keccak256(&calldata).to_string(), text(&case["keccak256"]));
        assert_eq!(Decoded::from_calldata(&calldata), Ok(Decoded { call, canonical: true }));
    }
    let derived = &file["derived"];
    let operators: Vec<_> =
        ids(&derived["operatorIds"]).into_iter().map(|id| OperatorId::try_from(id).unwrap()).collect();
    let id = cluster_id(owner(&derived["owner"]), &operators);
    assert_eq!(hex::encode_prefixed(id), text(&derived["clusterId_keccak_packed_owner_operatorIds"]));
    let hash = cluster(&derived["clusterUsedForHash"]).hash();
    assert_eq!(hex::encode_prefixed(hash), text(&derived["clusterHash_packed_vc_nfi_idx_balance_active"]));
}

#[test]
fn ethers_encodes_random_calls_the_same() {
    let file = ethers();
    let cases = file["calls"].as_array().unwrap();
    assert!(cases.len() > 400, "{}", cases.len());
    for case in cases {
        let signature = text(&case["signature"]);
        let call = call(signature.split('(').next().unwrap(), &case["args"]);
        let calldata = encode(&call);
        assert_eq!(calldata.len() as u64, case["bytes"].as_u64().unwrap(), "{signature}");
        if let Some(expected) = case["calldata"].as_str() {
            assert_eq!(hex::encode_prefixed(&calldata), expected, "{signature}");
        }
        assert_eq!(keccak256(&calldata).to_string(), text(&case["keccak256"]), "{signature}");
        let own = match &call {
            AnyCall::Current(call) => call.signature(),
            AnyCall::Legacy(call) => call.signature(),
        };
        assert_eq!(own, signature);
        assert_eq!(Decoded::from_calldata(&calldata), Ok(Decoded { call, canonical: true }), "{signature}");
    }
    // Every function of the interface has been compared.
    let seen = |signature: &&str| cases.iter().any(|case| text(&case["signature"]) == *signature);
    assert!(SsvNetworkCalls::SIGNATURES.iter().all(seen));
}

#[test]
fn ethers_encodes_random_events_the_same() {
    let file = ethers();
    let cases = file["events"].as_array().unwrap();
    assert_eq!(cases.len(), 32);
    for case in cases {
        let (name, a) = (text(&case["name"]), &case["args"]);
        let expected = (name, owner(&a[0]), ids(&a[1]), cluster(a.as_array().unwrap().last().unwrap()));
        let log = serde_json::json!({"topics": case["topics"], "data": case["data"]});
        let decoded = serde_json::json!({"eventName": name, "args": a});
        for form in [log, decoded] {
            let document = json::parse(form.to_string().as_bytes()).unwrap();
            let event = ClusterEvent::from_json(&Field::root(&document)).unwrap();
            assert_eq!((event.name, event.owner, event.operators, event.cluster), expected);
        }
    }
}

#[test]
fn ethers_encodes_errors_the_same() {
    let file = ethers();
    for case in file["errors"].as_array().unwrap() {
        let (name, a) = (text(&case["name"]), &case["args"]);
        let expected = match name {
            "Error" => Revert::Text(text(&a[0]).to_owned()),
            "Panic" => Revert::Panic(U256::from(number(&a[0]))),
            _ => {
                let subject = match name {
                    "CallerNotWhitelistedWithData" | "ExceedValidatorLimitWithData" => Subject::Operator(small(&a[0])),
                    "CallerNotOwnerWithData" => Subject::Caller { caller: owner(&a[0]), owner: owner(&a[1]) },
                    "IncorrectOperatorVersion" | "TargetModuleDoesNotExistWithData" => {
                        Subject::Number(small(&a[0]).try_into().unwrap())
                    }
                    _ if a.as_array().unwrap().is_empty() => Subject::Nothing,
                    _ => Subject::Validator(bytes(&a[0])),
                };
                let known = SsvNetworkErrors::VARIANT_NAMES.iter().find(|known| **known == name).unwrap();
                Revert::Named(known, subject)
            }
        };
        assert_eq!(Revert::decode(&bytes(&case["data"])), Ok(expected));
    }
}

/// The selectors and topics as the design records them, computed there with viem and checked with eth_abi.
#[test]
fn selectors_and_topics_are_the_recorded_ones() {
    for (signature, selector) in [
        ("registerValidator", "b84319fd"),
        ("bulkRegisterValidator", "a1b483ca"),
        ("removeValidator", "12b3fc19"),
        ("bulkRemoveValidator", "5aed1142"),
        ("exitValidator", "3877322b"),
        ("bulkExitValidator", "32afd02f"),
        ("deposit", "45f47188"),
        ("withdraw", "686e682c"),
        ("reactivate", "ea7844ff"),
        ("migrateClusterToETH", "36e87b12"),
        ("liquidate", "bf0f2fb2"),
        ("liquidateSSV", "8c1d3d03"),
        ("setFeeRecipientAddress", "dbcdc2cc"),
        ("updateClusterBalance", "4f4d1209"),
        ("registerOperator", "c9bbc9fa"),
        ("removeOperator", "2e168e0e"),
        ("declareOperatorFee", "b317c35f"),
        ("executeOperatorFee", "8932cee0"),
        ("cancelDeclaredOperatorFee", "23d68a6d"),
        ("reduceOperatorFee", "190d82e4"),
        ("setOperatorsWhitelists", "5d06ecb4"),
        ("removeOperatorsWhitelists", "4b2fd45e"),
        ("setOperatorsWhitelistingContract", "7dc24d52"),
        ("removeOperatorsWhitelistingContract", "6a31cf1d"),
        ("setOperatorsPrivateUnchecked", "822124c1"),
        ("setOperatorsPublicUnchecked", "4ad00e54"),
        ("withdrawOperatorEarnings", "35f63767"),
        ("withdrawAllOperatorEarnings", "4bc93b64"),
        ("withdrawOperatorEarningsSSV", "6bf5c92e"),
        ("withdrawAllOperatorEarningsSSV", "909b1aaa"),
        ("withdrawAllVersionOperatorEarnings", "008108d5"),
        ("getVersion", "0d8e6e2c"),
    ] {
        let selector = hex::decode(selector).unwrap().try_into().unwrap();
        assert_eq!(SsvNetworkCalls::name_by_selector(selector), Some(signature));
    }
    assert_eq!(SsvNetworkCalls::COUNT, 32);
    for selector in ["06e8fb9c", "22f18bf5", "bc26e7e5", "5fec6dd0"] {
        assert!(LegacyCall::has(hex::decode(selector).unwrap().try_into().unwrap()));
    }
    for (name, topic) in [
        ("ValidatorAdded", "48a3ea0796746043948f6341d17ff8200937b99262a0b48c2663b951ed7114e5"),
        ("ValidatorRemoved", "ccf4370403e5fbbde0cd3f13426479dcd8a5916b05db424b7a2c04978cf8ce6e"),
        ("ClusterDeposited", "2bac1912f2481d12f0df08647c06bee174967c62d3a03cbc078eb215dc1bd9a2"),
        ("ClusterWithdrawn", "39d1320bbda24947e77f3560661323384aa0a1cb9d5e040e617e5cbf50b6dbe0"),
        ("ClusterLiquidated", "1fce24c373e07f89214e9187598635036111dbb363e99f4ce498488cdc66e688"),
        ("ClusterReactivated", "c803f8c01343fcdaf32068f4c283951623ef2b3fa0c547551931356f456b6859"),
        ("ClusterMigratedToETH", "6dc71e7231318932a8a7f99bac76f94ffe24cac147843e0c285ce4cf290c803a"),
        ("ClusterBalanceUpdated", "0cc301d13799ab915796eed462da724756a969f8e05d69ad2405eb3da7036b55"),
    ] {
        assert!(topics_of().iter().any(|(known, hash)| *known == name && hex::encode(hash) == topic), "{name}");
    }
    for (name, selector) in [
        ("EmptyPublicKeysList", "df83e679"),
        ("PublicKeysSharesLengthMismatch", "9ad467b8"),
        ("InvalidOperatorIdsLength", "38186224"),
        ("InvalidPublicKeyLength", "637297a4"),
        ("ValidatorAlreadyExistsWithData", "388e7999"),
        ("IncorrectClusterVersion", "f6749746"),
        ("IncorrectClusterState", "12e04c87"),
        ("ClusterIsLiquidated", "95a0cf33"),
        ("ClusterDoesNotExist", "25d92f88"),
        ("ClusterDoesNotExists", "185e2b16"),
        ("UnsortedOperatorsList", "dd020e25"),
        ("OperatorsListNotUnique", "a5a1ff5d"),
        ("OperatorDoesNotExist", "961e3e8c"),
        ("CallerNotWhitelistedWithData", "b7f529fe"),
        ("ExceedValidatorLimitWithData", "639f5851"),
        ("InsufficientBalance", "f4d678b8"),
        ("IncorrectValidatorStateWithData", "89307938"),
        ("ValidatorDoesNotExist", "e51315d2"),
        ("ClusterAlreadyEnabled", "3babafd2"),
        ("ClusterNotLiquidatable", "60300a8d"),
        ("CallerNotOwnerWithData", "8907fc65"),
        ("MaxValueExceeded", "91aa3017"),
        ("MaxPrecisionExceeded", "24756546"),
        ("NotAuthorized", "ea8e4eb5"),
        ("ETHTransferFailed", "b12d13eb"),
        ("TokenTransferFailed", "045c4b02"),
        ("IncorrectOperatorVersion", "f222e863"),
        ("TargetModuleDoesNotExistWithData", "208bb85d"),
    ] {
        let selector = hex::decode(selector).unwrap().try_into().unwrap();
        assert_eq!(SsvNetworkErrors::name_by_selector(selector), Some(name));
    }
}

#[test]
fn ethers_encodes_and_hashes_transactions_the_same() {
    let file = ethers();
    let cases = file["transactions"].as_array().unwrap();
    assert_eq!(cases.len(), 120);
    for case in cases {
        let document = json::parse(case.to_string().as_bytes()).unwrap();
        let transaction = Transaction::from_json(&Field::root(&document)).unwrap();
        assert_eq!(hex::encode_prefixed(transaction.unsigned_rlp().unwrap()), text(&case["rlp"]));
        assert_eq!(hex::encode_prefixed(transaction.signing_hash().unwrap()), text(&case["signingHash"]));
        let raw = Raw::decode(&bytes(&case["rlp"])).unwrap();
        assert_eq!((&raw.transaction, raw.signed, raw.kind), (&transaction, false, 2));
        let written = json::parse(transaction.to_json().to_string().as_bytes()).unwrap();
        assert_eq!(Transaction::from_json(&Field::root(&written)).unwrap(), transaction);
    }
}

/// What ethers, viem and foundry made of a file that was written here: the same bytes. Whoever changes the shape has
/// to ask them again.
#[test]
fn signers_take_unsigned_transactions_as_they_are_written() {
    let recorded: Value = serde_json::from_slice(&std::fs::read(fixture("ethers/unsigned.json")).unwrap()).unwrap();
    let document = json::parse(recorded["file"].to_string().as_bytes()).unwrap();
    let transaction = read_unsigned(&document).unwrap();
    let written: Value = serde_json::from_slice(&write_unsigned(Network::Hoodi, &transaction).unwrap()).unwrap();
    assert_eq!(written, recorded["file"]);
    let readers = recorded["readers"].as_object().unwrap();
    assert!(readers.len() >= 8, "{}", readers.len());
    for (reader, rlp) in readers {
        assert_eq!(rlp, &written["rlp"], "{reader}");
    }
}

/// The object of the app's own test, with the checksum that its test states, and the two values of the rules around it.
#[test]
fn checksums_of_batches_are_those_of_the_app() {
    let published = r#"{"version":"1.0","chainId":"4","createdAt":1646321521061,"meta":{"name":"test batch file",
        "txBuilderVersion":"1.4.0","checksum":"","createdFromSafeAddress":"0xDF8a1Ce35c9a6ACE153B4e0767942f1E2291a1Aa",
        "createdFromOwnerAddress":"0x49d4450977E2c95362C13D3a31a09311E0Ea26A6"},"transactions":[
        {"to":"0x49d4450977E2c95362C13D3a31a09311E0Ea26A6","value":"0","contractMethod":{"inputs":[
        {"internalType":"address","name":"paramAddress","type":"address"}],"name":"testAddress","payable":false},
        "contractInputsValues":{"paramAddress":"0x49d4450977E2c95362C13D3a31a09311E0Ea26A6"}},
        {"to":"0x49d4450977E2c95362C13D3a31a09311E0Ea26A6","value":"0","contractMethod":{"inputs":[
        {"internalType":"bool","name":"paramBool","type":"bool"}],"name":"testBool","payable":false},
        "contractInputsValues":{"paramAddress":"","paramBool":"false"}},
        {"to":"0x49d4450977E2c95362C13D3a31a09311E0Ea26A6","value":"2000000000000000000",
        "data":"0x42f4579000000000000000000000000049d4450977e2c95362c13d3a31a09311e0ea26a6"}]}"#;
    let document = json::parse(published.as_bytes()).unwrap();
    let by_old_rule = checksum_by_old_rule(&document);
    assert_eq!(by_old_rule, "0x832ecdb6653751ed00b79dede73864163e46e71815b72e11e506d6399bedffc9");
    assert_eq!(checksum(&document), "0x86c81826dbf7e8a37612153294cc85fdf5c81998dd0a44b86d945502a7eace7c");
}

#[test]
fn batches_are_read_back_and_changes_show() {
    let batch = batch();
    let written = batch.to_bytes().unwrap();
    assert_eq!(Batch::parse(&written).unwrap(), (batch, Checksum::Holds));
    let text = String::from_utf8(written).unwrap();
    for (from, to, state) in [
        ("\"5\"", "\"6\"", Checksum::Broken),
        ("560048", "1", Checksum::Broken),
        // The name is not part of it.
        ("Register", "Renamed", Checksum::Holds),
        ("description\": \"3", "description\": \"4", Checksum::Broken),
        ("\"checksum\": \"0x", "\"other\": \"0x", Checksum::Absent),
    ] {
        assert!(text.contains(from), "{from}");
        assert_eq!(Batch::parse(text.replace(from, to).as_bytes()).unwrap().1, state, "{from}");
    }
}

fn batch() -> Batch {
    let contract = "0x58410Bef803ECd7E63B23664C586A6DB72DAf59c".parse().unwrap();
    Batch {
        chain_id: 560_048,
        safe: Some("0x81592c3DE184A3E2c0DCB5a261BC107Bfa91f494".parse().unwrap()),
        name: "Register".to_owned(),
        description: "3 validators \u{1f511} \"quoted\"".to_owned(),
        created_at: 1_763_000_000_000,
        calls: vec![SafeCall { to: contract, value: Wei::new(5), data: vec![1, 2, 3, 4], beside: Beside::default() }],
    }
}

#[test]
fn hostile_calldata_is_refused_by_name() {
    assert_eq!(Decoded::from_calldata(&[]), Err(CallError::TooShort(0)));
    assert_eq!(Decoded::from_calldata(&[0xb8, 0x43, 0x19]), Err(CallError::TooShort(3)));
    assert_eq!(Decoded::from_calldata(&[1, 2, 3, 4]), Err(CallError::UnknownSelector([1, 2, 3, 4])));
    let long = vec![0xb8; (128 << 10) + 1];
    assert_eq!(Decoded::from_calldata(&long), Err(CallError::TooLong(long.len())));
    let call = Call::Withdraw { operators: vec![1, 2, 3, 4], amount: Wei::new(9), cluster: Snapshot::NEW };
    let calldata = call.encode();
    for length in 4..calldata.len() {
        let error = Decoded::from_calldata(&calldata[..length]).unwrap_err();
        assert!(
            matches!(
                error,
                CallError::Arguments { function: "withdraw(uint64[],uint256,(uint32,uint64,uint64,bool,uint256))", .. }
            ),
            "{error}"
        );
    }
    // Bytes behind the end are hidden from whoever signs.
    let mut longer = calldata.clone();
    longer.extend([0; 32]);
    assert_eq!(Decoded::from_calldata(&longer), Ok(Decoded { call: AnyCall::Current(call), canonical: false }));
    // An amount of 2^128.
    let mut huge = calldata.clone();
    huge[4 + 32 + 15] = 1;
    assert_eq!(
        Decoded::from_calldata(&huge),
        Err(CallError::Amount(dvkey::format::contract::snapshot::AmountTooLarge(
            U256::from(9) + (U256::from(1) << 128)
        )))
    );
    // A list whose elements all stand on the same 20 kB.
    let word = |number: usize| U256::from(number).to_be_bytes::<32>();
    for selector in [
        "bulkExitValidator(bytes[],uint64[])",
        "bulkRegisterValidator(bytes[],uint64[],bytes[],uint256,(uint32,uint64,uint64,bool,uint256))",
    ] {
        let (heads, count, tail) = (9, 2000, 20_000);
        let mut folded = alloy_primitives::keccak256(selector)[..4].to_vec();
        (0..heads).for_each(|_| folded.extend(word(heads * 32)));
        folded.extend(word(count));
        (0..count).for_each(|_| folded.extend(word(count * 32)));
        folded.extend(word(tail));
        folded.resize(folded.len() + tail, 1);
        let lists = if selector.starts_with("bulkExit") { 1 } else { 2 };
        assert_eq!(Decoded::from_calldata(&folded), Err(CallError::Folded(lists * count * tail)), "{selector}");
    }
    assert_eq!(Revert::decode(&[]), Err(RevertError::Length(0)));
    assert_eq!(Revert::decode(&[9, 9, 9, 9]), Err(RevertError::UnknownSelector([9, 9, 9, 9])));
    assert_eq!(
        Revert::decode(&hex::decode("388e7999").unwrap()),
        Err(RevertError::Arguments("ValidatorAlreadyExistsWithData"))
    );
}

fn any_snapshot() -> impl Strategy<Value = Snapshot> {
    (any::<u32>(), any::<u64>(), any::<u64>(), any::<bool>(), any::<u128>()).prop_map(
        |(count, fee, index, active, balance)| Snapshot {
            validator_count: count,
            network_fee_index: fee,
            index,
            active,
            balance: Wei::new(balance),
        },
    )
}

fn any_call() -> impl Strategy<Value = Call> {
    let key = || proptest::collection::vec(any::<u8>(), 0..60);
    let keys = move || proptest::collection::vec(key(), 0..5);
    let operators = || proptest::collection::vec(any::<u64>(), 0..14);
    let address = || any::<[u8; 20]>().prop_map(Address::from_bytes);
    prop_oneof![
        (keys(), keys(), operators(), any_snapshot()).prop_map(|(keys, shares, operators, cluster)| Call::Register {
            validators: Registrations::Many(keys, shares),
            operators,
            cluster
        }),
        (key(), key(), operators(), any_snapshot()).prop_map(|(key, shares, operators, cluster)| Call::Register {
            validators: Registrations::One(key, shares),
            operators,
            cluster
        }),
        (keys(), operators(), any_snapshot()).prop_map(|(keys, operators, cluster)| Call::Remove {
            keys: Keys::of(keys),
            operators,
            cluster
        }),
        (keys(), operators()).prop_map(|(keys, operators)| Call::Exit { keys: Keys::Many(keys), operators }),
        (address(), operators(), any_snapshot()).prop_map(|(owner, operators, cluster)| Call::Deposit {
            owner,
            operators,
            cluster
        }),
        (operators(), any::<u128>(), any_snapshot()).prop_map(|(operators, amount, cluster)| Call::Withdraw {
            operators,
            amount: Wei::new(amount),
            cluster
        }),
        (any::<u64>(), any::<u128>())
            .prop_map(|(id, fee)| Call::Operator { id, action: OperatorAction::DeclareFee(Wei::new(fee)) }),
        (operators(), proptest::collection::vec(address(), 0..4))
            .prop_map(|(ids, list)| Call::Operators { ids, action: OperatorsAction::Whitelist(list) }),
    ]
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(call in any_call()) {
        let decoded = Decoded::from_calldata(&call.encode());
        prop_assert_eq!(decoded, Ok(Decoded { call: AnyCall::Current(call), canonical: true }));
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), selector in 0usize..32) {
        let _ = Decoded::from_calldata(&bytes);
        let _ = Raw::decode(&bytes);
        let _ = Revert::decode(&bytes);
        let mut call = SsvNetworkCalls::SELECTORS[selector].to_vec();
        call.extend(bytes);
        let _ = Decoded::from_calldata(&call);
    }

    #[test]
    fn transactions_survive_rlp(nonce: u64, chain: u64, gas: u64, fees: (u128, u128), to: [u8; 20], value: u128,
        data in proptest::collection::vec(any::<u8>(), 0..300)) {
        let transaction = Transaction {
            chain_id: Some(chain), from: None, nonce: Some(nonce), max_priority_fee: Some(Wei::new(fees.0)),
            max_fee: Some(Wei::new(fees.1)), gas_price: None, gas: Some(gas), to: Some(Address::from_bytes(to)), value: Wei::new(value), data,
        };
        let rlp = transaction.unsigned_rlp().unwrap();
        prop_assert_eq!(Raw::decode(&rlp), Ok(Raw { transaction, signed: false, kind: 2, unread: Vec::new() }));
        for length in 0..rlp.len() {
            prop_assert!(Raw::decode(&rlp[..length]).is_err());
        }
        let mut longer = rlp;
        longer.push(0);
        prop_assert!(Raw::decode(&longer).is_err());
    }
}
