//! provenance.json and report.txt of a ceremony, compared with what the ceremony makes. Nobody signed them, and both are
//! believed: by the programs that register, and by the people who read.

use std::path::Path;

use dvkey_ceremony::agdkg::deal::SignedDeal;
use dvkey_ceremony::agdkg::outputs::Assembled;

use super::CeremonyError;
use super::assemble::{BUNDLE, CERTIFICATE, MOST_BYTES, PUBLIC_BUNDLE, REPORT};
use super::collection::Collection;
use super::judging::{outputs_of, report_text};
use crate::format::json::{self, Json};
use crate::format::provenance::{self, Tool};
use crate::store::read::{Source, read_bounded};

/// What such a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// What the ceremony makes.
    Same,
    /// Something else about this.
    Differs(String),
    /// It was written by another version of this program, whose words are not known here.
    OtherVersion(String),
}

/// What the ceremony makes, for one first nonce.
struct Made {
    nonce: Option<u64>,
    files: Vec<(String, Vec<u8>)>,
    /// Files whose content does not follow from what is here.
    unknown: Vec<&'static str>,
}

/// Compares `found`, which lies in `folder` as provenance.json or report.txt, with what the ceremony makes for any of these
/// first nonces. The bundles that they name are those that lie beside them.
///
/// # Errors
/// [`CeremonyError`] when the ceremony makes nothing to compare with.
pub fn compare(
    collection: &Collection,
    assembled: &Assembled,
    nonces: &[Option<u64>],
    folder: &Path,
    name: &str,
    found: &[u8],
) -> Result<Likeness, CeremonyError> {
    let mut first = None;
    for nonce in nonces {
        let mut files = outputs_of(&collection.plan, assembled, *nonce)?;
        files.push((CERTIFICATE.to_owned(), assembled.certificate.as_bytes().to_vec()));
        let mut unknown = Vec::new();
        for bundle in [BUNDLE, PUBLIC_BUNDLE] {
            match read_bounded(&Source::File(folder.join(bundle)), MOST_BYTES) {
                Ok(bytes) => files.push((bundle.to_owned(), bytes)),
                Err(_) => unknown.push(bundle),
            }
        }
        let nonce = super::assemble::pick_nonce(&collection.plan, *nonce)?;
        let made = Made { nonce, files, unknown };
        let likeness = match name {
            REPORT => made.report(collection, assembled, folder, found)?,
            _ => made.provenance(collection, assembled, found)?,
        };
        match likeness {
            Likeness::Differs(_) => drop(first.get_or_insert(likeness)),
            other => return Ok(other),
        }
    }
    Ok(first.unwrap_or_else(|| Likeness::Differs("nonce".to_owned())))
}

impl Made {
    fn provenance(
        &self,
        collection: &Collection,
        assembled: &Assembled,
        found: &[u8],
    ) -> Result<Likeness, CeremonyError> {
        let differs = |what: &str| Ok(Likeness::Differs(what.to_owned()));
        let Some(own) = super::provenance::describe(collection, assembled, self.nonce, &self.files)? else {
            return differs("ceremony, which makes no such file");
        };
        if own == found {
            return Ok(Likeness::Same);
        }
        let (Ok(own), Ok(found)) = (json::parse(&own), json::parse(found)) else { return differs("form") };
        let other_version = version(&found).is_some_and(|version| version != Tool::THIS.version);
        // The hash of a deal is that of the whole one.
        let redacted = collection.deals.iter().any(SignedDeal::is_redacted);
        let (Json::Object(own_fields), Json::Object(fields)) = (&own, &found) else { return differs("form") };
        let names = || own_fields.iter().chain(fields).map(|(name, _)| name.as_str());
        for field in names() {
            let (this, that) = (own.get(field), found.get(field));
            let same = match field {
                "tool" if other_version => true,
                "inputs" if redacted => true,
                "outputs" => self.same_outputs(this, that),
                _ => this.zip(that).is_some_and(|(this, that)| this.says_the_same(that)),
            };
            if !same {
                return differs(field);
            }
        }
        match other_version || redacted || !self.unknown.is_empty() {
            true => Ok(Likeness::Same),
            false => differs("form"),
        }
    }

    /// The files that are described, but for those that are not here to be compared.
    fn same_outputs(&self, own: Option<&Json>, found: Option<&Json>) -> bool {
        let (Some(Json::Array(own)), Some(Json::Array(found))) = (own, found) else { return false };
        let name = |file: &Json| file.get("name").and_then(Json::as_str).map(str::to_owned);
        let known = |file: &&Json| name(file).is_none_or(|name| !self.unknown.contains(&name.as_str()));
        let (own, found): (Vec<_>, Vec<_>) = (own.iter().filter(known).collect(), found.iter().filter(known).collect());
        own.len() == found.len() && own.iter().zip(found).all(|(this, that)| this.says_the_same(that))
    }

    fn report(
        mut self,
        collection: &Collection,
        assembled: &Assembled,
        folder: &Path,
        found: &[u8],
    ) -> Result<Likeness, CeremonyError> {
        let beside = read_bounded(&Source::File(folder.join(provenance::FILE_NAME)), provenance::MAX_BYTES).ok();
        if let Some(bytes) = &beside
            && let Some(version) = json::parse(bytes).ok().and_then(|found| version(&found))
            && version != Tool::THIS.version
        {
            return Ok(Likeness::OtherVersion(version));
        }
        let is_described = super::provenance::describe(collection, assembled, self.nonce, &self.files)?.is_some();
        match beside.filter(|_| is_described) {
            Some(bytes) => self.files.push((provenance::FILE_NAME.to_owned(), bytes)),
            None if is_described => self.unknown.push(provenance::FILE_NAME),
            None => {}
        }
        let own = report_text(&collection.plan, assembled, self.nonce, &self.files);
        let found = String::from_utf8_lossy(found);
        let known = |line: &&str| !self.unknown.iter().any(|name| line.ends_with(&format!("  {name}")));
        let mut lines = own.lines().filter(known);
        for line in found.lines().filter(known) {
            if lines.next() != Some(line) {
                return Ok(Likeness::Differs(format!("line {line:?}")));
            }
        }
        match lines.next() {
            Some(line) => Ok(Likeness::Differs(format!("line {line:?}, which is missing"))),
            None if self.unknown.is_empty() && own != found => Ok(Likeness::Differs("form".to_owned())),
            None => Ok(Likeness::Same),
        }
    }
}

fn version(provenance: &Json) -> Option<String> {
    Some(provenance.get("tool")?.get("version")?.as_str()?.to_owned())
}
