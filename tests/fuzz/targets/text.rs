//! Small texts: addresses, ids, networks, nonces, sizes, command templates and passwords mean what they are shown as.
#![no_main]

use dvkey::crypto::password::{Password, Reading};
use dvkey::format::network::Network;
use dvkey::machine::memory::{SizeError, format_size, parse_size};
use dvkey::machine::password::CommandTemplate;
use dvkey_ceremony::identifier::IdentifierError;
use dvkey_ceremony::{Address, Identifier, Nonce, OperatorId, OwnerNonce, SecretBytes};
use dvkey_fuzz::{Input, assert_harmless};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    password(bytes);
    let mut input = Input(bytes);
    let (number, other) = (input.number(), input.number());
    let written = Address::from_bytes(input.array());
    numbers(number, other);
    address_in_every_case(written, usize::from(input.byte()));
    if let Ok(text) = std::str::from_utf8(bytes) {
        address(text);
        identifier(text);
        network(text);
        size(text);
        command_template(text);
    }
});

fn address(text: &str) {
    match text.parse::<Address>() {
        Ok(address) => {
            assert_eq!(address.to_string().parse(), Ok(address));
            assert_eq!(address.to_lower_hex(), text.to_ascii_lowercase());
            assert_eq!(Address::from_bytes(*address.as_bytes()), address);
        }
        Err(error) => assert_harmless(&error.to_string()),
    }
}

fn address_in_every_case(address: Address, at: usize) {
    let text = address.to_checksum();
    assert_eq!(text.parse(), Ok(address));
    assert_eq!(address.to_lower_hex().parse(), Ok(address));
    assert_eq!(format!("0x{}", text[2..].to_ascii_uppercase()).parse(), Ok(address));
    // One letter in the other case breaks the checksum, unless no mixed case is left.
    let at = 2 + at % 40;
    let turned: String = text.char_indices().map(|(position, c)| if position == at { turn(c) } else { c }).collect();
    let mixed = turned[2..].contains(|c: char| c.is_ascii_lowercase())
        && turned[2..].contains(|c: char| c.is_ascii_uppercase());
    assert_eq!(turned.parse::<Address>().is_ok(), turned == text || !mixed, "{turned}");
}

fn turn(c: char) -> char {
    if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }
}

fn identifier(text: &str) {
    let id = text.parse::<Identifier>();
    assert_eq!(text.parse::<OperatorId>().map(OperatorId::identifier), id);
    match id {
        Ok(id) => {
            assert_ne!(id.get(), 0);
            assert_eq!(id.to_string(), text);
            assert_eq!(Identifier::try_from(id.get()), Ok(id));
        }
        Err(error) => assert_harmless(&error.to_string()),
    }
}

fn network(text: &str) {
    match text.parse::<Network>() {
        Ok(network) => assert_eq!(network.to_string(), text),
        Err(error) => assert_harmless(&error.to_string()),
    }
}

fn numbers(number: u64, other: u64) {
    match Identifier::try_from(number) {
        Ok(id) => assert_eq!(number.to_string().parse(), Ok(id)),
        Err(error) => assert_eq!((error, number), (IdentifierError::Zero, 0)),
    }
    match Nonce::try_from(number) {
        Ok(nonce) => {
            assert_eq!(u64::from(nonce.get()), number);
            assert_eq!(nonce.checked_add(other), Nonce::try_from(number.saturating_add(other)));
            let message = OwnerNonce { owner: Address::from_bytes([7; 20]), nonce };
            assert!(message.text().ends_with(&format!(":{number}")));
        }
        Err(_) => assert!(number > 65_535),
    }
    let small = Nonce::from(number as u16);
    assert_eq!(small.checked_add(other % 70_000), Nonce::try_from(u64::from(small.get()) + other % 70_000));

    for (unit, factor) in [("", 1), ("B", 1), ("k", 1 << 10), ("MiB", 1 << 20), (" gib", 1 << 30), ("T", 1u64 << 40)] {
        for number in [number, number >> 24, number >> 44] {
            match (parse_size(&format!("{number}{unit}")), number.checked_mul(factor)) {
                (Ok(size), Some(product)) => assert_eq!(size, product),
                (Err(SizeError::TooLarge { .. }), None) => {}
                (found, wanted) => panic!("{number}{unit}: {found:?}, not {wanted:?}"),
            }
        }
    }
    let shown = format_size(number);
    let read = parse_size(&shown).expect("a size that is shown can be read");
    // At most a tenth of the largest unit is rounded away, and never up.
    assert!(read <= number && number - read <= number / 10 + 1, "{number} is shown as {shown}");
}

fn size(text: &str) {
    match parse_size(text) {
        Ok(size) => {
            assert_eq!(parse_size(&text.to_ascii_uppercase()), Ok(size));
            assert_eq!(parse_size(&text.to_ascii_lowercase()), Ok(size));
            assert_eq!(parse_size(&format!("0{text}")), Ok(size));
            assert!(text.starts_with(|c: char| c.is_ascii_digit()));
        }
        Err(error) => assert_harmless(&error.to_string()),
    }
}

fn command_template(text: &str) {
    let parsed = CommandTemplate::parse(text);
    match &parsed {
        Ok(template) => {
            let program = template.program();
            assert!(!program.is_empty());
            assert!(["{pubkey}", "{file}", "{index}"].iter().all(|place| !program.contains(place)));
            let unquoted: String = text.chars().filter(|c| !"'\"\\\n".contains(*c)).collect();
            assert!(!template.needs_public_key() || unquoted.contains("{pubkey}"));
        }
        Err(error) => assert_harmless(&error.to_string()),
    }
    // A backslash at the end takes the next character with it.
    if !text.ends_with('\\') {
        assert_eq!(CommandTemplate::parse(&format!("{text} ")), parsed);
        assert_eq!(CommandTemplate::parse(&format!(" \t{text}")), parsed);
    }
}

fn password(bytes: &[u8]) {
    let password = match Password::new(SecretBytes::new(bytes.to_vec())) {
        Ok(password) => password,
        Err(error) => return assert_eq!(std::str::from_utf8(bytes).map_err(|e| e.valid_up_to()), Err(error.0)),
    };
    let standard = read(&password, Reading::Standard);
    assert!(!standard.contains(char::is_control));
    // Taking a control away can bring two marks together that then change places; after that nothing changes.
    let twice = read(&typed(&standard), Reading::Standard);
    assert_eq!(read(&typed(&twice), Reading::Standard), twice);
    if !std::str::from_utf8(bytes).is_ok_and(|text| text.contains(char::is_control)) {
        assert_eq!(twice, standard);
    }
    let wealdtech = read(&password, Reading::Wealdtech);
    assert!(!wealdtech.contains(|c: char| c.is_ascii_control()));
    assert_eq!(read(&typed(&wealdtech), Reading::Wealdtech), wealdtech);
    assert_eq!(password.readings_differ(), standard != wealdtech);
    assert_eq!(read(&password.duplicate(), Reading::Standard), standard);
    if bytes.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        assert_eq!(standard.as_bytes(), bytes);
        assert_eq!(wealdtech.as_bytes(), bytes);
    }
}

fn typed(text: &str) -> Password {
    Password::new(SecretBytes::new(text.into())).expect("UTF-8")
}

fn read(password: &Password, reading: Reading) -> String {
    String::from_utf8(password.read_as(reading).expose().to_vec()).expect("a reading is UTF-8")
}
