//! The limits on memory that Linux states under `/proc` and in control groups.
#![expect(clippy::disallowed_methods, reason = "this file is the door through which Linux is asked for its memory")]

use std::path::{Path, PathBuf};

use super::{LimitSource, MemoryFacts};

/// All limits that apply to this process and could be read.
pub(super) fn limits() -> Vec<MemoryFacts> {
    let meminfo = text(Path::new("/proc/meminfo")).unwrap_or_default();
    let status = text(Path::new("/proc/self/status")).unwrap_or_default();
    let mounts = text(Path::new("/proc/self/mountinfo")).unwrap_or_default();
    let groups = text(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let address_space = rustix::process::getrlimit(rustix::process::Resource::As).current;
    let mut found = Vec::new();
    let mut add = |available: Option<u64>, limit_source| {
        if let Some(available) = available {
            found.push(MemoryFacts { available, limit_source });
        }
    };
    add(kib_field(&meminfo, "MemAvailable:"), LimitSource::System);
    add(
        address_space.map(|limit| limit.saturating_sub(kib_field(&status, "VmSize:").unwrap_or(0))),
        LimitSource::AddressSpace,
    );
    for (version, dirs) in group_dirs(&mounts, &groups) {
        for dir in dirs {
            match version {
                Version::One => add(room_v1(&dir), LimitSource::CgroupV1),
                Version::Two => add(room_v2(&dir), LimitSource::CgroupV2),
            }
        }
    }
    found
}

fn text(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// A `Name:   123 kB` field, in bytes.
fn kib_field(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// A control-group limit; `max` is none. Version 1 says "no limit" with a number near 2^63.
fn limit(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|&limit| limit < 1 << 62)
}

/// A `name 123` line of `memory.stat`.
fn stat_field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(' ')?;
        (key == name).then(|| value.trim().parse().ok()).flatten()
    })
}

/// What is left under a limit. File cache that nobody uses counts as used by the group, but the
/// kernel gives it up before it refuses memory.
fn room(limit: u64, used: u64, idle_cache: u64) -> u64 {
    limit.saturating_sub(used.saturating_sub(idle_cache))
}

fn room_v2(dir: &Path) -> Option<u64> {
    let of = |name: &str| text(&dir.join(name)).as_deref().and_then(limit);
    let limit = [of("memory.max"), of("memory.high")].into_iter().flatten().min()?;
    let stat = text(&dir.join("memory.stat")).unwrap_or_default();
    let idle = stat_field(&stat, "inactive_file").unwrap_or(0);
    Some(room(limit, of("memory.current").unwrap_or(0), idle))
}

fn room_v1(dir: &Path) -> Option<u64> {
    let of = |name: &str| text(&dir.join(name)).as_deref().and_then(limit);
    let limit = of("memory.limit_in_bytes")?;
    let stat = text(&dir.join("memory.stat")).unwrap_or_default();
    let idle = stat_field(&stat, "total_inactive_file").unwrap_or(0);
    Some(room(limit, of("memory.usage_in_bytes").unwrap_or(0), idle))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// The directories of this process's memory control groups and of all their visible ancestors,
/// from `/proc/self/mountinfo` and `/proc/self/cgroup`.
fn group_dirs(mounts: &str, groups: &str) -> Vec<(Version, Vec<PathBuf>)> {
    let mut found = Vec::new();
    for line in mounts.lines() {
        // Fields: id, parent, device, root, mount point, options…, "-", type, source, options.
        let Some((front, back)) = line.split_once(" - ") else {
            continue;
        };
        let mut front = front.split(' ').skip(3);
        let (Some(root), Some(point)) = (front.next(), front.next()) else {
            continue;
        };
        let mut back = back.split(' ');
        let kind = back.next();
        let has_memory = |list: &str| list.split(',').any(|name| name == "memory");
        let version = match kind {
            Some("cgroup2") => Version::Two,
            Some("cgroup") if back.nth(1).is_some_and(has_memory) => Version::One,
            _ => continue,
        };
        // Lines: number, controllers, path; version 2 is number 0 without controllers.
        let group = groups.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':');
            let (number, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
            let wanted = match version {
                Version::One => has_memory(controllers),
                Version::Two => number == "0" && controllers.is_empty(),
            };
            wanted.then_some(path)
        });
        if let Some(group) = group {
            found.push((version, ancestors(&unescape(point), &unescape(root), group)));
        }
    }
    found
}

/// From the group itself up to the mount point. The mount may show only part of the tree, which
/// begins at `root`; a group outside of it (another namespace) leaves the mount point alone.
fn ancestors(point: &str, root: &str, group: &str) -> Vec<PathBuf> {
    let point = PathBuf::from(point);
    let below = Path::new(group).strip_prefix(root).unwrap_or(Path::new(""));
    let climbs = |part| part == std::path::Component::ParentDir;
    let below = if below.components().any(climbs) { Path::new("") } else { below };
    below.ancestors().map(|part| point.join(part)).collect()
}

/// Undoes the escapes of `mountinfo` for blanks and backslashes.
fn unescape(path: &str) -> String {
    path.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found() {
        let meminfo = "MemTotal:       100 kB\nMemAvailable:    42 kB\nHuge:  7\n";
        assert_eq!(kib_field(meminfo, "MemAvailable:"), Some(42 * 1024));
        assert_eq!(kib_field(meminfo, "Huge:"), None);
        assert_eq!(kib_field(meminfo, "VmSize:"), None);
        assert_eq!(kib_field("MemAvailable: 18446744073709551615 kB", "MemAvailable:"), None);
        let stat = "inactive_file_x 1\ninactive_file 4096\n";
        assert_eq!(stat_field(stat, "inactive_file"), Some(4096));
    }

    #[test]
    fn no_limit_is_no_limit() {
        assert_eq!(limit("max\n"), None);
        assert_eq!(limit("9223372036854771712\n"), None);
        assert_eq!(limit("1073741824\n"), Some(1 << 30));
        assert_eq!(limit(""), None);
    }

    #[test]
    fn room_never_wraps() {
        assert_eq!(room(100, 30, 10), 80);
        assert_eq!(room(100, 300, 10), 0);
        assert_eq!(room(100, 10, 300), 100);
    }

    #[test]
    fn a_unified_tree_is_climbed() {
        let mounts = "24 1 0:21 / /proc rw - proc proc rw\n\
            30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
        let dirs = group_dirs(mounts, "0::/user.slice/app.scope\n");
        assert_eq!(
            dirs,
            [(
                Version::Two,
                vec![
                    "/sys/fs/cgroup/user.slice/app.scope".into(),
                    "/sys/fs/cgroup/user.slice".into(),
                    "/sys/fs/cgroup/".into(),
                ]
            )]
        );
    }

    #[test]
    fn a_container_sees_its_own_part() {
        let mounts = "33 32 0:27 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n\
            34 32 0:28 /docker/abc /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n";
        let groups = "5:cpu:/docker/abc\n4:memory:/docker/abc/inner\n0::/\n";
        let dirs = group_dirs(mounts, groups);
        assert_eq!(dirs, [(Version::One, vec!["/sys/fs/cgroup/memory/inner".into(), "/sys/fs/cgroup/memory/".into()])]);
        for outside in ["4:memory:/elsewhere", "4:memory:/../elsewhere", "4:memory:/docker/abc/../x"] {
            let dirs = group_dirs(mounts, outside);
            assert_eq!(dirs, [(Version::One, vec!["/sys/fs/cgroup/memory/".into()])]);
        }
        assert!(group_dirs("nonsense\n - \n", groups).is_empty());
    }

    #[test]
    fn limits_are_read_from_group_directories() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        assert_eq!(room_v2(dir.path()), None);
        put("memory.max", "max\n");
        assert_eq!(room_v2(dir.path()), None);
        put("memory.high", "1000\n");
        put("memory.current", "400\n");
        put("memory.stat", "inactive_file 100\ntotal_inactive_file 50\n");
        assert_eq!(room_v2(dir.path()), Some(700));
        put("memory.max", "900\n");
        assert_eq!(room_v2(dir.path()), Some(600));
        put("memory.limit_in_bytes", "800\n");
        put("memory.usage_in_bytes", "300\n");
        assert_eq!(room_v1(dir.path()), Some(550));
    }
}
