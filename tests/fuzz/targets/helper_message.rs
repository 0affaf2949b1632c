//! The pipe to the password helper: a request that is read is written the same, an answer is bounded and read the same.
#![no_main]

use dvkey::machine::password_helper::message::{MAX_OUTPUT, Request, receive_answer, send_answer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some(request) = Request::decode(bytes) {
        assert_eq!(request.encode(), bytes);
    }
    let mut rest = bytes;
    let Ok(answer) = receive_answer(&mut rest) else { return };
    let taken = &bytes[..bytes.len() - rest.len()];
    assert!(taken.len() <= 9 + MAX_OUTPUT);
    let mut written = Vec::new();
    send_answer(&mut written, &answer).expect("a vector takes everything");
    match answer {
        Ok(password) => {
            assert_eq!(password.expose(), &taken[9..]);
            // The value after the status says nothing here.
            assert_eq!((written[0], &written[5..]), (taken[0], &taken[5..]));
        }
        Err(error) => {
            let again = receive_answer(&written[..]).expect("what was written is read");
            assert_eq!(again.err().map(|again| again.to_string()), Some(error.to_string()));
        }
    }
});
