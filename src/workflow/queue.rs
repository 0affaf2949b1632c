//! The order in which keystores are opened: side by side in the lanes of a worker, on several workers, within the memory.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::crypto::kdf::Kdf;
use crate::crypto::kdf::group::Deriver;
use crate::crypto::kdf::self_test::Tested;
use crate::crypto::password::Password;
use crate::format::keystore::{Keystore, UnlockError, Unlocked};
use crate::machine::memory::Budget;

/// What the machine lends for opening keystores.
#[derive(Clone, Copy)]
pub(crate) struct Resources<'a> {
    /// How scrypt is computed.
    pub(crate) kdf: Tested,
    /// The memory for key derivation.
    pub(crate) memory: &'a Budget,
    /// How many workers.
    pub(crate) jobs: usize,
}

/// Whoever wants keystores opened. All of it is called from several threads.
pub(crate) trait Client: Sync {
    /// The password of a keystore, when its turn comes; `None` when it is not to be opened after all.
    fn password(&self, position: usize) -> Option<Password>;

    /// Hears of a keystore that asks for more memory than there is in all. It is not opened.
    fn too_large(&self, position: usize, wanted: u64);

    /// Takes what came of a keystore. Called once for each that had a password, in no particular order.
    fn opened(&self, position: usize, result: Result<Unlocked, UnlockError>);

    /// Hears that a worker turns to the next keystores, having `spent` so long on the last.
    fn next(&self, spent: Duration) {
        let _ = spent;
    }
}

/// Opens the keystores at these positions of `all`; each of them is heard of once.
///
/// The memory is cut into equal parts, one for each worker, and fewer workers where a part could not hold the largest
/// derivation; the others open what takes no memory. A worker keeps its part until nothing is left that it can open.
pub(crate) fn open_all(
    all: &[&Keystore],
    positions: impl Iterator<Item = usize>,
    resources: Resources<'_>,
    client: &impl Client,
) {
    let wanted = |at: &usize| all.get(*at).map_or(0, |keystore| keystore.envelope.kdf.memory());
    let (fitting, others): (Vec<_>, Vec<_>) = positions.partition(|at| resources.memory.try_fits(wanted(at)));
    for at in others {
        client.too_large(at, wanted(&at));
    }
    let queue = Queue::new(all, fitting.into_iter());
    if queue.keystores == 0 {
        return;
    }
    let jobs = resources.jobs.clamp(1, queue.keystores);
    let plan = Parts::new(resources.memory.total(), queue.largest, jobs);
    let work = |part: u64| {
        let _permit = resources.memory.acquire(part);
        let mut deriver = Deriver::new(resources.kdf, part);
        loop {
            let group = queue.take(part, plan.holders, resources.kdf);
            if group.is_empty() {
                return;
            }
            let group: Vec<_> = group.into_iter().filter_map(|at| Some((at, client.password(at)?))).collect();
            let begun = Instant::now();
            let pairs: Vec<_> = group.iter().filter_map(|(at, password)| Some((*all.get(*at)?, password))).collect();
            let results = Keystore::unlock_all(&pairs, &mut deriver);
            for ((at, _), result) in group.iter().zip(results) {
                client.opened(*at, result);
            }
            client.next(begun.elapsed());
        }
    };
    std::thread::scope(|scope| {
        for worker in 1..jobs {
            let part = plan.part(worker);
            // Where the system gives no more threads, the ones there are do the work.
            if std::thread::Builder::new().spawn_scoped(scope, move || work(part)).is_err() {
                break;
            }
        }
        work(plan.part(0));
    });
}

/// Opens one keystore, with all the memory there is.
///
/// # Errors
/// [`UnlockError`].
pub(crate) fn open_one(
    keystore: &Keystore,
    password: &Password,
    resources: Resources<'_>,
) -> Result<Unlocked, UnlockError> {
    let wanted = keystore.envelope.kdf.memory();
    let _permit = resources.memory.acquire(wanted);
    let mut deriver = Deriver::new(resources.kdf, wanted);
    let mut results = Keystore::unlock_all(&[(keystore, password)], &mut deriver);
    results.pop().unwrap_or_else(|| keystore.unlock(password))
}

/// How the memory is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parts {
    /// How many workers have a part.
    holders: usize,
    /// A part, in bytes.
    bytes: u64,
}

impl Parts {
    fn new(total: u64, largest: u64, jobs: usize) -> Self {
        let fitting = total.checked_div(largest).map_or(jobs, |fitting| usize::try_from(fitting).unwrap_or(jobs));
        let holders = fitting.clamp(1, jobs);
        Self { holders, bytes: total / holders as u64 }
    }

    fn part(self, worker: usize) -> u64 {
        if worker < self.holders { self.bytes } else { 0 }
    }
}

/// Derivations that can be made side by side: those that take most memory first, so that an arena seldom grows.
type Shape = (Reverse<u64>, Option<(u8, u32, u32)>);

/// The keystores of one shape that still wait, and how many there were. Twins stand together.
#[derive(Default)]
struct Waiting {
    left: VecDeque<Vec<usize>>,
    at_first: usize,
}

/// A table costs time before it is used and after: the system clears it, and it is wiped. Beyond the fourth, a worker
/// takes only as many as it will use so often.
const USES: usize = 4;

/// What waits, by shape. Keystores with the same parameters and salt stay together, so that those that have the same
/// password, too, are derived once.
struct Queue<'a> {
    waiting: Mutex<BTreeMap<Shape, Waiting>>,
    all: &'a [&'a Keystore],
    keystores: usize,
    largest: u64,
}

impl<'a> Queue<'a> {
    fn new(all: &'a [&'a Keystore], positions: impl Iterator<Item = usize>) -> Self {
        let mut keystores = 0;
        let mut twins: HashMap<&Kdf, Vec<usize>> = HashMap::new();
        let mut order: Vec<&Kdf> = Vec::new();
        for (at, keystore) in positions.filter_map(|at| Some((at, all.get(at)?))) {
            keystores += 1;
            let kdf = &keystore.envelope.kdf;
            let own = twins.entry(kdf).or_insert_with(|| {
                order.push(kdf);
                Vec::new()
            });
            own.push(at);
        }
        let largest = order.iter().map(|kdf| kdf.memory()).max().unwrap_or(0);
        let mut waiting: BTreeMap<Shape, Waiting> = BTreeMap::new();
        for kdf in order {
            let shape = match kdf {
                Kdf::Scrypt { log_n, r, p, .. } => Some((*log_n, *r, *p)),
                Kdf::Pbkdf2 { .. } => None,
            };
            let group = waiting.entry((Reverse(kdf.memory()), shape)).or_default();
            group.left.extend(twins.remove(kdf));
            group.at_first += 1;
        }
        Self { waiting: Mutex::new(waiting), all, keystores, largest }
    }

    /// As many keystores of one shape as a worker with `part` bytes can open at once, without leaving other workers
    /// idle; a register is filled before another worker gets any.
    fn take(&self, part: u64, holders: usize, path: Tested) -> Vec<usize> {
        let path = path.path();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for ((Reverse(memory), _), group) in waiting.iter_mut() {
            let first = group.left.front().and_then(|twins| self.all.get(*twins.first()?));
            let Some(keystore) = first.filter(|_| *memory <= part) else { continue };
            let lanes = Deriver::lanes(path, &keystore.envelope.kdf, part);
            let share = |keystores: usize| keystores.div_ceil(holders);
            let fair = share(group.left.len()).next_multiple_of(path.width());
            let worth = share(group.at_first).div_ceil(USES).max(USES).next_multiple_of(path.width());
            let count = lanes.min(fair).min(worth).min(group.left.len());
            return group.left.drain(..count).flatten().collect();
        }
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::kdf::{KdfLimits, Path};
    use crate::format::keystore::Keystore;

    fn keystores(kdfs: &[(u8, u32, u8)]) -> Vec<Keystore> {
        let text = include_str!("../../fixtures/split/keystore-demo.json");
        let model = Keystore::parse(text.as_bytes(), KdfLimits::DEFAULT).unwrap();
        kdfs.iter()
            .map(|(log_n, p, salt)| {
                let mut keystore = model.clone();
                keystore.envelope.kdf = match log_n {
                    0 => Kdf::Pbkdf2 { c: 1, salt: vec![*salt] },
                    _ => Kdf::Scrypt { log_n: *log_n, r: 8, p: *p, salt: vec![*salt] },
                };
                keystore
            })
            .collect()
    }

    fn taken(kdfs: &[(u8, u32, u8)], part: u64, holders: usize, path: Path) -> Vec<Vec<usize>> {
        let keystores = keystores(kdfs);
        let all: Vec<_> = keystores.iter().collect();
        let queue = Queue::new(&all, 0..all.len());
        let path = Tested::new(path).unwrap();
        std::iter::from_fn(|| Some(queue.take(part, holders, path)).filter(|group| !group.is_empty())).collect()
    }

    #[test]
    fn memory_is_cut_among_those_who_can_use_it() {
        let mib = 1 << 20;
        assert_eq!(Parts::new(1024 * mib, 256 * mib, 2), Parts { holders: 2, bytes: 512 * mib });
        assert_eq!(Parts::new(600 * mib, 256 * mib, 8), Parts { holders: 2, bytes: 300 * mib });
        assert_eq!(Parts::new(300 * mib, 256 * mib, 8), Parts { holders: 1, bytes: 300 * mib });
        assert_eq!(Parts::new(100 * mib, 256 * mib, 8).holders, 1);
        assert_eq!(Parts::new(0, 0, 8), Parts { holders: 8, bytes: 0 });
        assert_eq!(Parts::new(600 * mib, 256 * mib, 8).part(1), 300 * mib);
        assert_eq!(Parts::new(600 * mib, 256 * mib, 8).part(2), 0);
    }

    #[test]
    fn a_group_is_of_one_shape_and_no_larger_than_the_memory() {
        let mixed = [(10, 1, 1), (12, 1, 2), (0, 1, 3), (10, 1, 4), (10, 2, 5), (0, 1, 6)];
        // The crate takes one at a time, the largest first.
        assert_eq!(taken(&mixed, 64 << 20, 1, Path::Crate), [vec![1], vec![0], vec![3], vec![4], vec![2], vec![5]]);
        // Without memory only what needs none.
        assert_eq!(taken(&mixed, 0, 1, Path::Crate), [vec![2], vec![5]]);
        let groups = taken(&mixed, 64 << 20, 1, Path::Scalar);
        let mut opened: Vec<_> = groups.iter().flatten().copied().collect();
        opened.sort_unstable();
        assert_eq!(opened, [0, 1, 2, 3, 4, 5]);
        if Path::Scalar.lanes() > 1 {
            assert!(groups.contains(&vec![0, 3]));
            // One table each, of two that there are.
            assert_eq!(taken(&mixed, 1 << 20, 1, Path::Scalar), [vec![0], vec![3], vec![4], vec![2], vec![5]]);
        }
    }

    #[test]
    fn tables_are_taken_where_they_are_used() {
        let sizes = |count: u8, holders| {
            let kdfs: Vec<_> = (0..count).map(|salt| (10, 1, salt)).collect();
            let groups = taken(&kdfs, 1 << 30, holders, Path::Avx512);
            groups.iter().map(Vec::len).collect::<Vec<_>>()
        };
        if Path::Avx512.is_supported() {
            // The last ones are shared out between the workers.
            assert_eq!(sizes(64, 2), [8, 8, 8, 8, 8, 8, 8, 4, 4]);
            assert_eq!(sizes(96, 2), [12, 12, 12, 12, 12, 12, 12, 8, 4]);
            assert_eq!(sizes(10, 1), [4, 4, 2]);
            assert_eq!(sizes(2, 2), [2]);
        }
    }

    #[test]
    fn twins_stay_together_and_workers_share() {
        let path = Path::best();
        let alike: Vec<_> = (0..40).map(|i| (10, 1, i % 20)).collect();
        let groups = taken(&alike, 1 << 30, 2, path);
        for group in &groups {
            assert!(group.iter().all(|at| group.contains(&((at + 20) % 40))), "{groups:?}");
            assert!(group.len() <= 2 * path.lanes());
        }
        // Two workers with one register's worth of work: one of them does it.
        let few: Vec<_> = (0..3).map(|i| (10, 1, i)).collect();
        let first = &taken(&few, 1 << 30, 2, path)[0];
        assert_eq!(first.len(), 2_usize.next_multiple_of(path.width()).min(3).min(path.lanes()));
    }
}
