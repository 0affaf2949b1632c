//! Real keyshares files, altered step by step: a verdict "valid" is for the validators that were there, unchanged.
#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use dvkey::format::keyshares::{self, Item, KeysharesFile, SharesData};
use dvkey::workflow::verify::check::{Report, Verdict};
use dvkey::workflow::verify::keyshares::{Expected, judge};
use dvkey_ceremony::{Address, Nonce};
use dvkey_fuzz::{Input, assert_harmless, assert_valid};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

/// Files that other programs made, as documents: 4 operators, 7 operators, three validators.
static FILES: LazyLock<Vec<Value>> = LazyLock::new(|| {
    [
        include_str!("../../../fixtures/ssv-split/P01.json"),
        include_str!("../../../fixtures/ssv-split/P03.json"),
        include_str!("../../../fixtures/ssv-split/P06.json"),
    ]
    .iter()
    .map(|recorded| {
        let recorded: Value = serde_json::from_str(recorded).expect("a vector file is JSON");
        let text = recorded["keysharesFileText"].as_str().expect("a vector file has a keyshares file");
        serde_json::from_str(text).expect("a keyshares file is JSON")
    })
    .collect()
});

/// All that is signed or proven about a validator.
#[derive(PartialEq, Debug)]
struct Truth {
    owner: Option<Address>,
    nonce: Option<u64>,
    ids: Vec<u64>,
    signature_and_share_keys: Vec<u8>,
}

static TRUTHS: LazyLock<BTreeMap<Vec<u8>, Truth>> = LazyLock::new(|| {
    let mut truths = BTreeMap::new();
    for document in FILES.iter() {
        let file = keyshares::parse(&serde_json::to_vec(document).expect("JSON")).expect("a keyshares file");
        let report = judge(&file, &Expected::default(), None, 1);
        assert_valid(&file, &report);
        truths.extend(truths_of(&file, &report));
    }
    truths
});

fn truths_of(file: &KeysharesFile, report: &Report) -> Vec<(Vec<u8>, Truth)> {
    let truth = |item: &Item, nonce| {
        let payload = &item.payload;
        let n = payload.operator_ids.len();
        assert!(SharesData::cut(&payload.shares_data, n).is_some());
        Truth {
            owner: report.owner,
            nonce,
            ids: payload.operator_ids.iter().map(|id| id.get()).collect(),
            signature_and_share_keys: payload.shares_data[..96 + 48 * n].to_vec(),
        }
    };
    let items = file.items.iter().flatten().zip(&report.validators);
    items.map(|(item, line)| (item.payload.public_key.clone(), truth(item, line.nonce))).collect()
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let mut document = FILES[input.below(FILES.len())].clone();
    let asked = input.byte();
    for _ in 0..8 {
        if input.0.is_empty() {
            break;
        }
        alter(&mut document, &mut input);
    }
    let mut text = serde_json::to_vec(&document).expect("a document is written");
    if asked & 1 == 1 {
        text.splice(0..0, [0xef, 0xbb, 0xbf]);
    }
    let Ok(file) = keyshares::parse(&text) else { return };
    let owner = "0x81592c3de184a3e2c0dcb5a261bc107bfa91f494".parse().ok();
    let expected = match asked >> 1 & 3 {
        0 => Expected { owner, nonce: Some(Nonce::from(u16::from(asked >> 3))), ..Expected::default() },
        1 => Expected { validators: Some(usize::from(asked >> 6)), ..Expected::default() },
        _ => Expected::default(),
    };
    let report = judge(&file, &expected, None, 1);
    let reasons: Vec<_> = report.failures().map(|(check, place, reason)| (check, place, reason.clone())).collect();
    for (_, _, reason) in &reasons {
        assert_harmless(&reason.to_string());
    }
    if report.verdict == Verdict::Valid {
        // Writing and judging everything anew takes most of the time.
        if asked >> 5 & 1 == 1 {
            assert_valid(&file, &report);
        }
        for (public_key, truth) in truths_of(&file, &report) {
            assert_eq!(TRUTHS.get(&public_key), Some(&truth));
        }
    }
    // How the work is shared out changes nothing.
    if asked >> 7 == 1 {
        let again = judge(&file, &expected, None, 2);
        assert_eq!(again.verdict, report.verdict);
        let again: Vec<_> = again.failures().map(|(check, place, reason)| (check, place, reason.clone())).collect();
        assert_eq!(again, reasons);
    }
});

/// One step. A step that does not fit the document, because an earlier one took something away, does nothing.
fn alter(document: &mut Value, input: &mut Input<'_>) {
    let step = input.byte() % 24;
    let foreign = FILES[input.below(FILES.len())].clone();
    let foreign_item = |input: &mut Input<'_>| {
        let items = foreign["shares"].as_array().expect("a list");
        items[input.below(items.len())].clone()
    };
    match step {
        0 => document["version"] = word(input),
        1 => document["createdAt"] = word(input),
        2 => document["note"] = word(input),
        3 => {
            if let Some(item) = document["shares"].as_array().and_then(|items| items.first()).cloned() {
                *document = item;
            }
            return;
        }
        4 => {
            let item = foreign_item(input);
            if let Some(items) = document.get_mut("shares").and_then(Value::as_array_mut) {
                items.insert(input.below(items.len() + 1), item);
            }
            return;
        }
        5 => {
            if let Some(items) = items(document) {
                items.remove(input.below(items.len()));
            }
            return;
        }
        6 => {
            if let Some(items) = items(document) {
                let (a, b) = (input.below(items.len()), input.below(items.len()));
                items.swap(a, b);
            }
            return;
        }
        _ => {}
    }
    let item = match document.get_mut("shares") {
        Some(Value::Array(items)) if !items.is_empty() => {
            let position = input.below(items.len());
            &mut items[position]
        }
        Some(_) => return,
        None => document,
    };
    if !item["data"].is_object() || !item["payload"].is_object() {
        return;
    }
    match step {
        7 => change_bytes(&mut item["payload"]["sharesData"], input),
        8 => change_bytes(&mut item["payload"]["publicKey"], input),
        9 => change_bytes(&mut item["data"]["publicKey"], input),
        10 => item["payload"]["publicKey"] = foreign_item(input)["payload"]["publicKey"].clone(),
        11 => item["data"]["publicKey"] = foreign_item(input)["payload"]["publicKey"].clone(),
        12 => item["payload"]["sharesData"] = foreign_item(input)["payload"]["sharesData"].clone(),
        13 => item["data"]["ownerNonce"] = number(input),
        14 => item["data"]["ownerAddress"] = owner(&item["data"]["ownerAddress"], input),
        15 => change_list(&mut item["payload"]["operatorIds"], input),
        16 => change_list(&mut item["data"]["operators"], input),
        17 => {
            if let Some(operators) = item["data"]["operators"].as_array_mut().filter(|list| !list.is_empty()) {
                let (a, b) = (input.below(operators.len()), input.below(operators.len()));
                let field = ["operatorKey", "id"][input.below(2)];
                let value = operators[b][field].clone();
                if let Some(field) = operators[a].get_mut(field) {
                    *field = value;
                }
            }
        }
        18 => {
            let key = foreign_item(input)["data"]["operators"][0]["operatorKey"].clone();
            if let Some(field) = item.pointer_mut("/data/operators/0/operatorKey") {
                *field = key;
            }
        }
        19 => {
            if let Some(shares_data) = item["payload"].as_object_mut().and_then(|payload| payload.remove("sharesData"))
            {
                item["payload"]["shares"] = shares_data;
            }
        }
        20 => {
            let half = ["data", "payload"][input.below(2)];
            let names = ["publicKey", "operatorIds", "sharesData", "ownerNonce", "ownerAddress", "operators"];
            if let Some(half) = item[half].as_object_mut() {
                half.remove(names[input.below(names.len())]);
            }
        }
        21 => {
            if let Some(item) = item.as_object_mut() {
                item.remove(["data", "payload"][input.below(2)]);
            }
        }
        22 => item[["data", "payload"][input.below(2)]]["extra"] = word(input),
        _ => {
            // Whatever the input has, as one value somewhere.
            let length = input.below(64);
            if let Ok(value) = serde_json::from_slice::<Value>(input.take(length)) {
                let names = ["publicKey", "operatorIds", "sharesData", "ownerNonce", "ownerAddress", "operators"];
                item[["data", "payload"][input.below(2)]][names[input.below(names.len())]] = value;
            }
        }
    }
}

fn items(document: &mut Value) -> Option<&mut Vec<Value>> {
    document.get_mut("shares")?.as_array_mut().filter(|items| !items.is_empty())
}

fn word(input: &mut Input<'_>) -> Value {
    [json!("v1.2.0"), json!("v1.1.0"), json!(""), json!(7), Value::Null, json!("\u{202e}\n\u{1b}[31m")][input.below(6)]
        .clone()
}

fn number(input: &mut Input<'_>) -> Value {
    let number = match input.below(5) {
        0 => u64::from(input.byte()),
        1 => 65_535,
        2 => 65_536,
        3 => u64::MAX - u64::from(input.byte()),
        _ => input.number(),
    };
    match input.below(4) {
        0 => json!(number.to_string()),
        1 => json!(format!("0{number}")),
        2 => json!(number as f64),
        _ => json!(number),
    }
}

fn owner(written: &Value, input: &mut Input<'_>) -> Value {
    let text = written.as_str().unwrap_or_default();
    json!(match input.below(6) {
        0 => text.to_lowercase(),
        1 => text.to_uppercase(),
        2 => text.parse::<Address>().map(|address| address.to_checksum()).unwrap_or_default(),
        3 => text.replacen('a', "A", 1),
        4 => Address::from_bytes(input.array()).to_checksum(),
        _ => text.chars().skip(2).collect(),
    })
}

/// Changes hexadecimal digits as bytes: one bit, a copied range, the length; or only the way they are written.
fn change_bytes(field: &mut Value, input: &mut Input<'_>) {
    let Some(text) = field.as_str() else { return };
    let mut digits = text.as_bytes().to_vec();
    match input.below(7) {
        0 => {
            let (at, with) = (2 + input.below(digits.len()), input.byte());
            if let Some(digit) = digits.get_mut(at) {
                *digit = b"0123456789abcdef"[usize::from(with % 16)];
            }
        }
        1 => digits.truncate(digits.len().saturating_sub(2 * (1 + input.below(300)))),
        2 => digits.extend(b"00".repeat(1 + input.below(300))),
        3 => digits.make_ascii_uppercase(),
        4 => digits = digits.split_off(digits.len().min(2)),
        5 => {
            // One part over another: signature, share key or sealed share.
            let parts = [(2, 192), (194, 96), (290, 96), (386, 96), (578, 512), (1090, 512)];
            let ((from, length), (to, _)) = (parts[input.below(6)], parts[input.below(6)]);
            if to + length <= digits.len() && from + length <= digits.len() {
                digits.copy_within(from..from + length, to);
            }
        }
        _ => {
            let (at, length) = (2 + 2 * input.below(digits.len()), 2 * input.below(300));
            if let Some(range) = digits.get_mut(at..at + length) {
                range.fill([b'0', b'f'][input.below(2)]);
            }
        }
    }
    *field = json!(String::from_utf8_lossy(&digits));
}

/// Changes a list: order, length, one element, or ids as text.
fn change_list(field: &mut Value, input: &mut Input<'_>) {
    let Some(list) = field.as_array_mut().filter(|list| !list.is_empty()) else { return };
    let (a, b) = (input.below(list.len()), input.below(list.len()));
    match input.below(6) {
        0 => list.swap(a, b),
        1 => list.reverse(),
        2 => drop(list.remove(a)),
        3 => list.push(list[a].clone()),
        4 => {
            for element in list.iter_mut() {
                let id = if element.is_object() { &mut element["id"] } else { element };
                *id = json!(id.as_u64().map(|id| id.to_string()));
            }
        }
        _ => {
            let id = if list[a].is_object() { &mut list[a]["id"] } else { &mut list[a] };
            *id = number(input);
        }
    }
}
