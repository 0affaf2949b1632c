//! Lists of operators: ids ascend and none is zero, and a cluster that is picked is a lawful one.
#![no_main]

use dvkey::format::operators::{OperatorList, OperatorsError};
use dvkey_ceremony::Threshold;
use dvkey_fuzz::assert_harmless;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let list = match OperatorList::parse(bytes) {
        Ok(list) => list,
        Err(error) => return assert_harmless(&error.to_string()),
    };
    let ids: Vec<_> = list.ids().collect();
    assert!(!ids.is_empty());
    assert!(ids.is_sorted_by(|a, b| a < b));
    assert!(ids.iter().all(|id| id.get() != 0 && id.to_string().parse() == Ok(*id)));
    for id in &ids {
        if let Err(error) = list.key_of(*id) {
            assert!(matches!(error, OperatorsError::Key { .. }));
            assert_harmless(&error.to_string());
        }
    }
    match list.pick(None) {
        Ok(cluster) => {
            assert_eq!(cluster.ids(), ids);
            assert_eq!(Threshold::ssv(ids.len()), Ok(cluster.threshold()));
            for (position, operator) in cluster.operators().iter().enumerate() {
                assert_eq!(list.key_of(operator.id).as_ref(), Ok(&operator.key));
                assert!(
                    cluster.operators()[..position]
                        .iter()
                        .all(|other| other.key.key.modulus() != operator.key.key.modulus())
                );
            }
            let reversed: Vec<_> = ids.iter().rev().copied().collect();
            assert_eq!(list.pick(Some(&reversed)), Ok(cluster));
        }
        Err(error) => {
            let expected =
                matches!(error, OperatorsError::Size(_) | OperatorsError::Key { .. } | OperatorsError::SharedKey(..));
            assert!(expected, "{error}");
        }
    }
    let twice = [ids[0], ids[0]];
    assert_eq!(list.pick(Some(&twice)), Err(OperatorsError::AskedTwice(ids[0])));
});
