//! From the outbox onto the stick: public files of ceremonies only, and nothing of anybody's is replaced.

use std::path::Path;

use dvkey_ceremony::agdkg::plan::Plan;

use super::{failed, form};
use crate::cli::codes::Code;
use crate::cli::report::Failure;
use crate::cli::ui::printer::Printer;
use crate::cli::ui::words::printable;
use crate::crypto::digest::Sha256Digest;
use crate::format::armor;
use crate::format::ceremony_file::CeremonyFile;
use crate::store::ceremony_dir::hand_over;
use crate::store::read::{EntryKind, ReadError, Source, holds_itself, identity, list_dir, read_bounded};
use crate::workflow::ceremony::folder::is_public;

/// Copies the outbox onto the stick, where there is one; as text, too, where that was asked for.
pub(super) fn carry(
    outbox: &Path,
    stick: Option<&Path>,
    armor: bool,
    plans: &[Plan],
    printer: &Printer,
) -> Result<(), Failure> {
    let entries = list_dir(outbox).map_err(|error| Failure::read(Code::FileUnreadable, &error))?;
    if let Some(stick) = stick {
        // A stick that is not there would be made, as a folder of this laptop.
        list_dir(stick).map_err(|error| {
            let hint = "what is due was done and kept; name the folder where the stick is";
            Failure::read(Code::FileUnreadable, &error).hint(hint)
        })?;
        if identity(stick) == identity(outbox) {
            let headline = format!("{}: is the outbox itself, and no stick", stick.display());
            return Err(Failure::new(Code::CeremonyFolder, headline)
                .hint("what is due was done and kept; name the folder where the stick is"));
        }
    }
    for entry in entries.iter().filter(|entry| entry.kind == EntryKind::File && !entry.name.starts_with('.')) {
        let source = Source::File(entry.path.clone());
        let bytes = match read_bounded(&source, CeremonyFile::Bundle.most_bytes()) {
            Err(ReadError::TooLarge { .. }) => Vec::new(),
            read => read.map_err(|error| Failure::read(Code::FileUnreadable, &error))?,
        };
        if !is_for_all(&bytes, plans) {
            printer.warning(&format!(
                "{} is no file for others, and is not carried; take it out of there",
                printable(&entry.path.display().to_string())
            ));
            continue;
        }
        let text = form(&bytes, true);
        let as_text = format!("{}.txt", entry.name.trim_end_matches(".agdkg"));
        let armored = armor && text != bytes;
        if armored {
            put(outbox, &as_text, &text)?;
        }
        let Some(stick) = stick else { continue };
        let copied = put(stick, &free_name(stick, &entry.name, &bytes), &bytes);
        let copied =
            if armored { copied.and_then(|()| put(stick, &free_name(stick, &as_text, &text), &text)) } else { copied };
        copied.map_err(|failure| {
            let hint = format!(
                "your work is done and kept, and the stick could not be written: copy what is in {} by hand, onto \
                 another stick; or make room, or take off its write protection, and run it again",
                outbox.display()
            );
            Failure { hint: Some(hint), ..failure }
        })?;
    }
    Ok(())
}

/// Whether these are public files of ceremonies, bytes or text. What else lies in an outbox may be a vault, or a passphrase,
/// or have one behind its first bytes.
fn is_for_all(bytes: &[u8], plans: &[Plan]) -> bool {
    if armor::is_armored(bytes) {
        let blocks: Result<Vec<_>, _> = armor::decode_all(bytes).into_iter().collect();
        // Nothing else stands in it, such as a passphrase below.
        let text = |blocks: &[Vec<u8>]| blocks.iter().filter_map(|block| armor::encode(block)).collect::<String>();
        return blocks
            .is_ok_and(|blocks| blocks.iter().all(|one| is_public(one, plans)) && text(&blocks).as_bytes() == bytes);
    }
    is_public(bytes, plans)
}

/// Names that are tried on a medium, one after another.
const MOST_NAMES: usize = 99;

/// A name on the medium that nothing else has: whatever it is, a file, a folder, a pipe, nothing of anybody's is replaced.
fn free_name(stick: &Path, name: &str, bytes: &[u8]) -> String {
    // A link to the same content carries nothing away.
    let is_free = |name: &String| {
        holds_itself(&stick.join(name), bytes).unwrap_or_else(|error| matches!(error, ReadError::NotFound { .. }))
    };
    let digest = Sha256Digest::of(bytes).to_string();
    let digest = digest.get(..8).unwrap_or_default();
    let (stem, end) = name.rsplit_once('.').unwrap_or((name, "agdkg"));
    let others = (1..MOST_NAMES).map(|number| match number {
        1 => format!("{stem}-{digest}.{end}"),
        more => format!("{stem}-{digest}-{more}.{end}"),
    });
    std::iter::once(name.to_owned()).chain(others).find(is_free).unwrap_or_else(|| name.to_owned())
}

fn put(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), Failure> {
    hand_over(folder, name, bytes).map(drop).map_err(|error| failed(&error.into()))
}
