//! `dvkey ceremony identity …`: a vault, 24 words on paper, a card for everybody, its binding to an operator.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use dvkey_ceremony::agdkg::card::{Card, OperatorBinding};
use dvkey_ceremony::agdkg::identity::Root;
use dvkey_ceremony::agdkg::vault::Work;
use dvkey_ceremony::fault::{Check, Fault};
use dvkey_ceremony::{OperatorId, SecretBytes};
use serde::Serialize;
use zeroize::Zeroizing;

use super::unlock::{is_present, new_passphrase, root, root_from_dice, root_from_words};
use super::{failed, folded, form, gathered, say, show_aside, told, word_rows, write_new};
use crate::cli::args::ceremony::{IdentityBindArguments, IdentityNewArguments, IdentityShowArguments};
use crate::cli::codes::Code;
use crate::cli::commands::open::read_operator_key;
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::ui::printer::{Printer, Tone, tone};
use crate::cli::ui::prompt::{self, TRIES};
use crate::cli::ui::words::printable;
use crate::crypto::ceremony_rsa::CeremonyRsa;
use crate::crypto::digest::Sha256Digest;
use crate::crypto::random;
use crate::format::binding;
use crate::format::ceremony_file::CeremonyFile;
use crate::format::network::Network;
use crate::store::ceremony_dir::CeremonyDir;
use crate::store::read::{Source, read_bounded};
use crate::workflow::ceremony::folder::{Folder, cards_in};
use crate::workflow::ceremony::identity::{self, NewIdentity};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonCard {
    schema: &'static str,
    label: String,
    signing_key: String,
    encryption_key: String,
    words: Vec<&'static str>,
    operator_id: Option<u64>,
    chain_id: Option<u64>,
    file: String,
}

pub(super) fn new(arguments: &IdentityNewArguments, printer: &Printer) -> Result<Exit, Failure> {
    let present = is_present(&arguments.vault, printer);
    let work = work(arguments.vault_memory)?;
    let label = match &arguments.label {
        Some(label) => label.clone(),
        None if present => prompt::ask(printer, "What should the others call you?", |answer| match answer {
            "" => Err(Failure::new(Code::InputMissing, "a name is needed")),
            name => Ok(name.to_owned()),
        })?,
        None => return Err(Failure::missing("the label", "--label")),
    };
    let shows_words = !arguments.from_words && !arguments.without_words;
    if shows_words && !present {
        return Err(Failure::new(Code::InputMissing, "the 24 words can be shown at a terminal only, once")
            .hint("run this at a terminal, or say --without-words: the vault is the only copy then"));
    }
    printer.set_left("no identity was made, and nothing was left behind");
    // Before anything is put on paper: a vault that is there already, and a disk or a name that will not do.
    let dir = CeremonyDir::create(&arguments.folder).map_err(|error| failed(&error.into()))?;
    let root = if arguments.from_words {
        root_from_words(arguments.words_file.as_deref(), &arguments.vault, printer)?
    } else if arguments.dice {
        root_from_dice(&arguments.vault, printer)?
    } else {
        random::check().map_err(|error| failed(&error.into()))?;
        Root::random(&mut random::system())
            .map_err(|_| Failure::new(Code::MachineRandomness, "the operating system gives no randomness"))?
    };
    let card = identity::card(&root, &label, super::now()).map_err(|error| failed(&error))?;
    let passphrase = new_passphrase(&arguments.vault, printer)?;
    let new = NewIdentity { passphrase: &passphrase, work, restored: arguments.from_words };
    let make = || identity::create(dir, &root, &card, &new).map_err(|error| failed(&error));
    let folder = if shows_words {
        printer.set_left(PAPER);
        // Somebody who finds the paper later takes it for the backup of a vault.
        show_words(&root, printer).and_then(|()| make()).map_err(|failure| failure.cause(PAPER))?
    } else {
        make()?
    };
    let path = folder.export_card(&card).map_err(|error| failed(&error))?;
    if arguments.armor {
        write_new(&path.with_extension("txt"), &form(card.as_bytes(), true))?;
    }
    show_made(&card, &path, arguments, printer);
    Ok(Exit::Done)
}

fn work(memory: Option<u64>) -> Result<Work, Failure> {
    let Some(memory) = memory else { return Ok(Work::STANDARD) };
    let work = u32::try_from(memory >> 10).ok().map(|memory| Work { memory, ..Work::STANDARD });
    work.filter(|work| work.is_lawful())
        .ok_or_else(|| Failure::new(Code::InputMissing, "--vault-memory is from 64MiB to 1GiB"))
}

/// What is left when words were shown, and no vault was made.
const PAPER: &str = "no identity was made; destroy the words that you wrote down";

/// Four words in a row, each with its number.
const WORDS_WIDTH: usize = 4 * 18;

/// Shows the words on a page that is gone afterwards, and asks for three of them back.
fn show_words(root: &Root, printer: &Printer) -> Result<(), Failure> {
    let words = root.to_words();
    let list: Vec<&str> = words.split(' ').collect();
    // Wiped whichever way this ends; the terminal's own memory is not ours.
    let mut page: Vec<Zeroizing<String>> = [
        tone(Tone::Bold, "CEREMONY ROOT, NOT A WALLET"),
        String::new(),
        "Write these 24 words on paper, with their numbers. They are shown once.".to_owned(),
        "Whoever has them has your part of every ceremony;".to_owned(),
        "without them, a lost laptop is a lost share.".to_owned(),
        String::new(),
    ]
    .map(Zeroizing::new)
    .into();
    for row in 0..6 {
        // Room for all of it: a string that grows leaves a copy behind.
        let mut line = Zeroizing::new(String::with_capacity(WORDS_WIDTH));
        for at in (0..4).map(|column| row + 6 * column) {
            let word = list.get(at).copied().unwrap_or_default();
            // Writing to a string does not fail.
            let _ = write!(line, "{:>2}  {word:<12}  ", at + 1);
        }
        page.push(line);
    }
    page.push(Zeroizing::default());
    prompt::on_a_page(&page, || prompt::secret_line("All on paper? Press Enter, and they are gone."))?;
    drop(page);
    for number in three_of(list.len())? {
        let expected = list.get(number).copied().unwrap_or_default();
        let mut tries = 1;
        loop {
            let answer = prompt::secret_line(&format!("From the paper, word {}:", number + 1))?;
            if is_word(&answer, expected) {
                break;
            }
            if tries == TRIES {
                return Err(Failure::new(Code::ConfirmDiffers, "that is not the word")
                    .hint("run it again: there will be new words"));
            }
            printer.warning("that is not the word");
            tries += 1;
        }
    }
    Ok(())
}

fn is_word(answer: &SecretBytes, expected: &str) -> bool {
    answer.expose().trim_ascii().eq_ignore_ascii_case(expected.as_bytes())
}

/// Three different positions below `count`, rising, chosen by the system's randomness.
pub(super) fn three_of(count: usize) -> Result<Vec<usize>, Failure> {
    let mut left: Vec<usize> = (0..count).collect();
    let mut found = Vec::new();
    for byte in random::bytes::<3>().map_err(|error| failed(&error.into()))? {
        let at = usize::from(byte) % left.len().max(1);
        if at < left.len() {
            found.push(left.remove(at));
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn show_made(card: &Card, path: &Path, arguments: &IdentityNewArguments, printer: &Printer) {
    if printer.json() {
        printer.object(&json(card, path));
        return;
    }
    printer.message(&format!("{} a vault, and a card for everybody", tone(Tone::Good, "done:")));
    show_card(card, printer);
    if arguments.without_words {
        printer.warning("the words were not shown: the vault and its passphrase are the only copy");
    }
    if arguments.one_time {
        printer.message("For one ceremony: destroy this folder and the words once your keystores are safe.");
    }
    if arguments.from_words {
        printer.message("next: put the plan and all files of the ceremony into the inbox, then");
        printer.message(&format!("dvkey ceremony step {}", arguments.folder.display()));
    } else {
        say("next: the card goes to the organizer. For an SSV cluster, bind it to your operator first:", printer);
        let folder = arguments.folder.display();
        printer.message(&format!("dvkey ceremony identity bind {folder} --operator-id N --network NAME --key KEY"));
    }
    printer.result(&path.display().to_string());
}

fn show_card(card: &Card, printer: &Printer) {
    let operator = card.binding().map_or("no operator".to_owned(), |binding| {
        let network = Network::ALL.into_iter().find(|network| network.chain_id() == binding.chain_id);
        let network = network.map_or(format!("chain {}", binding.chain_id), |network| network.name().to_owned());
        format!("operator {} on {network}", binding.operator)
    });
    let text = format!("{}, {operator}", printable(card.label()));
    folded("  card       ", &text).iter().for_each(|line| printer.message(line));
    if let Some(binding) = card.binding() {
        // Whoever has this key opens the share.
        printer.message(&format!("  RSA key    {}", Sha256Digest::of(&binding.spki)));
    }
    for (position, row) in word_rows(&card.words()).iter().enumerate() {
        printer.message(&format!("  {:<10} {row}", if position == 0 { "card words" } else { "" }));
    }
}

fn json(card: &Card, path: &Path) -> JsonCard {
    JsonCard {
        schema: "dvkey.ceremony-card/1",
        label: card.label().to_owned(),
        signing_key: hex::encode(card.sign_pk().as_bytes()),
        encryption_key: hex::encode(card.enc_pk().as_bytes()),
        words: card.words(),
        operator_id: card.binding().map(|binding| binding.operator.get()),
        chain_id: card.binding().map(|binding| binding.chain_id),
        file: path.display().to_string(),
    }
}

pub(super) fn bind(arguments: &IdentityBindArguments, printer: &Printer) -> Result<Exit, Failure> {
    if let Some(file) = &arguments.binding {
        let bytes = read_bounded(&Source::from_arg(file), binding::MAX_BYTES)
            .map_err(|error| Failure::read(Code::FileUnreadable, &error))?;
        let binding = binding::parse(&bytes)
            .map_err(|error| Failure::new(Code::CeremonyFile, format!("{}: {error}", file.display())))?;
        let mut folder = Folder::open(&arguments.target).map_err(|error| failed(&error))?;
        must_be_for(&the_card(&arguments.target)?, &binding)?;
        return fold(&mut folder, &binding, arguments, printer);
    }
    let operator: OperatorId = arguments
        .operator_id
        .as_deref()
        .ok_or_else(|| Failure::missing("the operator's number", "--operator-id"))?
        .parse()
        .map_err(|error: dvkey_ceremony::identifier::IdentifierError| {
            Failure::new(Code::OperatorsId, error.to_string())
        })?;
    let network: Network = arguments.network.ok_or_else(|| Failure::missing("the network", "--network"))?.into();
    let key = arguments.key.as_deref().ok_or_else(|| Failure::missing("the operator's private key", "--key"))?;
    let is_folder = crate::store::read::list_dir(&arguments.target).is_ok();
    let card = the_card(&arguments.target)?;
    let key = read_operator_key(key, arguments.password_file.as_deref(), arguments.vault.no_input, printer)?;
    let made = identity::bind(&card, network.chain_id(), operator, &key).map_err(|error| failed(&error))?;
    if is_folder {
        let mut folder = Folder::open(&arguments.target).map_err(|error| failed(&error))?;
        return fold(&mut folder, &made, arguments, printer);
    }
    let out = arguments.out.clone().unwrap_or_else(|| PathBuf::from(format!("binding-{operator}.json")));
    let bytes = binding::write(&made).map_err(|error| failed(&error.into()))?;
    write_new(&out, &bytes)?;
    printer.message(&format!(
        "{} operator {operator} on {network} vouches for the card of {}",
        tone(Tone::Good, "signed:"),
        printable(card.label())
    ));
    printer.message(&format!("  RSA key    {}", Sha256Digest::of(&made.spki)));
    say("Nothing in this file is secret. It goes back to the laptop of the card; there:", printer);
    printer.message("next: dvkey ceremony identity bind FOLDER --binding FILE");
    told("binding", "binding", &out, printer);
    Ok(Exit::Done)
}

/// A binding of another card is refused before anybody types a passphrase for it.
fn must_be_for(card: &Card, binding: &OperatorBinding) -> Result<(), Failure> {
    if identity::is_for(card, binding) {
        return Ok(());
    }
    Err(Failure::fault(&Fault::nobody(Check::BindingSignature), None)
        .cause(format!("the binding is not for the card in the outbox, {}", printable(card.label()))))
}

fn fold(
    folder: &mut Folder,
    binding: &OperatorBinding,
    arguments: &IdentityBindArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let root = root(folder, &arguments.vault, printer)?;
    let card = identity::fold(folder, &root, binding).map_err(|error| failed(&error))?;
    let path = folder.export_card(&card).map_err(|error| failed(&error))?;
    if printer.json() {
        printer.object(&json(&card, &path));
        return Ok(Exit::Done);
    }
    printer.message(&format!("{} the card is bound, and has new words", tone(Tone::Good, "done:")));
    show_card(&card, printer);
    if arguments.binding.is_some() {
        let text = "compare the RSA key with what was shown where it lives: whoever has it opens your share.";
        say(text, printer);
    }
    say("next: this card goes to the organizer, instead of the one before", printer);
    printer.result(&path.display().to_string());
    Ok(Exit::Done)
}

/// The one card of a file, or of the outbox of a participant.
fn the_card(path: &Path) -> Result<Card, Failure> {
    let not_one = || Failure::new(Code::CeremonyFile, format!("{}: not one card", path.display()));
    let outbox = cards_in(&path.join(crate::store::ceremony_dir::OUTBOX));
    if let Some((_, card)) = outbox.first() {
        // An interrupted binding leaves two of the same person, whose keys are the same.
        let same = outbox.iter().all(|(_, other)| other.sign_pk() == card.sign_pk());
        return if same { Ok(card.clone()) } else { Err(not_one().hint("cards of several people are in the outbox")) };
    }
    let found = gathered(&[path.to_path_buf()])?;
    let mut cards = found.of(CeremonyFile::Card);
    let blob = cards.next().filter(|_| cards.next().is_none()).ok_or_else(not_one)?;
    Card::parse(&blob.bytes, &CeremonyRsa).map_err(|fault| Failure::fault(&fault, None))
}

pub(super) fn show(arguments: &IdentityShowArguments, printer: &Printer) -> Result<Exit, Failure> {
    let found = gathered(&arguments.paths)?;
    show_aside(&found.aside, printer);
    let mut count = 0;
    for blob in found.of(CeremonyFile::Card) {
        let card = match Card::parse(&blob.bytes, &CeremonyRsa) {
            Ok(card) => card,
            Err(fault) => {
                printer.warning(&format!("{}: {}", printable(&blob.origin), fault.check.refusal()));
                continue;
            }
        };
        count += 1;
        if arguments.armor {
            printer.text(&form(&blob.bytes, true));
        } else if printer.json() {
            printer.object(&json(&card, Path::new(&blob.origin)));
        } else {
            printer.result(&printable(&blob.origin));
            show_card(&card, printer);
        }
    }
    match count {
        0 => Err(Failure::new(Code::CeremonyFile, "no card is there")),
        _ => Ok(Exit::Done),
    }
}
