//! `dvkey ceremony recover`: my shares again, from the words (or the vault) and the bundle of a finished ceremony.

use serde::Serialize;

use super::unlock::{keystore_password, root, root_from_words};
use super::{collected, failed};
use crate::cli::args::ceremony::RecoverArguments;
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::ui::printer::{Printer, Tone, tone};
use crate::cli::ui::words::count;
use crate::store::output_dir::OutputDir;
use crate::workflow::ceremony::finish::{free, names, shares, write_keystores};
use crate::workflow::ceremony::folder::Folder;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonRecovered {
    schema: &'static str,
    plan: String,
    id: Option<u64>,
    files: Vec<String>,
}

pub(super) fn run(arguments: &RecoverArguments, printer: &Printer) -> Result<Exit, Failure> {
    let collection = collected(&arguments.bundle, &arguments.which, printer)?;
    let plan = &collection.plan;
    let root = match &arguments.folder {
        Some(folder) => {
            let folder = Folder::open(folder).map_err(|error| failed(&error))?;
            root(&folder, &arguments.vault, printer)?
        }
        None => root_from_words(arguments.words_file.as_deref(), &arguments.vault, printer)?,
    };
    let finished = shares(&collection, &root).map_err(|error| Failure::ceremony(&error, Some(plan)))?;
    let all = names(&finished);
    // Keystores that an interrupted run left stay as they are; whether they are these, the password tells.
    OutputDir::check(&arguments.out, &free(&all, &arguments.out), false)
        .map_err(|error| Failure::write_once(&error))?;
    printer.message(&format!("{} found, and each matches its share public key", count(finished.shares.len(), "share")));
    let password = keystore_password(arguments.keystore_password_file.as_deref(), &arguments.vault, printer)?;
    let files = write_keystores(plan, &finished, &password, &arguments.out, &|_| ())
        .map_err(|error| Failure::ceremony(&error, Some(plan)))?;
    printer.object(&JsonRecovered {
        schema: "dvkey.ceremony-recover/1",
        plan: hex::encode(plan.hash()),
        id: finished.shares.first().map(|share| share.identifier.get()),
        files: files.iter().map(|file| file.display().to_string()).collect(),
    });
    if !printer.json() {
        let n = count(files.len(), "keystore");
        printer.message(&format!("{} {n}, read back and opened", tone(Tone::Good, "done:")));
        files.iter().for_each(|file| printer.result(&file.display().to_string()));
    }
    Ok(Exit::Done)
}
