//! The way through the folders of a medium: so deep, so many, each once, and along no link.
//!
//! Whoever writes on a stick must not be able to make a laptop walk for ever, or read what is on the laptop and not on the
//! stick. A path that was named may be a link itself.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::gather::Aside;
use crate::store::read::{EntryKind, ReadError, identity, identity_of_many_names, list_unlinked};

/// Folders inside of folders are entered so deep.
pub const DEPTH: usize = 5;
/// No medium of a ceremony has more folders.
pub const MOST_FOLDERS: usize = 5000;
/// No medium of a ceremony holds more files.
pub const MOST_FILES: usize = 20_000;

/// What was met on the way.
#[derive(Debug, Default)]
pub struct Walk {
    /// The files, in the order of their names.
    pub files: Vec<PathBuf>,
    /// Folders that the system does not give out.
    aside: Vec<(String, Aside)>,
    /// So many files and folders are looked at; all, where they were taken in before.
    most: Option<(usize, usize)>,
    folders: usize,
    /// Folders below the path that was named last.
    entered: BTreeSet<(u64, u64)>,
    /// Files that have several names.
    met: BTreeSet<(u64, u64)>,
    /// The first of those that were left alone, and how many there are.
    more_files: Option<(String, usize)>,
    more_folders: Option<(String, usize)>,
    deep: Option<(String, usize)>,
    links: Option<(String, usize)>,
}

fn leave(what: &mut Option<(String, usize)>, path: &Path) {
    what.get_or_insert_with(|| (path.display().to_string(), 0)).1 += 1;
}

impl Walk {
    /// Through what others may have made.
    #[must_use]
    pub fn bounded() -> Self {
        Self::of(MOST_FILES, MOST_FOLDERS)
    }

    /// The same with other bounds.
    #[must_use]
    pub(super) fn of(files: usize, folders: usize) -> Self {
        Self { most: Some((files, folders)), ..Self::default() }
    }

    /// Meets a file, or all files below a folder.
    ///
    /// # Errors
    /// [`ReadError`] for a path that is not there, or a folder that cannot be read.
    pub fn start(&mut self, path: &Path) -> Result<(), ReadError> {
        // One that was met too deep below another is not too deep where it is named.
        self.entered.clear();
        match self.enter(path, 0) {
            Err(ReadError::NotADirectory { .. }) => {
                self.meet(path.to_path_buf());
                Ok(())
            }
            result => result,
        }
    }

    fn enter(&mut self, folder: &Path, depth: usize) -> Result<(), ReadError> {
        if identity(folder).is_some_and(|own| !self.entered.insert(own)) {
            return Ok(());
        }
        let entries = list_unlinked(folder)?;
        self.folders += 1;
        // What is hidden is the desktop's or a killed run's.
        for entry in entries.into_iter().filter(|entry| !entry.name.starts_with('.')) {
            match entry.kind {
                EntryKind::Dir if depth >= DEPTH => leave(&mut self.deep, &entry.path),
                EntryKind::Dir if self.most.is_some_and(|(_, most)| self.folders >= most) => {
                    leave(&mut self.more_folders, &entry.path);
                }
                EntryKind::Dir => {
                    if let Err(error) = self.enter(&entry.path, depth + 1) {
                        self.aside.push((entry.path.display().to_string(), Aside::Unreadable(error.to_string())));
                    }
                }
                EntryKind::File => self.meet(entry.path),
                EntryKind::Link => leave(&mut self.links, &entry.path),
                EntryKind::Other => {}
            }
        }
        Ok(())
    }

    fn meet(&mut self, file: PathBuf) {
        if identity_of_many_names(&file).is_some_and(|own| !self.met.insert(own)) {
            return;
        }
        if self.most.is_some_and(|(most, _)| self.files.len() >= most) {
            return leave(&mut self.more_files, &file);
        }
        self.files.push(file);
    }

    /// What was left alone, and why: of each reason the first, and how many there are.
    #[must_use]
    pub fn aside(&self) -> Vec<(String, Aside)> {
        let (files, folders) = self.most.unwrap_or_default();
        let told = |what: &Option<(String, usize)>, why: &dyn Fn(usize) -> Aside| {
            what.as_ref().map(|(origin, left)| (origin.clone(), why(*left)))
        };
        let bounds = [
            told(&self.more_files, &|left| Aside::TooMany { left, most: files }),
            told(&self.more_folders, &|left| Aside::TooManyFolders { left, most: folders }),
            told(&self.deep, &|left| Aside::TooDeep { left, most: DEPTH }),
            told(&self.links, &|left| Aside::Links { left }),
        ];
        self.aside.iter().cloned().chain(bounds.into_iter().flatten()).collect()
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests look at the disk from the side")]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn no_link_leads_round_in_circles_or_over_the_machine() {
        let outer = tempfile::tempdir().unwrap();
        let at = |name: &str| outer.path().join(name);
        std::fs::create_dir_all(at("stick/a")).unwrap();
        std::fs::create_dir(at("laptop")).unwrap();
        std::fs::write(at("laptop/own"), "x").unwrap();
        std::fs::write(at("stick/a/file"), "x").unwrap();
        for number in 1..=40 {
            symlink(".", at(&format!("stick/l{number}"))).unwrap();
        }
        symlink(at("laptop"), at("stick/root")).unwrap();
        symlink(at("laptop/own"), at("stick/to-file")).unwrap();
        std::fs::hard_link(at("stick/a/file"), at("stick/again")).unwrap();
        let mut walk = Walk::bounded();
        walk.start(&at("stick")).unwrap();
        assert_eq!(walk.files, [at("stick/a/file")]);
        assert_eq!(walk.aside(), [(at("stick/l1").display().to_string(), Aside::Links { left: 42 })]);
        // What was named may be a link.
        symlink(at("stick/a"), at("named")).unwrap();
        symlink(at("laptop/own"), at("named-file")).unwrap();
        let mut walk = Walk::bounded();
        walk.start(&at("named")).unwrap();
        walk.start(&at("named-file")).unwrap();
        assert_eq!(walk.files, [at("named/file"), at("named-file")]);
        assert!(walk.start(&at("absent")).is_err());
    }

    #[test]
    fn what_is_beyond_the_bounds_is_told() {
        let outer = tempfile::tempdir().unwrap();
        let at = |name: &str| outer.path().join(name);
        for name in ["1", "2", "3", "4"] {
            std::fs::create_dir(at(name)).unwrap();
            std::fs::write(at(name).join("file"), "x").unwrap();
        }
        let mut walk = Walk::of(9, 3);
        walk.start(outer.path()).unwrap();
        assert_eq!(walk.files.len(), 2);
        assert_eq!(walk.aside(), [(at("3").display().to_string(), Aside::TooManyFolders { left: 2, most: 3 })]);
        let mut walk = Walk::of(3, 9);
        walk.start(outer.path()).unwrap();
        assert_eq!(walk.aside(), [(at("4/file").display().to_string(), Aside::TooMany { left: 1, most: 3 })]);
        // One that lies too deep below another may be named for itself.
        std::fs::create_dir_all(at("1/2/3/4/5/6")).unwrap();
        std::fs::write(at("1/2/3/4/5/6/deep"), "x").unwrap();
        let mut walk = Walk::bounded();
        walk.start(outer.path()).unwrap();
        let told = (at("1/2/3/4/5/6").display().to_string(), Aside::TooDeep { left: 1, most: DEPTH });
        assert_eq!(walk.aside().first(), Some(&told));
        walk.start(&at("1/2/3/4")).unwrap();
        assert!(walk.files.contains(&at("1/2/3/4/5/6/deep")));
    }
}
