//! Watching without inotify: which file systems need it, and a stamp of files that changes when any of them does.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

/// File systems that others can change without this kernel seeing it, by their number in `statfs(2)`.
const REMOTE: &[(u32, &str)] = &[
    (0x0000_6969, "NFS"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB"),
    (0x0000_517b, "SMB"),
    (0x0102_1997, "9p"),
    (0x6573_5546, "FUSE"),
    (0x00c3_6400, "Ceph"),
    (0x5346_414f, "AFS"),
    (0x6b41_4653, "AFS"),
    (0x7375_7245, "Coda"),
    (0x0116_1970, "GFS2"),
    (0x7461_636f, "OCFS2"),
    (0x0bd0_0bd0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x1983_0326, "BeeGFS"),
    (0x2003_0528, "OrangeFS"),
    (0x786f_4256, "VirtualBox's shared folders"),
    (0xbacb_acbc, "VMware's shared folders"),
    (0x7c7c_6673, "Parallels' shared folders"),
];

/// The name of the file system that a path is on, if inotify does not see all changes there.
pub(super) fn remote(path: &Path) -> Option<&'static str> {
    let found = rustix::fs::statfs(path).ok()?;
    remote_type(found.f_type as u32)
}

fn remote_type(number: u32) -> Option<&'static str> {
    REMOTE.iter().find(|(remote, _)| *remote == number).map(|(_, name)| *name)
}

/// A number that changes when a file or directory below `paths` (or one of them) appears, vanishes, or gets other
/// contents or attributes. Reading a file does not change it. None if `stop` said so.
pub(super) fn stamp(paths: &BTreeSet<PathBuf>, stop: impl Fn() -> bool) -> Option<u64> {
    let mut sum = 0u64;
    for entry in paths.iter().flat_map(|path| WalkDir::new(path).follow_links(false)) {
        if stop() {
            return None;
        }
        let Ok(entry) = entry else { continue };
        let Ok(found) = entry.metadata() else { continue };
        let mut hasher = DefaultHasher::new();
        OsStr::as_bytes(entry.path().as_os_str()).hash(&mut hasher);
        (found.dev(), found.ino(), found.mode(), found.uid(), found.gid(), found.size()).hash(&mut hasher);
        (found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec()).hash(&mut hasher);
        // A sum, because directories are read in no order.
        sum = sum.wrapping_add(hasher.finish());
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn remote_file_systems_are_known() {
        let cases = [
            (0x6969, Some("NFS")),
            (0xff53_4d42, Some("CIFS")),
            (0x0102_1994, None),
            (0xef53, None),
            (0x9123_683e, None),
        ];
        for (number, want) in cases {
            assert_eq!(remote_type(number), want, "{number:#x}");
        }
    }

    #[test]
    fn the_stamp_sees_every_change_and_no_reading() {
        let temporary = tempfile::tempdir().unwrap();
        let top = temporary.path().join("root");
        let paths = BTreeSet::from([top.clone()]);
        let now = || stamp(&paths, || false).unwrap();
        let missing = now();
        fs::create_dir(&top).unwrap();
        let file = top.join("a.lua");
        let changes: &[(&str, &dyn Fn())] = &[
            ("a new file", &|| fs::write(&file, "1").unwrap()),
            ("as long as before", &|| fs::write(&file, "2").unwrap()),
            ("chmod", &|| fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap()),
            ("a new directory", &|| fs::create_dir(top.join("d")).unwrap()),
            ("a file in it", &|| fs::write(top.join("d/b.lua"), "").unwrap()),
            ("a rename", &|| fs::rename(top.join("d"), top.join("e")).unwrap()),
            ("a symlink", &|| symlink("a.lua", top.join("link")).unwrap()),
            ("a removal", &|| fs::remove_file(top.join("e/b.lua")).unwrap()),
        ];
        let mut before = now();
        assert_ne!(before, missing);
        for (name, change) in changes {
            // Times of files are as coarse as the kernel's clock tick: let it tick first.
            let probe = || {
                fs::write(temporary.path().join("probe"), "").unwrap();
                fs::metadata(temporary.path().join("probe")).unwrap().ctime_nsec()
            };
            let tick = probe();
            while probe() == tick {}
            change();
            let after = now();
            assert_ne!(after, before, "{name}");
            fs::read(&file).unwrap();
            fs::read_dir(&top).unwrap().count();
            assert_eq!(now(), after, "reading after {name}");
            before = after;
        }
        assert_eq!(stamp(&paths, || true), None);
    }
}
