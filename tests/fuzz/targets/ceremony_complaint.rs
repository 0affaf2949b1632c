//! Complaints of any bytes about an honest deal: its dealer is never found guilty.
#![no_main]

use dvkey_ceremony::agdkg::complaint::Complaint;
use dvkey_ceremony::agdkg::judge::{Verdict, judge};
use dvkey_ceremony::testing::forge;
use dvkey_fuzz::ceremony::{HONEST, assert_fair, made};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let plan = &HONEST.run.plan;
    let accused = plan.participants()[0].id;
    let deal = HONEST.run.deals.of(accused).expect("the first dealt");
    // The form of a complaint, with points and numbers that are lawful and prove nothing.
    let numbers = [plan.hash().as_slice(), &HONEST.author.get().to_be_bytes(), &accused.get().to_be_bytes()].concat();
    let mut body = [&b"AGDKG1CP"[..], &numbers, deal.hash(), &[0, 0]].concat();
    let point = &deal.as_bytes()[48..96];
    for part in [point, point, &deal.as_bytes()[96..144], &deal.as_bytes()[144..176]] {
        body.extend(part);
    }
    let honest = forge::signed(&HONEST.second, &body);
    let made = made(bytes, &honest, |edit| forge::changed(&HONEST.second, &honest, edit));
    match Complaint::parse(plan, &made.bytes) {
        Ok(complaint) => assert_eq!(complaint.as_bytes(), made.bytes),
        Err(fault) => assert_fair(fault, made.is_signed),
    }
    match judge(plan, deal.as_bytes(), &made.bytes) {
        Verdict::ComplainerGuilty(fault) => assert_fair(fault, made.is_signed || made.bytes == honest),
        Verdict::Invalid(fault) => assert_fair(fault, made.is_signed),
        verdict @ (Verdict::DealerGuilty(_) | Verdict::AccusedGuilty(_)) => panic!("{verdict:?}"),
    }
});
