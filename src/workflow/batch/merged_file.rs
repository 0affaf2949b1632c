//! One keyshares file of a merge: there already, or made, read back and judged.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use dvkey_ceremony::{Address, Nonce, PublicKey};

use super::earlier::{Content, Whose};
use super::merge::{MergeError, MergedFile, Names, Request, Slot, cluster};
use super::result::GROUP;
use super::shard::{AllWork, ShardError};
use super::{LoadError, LoadedPlan, PlanCluster, RowsByPlace};
use crate::crypto::digest::{Sha256Digest, Sha256Running};
use crate::format::journal::Superseded;
use crate::format::keyshares::{self, Pieces, SharesData, Writer};
use crate::format::network::Network;
use crate::format::plan::Row;
use crate::format::provenance::{
    self, CheckFacts, FileFacts, OperatorFacts, Provenance, Streamed, Tool, ValidatorFacts,
};
use crate::format::row_result::RowResult;
use crate::store::atomic::{Mode, Staged};
use crate::store::output_dir::OutputDir;
use crate::store::read::{ReadError, Source, digest_of, digest_within, exists, read_bounded, read_file};
use crate::store::write_error::WriteError;
use crate::workflow::split::{KEYSHARES_FILE, OUTPUT_FILES};
use crate::workflow::verify::check::{Check, Verdict};
use crate::workflow::verify::keyshares::{Expected, judge};

/// A file of the result: there already, or to be made.
pub(super) struct Piece<'a> {
    file: File<'a>,
    pub(super) folder: PathBuf,
    pub(super) first: Nonce,
    pub(super) last: Nonce,
    /// The digest of the file that is there, if it is the one that would be made.
    kept: Option<Sha256Digest>,
}

impl<'a> Piece<'a> {
    /// Cuts a run where the files of earlier merges end. What they hold may be registered by now, and stays as it is; the
    /// rest, which had to wait for a gap to be mended, has a file of its own.
    pub(super) fn cut(
        plan: &'a LoadedPlan,
        work: &'a AllWork,
        request: &'a Request,
        (names, validators): (&Names, &'a HashSet<[u8; PublicKey::BYTES]>),
        (network, owner): (Network, Address),
        run: Vec<&'a Slot>,
    ) -> Result<Vec<Self>, MergeError> {
        let mut pieces = Vec::new();
        let mut rest = run;
        while let (Some(first), Some(last)) = (rest.first(), rest.last()) {
            let operators = cluster(plan, first)?.cluster.ids();
            let folder = request.out.join(names.folder(network, &owner, &operators, first.nonce));
            let (first, last) = (first.nonce, last.nonce);
            let mut file = File { plan, work, request, validators, network, owner, run: std::mem::take(&mut rest) };
            let earlier = file.earlier(&folder).filter(|count| (1..=file.run.len()).contains(count));
            let Some(count) = earlier else {
                pieces.push(Piece { file, folder, first, last, kept: None });
                break;
            };
            rest = file.run.split_off(count);
            let kept = file.kept(&folder)?;
            if kept.is_none() {
                // Other content: whether it is replaced is not decided here, and what is made holds all of the run.
                file.run.append(&mut rest);
            }
            let last = file.run.last().map_or(last, |slot| slot.nonce);
            pieces.push(Piece { file, folder, first, last, kept });
        }
        Ok(pieces)
    }

    pub(super) fn owner(&self) -> (Network, Address) {
        (self.file.network, self.file.owner)
    }

    pub(super) fn validators(&self) -> impl Iterator<Item = &[u8; PublicKey::BYTES]> + Clone {
        self.file.run.iter().map(|slot| &slot.public_key)
    }

    /// Refuses to put another content where keyshares of an earlier merge are, which may be registered by now: without
    /// --force always, and with it where they are not of the same owner, network and operators, or would be lost in part.
    pub(super) fn must_not_replace(&self, superseded: &[Superseded]) -> Result<(), MergeError> {
        if self.kept.is_some() {
            return Ok(());
        }
        let Some(content) = Content::read(&self.folder)? else { return Ok(()) };
        let File { network, owner, run, request, .. } = &self.file;
        let mut operators = self.file.cluster()?.cluster.ids();
        operators.sort_unstable();
        let ours = Whose { owner: *owner, network: Some(*network), operators };
        let validators = run.iter().map(|slot| (u64::from(slot.nonce.get()), slot.public_key.as_slice()));
        let is_of = |taken: &&Superseded| (taken.network, taken.owner) == self.owner();
        let taken = superseded.iter().find(is_of).copied();
        Ok(content.must_not_be_lost(&self.folder, ours, validators, (request.force, taken))?)
    }

    pub(super) fn make(self) -> Result<MergedFile, MergeError> {
        let Self { file, folder, first, last, kept } = self;
        let before = keyshares_digest(&folder).ok();
        let digest = match kept {
            Some(digest) => {
                let reader = read_file(&folder.join(KEYSHARES_FILE))?;
                file.judge(file.cluster()?, first, reader)?;
                digest
            }
            None => file.make(&folder, first)?,
        };
        let operators = file.cluster()?.cluster.ids();
        let (network, owner, validators, was_there) = (file.network, file.owner, file.run.len(), kept.is_some());
        let replaced = before.filter(|before| *before != digest);
        Ok(MergedFile { folder, network, owner, operators, first, last, validators, digest, was_there, replaced })
    }
}

/// What is in a file.
struct File<'a> {
    plan: &'a LoadedPlan,
    work: &'a AllWork,
    request: &'a Request,
    /// All of the plan.
    validators: &'a HashSet<[u8; PublicKey::BYTES]>,
    network: Network,
    owner: Address,
    run: Vec<&'a Slot>,
}

impl File<'_> {
    fn cluster(&self) -> Result<&PlanCluster, LoadError> {
        cluster(self.plan, self.run.first().ok_or_else(|| self.plan.changed())?)
    }

    /// Makes it and returns its digest.
    fn make(&self, folder: &Path, first: Nonce) -> Result<Sha256Digest, MergeError> {
        let cluster = self.cluster()?;
        // A provenance without its keyshares is what a merge leaves that was killed between the two.
        let is_unfinished = !exists(&folder.join(KEYSHARES_FILE))
            && claims(folder).is_some_and(|claims| claims.plan == Some(self.plan.hash.to_string()));
        let output = OutputDir::prepare(folder, &OUTPUT_FILES, self.request.force || is_unfinished)?;
        let mut running = Sha256Running::default();
        let mut staged = output.begin(KEYSHARES_FILE, Mode::Public)?;
        self.keyshares(cluster, &mut |piece| {
            running.update(piece);
            Ok(staged.append(piece)?)
        })?;
        staged.finish()?;
        let digest = running.digest();
        if staged.digest_back()? != digest {
            return Err(MergeError::ReadBack(KEYSHARES_FILE));
        }
        let held = self.judge(cluster, first, staged.reader()?)?;
        let mut described = output.begin(provenance::FILE_NAME, Mode::Public)?;
        let description = self.describe(cluster, first, digest, &held, &mut described)?;
        if described.digest_back()? != description {
            return Err(MergeError::ReadBack(provenance::FILE_NAME));
        }
        let last = self.run.last().map_or(first, |slot| slot.nonce);
        if let Some(taken) = self.work.taken_since((self.network, self.owner), last)? {
            return Err(MergeError::TakenMeanwhile(taken));
        }
        let files = publish_unless(output, vec![described, staged], || {
            self.work.taken_since((self.network, self.owner), last)
        })?;
        for (file, digest) in files.iter().zip([description, digest]) {
            if digest_of(file).ok() != Some(digest) {
                return Err(MergeError::Moved(file.clone()));
            }
        }
        Ok(digest)
    }

    /// How many validators the file in the folder has, as its provenance says; `None` where none is there.
    fn earlier(&self, folder: &Path) -> Option<usize> {
        Some(claims(folder)?.validators.len())
    }

    /// The digest of the file in the folder, if it is byte for byte the one that would be made of these rows.
    fn kept(&self, folder: &Path) -> Result<Option<Sha256Digest>, MergeError> {
        let Ok(digest) = keyshares_digest(folder) else { return Ok(None) };
        let mut running = Sha256Running::default();
        self.keyshares(self.cluster()?, &mut |piece| {
            running.update(piece);
            Ok(())
        })?;
        Ok((running.digest() == digest && self.is_described(folder, digest)).then_some(digest))
    }

    /// Whether the provenance in the folder is that of this file.
    fn is_described(&self, folder: &Path, keyshares: Sha256Digest) -> bool {
        let Some(claims) = claims(folder) else { return false };
        let validators =
            self.run.iter().map(|slot| (format!("0x{}", hex::encode(slot.public_key)), u64::from(slot.nonce.get())));
        claims.plan == Some(self.plan.hash.to_string())
            && claims.owner == self.owner.to_checksum()
            && (claims.network.as_str(), claims.chain_id) == (self.network.name(), self.network.chain_id())
            && claims.outputs == [(KEYSHARES_FILE.to_owned(), keyshares.to_string())]
            && claims.validators.into_iter().eq(validators)
    }

    fn result(&self, slot: &Slot) -> Result<RowResult, MergeError> {
        self.work.result(&slot.wanted()).and_then(Result::ok).ok_or(MergeError::ChangedMeanwhile(slot.row))
    }

    fn keyshares(
        &self,
        cluster: &PlanCluster,
        write: &mut dyn FnMut(&[u8]) -> Result<(), MergeError>,
    ) -> Result<(), MergeError> {
        let owner = self.owner.to_checksum();
        let mut writer = Writer::new(&owner, cluster.cluster.operators());
        // The time of the plan, so that the same work gives the same file.
        write(Writer::start(&self.plan.header.created_at)?.as_bytes())?;
        for slot in &self.run {
            let result = self.result(slot)?;
            write(writer.item(&result.public_key, result.nonce, &result.shares_data)?.as_bytes())?;
        }
        write(writer.end().as_bytes())
    }

    /// Judges what is on the disk, as `verify` would, some validators at a time. Says how often each check held.
    fn judge(
        &self,
        cluster: &PlanCluster,
        first: Nonce,
        reader: impl Read,
    ) -> Result<BTreeMap<Check, usize>, MergeError> {
        let read_back = |_: io::Error| MergeError::ReadBack(KEYSHARES_FILE);
        let most = (GROUP * self.request.jobs.max(1)).min(512);
        let mut pieces = Pieces::new(BufReader::new(reader)).map_err(read_back)?;
        let mut held: BTreeMap<Check, usize> = BTreeMap::new();
        let (mut seen, mut sealed) = (HashSet::new(), HashSet::new());
        let mut position = 0_usize;
        while let Some(piece) = pieces.next_piece(most).map_err(read_back)? {
            let file = keyshares::parse(&piece).map_err(|_| MergeError::ReadBack(KEYSHARES_FILE))?;
            let expected = Expected {
                owner: Some(self.owner),
                nonce: first.checked_add(position as u64).ok(),
                network: None,
                validators: Some(most.min(self.run.len().saturating_sub(position))),
                operators: Some(&cluster.list),
                ..Expected::default()
            };
            let report = judge(&file, &expected, None, self.request.jobs);
            let here = self.run.get(position..).unwrap_or_default();
            let not_valid = |report| {
                let rows = here.iter().take(most).map(|slot| slot.row).collect();
                MergeError::NotValid { report: Box::new(report), rows }
            };
            // The ids are the operators', not this program's choice; the plan has warned of them.
            let usual = report.keyshares_oddities().iter().all(|oddity| *oddity == keyshares::Oddity::WrappingId);
            if report.verdict != Verdict::Valid || !usual {
                return Err(not_valid(report));
            }
            for line in &report.validators {
                if !line.public_key.is_some_and(|key| seen.insert(*key.as_bytes())) {
                    return Err(not_valid(report));
                }
            }
            // What verify compares within a file is compared here across its parts, too.
            for (slot, item) in here.iter().zip(file.items.iter().flatten()) {
                let data = SharesData::cut(&item.payload.shares_data, item.payload.operator_ids.len());
                // Of the whole plan: a run compares these across its files.
                let is_validator = |key: &&[u8]| {
                    <[u8; PublicKey::BYTES]>::try_from(*key).is_ok_and(|key| self.validators.contains(&key))
                };
                if data.iter().flat_map(|data| &data.share_public_keys).any(is_validator) {
                    return Err(MergeError::ShareIsValidator(slot.row));
                }
                for share in data.iter().flat_map(|data| &data.sealed_shares) {
                    if !sealed.insert(Sha256Digest::of(*share).as_bytes().first_chunk::<16>().copied()) {
                        return Err(MergeError::SealedTwice(slot.row));
                    }
                }
            }
            for (check, result) in &report.checks {
                *held.entry(*check).or_default() += result.held;
            }
            position += report.validators.len();
        }
        if position != self.run.len() {
            return Err(MergeError::ReadBack(KEYSHARES_FILE));
        }
        held.insert(Check::Count, 1);
        Ok(held)
    }

    /// Writes the provenance, its lists row by row from the plan. Returns its digest.
    fn describe(
        &self,
        cluster: &PlanCluster,
        first: Nonce,
        keyshares: Sha256Digest,
        held: &BTreeMap<Check, usize>,
        staged: &mut Staged,
    ) -> Result<Sha256Digest, MergeError> {
        let name =
            |path: &str| Path::new(path).file_name().map_or_else(String::new, |name| name.to_string_lossy().into());
        let file = |name: String, digest: Sha256Digest| FileFacts { name, sha256: digest.to_string() };
        let mut places = RowsByPlace::open(self.plan)?;
        let validators = self.run.iter().map(|slot| {
            let row: Row = places.at(slot.place)?;
            let result = self.result(slot)?;
            Ok::<_, MergeError>(ValidatorFacts {
                public_key: format!("0x{}", hex::encode(result.public_key)),
                nonce: result.nonce.get(),
                keystore: Some(name(&row.keystore)),
                password_reading: Some(result.password_reading),
            })
        });
        let mut again = RowsByPlace::open(self.plan)?;
        let operator_files = self.plan.inputs.iter().map(|input| Ok(file(name(&input.path), input.digest)));
        let keystores = self.run.iter().map(|slot| {
            let row = again.at(slot.place)?;
            Ok::<_, MergeError>(file(name(&row.keystore), row.digest))
        });
        let provenance = Provenance {
            schema: provenance::SCHEMA,
            tool: Tool::THIS,
            created_at: self.plan.header.created_at.clone(),
            network: self.network.into(),
            owner: self.owner.to_checksum(),
            first_nonce: first.get(),
            threshold: cluster.cluster.threshold().t(),
            operators: cluster.cluster.operators().iter().map(OperatorFacts::from).collect(),
            validators: Streamed::new(validators),
            inputs: Streamed::new(operator_files.chain(keystores)),
            outputs: vec![file(KEYSHARES_FILE.to_owned(), keyshares)],
            checks: held
                .iter()
                .filter(|(_, held)| **held > 0)
                .map(|(check, held)| CheckFacts { id: check.id(), title: check.title(), held: *held })
                .collect(),
            run: None,
            plan: Some(self.plan.hash.to_string()),
            ceremony: None,
        };
        let mut sink = Sink { staged, running: Sha256Running::default(), failure: None };
        let written = provenance.write_to(BufWriter::new(&mut sink));
        if let Some(failure) = sink.failure {
            return Err(failure.into());
        }
        written?;
        let digest = sink.running.digest();
        staged.finish()?;
        Ok(digest)
    }
}

/// Publishes files, and takes them back where their rows turn out to be taken once they are visible. Whoever takes rows after
/// that could have seen the files; what happens between the last look and the publishing nobody else would see.
fn publish_unless(
    output: OutputDir,
    staged: Vec<Staged>,
    taken: impl Fn() -> Result<Option<Superseded>, ShardError>,
) -> Result<Vec<PathBuf>, MergeError> {
    let (count, folder) = (staged.len(), output.path().to_path_buf());
    let mut found = Ok(None);
    let outcome = output.publish_with(staged, |position| {
        if position == count {
            found = taken();
        }
        match &found {
            Ok(None) => Ok(()),
            Ok(Some(_)) => Err(WriteError::from_io(&folder, io::Error::other("its rows were taken meanwhile"))),
            Err(error) => Err(WriteError::from_io(&folder, io::Error::other(error.to_string()))),
        }
    });
    match (outcome, found) {
        (Err(WriteError::NotTakenBack { remaining, .. }), Ok(Some(taken))) => {
            Err(MergeError::NotTakenBack { taken, remaining })
        }
        (Err(error @ WriteError::NotTakenBack { .. }), _) => Err(error.into()),
        (_, Ok(Some(taken))) => Err(MergeError::TakenMeanwhile(taken)),
        (_, Err(error)) => Err(error.into()),
        (outcome, Ok(None)) => Ok(outcome?),
    }
}

/// The digest of the keyshares in a folder, which are no larger than what a merge writes.
fn keyshares_digest(folder: &Path) -> Result<Sha256Digest, ReadError> {
    digest_within(&folder.join(KEYSHARES_FILE), keyshares::MAX_BYTES)
}

/// What the provenance in a folder says.
fn claims(folder: &Path) -> Option<provenance::Claims> {
    let source = Source::File(folder.join(provenance::FILE_NAME));
    provenance::Claims::parse(&read_bounded(&source, provenance::MAX_BYTES).ok()?).ok()
}

/// A file in the making, as JSON writers want it.
struct Sink<'a> {
    staged: &'a mut Staged,
    running: Sha256Running,
    failure: Option<WriteError>,
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.running.update(bytes);
        match self.staged.append(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(error) => {
                self.failure = Some(error);
                Err(io::ErrorKind::Other.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The last look is behind the publishing: what was there before is there again, and nothing else is.
    #[test]
    fn what_was_taken_while_it_was_published_is_taken_back() {
        let outer = tempfile::tempdir().unwrap();
        let read = |folder: &Path, name: &str| read_bounded(&Source::File(folder.join(name)), 99).ok();
        let rows = Superseded {
            network: Network::Hoodi,
            owner: Address::from_bytes([7; 20]),
            from: Nonce::from(9),
            by: Sha256Digest::of(b"plan"),
        };
        let publish = |folder: &Path, content: &[u8], found: Option<Superseded>| {
            let output = OutputDir::prepare(folder, &["a", "b"], true).unwrap();
            let staged = ["a", "b"].map(|name| output.stage(name, content, Mode::Public).unwrap()).into();
            publish_unless(output, staged, || {
                assert_eq!(["a", "b"].map(|name| read(folder, name)), [Some(content.to_vec()), Some(content.to_vec())]);
                Ok(found)
            })
        };
        for is_there in [true, false] {
            let folder = outer.path().join(is_there.to_string());
            let before = is_there.then(|| b"old".to_vec());
            if let Some(old) = &before {
                assert_eq!(publish(&folder, old, None).unwrap().len(), 2);
            }
            let outcome = publish(&folder, b"new", Some(rows));
            assert!(matches!(outcome, Err(MergeError::TakenMeanwhile(taken)) if taken == rows));
            assert_eq!(["a", "b"].map(|name| read(&folder, name)), [before.clone(), before]);
        }
        let folder = outer.path().join("true");
        let output = OutputDir::prepare(&folder, &["a"], true).unwrap();
        let staged = vec![output.stage("a", b"new", Mode::Public).unwrap()];
        let outcome = publish_unless(output, staged, || Err(ShardError::NoWork(folder.clone())));
        assert!(matches!(outcome, Err(MergeError::Work(ShardError::NoWork(_)))));
        assert_eq!(read(&folder, "a").unwrap(), b"old");
    }
}
