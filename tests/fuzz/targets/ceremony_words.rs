//! Backup words of any text: what is read is written as the same words, whatever space and case they came in.
#![no_main]

use dvkey_ceremony::agdkg::words::{backup_words, read_backup_words};
use dvkey_fuzz::Input;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Some(entropy) = read_backup_words(text)
    {
        let typed: Vec<_> = text.split_whitespace().map(str::to_lowercase).collect();
        assert_eq!(backup_words(&entropy).as_str(), typed.join(" "));
    }
    // 24 words with one of them replaced: the checksum, eight bits of it, lets few of them through.
    let mut input = Input(bytes);
    let entropy = input.array::<32>();
    let words = backup_words(&entropy);
    assert_eq!(read_backup_words(&words).as_deref(), Some(&entropy));
    let mut changed: Vec<_> = words.split(' ').collect();
    let other = backup_words(&input.array::<32>());
    let (to, from) = (input.below(24), input.below(24));
    changed[to] = other.split(' ').nth(from).expect("24 words");
    let changed = changed.join(" ");
    if let Some(read) = read_backup_words(&changed) {
        assert_eq!(backup_words(&read).as_str(), changed);
    }
});
