//! One test for each rule of the contract, named after it; a call that keeps all of them passes.

use dvkey_ceremony::OperatorId;

use super::*;
use crate::format::contract::call::{Keys, Registrations};

const KEYS: [&str; 2] = [
    "8c44725153ab943a1dd257a85202aa17e2eccfdc13d103d08f8fb266b5fedb4ca268accc473b984a243b70eb5ba699b7",
    "abd838b3da577337faf730ab0a858db3b3c44a6a316e3454b6cc47670a381e6e1146a7940033c251396de7c73b3b90e4",
];

const ETHER: Wei = Wei::new(1_000_000_000_000_000_000);

const THERE: Snapshot =
    Snapshot { validator_count: 3, network_fee_index: 5, index: 7, active: true, balance: Wei::new(2_000_000) };

fn key(position: usize) -> Vec<u8> {
    hex::decode(KEYS[position]).unwrap()
}

fn owner() -> Address {
    "0x81592c3DE184A3E2c0DCB5a261BC107Bfa91f494".parse().unwrap()
}

fn source(snapshot: Snapshot) -> ClusterSnapshot {
    let operators = [1, 2, 3, 4].map(|id| OperatorId::try_from(id).unwrap()).to_vec();
    ClusterSnapshot {
        snapshot,
        owner: Some(owner()),
        operators: Some(operators),
        chain_id: Some(560_048),
        contract: Some(contract_of(Network::Hoodi)),
        asset: Some(Asset::Eth),
        block: None,
    }
}

fn context(source: Option<&ClusterSnapshot>) -> Context<'_> {
    Context {
        network: Network::Hoodi,
        owner: Some(owner()),
        source,
        operators: None,
        limit: VALIDATOR_LIMIT,
        costs: None,
    }
}

fn registers(keys: Vec<Vec<u8>>, operators: &[u64], cluster: Snapshot) -> Call {
    let shares = keys.iter().map(|_| vec![1]).collect();
    Call::Register { validators: Registrations::Many(keys, shares), operators: operators.to_vec(), cluster }
}

/// A registration of a new cluster, with one thing changed.
fn new(keys: Vec<Vec<u8>>, operators: &[u64]) -> Result<(), Rejection> {
    check(&registers(keys, operators, Snapshot::NEW), ETHER, &context(None))
}

/// A registration into a cluster that is there, with another source of its snapshot.
fn existing(change: impl Fn(&mut ClusterSnapshot)) -> Result<(), Rejection> {
    let mut source = source(THERE);
    change(&mut source);
    check(&registers(vec![key(0)], &[1, 2, 3, 4], source.snapshot), ETHER, &context(Some(&source)))
}

#[test]
fn lawful_registrations_pass() {
    assert_eq!(new(vec![key(0), key(1)], &[1, 2, 3, 4]), Ok(()));
    assert_eq!(new(vec![key(0)], &[1, 2, 3, 4, 5, 6, 7]), Ok(()));
    assert_eq!(existing(|_| {}), Ok(()));
}

#[test]
fn rule_1_empty_public_keys_list() {
    assert_eq!(new(vec![], &[1, 2, 3, 4]), Err(Rejection::NoValidators));
}

#[test]
fn rule_1_public_keys_shares_length_mismatch() {
    let validators = Registrations::Many(vec![key(0), key(1)], vec![vec![1]]);
    let call = Call::Register { validators, operators: vec![1, 2, 3, 4], cluster: Snapshot::NEW };
    let rejection = Rejection::LengthsDiffer { keys: 2, shares: 1 };
    assert_eq!(check(&call, ETHER, &context(None)), Err(rejection));
}

#[test]
fn rule_2_invalid_operator_ids_length() {
    for size in [0, 1, 3, 5, 6, 8, 9, 11, 12, 14, 16] {
        let operators: Vec<u64> = (1..=size).collect();
        assert_eq!(new(vec![key(0)], &operators), Err(Rejection::ClusterSize(operators.len())));
    }
}

#[test]
fn rule_3_invalid_public_key_length() {
    let mut long = key(1);
    long.push(0);
    let rejection = Rejection::PublicKeyLength { position: 2, found: 49 };
    assert_eq!(new(vec![key(0), long], &[1, 2, 3, 4]), Err(rejection));
    // The contract would take it, and every node refuse it.
    assert_eq!(new(vec![vec![7; 48]], &[1, 2, 3, 4]), Err(Rejection::PublicKey(1)));
}

#[test]
fn rule_3_validator_already_exists() {
    let rejection = Rejection::Duplicate { first: 1, second: 2 };
    assert_eq!(new(vec![key(0), key(0)], &[1, 2, 3, 4]), Err(rejection));
}

#[test]
fn rule_4_incorrect_cluster_version() {
    assert_eq!(existing(|source| source.asset = Some(Asset::Ssv)), Err(Rejection::PaysInSsv));
}

#[test]
fn rule_4_incorrect_cluster_state() {
    let call = registers(vec![key(0)], &[1, 2, 3, 4], THERE);
    assert_eq!(check(&call, ETHER, &context(None)), Err(Rejection::NotNew));
    assert_eq!(existing(|source| source.snapshot = Snapshot::NEW), Err(Rejection::EmptySnapshot));
    let other = Address::from_bytes([7; 20]);
    let rejection = Rejection::OtherOwner { found: other, wanted: owner() };
    assert_eq!(existing(|source| source.owner = Some(other)), Err(rejection));
    let operators = vec![OperatorId::try_from(9).unwrap()];
    let rejection = Rejection::OtherOperators { found: "9".to_owned(), wanted: "1, 2, 3, 4".to_owned() };
    assert_eq!(existing(|source| source.operators = Some(operators.clone())), Err(rejection));
    let network = |what: &str| Err(Rejection::OtherNetwork(what.to_owned(), Network::Hoodi));
    assert_eq!(existing(|source| source.chain_id = Some(1)), network("chain 1"));
    let found = format!("the contract {other}");
    assert_eq!(existing(|source| source.contract = Some(other)), network(&found));
}

#[test]
fn rule_4_cluster_is_liquidated() {
    assert_eq!(existing(|source| source.snapshot.active = false), Err(Rejection::Liquidated));
}

#[test]
fn rule_5_the_balance_can_be_added_up() {
    assert_eq!(existing(|source| source.snapshot.balance = Wei::new(u128::MAX)), Err(Rejection::BalanceOverflow));
}

#[test]
fn rule_6_unsorted_operators_list() {
    assert_eq!(new(vec![key(0)], &[1, 3, 2, 4]), Err(Rejection::Unsorted(3, 2)));
}

#[test]
fn rule_6_operators_list_not_unique() {
    assert_eq!(new(vec![key(0)], &[1, 2, 2, 4]), Err(Rejection::Repeated(2)));
    assert_eq!(new(vec![key(0)], &[0, 2, 3, 4]), Err(Rejection::OperatorZero));
}

/// A registration with what a list says of the operators.
fn with_states(json: &str) -> Result<(), Rejection> {
    let states = OperatorStates::parse(json.as_bytes()).unwrap();
    let context = Context { operators: Some(&states), ..context(None) };
    check(&registers(vec![key(0), key(1)], &[1, 2, 3, 4], Snapshot::NEW), ETHER, &context)
}

#[test]
fn rule_6_operator_does_not_exist() {
    assert_eq!(with_states(r#"[{"id":1},{"id":2},{"id":3},{"id":4}]"#), Ok(()));
    assert_eq!(with_states(r#"[{"id":1},{"id":2},{"id":4}]"#), Err(Rejection::OperatorMissing(3)));
    let removed = r#"[{"id":1},{"id":2,"is_deleted":true},{"id":3},{"id":4}]"#;
    assert_eq!(with_states(removed), Err(Rejection::OperatorMissing(2)));
}

#[test]
fn rule_6_caller_not_whitelisted() {
    let with = |second: &str| {
        with_states(&format!(r#"[{{"id":1}},{{"id":2,"is_private":true,{second}}},{{"id":3}},{{"id":4}}]"#))
    };
    assert_eq!(with(r#""whitelist_addresses":[]"#), Err(Rejection::NotWhitelisted(2)));
    assert_eq!(with(r#""whitelist_addresses":["0x81592c3de184a3e2c0dcb5a261bc107bfa91f494"]"#), Ok(()));
    // A contract decides, and nobody here knows how.
    assert_eq!(
        with(r#""whitelist_addresses":[],"whitelisting_contract":"0x81592c3de184a3e2c0dcb5a261bc107bfa91f494""#),
        Ok(())
    );
}

#[test]
fn rule_6_exceed_validator_limit() {
    let with = |count: u32| {
        with_states(&format!(r#"[{{"id":1}},{{"id":2}},{{"id":3,"validators_count":{count}}},{{"id":4}}]"#))
    };
    assert_eq!(with(2998), Ok(()));
    assert_eq!(with(2999), Err(Rejection::ValidatorLimit { operator: 3, after: 3001, limit: 3000 }));
    // Without a list, an operator has at least the validators of the cluster.
    let rejection = Rejection::ValidatorLimit { operator: 1, after: 3001, limit: 3000 };
    assert_eq!(existing(|source| source.snapshot.validator_count = 3000), Err(rejection));
}

#[test]
fn rule_7_insufficient_balance() {
    let call = registers(vec![key(0), key(1)], &[1, 2, 3, 4], Snapshot::NEW);
    assert_eq!(check(&call, Wei::ZERO, &context(None)), Err(Rejection::NoBalance));
    let costs = Costs {
        fees: Wei::new(450_000_000_000),
        threshold: 216_000,
        minimum: Wei::new(940_000_000_000_000),
        effective_balance: None,
    };
    let context = Context { costs: Some(costs), ..context(None) };
    let needed = Wei::new(194_400_000_000_000_000);
    assert_eq!(check(&call, needed, &context), Ok(()));
    let balance = Wei::new(needed.get() - 1);
    assert_eq!(check(&call, balance, &context), Err(Rejection::InsufficientBalance { balance, needed }));
}

#[test]
fn version_one_takes_no_payable_call_and_no_amount() {
    let operators = vec![1, 2, 3, 4];
    let calls = [
        registers(vec![key(0)], &operators, Snapshot::NEW),
        Call::Deposit { owner: owner(), operators: operators.clone(), cluster: THERE },
        Call::Reactivate { operators: operators.clone(), cluster: THERE },
        Call::Migrate { operators: operators.clone(), cluster: THERE },
        Call::Withdraw { operators, amount: ETHER, cluster: THERE },
        Call::Operator { id: 1, action: OperatorAction::DeclareFee(ETHER) },
        Call::Operator { id: 1, action: OperatorAction::WithdrawAll(Asset::Eth) },
        Call::RegisterOperator { public_key: vec![], fee: ETHER, private: false },
    ];
    for network in [Network::Holesky, Network::Sepolia] {
        for call in &calls {
            let rejection = Rejection::VersionOne { network, function: call.function() };
            assert_eq!(check(call, ETHER, &Context { network, ..context(None) }), Err(rejection));
        }
        let exit = Call::Exit { keys: Keys::One(key(0)), operators: vec![1, 2, 3, 4] };
        assert_eq!(check(&exit, Wei::ZERO, &Context { network, ..context(None) }), Ok(()));
    }
}

const OPERATORS: [u64; 4] = [1, 2, 3, 4];

/// A call about the cluster of a snapshot.
fn of(snapshot: Snapshot, call: Call, value: Wei) -> Result<(), Rejection> {
    let source = source(snapshot);
    check(&call, value, &context(Some(&source)))
}

const LIQUIDATED: Snapshot = Snapshot { active: false, balance: Wei::ZERO, ..THERE };

fn two() -> Keys {
    Keys::Many(vec![key(0), key(1)])
}

fn remove(count: u32, keys: Keys) -> Result<(), Rejection> {
    let cluster = Snapshot { validator_count: count, ..THERE };
    of(cluster, Call::Remove { keys, operators: OPERATORS.to_vec(), cluster }, Wei::ZERO)
}

#[test]
fn remove_needs_validators_that_are_there() {
    assert_eq!(remove(2, two()), Ok(()));
    assert_eq!(remove(1, two()), Err(Rejection::MoreThanThere { removed: 2, there: 1 }));
    assert_eq!(remove(1, Keys::Many(vec![])), Err(Rejection::NoValidators));
}

#[test]
fn remove_needs_the_snapshot_of_the_cluster() {
    let cluster = THERE;
    let call = |operators: &[u64]| Call::Remove { keys: two(), operators: operators.to_vec(), cluster };
    assert_eq!(check(&call(&OPERATORS), Wei::ZERO, &context(None)), Err(Rejection::NotNew));
    let rejection = Rejection::OtherOperators { found: "1, 2, 3, 4".to_owned(), wanted: "1, 2, 3, 5".to_owned() };
    assert_eq!(of(THERE, call(&[1, 2, 3, 5]), Wei::ZERO), Err(rejection));
    // A cluster that pays in SSV can lose validators before it is migrated.
    let ssv = ClusterSnapshot { asset: Some(Asset::Ssv), ..source(THERE) };
    assert_eq!(check(&call(&OPERATORS), Wei::ZERO, &context(Some(&ssv))), Ok(()));
}

#[test]
fn exit_needs_validators_and_takes_no_ether() {
    let exit =
        |keys: Keys, value: Wei| check(&Call::Exit { keys, operators: OPERATORS.to_vec() }, value, &context(None));
    assert_eq!(exit(two(), Wei::ZERO), Ok(()));
    assert_eq!(exit(Keys::Many(vec![]), Wei::ZERO), Err(Rejection::NoValidators));
    assert_eq!(exit(two(), ETHER), Err(Rejection::NotPayable("bulkExitValidator")));
}

#[test]
fn deposit_takes_any_owner_and_a_liquidated_cluster() {
    let deposit = |cluster: Snapshot, value: Wei| {
        of(cluster, Call::Deposit { owner: owner(), operators: OPERATORS.to_vec(), cluster }, value)
    };
    assert_eq!(deposit(THERE, ETHER), Ok(()));
    assert_eq!(deposit(LIQUIDATED, ETHER), Ok(()));
    assert_eq!(deposit(THERE, Wei::ZERO), Err(Rejection::NothingSent));
}

fn withdraw(cluster: Snapshot, wei: u128) -> Result<(), Rejection> {
    of(cluster, Call::Withdraw { operators: OPERATORS.to_vec(), amount: Wei::new(wei), cluster }, Wei::ZERO)
}

#[test]
fn withdraw_leaves_a_balance_to_validators() {
    assert_eq!(withdraw(THERE, 1_900_000), Ok(()));
    assert_eq!(withdraw(THERE, 2_000_000), Err(Rejection::NoBalance));
    assert_eq!(withdraw(Snapshot { validator_count: 0, ..THERE }, 2_000_000), Ok(()));
    let rejection = Rejection::MoreThanBalance { amount: Wei::new(2_100_000), balance: THERE.balance };
    assert_eq!(withdraw(THERE, 2_100_000), Err(rejection));
    assert_eq!(withdraw(LIQUIDATED, 100_000), Err(Rejection::Liquidated));
}

#[test]
fn withdraw_takes_the_contracts_unit() {
    assert_eq!(withdraw(THERE, 1_900_001), Err(Rejection::Precision(Wei::new(1_900_001))));
}

#[test]
fn withdraw_passes_the_liquidation_test() {
    let costs =
        Costs { fees: Wei::new(1_000_000), threshold: 1, minimum: Wei::new(1_500_000), effective_balance: None };
    let source = source(THERE);
    let context = Context { costs: Some(costs), ..context(Some(&source)) };
    let take = |wei: u128| {
        let call = Call::Withdraw { operators: OPERATORS.to_vec(), amount: Wei::new(wei), cluster: THERE };
        check(&call, Wei::ZERO, &context)
    };
    // Two million are there, and three validators need three million.
    let (balance, needed) = (Wei::new(1_900_000), Wei::new(3_000_000));
    assert_eq!(take(100_000), Err(Rejection::InsufficientBalance { balance, needed }));
}

#[test]
fn reactivate_needs_a_liquidated_cluster_and_ether() {
    let reactivate =
        |cluster: Snapshot, value: Wei| of(cluster, Call::Reactivate { operators: OPERATORS.to_vec(), cluster }, value);
    assert_eq!(reactivate(LIQUIDATED, ETHER), Ok(()));
    assert_eq!(reactivate(THERE, ETHER), Err(Rejection::NotLiquidated));
    assert_eq!(reactivate(LIQUIDATED, Wei::ZERO), Err(Rejection::NoBalance));
}

#[test]
fn migrate_needs_a_cluster_that_pays_in_ssv_and_ether() {
    let migrate = |asset: Option<Asset>, value: Wei| {
        let source = ClusterSnapshot { asset, ..source(THERE) };
        check(&Call::Migrate { operators: OPERATORS.to_vec(), cluster: THERE }, value, &context(Some(&source)))
    };
    assert_eq!(migrate(Some(Asset::Ssv), ETHER), Ok(()));
    assert_eq!(migrate(None, ETHER), Ok(()));
    assert_eq!(migrate(Some(Asset::Eth), ETHER), Err(Rejection::PaysInEth));
    assert_eq!(migrate(None, Wei::ZERO), Err(Rejection::NoBalance));
}

/// The rules that a foreign call breaks by itself are found without anything around it, and are the same ones.
#[test]
fn the_form_of_a_call_is_judged_alone() {
    let of = |call: Call| form(&AnyCall::Current(call));
    assert_eq!(of(registers(vec![key(0)], &OPERATORS, THERE)), vec![]);
    let broken = of(registers(vec![key(0), key(0)], &[2, 1, 3, 4], THERE));
    assert_eq!(broken, vec![Rejection::Unsorted(2, 1), Rejection::Duplicate { first: 1, second: 2 }]);
    let validators = Registrations::Many(vec![key(0), key(1)], vec![vec![1]]);
    let call = Call::Register { validators, operators: OPERATORS.to_vec(), cluster: THERE };
    assert_eq!(of(call), vec![Rejection::LengthsDiffer { keys: 2, shares: 1 }]);
    let owner = Address::from_bytes([0; 20]);
    let call = Call::Deposit { owner, operators: OPERATORS.to_vec(), cluster: THERE };
    assert_eq!(of(call), vec![Rejection::ZeroAddress]);
    let call = Call::Withdraw { operators: OPERATORS.to_vec(), amount: Wei::new(7), cluster: THERE };
    assert_eq!(of(call), vec![Rejection::Precision(Wei::new(7))]);
}

#[test]
fn operators_keep_their_rules() {
    let fee = |wei: u128| {
        let action = OperatorAction::DeclareFee(Wei::new(wei));
        check(&Call::Operator { id: 1, action }, Wei::ZERO, &context(None))
    };
    assert_eq!(fee(1_770_000_000), Ok(()));
    assert_eq!(fee(0), Ok(()));
    assert_eq!(fee(1_770_000_001), Err(Rejection::Precision(Wei::new(1_770_000_001))));
    let huge = (u128::from(u64::MAX) + 1) * 100_000;
    assert_eq!(fee(huge), Err(Rejection::FeeTooLarge(Wei::new(huge))));
    let several =
        |ids: Vec<u64>, action: OperatorsAction| check(&Call::Operators { ids, action }, Wei::ZERO, &context(None));
    assert_eq!(several(vec![1, 2], OperatorsAction::MakePrivate), Ok(()));
    assert_eq!(several(vec![], OperatorsAction::MakePrivate), Err(Rejection::ClusterSize(0)));
    assert_eq!(several(vec![2, 1], OperatorsAction::MakePublic), Err(Rejection::Unsorted(2, 1)));
    assert_eq!(several(vec![1], OperatorsAction::Whitelist(vec![])), Err(Rejection::NoAddresses));
    let zero = Address::from_bytes([0; 20]);
    assert_eq!(several(vec![1], OperatorsAction::Whitelist(vec![zero])), Err(Rejection::ZeroAddress));
    assert_eq!(check(&Call::FeeRecipient(zero), Wei::ZERO, &context(None)), Err(Rejection::ZeroAddress));
}

#[test]
fn rewards_do_not_go_where_nobody_can_take_them_out() {
    assert_eq!(check(&Call::FeeRecipient(owner()), Wei::ZERO, &context(None)), Ok(()));
    for network in Network::ALL {
        let contract = contract_of(network);
        let rejection = Rejection::SsvContract(contract, network);
        assert_eq!(check(&Call::FeeRecipient(contract), Wei::ZERO, &context(None)), Err(rejection));
    }
}

#[test]
fn contracts_are_told_apart() {
    for network in Network::ALL {
        assert!(!contract_of(network).is_zero());
        assert_eq!(super::super::network_of(contract_of(network)), Some(network));
    }
}
