//! Checks a manifest for everything that needs no password, gives every validator its nonce, and freezes the plan.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use dvkey_ceremony::{Address, Nonce, OperatorId, PublicKey};

use super::writer::{PlanWriter, WritePlanError};
use crate::crypto::digest::Sha256Digest;
use crate::crypto::kdf::KdfLimits;
use crate::format::manifest::{self, ManifestError, ManifestParser, ManifestRow};
use crate::format::network::Network;
use crate::format::operators::{self, Cluster, OperatorList, OperatorsError};
use crate::format::plan::{Header, Input, Row};
use crate::store::atomic::Staged;
use crate::store::lines::Lines;
use crate::store::read::{ReadError, Source, must_be_readable, read_bounded};
use crate::workflow::inventory::{Found, FoundKeystore, InventoryProblem, find};

/// What is to be planned.
#[derive(Debug)]
pub struct Request {
    /// The manifest.
    pub manifest: PathBuf,
    /// Its folder as the plan names it.
    pub base: String,
    /// UTC, as JavaScript writes it.
    pub created_at: String,
    /// What a keystore may ask for.
    pub limits: KdfLimits,
    /// The most validators that one operator may get.
    pub operator_cap: u32,
}

/// What was planned.
#[derive(Debug)]
pub struct Summary {
    /// The plan's hash.
    pub hash: Sha256Digest,
    /// How many validators.
    pub rows: u32,
    /// The validators of each owner and cluster.
    pub groups: Vec<Group>,
    /// Nonces between those of the plan that are in no row.
    pub holes: Vec<Hole>,
    /// What was found in folders and is left alone.
    pub strays: Vec<(PathBuf, &'static str)>,
}

/// The validators that one owner registers with one set of operators.
#[derive(Debug)]
pub struct Group {
    /// Where.
    pub network: Network,
    /// Who registers.
    pub owner: Address,
    /// The operators.
    pub operators: Vec<OperatorId>,
    /// How many validators.
    pub rows: u32,
    /// The nonces, in runs from the first to the last, both included.
    pub nonces: Vec<(u16, u16)>,
}

/// Nonces that the plan passes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hole {
    /// Where.
    pub network: Network,
    /// Whose.
    pub owner: Address,
    /// The first.
    pub first: u16,
    /// The last.
    pub last: u16,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The manifest cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The manifest has no rows.
    #[error("{}: there are no rows in it", .0.display())]
    Empty(PathBuf),
    /// Something is wrong with these lines.
    #[error("{} of the manifest's lines cannot be planned", .0.len())]
    Problems(Vec<(u64, Problem)>),
    /// The plan could not be written.
    #[error(transparent)]
    Write(#[from] WritePlanError),
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// It is no row.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A keystore cannot be used.
    #[error("{}: {problem}", path.display())]
    Keystore {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        problem: InventoryProblem,
    },
    /// A keystore names no public key, so that nobody could tell a duplicate before it is opened.
    #[error("{}: the keystore names no public key", .0.display())]
    NoPublicKey(PathBuf),
    /// A name that is no text, and cannot stand in a plan.
    #[error("{}: the name is not UTF-8", .0.display())]
    Name(PathBuf),
    /// The same validator stands elsewhere, too.
    #[error("{}: the same validator as in line {line}, {earlier}", path.display())]
    SameValidator {
        /// The keystore.
        path: PathBuf,
        /// The earlier line.
        line: u64,
        /// The earlier keystore.
        earlier: String,
    },
    /// The file of operators cannot be read.
    #[error(transparent)]
    OperatorsFile(ReadError),
    /// No cluster can be picked from the file of operators.
    #[error("{path}: {problem}")]
    Operators {
        /// The file.
        path: String,
        /// What is wrong.
        problem: OperatorsError,
    },
    /// One operator has different keys in different files.
    #[error("operator {operator} on {network} has another key here than in an earlier line")]
    TwoKeys {
        /// The operator.
        operator: OperatorId,
        /// The network.
        network: Network,
    },
    /// An operator would get too many validators.
    #[error("operator {operator} on {network} would get more than {cap} validators")]
    OperatorCap {
        /// The operator.
        operator: OperatorId,
        /// The network.
        network: Network,
        /// The most it may get.
        cap: u32,
    },
    /// The password file cannot be read.
    #[error("the password file: {0}")]
    PasswordFile(ReadError),
    /// The first line of an owner names no nonce.
    #[error("this is the first line of owner {owner} on {network}: its nonce must be there")]
    NonceMissing {
        /// The owner.
        owner: Address,
        /// The network.
        network: Network,
    },
    /// A nonce is used already.
    #[error("nonce {nonce} of owner {owner} on {network} is used by an earlier row")]
    NonceTwice {
        /// The nonce.
        nonce: u64,
        /// The owner.
        owner: Address,
        /// The network.
        network: Network,
    },
    /// A nonce is above what the nodes know.
    #[error("nonce {nonce} of owner {owner} on {network} is above 65535, the largest that the nodes know")]
    NonceTooLarge {
        /// The nonce.
        nonce: u64,
        /// The owner.
        owner: Address,
        /// The network.
        network: Network,
    },
}

/// The most problems that are kept.
const MAX_PROBLEMS: usize = 10_000;

/// Reads the manifest line by line and writes the plan to `staged`, which nobody sees before it is published.
///
/// # Errors
/// [`PlanError`], with everything that is wrong at once.
pub fn plan(request: &Request, staged: &mut Staged) -> Result<Summary, PlanError> {
    let mut lines = Lines::open(&request.manifest, manifest::MAX_LINE)?;
    let header = Header { created_at: request.created_at.clone(), base: request.base.clone(), continues: None };
    let folder = request.manifest.parent().unwrap_or(Path::new("")).to_path_buf();
    let mut planner = Planner {
        request,
        folder,
        writer: PlanWriter::start(staged, header)?,
        files: HashMap::new(),
        clusters: HashMap::new(),
        keys: HashMap::new(),
        validators: HashMap::new(),
        owners: BTreeMap::new(),
        loads: HashMap::new(),
        groups: BTreeMap::new(),
        strays: Vec::new(),
        problems: Vec::new(),
    };
    let mut parser = ManifestParser::default();
    while let Some(line) = lines.next_line()? {
        match parser.line(line.bytes) {
            Ok(None) => {}
            Ok(Some(row)) => planner.line(line.number, &row)?,
            Err(error) => {
                let is_fatal = error.is_about_the_file();
                planner.problems.push((line.number, error.into()));
                if is_fatal {
                    break;
                }
            }
        }
        if planner.problems.len() > MAX_PROBLEMS {
            break;
        }
    }
    planner.finish()
}

/// What is known of an owner on a network.
#[derive(Default)]
struct Owner {
    next: Option<u64>,
    /// First to last nonce of each run.
    used: BTreeMap<u16, u16>,
}

impl Owner {
    /// Whether the nonce was free; it is not any more.
    fn take(&mut self, nonce: u16) -> bool {
        if let Some((_, last)) = self.used.range_mut(..=nonce).next_back() {
            if *last >= nonce {
                return false;
            }
            if nonce - *last == 1 {
                *last = nonce;
                return true;
            }
        }
        self.used.insert(nonce, nonce).is_none()
    }

    /// The runs, joined where one ends right before the next begins.
    fn runs(&self) -> Vec<(u16, u16)> {
        let mut runs: Vec<(u16, u16)> = Vec::new();
        for (first, last) in &self.used {
            match runs.last_mut() {
                Some((_, end)) if u32::from(*end) + 1 == u32::from(*first) => *end = *last,
                _ => runs.push((*first, *last)),
            }
        }
        runs
    }
}

/// How a line names a cluster: by network, file and ids.
type ClusterName = (Network, String, Vec<OperatorId>);

/// A cluster's number in the plan, and its operators.
type KnownCluster = (u32, Vec<OperatorId>);

struct Planner<'a> {
    request: &'a Request,
    folder: PathBuf,
    writer: PlanWriter<'a>,
    /// Files of operators, by path; `None` for those that cannot be used.
    files: HashMap<String, Option<OperatorList>>,
    /// Clusters by network, file and ids; `None` for those that cannot be used.
    clusters: HashMap<ClusterName, Option<KnownCluster>>,
    /// The key of each operator.
    keys: HashMap<(Network, OperatorId), Sha256Digest>,
    validators: HashMap<[u8; PublicKey::BYTES], (u64, Box<str>)>,
    owners: BTreeMap<(Network, Address), Owner>,
    loads: HashMap<(Network, OperatorId), u32>,
    groups: BTreeMap<(Network, Address, Vec<OperatorId>), Owner>,
    strays: Vec<(PathBuf, &'static str)>,
    problems: Vec<(u64, Problem)>,
}

impl Planner<'_> {
    fn line(&mut self, number: u64, line: &ManifestRow) -> Result<(), PlanError> {
        let cluster = self.cluster(number, line)?;
        if let Some(file) = &line.password_file
            && let Err(error) = must_be_readable(&self.folder.join(file))
        {
            self.problems.push((number, Problem::PasswordFile(error)));
        }
        if let Some(nonce) = line.nonce {
            self.owners.entry((line.network, line.owner)).or_default().next = Some(nonce.get().into());
        }
        let mut outcome = Ok(());
        find(&self.folder.join(&line.keystore), Source::File, self.request.limits, &mut |found| match found {
            Found::Keystore(keystore) if outcome.is_ok() => {
                outcome = self.keystore(number, line, &keystore, cluster.as_ref());
            }
            Found::Keystore(_) => {}
            Found::Stray(stray) => self.strays.push((Path::new(&line.keystore).join(stray.name), stray.what)),
            Found::Problem(path, problem) => self.problems.push((number, Problem::Keystore { path, problem })),
        });
        outcome
    }

    fn keystore(
        &mut self,
        number: u64,
        line: &ManifestRow,
        keystore: &FoundKeystore,
        cluster: Option<&KnownCluster>,
    ) -> Result<(), PlanError> {
        let path = self.path_in_plan(line, keystore);
        let mut problem = |problem| self.problems.push((number, problem));
        let path = match path {
            Some(path) => path,
            None => {
                problem(Problem::Name(keystore.path.clone()));
                String::new()
            }
        };
        let public_key = keystore.public_key.map(|key| *key.as_bytes());
        match public_key {
            None => problem(Problem::NoPublicKey(keystore.path.clone())),
            Some(key) => match self.validators.get(&key) {
                Some((line, earlier)) => {
                    let (path, earlier) = (keystore.path.clone(), earlier.to_string());
                    problem(Problem::SameValidator { path, line: *line, earlier });
                }
                None => {
                    self.validators.insert(key, (number, path.as_str().into()));
                }
            },
        }
        let nonce = self.nonce(number, line);
        let Some((cluster, operators)) = cluster else { return Ok(()) };
        self.load(number, line.network, operators);
        let (Some(public_key), Some(nonce)) = (public_key, nonce) else { return Ok(()) };
        // After a problem nothing will be published: what follows is only checked.
        if !self.problems.is_empty() {
            return Ok(());
        }
        let group = self.groups.entry((line.network, line.owner, operators.clone())).or_default();
        group.take(nonce.get());
        let row = self.writer.rows();
        self.writer.row(Row {
            row,
            keystore: path,
            digest: keystore.digest,
            public_key,
            cluster: *cluster,
            owner: line.owner,
            nonce,
            network: line.network,
            password_file: line.password_file.clone(),
            tag: line.tag.clone(),
        })?;
        Ok(())
    }

    /// The path of a keystore, relative to the manifest: as the line has it, or below the folder that it names.
    fn path_in_plan(&self, line: &ManifestRow, keystore: &FoundKeystore) -> Option<String> {
        if keystore.path == self.folder.join(&line.keystore) {
            return Some(line.keystore.clone());
        }
        let name = keystore.path.file_name()?.to_str()?;
        Path::new(&line.keystore).join(name).to_str().map(str::to_owned)
    }

    fn nonce(&mut self, number: u64, line: &ManifestRow) -> Option<Nonce> {
        let (owner, network) = (line.owner, line.network);
        let known = self.owners.entry((network, owner)).or_default();
        let problem = match known.next {
            None => {
                // Once for each owner is enough.
                known.next = Some(0);
                Problem::NonceMissing { owner, network }
            }
            Some(nonce) => {
                known.next = Some(nonce.saturating_add(1));
                match u16::try_from(nonce) {
                    Err(_) => Problem::NonceTooLarge { nonce, owner, network },
                    Ok(small) if known.take(small) => return Some(Nonce::from(small)),
                    Ok(_) => Problem::NonceTwice { nonce, owner, network },
                }
            }
        };
        self.problems.push((number, problem));
        None
    }

    /// Counts one more validator for these operators.
    fn load(&mut self, number: u64, network: Network, operators: &[OperatorId]) {
        let cap = self.request.operator_cap;
        for operator in operators {
            let load = self.loads.entry((network, *operator)).or_default();
            *load = load.saturating_add(1);
            // Said once, where it happens.
            if *load == cap.saturating_add(1) {
                self.problems.push((number, Problem::OperatorCap { operator: *operator, network, cap }));
            }
        }
    }

    fn cluster(&mut self, number: u64, line: &ManifestRow) -> Result<Option<KnownCluster>, PlanError> {
        let mut ids = line.operator_ids.clone();
        ids.sort_unstable();
        let name = (line.network, line.operators.clone(), ids);
        if let Some(known) = self.clusters.get(&name) {
            return Ok(known.clone());
        }
        let (_, file, ids) = &name;
        let ids = Some(ids.as_slice()).filter(|ids| !ids.is_empty());
        let picked = self.list(number, file)?.map(|list| list.pick(ids)).transpose();
        let picked = picked.unwrap_or_else(|problem| {
            self.problems.push((number, Problem::Operators { path: file.clone(), problem }));
            None
        });
        let known = match picked {
            Some(cluster) if self.keys_agree(number, line.network, &cluster) => {
                Some((self.writer.cluster(&cluster)?, cluster.ids()))
            }
            _ => None,
        };
        self.clusters.insert(name, known.clone());
        Ok(known)
    }

    fn list(&mut self, number: u64, file: &str) -> Result<Option<&OperatorList>, PlanError> {
        if !self.files.contains_key(file) {
            let source = Source::File(self.folder.join(file));
            let list = match read_bounded(&source, operators::MAX_BYTES) {
                Err(error) => Err(Problem::OperatorsFile(error)),
                Ok(bytes) => match OperatorList::parse(&bytes) {
                    Err(problem) => Err(Problem::Operators { path: file.to_owned(), problem }),
                    Ok(list) => {
                        self.writer.input(Input { path: file.to_owned(), digest: Sha256Digest::of(&bytes) })?;
                        Ok(list)
                    }
                },
            };
            let list = list.map_err(|problem| self.problems.push((number, problem))).ok();
            self.files.insert(file.to_owned(), list);
        }
        Ok(self.files.get(file).and_then(Option::as_ref))
    }

    /// An operator has one key. With two of them, one of the clusters would get shares that nobody can open.
    fn keys_agree(&mut self, number: u64, network: Network, cluster: &Cluster) -> bool {
        let mut agree = true;
        for operator in cluster.operators() {
            let key = operator.key.key.fingerprint();
            if *self.keys.entry((network, operator.id)).or_insert(key) != key {
                agree = false;
                self.problems.push((number, Problem::TwoKeys { operator: operator.id, network }));
            }
        }
        agree
    }

    fn finish(self) -> Result<Summary, PlanError> {
        if !self.problems.is_empty() {
            return Err(PlanError::Problems(self.problems));
        }
        let rows = self.writer.rows();
        if rows == 0 {
            return Err(PlanError::Empty(self.request.manifest.clone()));
        }
        let hash = self.writer.close()?;
        let mut holes = Vec::new();
        for ((network, owner), known) in &self.owners {
            for pair in known.runs().windows(2) {
                if let [(_, last), (next, _)] = pair {
                    let (first, last) = (last.saturating_add(1), next.saturating_sub(1));
                    holes.push(Hole { network: *network, owner: *owner, first, last });
                }
            }
        }
        let groups = self.groups.into_iter().map(|((network, owner, operators), taken)| {
            let nonces = taken.runs();
            let rows = nonces.iter().map(|(first, last)| u32::from(last - first) + 1).sum();
            Group { network, owner, operators, rows, nonces }
        });
        Ok(Summary { hash, rows, groups: groups.collect(), holes, strays: self.strays })
    }
}

#[cfg(test)]
mod tests {
    use super::Owner;

    #[test]
    fn nonces_are_taken_once_and_joined() {
        let mut owner = Owner::default();
        for nonce in [7, 8, 3, 4, 65535, 0, 5, 6] {
            assert!(owner.take(nonce), "{nonce}");
            assert!(!owner.take(nonce), "{nonce}");
        }
        assert_eq!(owner.runs(), [(0, 0), (3, 8), (65535, 65535)]);
        for nonce in [3, 6, 7, 65535] {
            assert!(!owner.take(nonce), "{nonce}");
        }
    }
}
