//! The recorded ceremony, every intermediate value: two independent prototypes made it.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::address::Address;
use crate::agdkg::certify::{Certifies, messages};
use crate::agdkg::complaint::Complaint;
use crate::agdkg::deal::SignedDeal;
use crate::agdkg::identity::{Identity, Root};
use crate::agdkg::judge::{Verdict, judge};
use crate::agdkg::outputs::assemble;
use crate::agdkg::plan::{Participant, Plan, PlanDraft, Profile, SsvRegistration, Waivers};
use crate::agdkg::transcript::Deals;
use crate::deposit::{ForkVersion, Gwei, WithdrawalCredentials};
use crate::fault::{Check, Fault};
use crate::identifier::Identifier;
use crate::participant::Planned;
use crate::testing::CountingRng;
use crate::testing::network::{CountingRngInfallible, SEED};
use crate::testing::paper_rsa::PaperRsa;

const RECORDED: &str = include_str!("../../../fixtures/airgap-dkg/v1-ssv-n4-t3-m2.txt");
const IDS: [u64; 4] = [1, 2, 7, 40];

struct Recorded(BTreeMap<&'static str, Vec<&'static str>>);

impl Recorded {
    fn read() -> Self {
        let mut values: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for line in RECORDED.lines() {
            let (name, rest) = line.split_once(' ').unwrap();
            values.entry(name).or_default().extend(rest.split(' '));
        }
        Self(values)
    }

    fn take(&mut self, name: &str) -> Vec<&'static str> {
        self.0.remove(name).unwrap_or_else(|| panic!("{name} is not in the vectors"))
    }

    fn one(&mut self, name: &str) -> &'static str {
        let values = self.take(name);
        assert_eq!(values.len(), 1, "{name}");
        values[0]
    }
}

fn identity(position: u8) -> Identity {
    Identity::derive(&Root::from_bytes(Zeroizing::new([position + 1; 32]))).unwrap()
}

fn draft() -> PlanDraft {
    let participants = (0u8..).zip(IDS).map(|(position, id)| Participant {
        id: Identifier::try_from(id).unwrap(),
        card: identity(position).card(&format!("op-{id}"), 1_767_225_600, None, &PaperRsa).unwrap(),
    });
    PlanDraft {
        profile: Profile::Ssv(SsvRegistration {
            owner: Address::from_bytes([0xab; 20]),
            first_nonce: 7,
            nonce_window: 1,
        }),
        operator_proofs: false,
        precommit: false,
        nonce: [0x5a; 32],
        created: 1_767_225_600,
        expires: 0,
        fork_version: ForkVersion::from_bytes([0; 4]),
        chain_id: 1,
        title: "test".to_owned(),
        threshold: 3,
        validators: 2,
        participants: participants.collect(),
        amounts: vec![Gwei::from_ether(32)],
        credentials: vec![WithdrawalCredentials::Execution(Address::from_bytes([0x11; 20]))],
    }
}

#[test]
fn the_recorded_ceremony_is_reproduced_to_the_byte() {
    let mut recorded = Recorded::read();
    let first = identity(0);
    assert_eq!(recorded.one("root1"), "01".repeat(32));
    assert_eq!(hex::encode(first.sign_pk()), recorded.one("sign_pk1"));
    assert_eq!(hex::encode(first.enc_pk().as_bytes()), recorded.one("enc_pk1"));
    assert_eq!(hex::encode(draft().participants[0].card.as_bytes()), recorded.one("card1"));

    let bytes = draft().encode().unwrap();
    assert_eq!(hex::encode(&bytes), recorded.one("plan"));
    let waivers = Waivers { unbound_operators: true, ..Waivers::default() };
    let plan = Plan::parse(&bytes, waivers, &PaperRsa).unwrap();
    assert_eq!(*plan.parameters(), draft());
    assert_eq!(hex::encode(plan.hash()), recorded.one("plan_hash"));
    assert_eq!(hex::encode(super::words::stretched(plan.hash())), recorded.one("words_bits"));
    assert_eq!(plan.words().join(" "), "into retire brick list raven tag mixture sorry notice slender");
    assert_eq!(hex::encode(first.ceremony(&plan).expose()), recorded.one("cs1"));

    let (files, hashes) = (recorded.take("r1"), recorded.take("r1_hash"));
    let mut deals = Deals::default();
    let mut dealt = Vec::new();
    for position in 0..4u8 {
        let planned = Planned::accept(identity(position), plan.clone(), None).unwrap();
        let (state, deal) = planned.deal().unwrap();
        assert_eq!(hex::encode(deal.as_bytes()), files[usize::from(position)]);
        assert_eq!(hex::encode(deal.hash()), hashes[usize::from(position)]);
        deals.insert(deal).unwrap();
        dealt.push(state);
    }
    assert_eq!(hex::encode(deals.transcript(&plan)), recorded.one("T"));

    let files = recorded.take("r2core");
    let mut certifies = Certifies::default();
    let mut certified = Vec::new();
    for (position, state) in dealt.into_iter().enumerate() {
        let mut rng = CountingRngInfallible(CountingRng::new(0));
        let (state, file) = state.certify(&deals, &[], &PaperRsa, None, &mut rng).unwrap();
        assert_eq!(hex::encode(file.as_bytes()), files[position]);
        certifies.insert(file);
        certified.push(state);
    }
    let assembled = assemble(&plan, &deals, &[], &certifies, &SEED, &PaperRsa).unwrap();
    assert_eq!(hex::encode(assembled.outputs.root), recorded.one("outputs_root"));
    for (v, keys) in (0u16..).zip(&assembled.outputs.validators) {
        assert_eq!(hex::encode(keys.public_key.as_bytes()), recorded.one(&format!("PK{v}")));
        for (id, key) in IDS.iter().zip(&keys.share_keys) {
            assert_eq!(hex::encode(key.as_bytes()), recorded.one(&format!("SPK{v}_{id}")));
        }
        let messages = messages(&plan, v, &keys.public_key);
        assert_eq!(hex::encode(messages[0]), recorded.one(&format!("deposit_root{v}")));
        assert_eq!(hex::encode(messages[1]), recorded.one(&format!("owner_nonce{v}")));
        let made = &assembled.validators[usize::from(v)];
        let signatures = [made.deposits[0].signature, made.owner_nonces[0].1];
        assert_eq!(made.owner_nonces[0].0, 7 + u64::from(v));
        for (position, signature) in signatures.iter().enumerate() {
            let name = format!("group_sig{}", 2 * usize::from(v) + position);
            assert_eq!(hex::encode(signature.as_bytes()), recorded.one(&name));
        }
    }
    for (id, state) in IDS.iter().zip(certified) {
        let finished = state.finish(&assembled.certificate, &certifies, &SEED, &PaperRsa).unwrap();
        let shares: Vec<_> = finished.shares.iter().map(|share| hex::encode(*share.secret.to_be_bytes())).collect();
        assert_eq!(shares, recorded.take(&format!("share{id}")));
    }

    // A false complaint of 2 against 1.
    let complaint = hex::decode(recorded.one("complaint")).unwrap();
    let (accuser, deal) = (IDS[1].try_into().unwrap(), deals.of(IDS[0].try_into().unwrap()).unwrap());
    let found = judge(&plan, deal.as_bytes(), &complaint);
    assert_eq!(found, Verdict::ComplainerGuilty(Fault::of(Check::ComplaintShare, accuser).at(0)));
    let written = Complaint::write(&identity(1), &plan, accuser, deal, 0, &|_| ()).unwrap();
    assert_eq!(written.as_bytes(), complaint);
    // An honest participant does not write it.
    let refused = Complaint::make(&identity(1), &plan, accuser, deal, 0);
    assert_eq!(refused, Err(Fault::nobody(Check::ComplaintShare)));

    assert!(recorded.0.is_empty(), "not compared: {:?}", recorded.0.keys());
    assert_eq!(SignedDeal::parse(&plan, deal.as_bytes()).as_ref(), Ok(deal));
}
