use super::finding::Finding;
use crate::config::{Config, Environment, Reference, RootKeySource};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use topdog_vault::{RootKeyring, VaultError};

/// The data folder, the operator's token and the root key: there, readable, and nobody else's business.
pub(super) fn check(config: &Config) -> Vec<Finding> {
    let folder = private("data folder", &config.data_dir, "chmod 700");
    let token = private("operator token", &config.data_dir.join("operator.token"), "chmod 600");
    vec![folder, token, root_key(&config.vault.root_key)]
}

fn private(check: &'static str, path: &Path, mend: &str) -> Finding {
    let shown = path.display();
    match path.metadata() {
        Ok(found) if found.mode() & 0o077 != 0 => Finding::fail(
            check,
            format!("{shown} is open to other users (mode {:o})", found.mode() & 0o777),
            format!("run `{mend} {shown}`, and see who could read it"),
        ),
        Ok(found) if found.uid() != rustix::process::geteuid().as_raw() => Finding::warn(
            check,
            format!("{shown} belongs to another user"),
            "run this as the user that the server runs as",
        ),
        Ok(_) => Finding::ok(check, format!("{shown} is its owner's only")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Finding::warn(
            check,
            format!("{shown} is not there"),
            "the first `topdog serve` makes it; else name the folder with --data-dir",
        ),
        Err(error) => {
            Finding::fail(check, format!("{shown} can't be read: {error}"), "run this as the server's user")
        }
    }
}

fn root_key(source: &RootKeySource) -> Finding {
    const CHECK: &str = "root key";
    let (read, is_in_data_dir) = match source {
        RootKeySource::DataDir(path) if !path.exists() => {
            return Finding::warn(
                CHECK,
                format!("{} is not there", path.display()),
                "the first `topdog serve` makes it; if there is data already, bring the key back",
            );
        }
        RootKeySource::DataDir(path) => (RootKeyring::read(path).map_err(told), true),
        RootKeySource::Given(Reference::File(path)) => (RootKeyring::read(path).map_err(told), false),
        RootKeySource::Given(reference @ Reference::Variable(_)) => {
            let text = reference.resolve(&Environment::of_process()).map_err(|error| error.to_string());
            (text.and_then(|text| RootKeyring::from_text(&text).map_err(told)), false)
        }
    };
    match read {
        Err(why) => {
            Finding::fail(CHECK, why, "without the root key the server does not start; bring it back")
        }
        Ok(root) if is_in_data_dir => Finding::warn(
            CHECK,
            format!("{} is in use, beside the data that it protects", root.id()),
            "move it to a secret store, name its place with vault.root_key, and keep a copy",
        ),
        Ok(root) => {
            Finding::ok(CHECK, format!("{} is readable, version {}", root.id(), root.newest_version()))
        }
    }
}

fn told(error: VaultError) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Level;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_others_can_read_fails() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("operator.token");
        assert_eq!(private("x", &file, "chmod 600").level, Level::Warn);
        std::fs::write(&file, "t").expect("written");
        for (mode, level) in [(0o600, Level::Ok), (0o640, Level::Fail), (0o604, Level::Fail)] {
            std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).expect("mode");
            assert_eq!(private("x", &file, "chmod 600").level, level, "{mode:o}");
        }
    }

    #[test]
    fn a_root_key_that_gives_no_key_fails() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("root.key");
        let given = RootKeySource::Given(Reference::File(file.clone()));
        assert_eq!(root_key(&given).level, Level::Fail);
        RootKeyring::generate(&file).map(drop).expect("made");
        assert_eq!(root_key(&given).level, Level::Ok);
        assert_eq!(root_key(&RootKeySource::DataDir(file)).level, Level::Warn);
    }
}
