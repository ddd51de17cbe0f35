use super::*;
use crate::cipher::Cipher;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

fn base64_of(byte: u8) -> String {
    STANDARD.encode([byte; 32])
}

fn mode_of(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn fault_of(result: Result<RootKeyring, VaultError>) -> RootFileFault {
    match result.err().unwrap() {
        VaultError::RootFile { fault, .. } => fault,
        other => panic!("{other}"),
    }
}

#[test]
fn a_generated_file_is_its_owners_only_and_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("root.key");
    let made = RootKeyring::generate(&path).unwrap();
    assert_eq!(mode_of(&path), 0o600);
    let read = RootKeyring::read(&path).unwrap();
    assert_eq!(read.id(), made.id());
    assert_eq!(read.newest_version(), 1);
    assert_eq!(read.newest().1.expose(), made.newest().1.expose());
    assert_eq!(fault_of(RootKeyring::generate(&path)), RootFileFault::Exists);
    assert_eq!(RootKeyring::read(&path).unwrap().id(), made.id());
}

#[test]
fn of_many_who_generate_at_once_one_does_and_it_is_the_one_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("root.key");
    let made: Vec<RootKeyring> = std::thread::scope(|scope| {
        let makers: Vec<_> = (0..8).map(|_| scope.spawn(|| RootKeyring::generate(&path).ok())).collect();
        makers.into_iter().filter_map(|maker| maker.join().unwrap()).collect()
    });
    assert_eq!(made.len(), 1);
    let kept = RootKeyring::read(&path).unwrap();
    assert_eq!(kept.newest().1.expose(), made[0].newest().1.expose());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn two_generated_keys_differ() {
    let folder = tempfile::tempdir().unwrap();
    let one = RootKeyring::generate(&folder.path().join("one")).unwrap();
    let two = RootKeyring::generate(&folder.path().join("two")).unwrap();
    assert_ne!(one.newest().1.expose(), two.newest().1.expose());
    assert_ne!(one.id(), two.id());
}

#[test]
fn without_a_root_key_nothing_starts() {
    let folder = tempfile::tempdir().unwrap();
    let missing = RootKeyring::read(&folder.path().join("none"));
    assert!(matches!(missing.err(), Some(VaultError::NoRootKey)));
    assert!(matches!(RootKeyring::from_text(" \n").err(), Some(VaultError::NoRootKey)));
    assert!(matches!(RootKeyring::from_text("# only this\nid x").err(), Some(VaultError::NoRootKey)));
}

#[test]
fn a_file_that_others_may_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("root.key");
    RootKeyring::generate(&path).unwrap();
    for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o666] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(fault_of(RootKeyring::read(&path)), RootFileFault::OpenToOthers(mode));
        assert!(RootKeyring::add_version(&path).is_err());
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    assert!(RootKeyring::read(&path).is_ok());
}

#[test]
fn malformed_lines_are_named_and_not_shown() {
    let good = base64_of(1);
    let cases = [
        ("v1".to_owned(), 1),
        (format!("v0 {good}"), 1),
        (format!("v01 {good}"), 1),
        (format!("v+1 {good}"), 1),
        (format!("1 {good}"), 1),
        (format!("v1 {}", STANDARD.encode([1; 31])), 1),
        (format!("v1 {good}\nv1 {good}"), 2),
        (format!("v2 {good}\n\nv1 {good}"), 3),
        (format!("v1 {good}\nid late"), 2),
        (format!("id one\nid two\nv1 {good}"), 2),
        (format!("id two words\nv1 {good}"), 1),
        ("v1 SECRETSECRET".to_owned(), 1),
    ];
    for (text, line) in cases {
        let error = RootKeyring::from_text(&text).err().unwrap();
        assert!(!error.to_string().contains("SECRET") && !error.to_string().contains(&good));
        assert_eq!(fault_of(Err(error)), RootFileFault::Malformed(line), "{text}");
    }
}

#[test]
fn a_value_may_be_bare_or_in_lines() {
    let bare = RootKeyring::from_text(&format!(" {}\n", base64_of(7))).unwrap();
    assert_eq!((bare.id(), bare.newest_version()), ("root", 1));
    assert_eq!(bare.newest().1.expose(), &[7; 32]);
    let text = format!("# c\n id prod \nv2 {}\n v5 {}", base64_of(2), base64_of(5));
    let lines = RootKeyring::from_text(&text).unwrap();
    assert_eq!((lines.id(), lines.newest_version()), ("prod", 5));
    assert_eq!(lines.find("prod", 2).unwrap().expose(), &[2; 32]);
    for (id, version) in [("prod", 1), ("prod", 3), ("other", 5)] {
        let error = lines.find(id, version).err().unwrap();
        assert!(matches!(error, VaultError::UnknownRoot { .. }));
    }
    assert!(lines.path().is_none());
}

#[test]
fn a_version_is_added_and_the_older_ones_still_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("root.key");
    let first = RootKeyring::generate(&path).unwrap();
    fs::write(folder.path().join(".root.key.new"), "left by a kill").unwrap();
    assert_eq!(RootKeyring::add_version(&path).unwrap(), 2);
    assert_eq!(RootKeyring::add_version(&path).unwrap(), 3);
    let root = RootKeyring::read(&path).unwrap();
    assert_eq!((root.id(), root.newest_version()), (first.id(), 3));
    assert_eq!(root.find(first.id(), 1).unwrap().expose(), first.newest().1.expose());
    assert_ne!(root.find(first.id(), 2).unwrap().expose(), root.newest().1.expose());
    assert_eq!(mode_of(&path), 0o600);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn many_additions_at_once_lose_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("root.key");
    RootKeyring::generate(&path).unwrap();
    let mut made: Vec<u32> = std::thread::scope(|scope| {
        let adders: Vec<_> =
            (0..8).map(|_| scope.spawn(|| RootKeyring::add_version(&path).unwrap())).collect();
        adders.into_iter().map(|adder| adder.join().unwrap()).collect()
    });
    made.sort_unstable();
    assert_eq!(made, (2..=9).collect::<Vec<_>>());
    assert_eq!(RootKeyring::read(&path).unwrap().newest_version(), 9);
}

#[test]
fn a_linked_file_stays_linked() {
    let folder = tempfile::tempdir().unwrap();
    let (real, link) = (folder.path().join("real"), folder.path().join("link"));
    RootKeyring::generate(&real).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    RootKeyring::add_version(&link).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(RootKeyring::read(&real).unwrap().newest_version(), 2);
}

#[test]
fn another_versions_key_does_not_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("root.key");
    RootKeyring::generate(&path).unwrap();
    RootKeyring::add_version(&path).unwrap();
    let root = RootKeyring::read(&path).unwrap();
    let sealed = Cipher::default().seal_with(root.newest().1, [0; 12], b"", b"x").unwrap();
    let older = root.find(root.id(), 1).unwrap();
    assert!(Cipher::default().open_with(older, b"", &sealed).is_none());
}
