//! Journals of any bytes: what is read is a chain that can be written again, and no second transcript gets into it.
#![no_main]

use std::sync::LazyLock;

use dvkey_ceremony::agdkg::journal::{Event, Journal};
use dvkey_fuzz::ceremony::made_unsigned;
use libfuzzer_sys::fuzz_target;

const PLAN: [u8; 32] = [9; 32];

static WRITTEN: LazyLock<String> = LazyLock::new(|| {
    let mut journal = Journal::default();
    let events = [
        Event::Accepted,
        Event::Dealt { deal: [1; 32] },
        Event::Imported { sender: 41, deal: [1; 32] },
        Event::Imported { sender: 84, deal: [2; 32] },
        Event::Certified { transcript: [3; 32], outputs_root: [4; 32] },
        Event::Finished,
    ];
    let lines = events.into_iter().map(|event| journal.append(&PLAN, event).expect("in order").expect("new"));
    lines.collect()
});

fuzz_target!(|bytes: &[u8]| {
    let made = made_unsigned(bytes, WRITTEN.as_bytes());
    let Ok(text) = std::str::from_utf8(&made) else { return };
    let Ok(mut journal) = Journal::parse(text) else { return };
    // Links are hashes from the first line on: a chain that holds is the written one, or its beginning.
    assert!(WRITTEN.starts_with(text), "a journal that nobody wrote");
    let certified = journal.events(&PLAN).any(|event| matches!(event, Event::Certified { .. }));
    let other = Event::Certified { transcript: [5; 32], outputs_root: [4; 32] };
    assert_eq!(journal.append(&PLAN, other).is_err(), certified);
});
