//! Cards of any bytes: what is read is one encoding, and nobody else's keys pass for a card.
#![no_main]

use dvkey_ceremony::agdkg::card::Card;
use dvkey_ceremony::fault::Culprit;
use dvkey_ceremony::testing::forge;
use dvkey_ceremony::testing::paper_rsa::PaperRsa;
use dvkey_fuzz::ceremony::{HONEST, made};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let honest = HONEST.setup.card(1);
    let made = made(bytes, honest.as_bytes(), |edit| forge::changed(&HONEST.second, honest.as_bytes(), edit));
    match Card::parse(&made.bytes, &PaperRsa) {
        Ok(card) => {
            assert_eq!(card.as_bytes(), made.bytes);
            assert!(card.label().len() <= 64 && !card.label().chars().any(char::is_control));
            if !made.is_signed {
                assert_eq!(made.bytes, honest.as_bytes(), "a card that nobody signed");
            }
            if card.binding().is_some() {
                assert_eq!(card.sign_pk(), honest.sign_pk(), "an operator's signature for other keys");
                assert_eq!(card.enc_pk().as_bytes(), honest.enc_pk().as_bytes());
            }
        }
        Err(fault) => assert_eq!(fault.culprit, Culprit::Nobody, "{fault}"),
    }
});
