//! A whole ceremony on one machine, with throwaway keys: so that a group has done it once before it matters, and, with a
//! cheat among them, has seen what blame looks like.
//!
//! Its outputs cannot pass for real ones: the plan's title says so, the stake and the registration belong to an address
//! that spells so and that nobody has a key for, and it is never for mainnet.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use dvkey_ceremony::agdkg::identity::{Identity, Root};
use dvkey_ceremony::agdkg::journal::Event as Noted;
use dvkey_ceremony::agdkg::plan::{Plan, Waivers};
use dvkey_ceremony::agdkg::rehearsal::{
    WATERMARK, certify_with_bad_proof, deal_with_bad_proof, deal_with_bad_share, false_complaint, is_rehearsal,
};
use dvkey_ceremony::agdkg::vault::Work;
use dvkey_ceremony::fault::Fault;
use dvkey_ceremony::{Address, Gwei, Identifier, Nonce, OperatorId, SecretBytes, Threshold, WithdrawalCredentials};

use super::collection::{Collection, End};
use super::draft::{self, draft};
use super::folder::{Folder, the_plan};
use super::gather::gather;
use super::identity::{NewIdentity, bind, card, create, fold};
use super::judging::{Judged, judge};
use super::{CeremonyError, Missing, assemble, finish, walks};
use crate::crypto::operator_key::OperatorPrivateKey;
use crate::crypto::password::Password;
use crate::crypto::random;
use crate::format::ceremony_file::{CeremonyFile, kept_name, sent_name};
use crate::format::network::Network;
use crate::format::watermark::NOBODY;
use crate::store::atomic::Mode;
use crate::store::ceremony_dir::{CeremonyDir, hand_over};
use crate::store::read::{Source, list_dir, read_bounded};
use crate::store::work_dir::WorkDir;
use crate::store::write_error::WriteError;

/// The passphrase of every vault and keystore of a rehearsal. Nothing in them is worth another.
pub const PASSPHRASE: &str = "rehearsal";
/// Where the medium that goes round is.
pub const STICK: &str = "stick";
/// Where the results are.
pub const OUTPUT: &str = "output";
/// Where the throwaway operators' keys are.
pub const OPERATORS: &str = "operators";
/// The account of a rehearsal: an address that can be read.
const NAMES: [&str; 13] =
    ["Alice", "Bob", "Carol", "Dave", "Erin", "Frank", "Grace", "Heidi", "Ivan", "Judy", "Kim", "Leo", "Mia"];

/// How somebody misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cheat {
    /// Deals nothing.
    Silent,
    /// Sends one participant a share that is wrong.
    BadShare,
    /// Signs two different deals.
    TwoFaces,
    /// Deals without knowing what it contributes.
    BadProof,
    /// Certifies without having its shares.
    BadCertify,
    /// Complains about a share that is right.
    FalseComplaint,
    /// Signs a second deal once everybody has certified.
    LateDeal,
}

impl Cheat {
    /// Every cheat with its name and what it does.
    pub const ALL: [(Self, &'static str, &'static str); 7] = [
        (Self::Silent, "silent", "deals nothing, and lets everybody wait"),
        (Self::BadShare, "bad-share", "sends one participant a share that is wrong"),
        (Self::TwoFaces, "two-faces", "signs two different deals"),
        (Self::BadProof, "bad-proof", "deals without knowing what it contributes"),
        (Self::BadCertify, "bad-certify", "certifies without having its shares"),
        (Self::FalseComplaint, "false-complaint", "complains about a share that is right"),
        (Self::LateDeal, "late-deal", "signs a second deal once everybody has certified"),
    ];

    /// What it does, in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        Self::ALL.iter().find(|(cheat, ..)| *cheat == self).map_or("", |(_, _, words)| words)
    }
}

impl FromStr for Cheat {
    type Err = CeremonyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().find(|(_, name, _)| *name == text).map(|(cheat, ..)| *cheat).ok_or(CeremonyError::NoSuchCheat)
    }
}

impl fmt::Display for Cheat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::ALL.iter().find(|(cheat, ..)| cheat == self).map_or("", |(_, name, _)| name))
    }
}

/// What is rehearsed.
#[derive(Clone, Debug)]
pub struct Request {
    /// How many take part: 4, 7, 10 or 13 make an SSV cluster, any other number a generic one.
    pub participants: usize,
    /// How many validator keys.
    pub validators: u16,
    /// The network; never mainnet.
    pub network: Network,
    /// A folder that is not there yet, or empty.
    pub out: PathBuf,
    /// How the last participant misbehaves, if it does.
    pub cheat: Option<Cheat>,
    /// Unix seconds.
    pub now: u64,
    /// How many threads judge.
    pub jobs: usize,
}

/// What happens, as it happens.
pub enum Scene<'a> {
    /// Somebody made an identity and a card, bound to an operator or not.
    Identity {
        /// Its name.
        name: &'a str,
        /// Its folder.
        folder: &'a Path,
    },
    /// The plan, as everybody is shown it.
    Plan(&'a Plan),
    /// Somebody did a step: what it put onto the stick.
    Sent {
        /// Who.
        name: &'a str,
        /// The kind of file.
        kind: CeremonyFile,
    },
    /// All files have come so far.
    Round(&'a Collection),
    /// The cheat did what it does.
    Cheated {
        /// Who.
        name: &'a str,
        /// How.
        cheat: Cheat,
    },
    /// What one of the others is told.
    Told {
        /// Who.
        name: &'a str,
        /// Why it stops.
        error: &'a CeremonyError,
        /// The names of all, for the message.
        collection: &'a Collection,
    },
    /// What everybody finds about a complaint.
    Verdict {
        /// The verdict.
        judged: &'a Judged,
        /// The names of all.
        collection: &'a Collection,
    },
    /// What was signed too late to undo what everybody has certified.
    Late {
        /// What it proves.
        end: &'a End,
        /// Where it lies.
        file: &'a Path,
        /// The names of all.
        collection: &'a Collection,
    },
    /// The results.
    Assembled(&'a [PathBuf]),
}

/// How a rehearsal ended.
pub struct Outcome {
    /// The plan.
    pub plan: Plan,
    /// The results; empty after a cheat that came in time.
    pub files: Vec<PathBuf>,
    /// Who was found out, and by which code; `None` for an honest one.
    pub blamed: Option<(Identifier, String)>,
}

struct Player {
    name: &'static str,
    id: u64,
    path: PathBuf,
    root: Root,
    operator: Option<OperatorPrivateKey>,
}

/// Rehearses.
///
/// # Errors
/// [`CeremonyError`]: [`CeremonyError::RehearsalOnMainnet`]; a folder that is not empty.
pub fn rehearse(request: &Request, scene: &dyn Fn(Scene<'_>)) -> Result<Outcome, CeremonyError> {
    if request.network == Network::Mainnet {
        return Err(CeremonyError::RehearsalOnMainnet);
    }
    let out = &request.out;
    WorkDir::open(out)?;
    if !list_dir(out)?.is_empty() {
        return Err(WriteError::Exists { path: out.clone() }.into());
    }
    let stick = out.join(STICK);
    WorkDir::open(&stick)?;
    hand_over(out, "REHEARSAL.txt", explanation().as_bytes())?;
    let players = players(request, scene)?;
    let plan = agree(request, &players, &stick, scene)?;
    let me = |player: &Player| Identifier::try_from(player.id).map_err(|_| CeremonyError::NoPlan);
    let cheat = players.last().filter(|_| request.cheat.is_some());
    let is_cheat = |player: &Player| cheat.is_some_and(|cheat| cheat.id == player.id);

    for player in &players {
        let mut folder = player.open()?;
        if request.cheat == Some(Cheat::Silent) && is_cheat(player) {
            scene(Scene::Cheated { name: player.name, cheat: Cheat::Silent });
            continue;
        }
        let sent = walks::deal(&mut folder, &player.root)?;
        player.carry(&folder, &stick)?;
        scene(Scene::Sent { name: player.name, kind: sent.kind });
        if let Some(wrong) = request.cheat.filter(|wrong| is_cheat(player) && *wrong != Cheat::LateDeal) {
            swap_deal(&plan, player, &folder, &stick, wrong, me(players.first().unwrap_or(player))?, scene)?;
        }
    }
    scene(Scene::Round(&on_the_stick(&plan, &stick)?));

    let mut blamed = None;
    let certifies = matches!(request.cheat, Some(Cheat::BadCertify | Cheat::LateDeal));
    for player in players.iter().filter(|player| !is_cheat(player) || certifies) {
        let mut folder = player.open()?;
        folder.import(std::slice::from_ref(&stick))?;
        match walks::certify(&mut folder, &player.root, player.operator.as_ref(), true) {
            Ok(sent) => {
                player.carry(&folder, &stick)?;
                scene(Scene::Sent { name: player.name, kind: sent.kind });
            }
            Err(error) => {
                scene(Scene::Told { name: player.name, error: &error, collection: folder.ceremony()? });
                blamed = blamed.or(blame_of(&error));
                if request.cheat == Some(Cheat::BadShare) && matches!(&error, CeremonyError::Fault(_)) {
                    let (_, sent) = walks::complain(&mut folder, &player.root)?;
                    player.carry(&folder, &stick)?;
                    scene(Scene::Sent { name: player.name, kind: sent.kind });
                }
            }
        }
    }
    if let Some(cheat) = cheat.filter(|_| request.cheat == Some(Cheat::LateDeal)) {
        swap_deal(&plan, cheat, &cheat.open()?, &stick, Cheat::LateDeal, me(players.first().unwrap_or(cheat))?, scene)?;
    } else if let Some(cheat) = cheat {
        let done = after_the_cheat(request, cheat, &players, &plan, &stick, scene)?;
        return Ok(Outcome { plan, files: Vec::new(), blamed: done.or(blamed) });
    }

    let collection = on_the_stick(&plan, &stick)?;
    for end in collection.late() {
        blamed = blamed.or(blame_of_fault(end.fault));
        scene(Scene::Late { end: &end, file: &stick, collection: &collection });
    }
    scene(Scene::Round(&collection));
    let results = assemble::results(&collection, None)?;
    let files = assemble::write(&collection, &results, &out.join(OUTPUT), request.jobs)?;
    for (name, bytes) in &results.files {
        if name == assemble::BUNDLE {
            hand_over(&stick, name, bytes)?;
        }
    }
    scene(Scene::Assembled(&files));
    for player in &players {
        let mut folder = player.open()?;
        folder.import(std::slice::from_ref(&stick))?;
        let finished = finish::shares(folder.ceremony()?, &player.root)?;
        if !finish::is_sealed(&plan) {
            let password = Password::new(SecretBytes::new(PASSPHRASE.as_bytes().to_vec()));
            let password = password.map_err(|_| CeremonyError::Passphrase)?;
            finish::write_keystores(&plan, &finished, &password, &player.path.join("keystores"), &|_| ())?;
        }
        folder.record(Noted::Finished)?;
    }
    Ok(Outcome { plan, files, blamed })
}

/// What is to be said about a plan that is a rehearsal's; nothing about any other.
#[must_use]
pub fn explains_itself(plan: &Plan) -> &'static [&'static str] {
    match is_rehearsal(plan) {
        true => &["this is a REHEARSAL: nobody has the account that it names. Register nothing, deposit nothing"],
        false => &[],
    }
}

fn explanation() -> String {
    format!(
        "{WATERMARK}\n\nEverything below this folder was made by `dvkey ceremony rehearse` with throwaway keys. The passphrase\n\
         of every vault is: {PASSPHRASE}\nNobody has the account that the outputs name. Register nothing, deposit nothing.\n"
    )
}

impl Player {
    fn open(&self) -> Result<Folder, CeremonyError> {
        Folder::open(&self.path)
    }

    /// Copies the outbox onto the stick.
    fn carry(&self, folder: &Folder, stick: &Path) -> Result<(), CeremonyError> {
        for entry in list_dir(&folder.dir().outbox())? {
            let bytes = read_bounded(&Source::File(entry.path.clone()), CeremonyFile::Bundle.most_bytes())?;
            hand_over(stick, &entry.name, &bytes)?;
        }
        Ok(())
    }
}

fn players(request: &Request, scene: &dyn Fn(Scene<'_>)) -> Result<Vec<Player>, CeremonyError> {
    let ssv = Threshold::ssv(request.participants).is_ok();
    let passphrase = SecretBytes::new(PASSPHRASE.as_bytes().to_vec());
    // Nothing here is worth guessing: the least work that a vault may ask for.
    let work = Work { memory: 65_536, passes: 2, lanes: 1 };
    let mut players = Vec::new();
    random::check()?;
    for (id, name) in (1u64..).zip(NAMES.iter().take(request.participants)) {
        let path = request.out.join(name.to_lowercase());
        let root = Root::random(&mut random::system_infallible()).unwrap_or_else(|never| match never {});
        let label = format!("{WATERMARK} {name}");
        let card = card(&root, &label, request.now)?;
        let new = NewIdentity { passphrase: &passphrase, work, restored: false };
        let mut folder = create(CeremonyDir::create(&path)?, &root, &card, &new)?;
        let mut operator = None;
        if ssv {
            let key = OperatorPrivateKey::generate(&mut random::system_infallible());
            let operator_id = card_id(id)?;
            let key = key.map_err(|error| CeremonyError::OperatorKey(operator_id.identifier(), error))?;
            let folder_of_keys = WorkDir::open(&request.out.join(OPERATORS))?;
            let staged = folder_of_keys.stage_as(&format!("{id}.pem"), key.to_pem().expose(), Mode::Secret)?;
            folder_of_keys.publish_new(staged)?;
            let binding = bind(&card, request.network.chain_id(), operator_id, &key)?;
            fold(&mut folder, &root, &binding)?;
            operator = Some(key);
        }
        scene(Scene::Identity { name, folder: &path });
        players.push(Player { name, id, path, root, operator });
    }
    Ok(players)
}

fn card_id(id: u64) -> Result<OperatorId, CeremonyError> {
    OperatorId::try_from(id).map_err(|_| CeremonyError::NoPlan)
}

/// The organizer's plan, and everybody's consent.
fn agree(
    request: &Request,
    players: &[Player],
    stick: &Path,
    scene: &dyn Fn(Scene<'_>),
) -> Result<Plan, CeremonyError> {
    let mut cards = Vec::new();
    for player in players {
        let folder = player.open()?;
        player.carry(&folder, stick)?;
        let identity = Identity::derive(&player.root)?;
        cards
            .push((Identifier::try_from(player.id).ok(), folder.card(&identity).ok_or(CeremonyError::NoPlan)?.clone()));
    }
    let ssv = Threshold::ssv(players.len()).is_ok();
    let nobody = Address::from_bytes(NOBODY);
    let plan = draft(&draft::Request {
        cards,
        network: request.network,
        validators: request.validators,
        credentials: WithdrawalCredentials::Execution(nobody),
        amounts: vec![Gwei::from_ether(32)],
        threshold: (!ssv).then(|| u8::try_from(players.len() / 2 + 1).unwrap_or(u8::MAX)),
        ssv: ssv.then(|| (nobody, Nonce::from(0), 1)),
        proofs: ssv,
        precommit: false,
        title: format!("{WATERMARK}: nothing of this is real"),
        created: request.now,
        expires: 0,
        waivers: Waivers::default(),
    })?;
    hand_over(
        stick,
        &format!("plan-{}.agdkg", hex::encode(plan.hash().get(..4).unwrap_or_default())),
        plan.as_bytes(),
    )?;
    scene(Scene::Plan(&plan));
    for player in players {
        let mut folder = player.open()?;
        let identity = Identity::derive(&player.root)?;
        let card = folder.card(&identity).cloned();
        folder.accept(plan.clone(), &identity, card.as_ref())?;
    }
    Ok(plan)
}

fn on_the_stick(plan: &Plan, stick: &Path) -> Result<Collection, CeremonyError> {
    let gathered = gather(&[stick.to_path_buf()], Some(plan))?;
    let plan = the_plan(&gathered, Some(plan.as_bytes()), Waivers::default())?;
    Ok(Collection::of(plan, &gathered))
}

/// Puts another deal onto the stick in place of the cheat's own, or beside it.
fn swap_deal(
    plan: &Plan,
    player: &Player,
    folder: &Folder,
    stick: &Path,
    cheat: Cheat,
    victim: Identifier,
    scene: &dyn Fn(Scene<'_>),
) -> Result<(), CeremonyError> {
    let identity = Identity::derive(&player.root)?;
    let mine = Identifier::try_from(player.id).ok().and_then(|id| folder.collection()?.deals.of(id));
    let mine = mine.ok_or(CeremonyError::NoPlan)?;
    let wrong = match cheat {
        Cheat::BadShare | Cheat::TwoFaces | Cheat::LateDeal => deal_with_bad_share(&identity, plan, mine, victim),
        Cheat::BadProof => deal_with_bad_proof(&identity, plan, mine),
        _ => return Ok(()),
    };
    let wrong = wrong.ok_or(CeremonyError::NoSuchCheat)?;
    let name = match cheat {
        Cheat::TwoFaces | Cheat::LateDeal => kept_name(CeremonyFile::Deal, &wrong),
        _ => sent_name(plan.hash(), CeremonyFile::Deal, player.id),
    };
    hand_over(stick, &name, &wrong)?;
    scene(Scene::Cheated { name: player.name, cheat });
    Ok(())
}

/// Everybody else, once the cheat has done its part.
fn after_the_cheat(
    request: &Request,
    cheat: &Player,
    players: &[Player],
    plan: &Plan,
    stick: &Path,
    scene: &dyn Fn(Scene<'_>),
) -> Result<Option<(Identifier, String)>, CeremonyError> {
    let others = || players.iter().filter(|player| player.id != cheat.id);
    let identity = Identity::derive(&cheat.root)?;
    match request.cheat {
        Some(Cheat::BadCertify) => {
            let name = sent_name(plan.hash(), CeremonyFile::Certify, cheat.id);
            let mine = read_bounded(&Source::File(stick.join(&name)), CeremonyFile::Certify.most_bytes())?;
            let wrong = certify_with_bad_proof(&identity, plan, &mine).ok_or(CeremonyError::NoSuchCheat)?;
            hand_over(stick, &name, &wrong)?;
            scene(Scene::Cheated { name: cheat.name, cheat: Cheat::BadCertify });
            let collection = on_the_stick(plan, stick)?;
            let Err(error) = assemble::results(&collection, None) else { return Ok(None) };
            scene(Scene::Told { name: "the collector", error: &error, collection: &collection });
            return Ok(blame_of(&error));
        }
        Some(Cheat::FalseComplaint) => {
            let folder = cheat.open()?;
            let first = others().next().and_then(|player| Identifier::try_from(player.id).ok());
            let collection = on_the_stick(plan, stick)?;
            let me = folder.me(&identity)?;
            let deal = first.and_then(|id| collection.deals.of(id)).ok_or(CeremonyError::NoPlan)?;
            let lie = false_complaint(&identity, plan, me, deal).ok_or(CeremonyError::NoSuchCheat)?;
            hand_over(stick, &sent_name(plan.hash(), CeremonyFile::Complaint, cheat.id), &lie)?;
            scene(Scene::Cheated { name: cheat.name, cheat: Cheat::FalseComplaint });
        }
        _ => {}
    }
    let collection = on_the_stick(plan, stick)?;
    let mut blamed = None;
    for judged in judge(&collection) {
        scene(Scene::Verdict { judged: &judged, collection: &collection });
        if let Some(fault) = judged.verdict.map(|verdict| verdict.fault())
            && let dvkey_ceremony::fault::Culprit::Participant(id) = fault.culprit
        {
            blamed = Some((id, fault.code().to_string()));
        }
    }
    if let Some(end) = collection.end() {
        let error = CeremonyError::Ended(Box::new(end));
        blamed = blamed.or(blame_of(&error));
    }
    Ok(blamed)
}

fn blame_of(error: &CeremonyError) -> Option<(Identifier, String)> {
    let fault = match error {
        CeremonyError::Ended(end) => end.fault,
        CeremonyError::Fault(fault) => *fault,
        CeremonyError::Waiting { what: Missing::Deals, from } => {
            return from.first().map(|id| (*id, "E01".to_owned()));
        }
        _ => return None,
    };
    blame_of_fault(fault)
}

fn blame_of_fault(fault: Fault) -> Option<(Identifier, String)> {
    match fault.culprit {
        dvkey_ceremony::fault::Culprit::Participant(id) => Some((id, fault.code().to_string())),
        _ => None,
    }
}
