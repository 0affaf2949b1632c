//! Receipts, events and cluster snapshots: nothing is made up, and our own file says what the event said.
#![no_main]

use dvkey::format::cluster_snapshot::{self, ClusterSnapshot, Wanted};
use dvkey::format::json::{self, Field};
use dvkey::format::network::Network;
use dvkey::format::receipt::{self, ClusterEvent, Receipt};
use dvkey_fuzz::assert_harmless;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Err(error) = ClusterSnapshot::parse(bytes, Wanted::default()) {
        assert_harmless(&error.to_string());
    }
    let Ok(document) = json::parse(bytes) else { return };
    match Receipt::from_json(&document, None) {
        Ok(receipt) => {
            assert!(!receipt.events.is_empty());
            let clusters = receipt.clusters();
            assert!(!clusters.is_empty() && clusters.len() <= receipt.events.len());
            receipt.events.iter().for_each(kept);
        }
        Err(error) => assert_harmless(&error.to_string()),
    }
    let contract = Network::Hoodi.ssv_contract().parse().expect("an address");
    match receipt::events_from_json(&document, contract) {
        Ok(events) => match receipt::last_of(&events.iter().collect::<Vec<_>>()) {
            Ok(last) => assert!(events.iter().all(|event| event.place <= last.place)),
            Err(error) => assert_harmless(&error.to_string()),
        },
        Err(error) => assert_harmless(&error.to_string()),
    }
    match ClusterEvent::from_json(&Field::root(&document)) {
        Ok(event) => kept(&event),
        Err(error) => assert_harmless(&error.to_string()),
    }
});

fn kept(event: &ClusterEvent) {
    let written = cluster_snapshot::write(event, Network::Hoodi, Some(7), Some("0x00")).expect("a file");
    let lawful = event.operators.iter().all(|id| *id != 0);
    let read = match ClusterSnapshot::parse(&written, Wanted::default()) {
        Ok(read) => read,
        Err(_) => return assert!(!lawful),
    };
    assert!(lawful);
    assert_eq!((read.snapshot, read.owner, read.block), (event.cluster, Some(event.owner), Some(7)));
    let mut ids = event.operators.clone();
    ids.sort_unstable();
    let found: Vec<_> = read.operators.unwrap_or_default().iter().map(|id| id.get()).collect();
    assert_eq!(found, ids);
    assert_eq!(read.chain_id, Some(Network::Hoodi.chain_id()));
}
