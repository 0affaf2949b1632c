//! `dvkey ceremony step`, and its parts by name: take in what is new, do what is due, say who carries what to whom.

use dvkey_ceremony::Identifier;
use dvkey_ceremony::agdkg::card::OperatorBinding;
use dvkey_ceremony::agdkg::certify::SignedCertify;
use dvkey_ceremony::agdkg::identity::{Identity, Root};
use dvkey_ceremony::agdkg::journal::Event;
use dvkey_ceremony::agdkg::judge::Verdict;
use dvkey_ceremony::agdkg::plan::Plan;
use serde::Serialize;

use super::plan::{accept_in, one_new_plan};
use super::unlock::{keystore_password, operator_key, root};
use super::{carry::carry, failed, folded, late, numbers, say, show_twice, taken::show, warn};
use crate::cli::args::ceremony::StepArguments;
use crate::cli::codes::Code;
use crate::cli::exit::Exit;
use crate::cli::report::{Failure, all_named, named};
use crate::cli::ui::printer::{Printer, Tone, tone};
use crate::cli::ui::words::{count, printable};
use crate::format::ceremony_file::{CeremonyFile, short};
use crate::store::read::{is_within, list_dir};
use crate::workflow::ceremony::collection::Collection;
use crate::workflow::ceremony::folder::{Folder, Imported, cards_in};
use crate::workflow::ceremony::identity::is_for;
use crate::workflow::ceremony::walks::{self, Sent};
use crate::workflow::ceremony::{CeremonyError, Missing, finish};

const SCHEMA: &str = "dvkey.ceremony/1";

/// What somebody wants done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    /// Whatever is due.
    Step,
    /// Walk 1.
    Deal,
    /// Walk 2.
    Certify,
    /// My shares.
    Finish,
    /// A complaint.
    Complain,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonStep {
    schema: &'static str,
    event: &'static str,
    plan: Option<String>,
    id: Option<u64>,
    state: &'static str,
    written: Vec<String>,
    missing: Option<&'static str>,
    from: Vec<u64>,
}

/// One run of a step.
struct Run<'a> {
    arguments: &'a StepArguments,
    printer: &'a Printer,
    folder: Folder,
    root: Option<Root>,
    written: Vec<String>,
    did: bool,
    /// Whether the stick, where there is one, has all that is in the outbox.
    handed: bool,
}

/// What stands at the end of a run.
enum Ending {
    NoPlan,
    Waiting(Missing, Vec<Identifier>),
    Done(&'static str),
}

pub(super) fn run(goal: Goal, arguments: &StepArguments, printer: &Printer) -> Result<Exit, Failure> {
    let folder = Folder::open(&arguments.folder).map_err(|error| failed(&error))?;
    printer.set_resumable();
    let mut run = Run { arguments, printer, folder, root: None, written: Vec::new(), did: false, handed: false };
    let imported = run.import()?;
    run.show_bindings(&imported);
    let ending = run.go(goal);
    // Whatever was written before something went wrong is carried on all the same.
    let handed = run.carry_outbox();
    let ending = match ending {
        Ok(ending) => ending,
        Err(error) => {
            if matches!(error.code, Code::CeremonyFault) {
                run.say_evidence();
            }
            return Err(run.way_out(error));
        }
    };
    // What was done is told, whether the stick took it or not; a stick that did not is the machine's fault, told last.
    run.handed = handed.is_ok();
    let exit = run.tell(goal, &ending)?;
    handed.map(|()| exit)
}

impl Run<'_> {
    fn plan(&self) -> Option<&Plan> {
        self.folder.collection().map(|collection| &collection.plan)
    }

    fn failed(&self, error: &CeremonyError) -> Failure {
        Failure::ceremony(error, self.plan())
    }

    fn root(&mut self) -> Result<(), Failure> {
        if self.root.is_none() {
            self.root = Some(root(&self.folder, &self.arguments.vault, self.printer)?);
        }
        Ok(())
    }

    fn import(&mut self) -> Result<Imported, Failure> {
        let places: Vec<_> = self.arguments.stick.iter().cloned().collect();
        let imported = self.folder.import(&places).map_err(|error| Failure::ceremony(&error, None))?;
        let plan = self.plan().cloned();
        show(&imported, plan.as_ref(), self.printer);
        Ok(imported)
    }

    /// Tells of bindings for my card, and takes none: whoever can write on a stick can make one for a key of its own, and
    /// my share would be sealed to that.
    fn show_bindings(&self, imported: &Imported) {
        let cards = self.folder.cards();
        let is_new = |one: &OperatorBinding| !cards.iter().any(|card| card.binding() == Some(one));
        let is_mine = |one: &OperatorBinding| cards.iter().any(|card| is_for(card, one));
        let path = self.folder.dir().path().display();
        for (origin, binding) in &imported.bindings {
            if self.folder.collection().is_none() && is_new(binding) && is_mine(binding) {
                // What somebody called a file is shown, and put into no command that would be copied.
                let origin = printable(origin);
                warn(
                    &format!("{origin} binds your card to operator {}, if you take it", binding.operator),
                    self.printer,
                );
                self.printer.message(&format!("next: dvkey ceremony identity bind {path} --binding FILE"));
            }
        }
    }

    fn go(&mut self, goal: Goal) -> Result<Ending, Failure> {
        if let Some(ending) = self.agree(goal)? {
            return Ok(ending);
        }
        self.send_again()?;
        self.show_complaints()?;
        if goal == Goal::Complain {
            return self.complain();
        }
        self.show_late()?;
        self.folder.must_go_on().map_err(|error| self.failed(&error))?;
        if let Some(ending) = self.deal()? {
            return Ok(ending);
        }
        if goal == Goal::Deal {
            return Ok(Ending::Done("dealt"));
        }
        self.folder.must_have_no_open_complaint().map_err(|error| self.failed(&error))?;
        if let Some(ending) = self.certify()? {
            return Ok(ending);
        }
        if goal == Goal::Certify {
            return Ok(Ending::Done("certified"));
        }
        self.finish()
    }

    /// The plan: accepted before, or now.
    fn agree(&mut self, goal: Goal) -> Result<Option<Ending>, Failure> {
        let waiting: Vec<_> = {
            let current = self.folder.collection().map(|collection| collection.plan.as_bytes().to_vec());
            self.folder.plans().iter().filter(|plan| Some(*plan) != current.as_ref()).map(Vec::len).collect()
        };
        if self.folder.collection().is_some() {
            for plan in self.folder.offered_plans() {
                let (hash, title) = (short(plan.hash()), printable(&plan.parameters().title));
                let now = self.plan().map(|plan| short(plan.hash())).unwrap_or_default();
                say(
                    &format!("Another plan for you is here, {hash}, {title}. To leave {now} for it, for good:"),
                    self.printer,
                );
                let folder = self.arguments.folder.display();
                self.printer.message(&format!("dvkey ceremony plan accept {folder} PLAN"));
            }
            return Ok(None);
        }
        if goal != Goal::Step {
            let headline =
                if waiting.is_empty() { "no plan is here" } else { "the plan that is here was not accepted" };
            let folder = self.arguments.folder.display();
            return Err(Failure::new(Code::CeremonyPlan, headline)
                .hint(format!("the plan comes first; this shows it, and asks:\ndvkey ceremony step {folder}")));
        }
        if waiting.is_empty() {
            return Ok(Some(Ending::NoPlan));
        }
        let bytes = one_new_plan(&self.folder)?;
        let (consent, vault) = (&self.arguments.consent, &self.arguments.vault);
        accept_in(&mut self.folder, &bytes, consent, vault, &mut self.root, self.printer)?;
        self.did = true;
        // What lay in the inbox before there was a plan belongs to it now.
        self.import()?;
        Ok(None)
    }

    /// What was sent before lies in the outbox as it was, whatever happened to it there.
    fn send_again(&mut self) -> Result<(), Failure> {
        let Some(me) = self.folder.me_by_journal() else { return Ok(()) };
        let sent = walks::send_again(&self.folder, me).map_err(|error| self.failed(&error))?;
        sent.iter().for_each(|sent| self.note(sent));
        Ok(())
    }

    fn deal(&mut self) -> Result<Option<Ending>, Failure> {
        let collection = self.ceremony()?;
        let mine = self.folder.me_by_journal();
        let dealt = mine.is_some_and(|me| collection.deals.of(me).is_some_and(|deal| !deal.is_redacted()));
        if dealt {
            return Ok(None);
        }
        self.root()?;
        let (folder, Some(root)) = (&mut self.folder, &self.root) else { return Ok(None) };
        let precommits = folder.ceremony().map(|collection| collection.plan.parameters().precommit);
        if precommits.unwrap_or_default() {
            let sent = walks::precommit(folder, root).map_err(|error| failed(&error))?;
            self.note(&sent);
        }
        let (folder, Some(root)) = (&mut self.folder, &self.root) else { return Ok(None) };
        match walks::deal(folder, root) {
            Ok(sent) => {
                self.note(&sent);
                Ok(None)
            }
            Err(CeremonyError::Waiting { what, from }) => Ok(Some(Ending::Waiting(what, from))),
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn certify(&mut self) -> Result<Option<Ending>, Failure> {
        match self.folder.must_have_deals() {
            Ok(()) => {}
            Err(CeremonyError::Waiting { what, from }) => return Ok(Some(Ending::Waiting(what, from))),
            Err(error) => return Err(self.failed(&error)),
        }
        let noted = self.folder.events().into_iter().find_map(|event| match event {
            Event::Certified { transcript, .. } => Some(transcript),
            _ => None,
        });
        let mine = self.folder.me_by_journal();
        let is_it = |one: &SignedCertify| Some(one.sender()) == mine && Some(*one.transcript()) == noted;
        // It is in the outbox, too: see `send_again`.
        if self.ceremony()?.certifies.iter().any(is_it) {
            return Ok(None);
        }
        self.root()?;
        let arguments = self.arguments;
        let key = operator_key(
            arguments.operator_key.as_deref(),
            arguments.operator_password_file.as_deref(),
            arguments.vault.no_input,
            self.printer,
        )?;
        let never = arguments.never_certified;
        let (folder, Some(root)) = (&mut self.folder, &self.root) else { return Ok(None) };
        match walks::certify(folder, root, key.as_ref(), never) {
            Ok(sent) => self.note(&sent),
            Err(error) => {
                if let CeremonyError::Ended(end) = &error {
                    let written = self.folder.export_evidence(end).map_err(|error| failed(&error))?;
                    self.written.extend(written);
                }
                return Err(self.failed(&error));
            }
        }
        Ok(None)
    }

    fn complain(&mut self) -> Result<Ending, Failure> {
        self.root()?;
        let (folder, Some(root)) = (&mut self.folder, &self.root) else { return Err(Failure::bug()) };
        let complained = walks::complain(folder, root);
        let (complaint, sent) = complained.map_err(|error| self.failed(&error))?;
        self.note(&sent);
        let plan = self.plan().cloned();
        let who = named(plan.as_ref(), complaint.accused());
        say(&format!("{who} sent a wrong share; the complaint proves it to everybody"), self.printer);
        Ok(Ending::Done("complained"))
    }

    fn finish(&mut self) -> Result<Ending, Failure> {
        let collection = self.ceremony()?;
        show_twice(collection, self.printer);
        let others = collection.certified_others();
        if !others.is_empty() {
            return Err(self.failed(&CeremonyError::OtherDeals(others)));
        }
        let missing = collection.missing_certifies();
        if !missing.is_empty() {
            return Ok(Ending::Waiting(Missing::Certifies, missing));
        }
        if self.folder.events().contains(&Event::Finished) && !self.wants_keystores() {
            return Ok(Ending::Done("finished"));
        }
        self.folder.must_be_as_certified().map_err(|error| self.failed(&error))?;
        self.root()?;
        let (collection, Some(root)) = (self.ceremony()?, &self.root) else { return Err(Failure::bug()) };
        let plan = collection.plan.clone();
        let finished = match finish::shares(collection, root) {
            Ok(finished) => finished,
            Err(error) => {
                if let CeremonyError::Ended(end) = &error {
                    let written = self.folder.export_evidence(end).map_err(|error| failed(&error))?;
                    self.written.extend(written);
                }
                return Err(self.failed(&error));
            }
        };
        if !finish::is_sealed(&plan) {
            let out = self.arguments.out.clone().unwrap_or_else(|| self.folder.dir().path().join("keystores"));
            let (inbox, outbox) = (self.folder.dir().inbox(), self.folder.dir().outbox());
            let carried = [self.arguments.stick.as_deref(), Some(inbox.as_path()), Some(outbox.as_path())];
            if carried.into_iter().flatten().any(|folder| is_within(&out, folder)) {
                let headline = format!("{}: what is carried to others is no place for your shares", out.display());
                return Err(
                    Failure::new(Code::CeremonyFolder, headline).hint("name a folder that stays with you: --out")
                );
            }
            let file = self.arguments.keystore_password_file.as_deref();
            if file.is_none() {
                // Whoever has no password at hand leaves here; the others get what they wait for all the same. A stick that
                // cannot be written is told of at the end.
                self.handed = self.carry_outbox().is_ok();
                say(
                    &format!("Before anything else, the others need what you certified. {}.", self.carried()),
                    self.printer,
                );
            }
            let password = keystore_password(file, &self.arguments.vault, self.printer)?;
            let written = finish::write_keystores(&plan, &finished, &password, &out, &|_| ());
            let written = written.map_err(|error| self.failed(&error))?;
            self.printer.message(&format!(
                "{} your {} in keystores, read back and opened",
                tone(Tone::Good, "done:"),
                count(written.len(), "share")
            ));
            if !self.printer.json() {
                written.iter().for_each(|path| self.printer.result(&path.display().to_string()));
            }
            self.written.extend(written.iter().map(|path| path.display().to_string()));
        }
        let certificate = finished.certificate.as_bytes().to_vec();
        let me = self.folder.me(&Identity::derive(root).map_err(|error| failed(&error.into()))?);
        let me = me.map_err(|error| failed(&error))?;
        self.folder.keep_own(CeremonyFile::Certificate, &certificate).map_err(|error| failed(&error))?;
        self.folder.export(CeremonyFile::Certificate, me, &certificate).map_err(|error| failed(&error))?;
        finish::note(&mut self.folder).map_err(|error| failed(&error))?;
        self.did = true;
        Ok(Ending::Done("finished"))
    }

    fn carry_outbox(&self) -> Result<(), Failure> {
        let outbox = self.folder.dir().outbox();
        let (stick, armor) = (self.arguments.stick.as_deref(), self.arguments.armor);
        carry(&outbox, stick, armor, &self.folder.known_plans(), self.printer)
    }

    /// Keystores are asked for again, elsewhere.
    fn wants_keystores(&self) -> bool {
        self.arguments.out.is_some() && self.plan().is_some_and(|plan| !finish::is_sealed(plan))
    }

    fn ceremony(&self) -> Result<&Collection, Failure> {
        self.folder.ceremony().map_err(|error| failed(&error))
    }

    fn note(&mut self, sent: &Sent) {
        self.did |= sent.new;
        self.written.push(sent.name.clone());
        let verb = if sent.new { "wrote" } else { "is there as before:" };
        self.printer.message(&format!(
            "{} {} {}",
            tone(Tone::Good, verb),
            sent.kind.words().trim_start_matches("a "),
            self.folder.dir().outbox().join(&sent.name).display()
        ));
    }

    fn show_complaints(&self) -> Result<(), Failure> {
        let Some(collection) = self.folder.collection() else { return Ok(()) };
        for (complaint, verdict) in collection.verdicts() {
            // About another deal than the one here: the step waits for that, and says so.
            if collection.open_complaints().contains(&complaint) {
                continue;
            }
            if let Verdict::ComplainerGuilty(_) | Verdict::Invalid(_) = verdict {
                let who = named(Some(&collection.plan), complaint.complainer());
                let about = named(Some(&collection.plan), complaint.accused());
                warn(&format!("{who} complains about {about} without reason; ask why"), self.printer);
            }
        }
        Ok(())
    }

    /// What came too late to end the ceremony: told, with the files that prove it.
    fn show_late(&self) -> Result<(), Failure> {
        let Some(collection) = self.folder.collection() else { return Ok(()) };
        for end in collection.late() {
            let written = self.folder.export_evidence(&end).map_err(|error| failed(&error))?;
            let outbox = self.folder.dir().outbox();
            let proof = written.map(|name| outbox.join(name).display().to_string());
            warn(&late(&end, &collection.plan, &proof.into_iter().collect::<Vec<_>>()), self.printer);
        }
        Ok(())
    }

    /// Whoever certified may be stuck with files that came first while others have what everybody certified: who assembled has
    /// all of it in one bundle.
    fn way_out(&self, failure: Failure) -> Failure {
        let certified = self.folder.events().iter().any(|event| matches!(event, Event::Certified { .. }));
        if !certified || !matches!(failure.code, Code::CeremonyFault | Code::CeremonyUndecided) {
            return failure;
        }
        let folder = self.arguments.folder.display();
        let hint = failure.hint.as_deref().map_or(String::new(), |hint| {
            let ends_with_command = hint.lines().last().is_some_and(|line| line.starts_with("dvkey "));
            format!("{hint}{}", if ends_with_command { "\n" } else { ". " })
        });
        let way = format!(
            "{hint}You certified: if somebody could assemble, ask for ceremony.bn, which goes by no other file, and put it into \
             {folder}/inbox for the next step; or take your shares from it:\n\
             dvkey ceremony recover --bundle ceremony.bn --folder {folder} --out recovered"
        );
        failure.hint(way)
    }

    fn say_evidence(&self) {
        let outbox = self.folder.dir().outbox();
        let Ok(entries) = list_dir(&outbox) else { return };
        for entry in entries.iter().filter(|entry| entry.name.contains("evidence")) {
            self.printer.say(&format!("evidence: {}", entry.path.display()));
        }
    }

    fn tell(&self, goal: Goal, ending: &Ending) -> Result<Exit, Failure> {
        let (state, missing, from) = match ending {
            Ending::NoPlan => ("no-plan", None, Vec::new()),
            Ending::Waiting(what, from) => {
                let what = match what {
                    Missing::Precommits => "pre-commits",
                    Missing::Deals => "deals",
                    Missing::Certifies => "certify-files",
                };
                ("waiting", Some(what), numbers(from))
            }
            Ending::Done(state) => (*state, None, Vec::new()),
        };
        self.printer.object(&JsonStep {
            schema: SCHEMA,
            event: "step",
            plan: self.plan().map(|plan| hex::encode(plan.hash())),
            id: self.me().map(Identifier::get),
            state,
            written: self.written.clone(),
            missing,
            from,
        });
        let mut text = String::new();
        match ending {
            Ending::NoPlan => {
                let outbox = self.folder.dir().outbox();
                let card = cards_in(&outbox).into_iter().next().map_or(outbox, |(path, _)| path);
                text = format!(
                    "Give {} to the organizer, and put the plan that you get back into {}.",
                    card.display(),
                    self.folder.dir().inbox().display()
                );
            }
            Ending::Waiting(what, from) => {
                text = format!("Waiting for the {what} of {}. ", all_named(self.plan(), from));
                text += &self.carry();
            }
            Ending::Done("finished") => text = self.last_words(),
            Ending::Done(_) if !self.written.is_empty() => text = self.carry(),
            Ending::Done(_) => {}
        }
        for line in folded("", &text) {
            self.printer.message(&line);
        }
        if matches!(ending, Ending::Done("finished")) {
            // What is copied into a terminal stands on one line.
            let folder = self.arguments.folder.display();
            self.printer.message(&format!("next: dvkey ceremony assemble {folder} --out output"));
        }
        let waits = matches!(ending, Ending::NoPlan | Ending::Waiting(..));
        Ok(if waits && (goal != Goal::Step || !self.did) { Exit::Unfinished } else { Exit::Done })
    }

    /// Who I am in the plan: by the journal, or, before my deal is here, by the vault that was opened.
    fn me(&self) -> Option<Identifier> {
        self.folder.me_by_journal().or_else(|| self.folder.me(&Identity::derive(self.root.as_ref()?).ok()?).ok())
    }

    /// Who must carry what to whom, while files are waited for.
    fn carry(&self) -> String {
        match self.carried() {
            text if text.is_empty() => text,
            text => text + "; bring back what they have, and run this again.",
        }
    }

    fn carried(&self) -> String {
        let Some(plan) = self.plan() else { return String::new() };
        let me = self.me();
        let others: Vec<_> = plan.participants().iter().map(|one| one.id).filter(|id| Some(*id) != me).collect();
        let what = match &self.arguments.stick {
            Some(stick) if self.handed => format!("{} (your files are on it)", stick.display()),
            _ => format!("everything in {}", self.folder.dir().outbox().display()),
        };
        format!("Carry {what} to {}", all_named(Some(plan), &others))
    }

    fn last_words(&self) -> String {
        let sealed = self.plan().is_some_and(finish::is_sealed);
        let keep = match sealed {
            true => "Your share is sealed to your operator's key; keep the vault or its words.",
            false => "Keep the keystores and their password, and the vault or its words.",
        };
        // Whoever certifies last is done before the others know of it.
        let others = if self.did { self.carried() + ", who may need it. " } else { String::new() };
        format!(
            "The ceremony is finished: everybody certified, and all of it was verified. {keep} {others}Anybody may \
             make the results."
        )
    }
}
