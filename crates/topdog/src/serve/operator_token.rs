use super::private_file;
use anyhow::{anyhow, ensure};
use rustls::crypto::SecureRandom;
use std::path::Path;
use topdog_domain::api_key::BASE62;

/// What every operator token begins with.
pub(crate) const PREFIX: &str = "td_operator_";
/// Base-62 digits behind it: 256 bits.
const DIGITS: usize = 43;

/// The operator's token, kept in a file of the data folder for the command line on this machine; made where it
/// is not there.
pub(super) fn load_or_create(data_dir: &Path) -> anyhow::Result<String> {
    let path = data_dir.join("operator.token");
    if let Some(token) = private_file::read(&path)? {
        ensure!(
            is_token(&token),
            "{} holds no operator token; delete it, so that a new one is made at the next start",
            path.display()
        );
        return Ok(token);
    }
    let token = new()?;
    private_file::create(&path, &format!("{token}\n"))?;
    Ok(token)
}

fn new() -> anyhow::Result<String> {
    let random = rustls::crypto::aws_lc_rs::default_provider().secure_random;
    let mut token = PREFIX.to_owned();
    while token.len() < PREFIX.len() + DIGITS {
        token.extend(digit(random)?);
    }
    Ok(token)
}

/// A base-62 digit; none for a byte that would make some digits likelier than others.
fn digit(random: &dyn SecureRandom) -> anyhow::Result<Option<char>> {
    let mut byte = [0_u8];
    random.fill(&mut byte).map_err(|_| anyhow!("the operating system gives no random numbers"))?;
    let [byte] = byte;
    let is_fair = usize::from(byte) < 256 / BASE62.len() * BASE62.len();
    let digit = BASE62.get(usize::from(byte) % BASE62.len());
    Ok(digit.filter(|_| is_fair).copied().map(char::from))
}

fn is_token(text: &str) -> bool {
    text.strip_prefix(PREFIX)
        .is_some_and(|digits| digits.len() == DIGITS && digits.bytes().all(|b| b.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    #[test]
    fn it_is_made_once_and_only_the_owner_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let token = load_or_create(folder.path()).unwrap();
        assert!(is_token(&token));
        assert_eq!(load_or_create(folder.path()).unwrap(), token);
        let file = folder.path().join("operator.token");
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        let refused = load_or_create(folder.path()).unwrap_err().to_string();
        assert!(refused.contains("open to other users") && !refused.contains(&token));
    }

    #[test]
    fn two_are_never_the_same() {
        assert_ne!(new().unwrap(), new().unwrap());
    }
}
