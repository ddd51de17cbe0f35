use super::failure::Failure;
use crate::config::environment;
use std::io::Read;
use std::path::PathBuf;
use topdog_platform::api::Secret;

/// Where a provider key comes from; never an argument, which every user of the machine can read.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
pub(crate) struct SecretSource {
    /// Read the key from standard input
    #[arg(long)]
    stdin: bool,
    /// Read the key from a file
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Read the key from an environment variable of this command
    #[arg(long, value_name = "VARIABLE")]
    env: Option<String>,
    /// Have the server fetch it when it is needed (operator only): vault:MOUNT/PATH#FIELD, or env:NAME and
    /// file:PATH of the server's machine
    #[arg(long, value_name = "REFERENCE")]
    reference: Option<String>,
}

/// What the API is told of a key: exactly one of the two.
pub(super) enum KeyMaterial {
    /// The key, to be sealed.
    Secret(Secret),
    /// Where it is fetched.
    Reference(String),
}

impl SecretSource {
    /// Refuses where nothing says where the key is.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.stdin || self.file.is_some() || self.env.is_some() || self.reference.is_some() {
            return Ok(());
        }
        Err(Failure::usage(
            "say where the key is: --stdin, --file FILE, --env VARIABLE or --reference REFERENCE",
        ))
    }

    /// Reads the key, or passes the reference on.
    pub(super) fn read(self) -> Result<KeyMaterial, Failure> {
        if let Some(reference) = self.reference {
            return Ok(KeyMaterial::Reference(reference));
        }
        let secret = match (self.file, self.env) {
            (Some(file), _) => from_file(&file)?,
            (None, Some(variable)) => from_variable(&variable)?,
            (None, None) => from_stdin()?,
        };
        Ok(KeyMaterial::Secret(secret))
    }
}

impl KeyMaterial {
    /// As the API's bodies have it: secret and reference.
    pub(super) fn parts(self) -> (Option<Secret>, Option<String>) {
        match self {
            Self::Secret(secret) => (Some(secret), None),
            Self::Reference(reference) => (None, Some(reference)),
        }
    }
}

/// The key in that file.
pub(super) fn from_file(file: &std::path::Path) -> Result<Secret, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("{} can't be read: {error}", file.display())))?;
    trimmed(text, "the file")
}

/// The key in that variable.
pub(super) fn from_variable(name: &str) -> Result<Secret, Failure> {
    let text = environment::var(name).ok_or_else(|| {
        Failure::usage(format!("the environment variable {name} is not set; set it, or name another"))
    })?;
    trimmed(text, "the variable")
}

fn from_stdin() -> Result<Secret, Failure> {
    let mut text = String::new();
    // One byte more than is let through shows that there is too much.
    std::io::stdin()
        .take(LONGEST + 1)
        .read_to_string(&mut text)
        .map_err(|error| Failure::usage(format!("standard input can't be read: {error}")))?;
    trimmed(text, "standard input")
}

fn trimmed(text: String, whence: &str) -> Result<Secret, Failure> {
    let text = Secret::new(text);
    let key = text.expose().trim();
    if key.is_empty() {
        return Err(Failure::usage(format!("{whence} holds no key")));
    }
    // The JSON of a Google service account has lines and spaces; the server makes one word of it.
    let is_one_word = || key.starts_with('{') || key.bytes().all(|byte| byte.is_ascii_graphic());
    if key.len() as u64 > LONGEST || !is_one_word() {
        return Err(Failure::usage(format!(
            "{whence} does not hold a key: one is {LONGEST} visible characters at the most, in one line"
        )));
    }
    Ok(Secret::new(key.to_owned()))
}

const LONGEST: u64 = 4096;

/// Catches what is written behind a command, so that a key given there is refused without being repeated.
#[derive(clap::Args)]
pub(crate) struct NoSecretArgument {
    #[arg(hide = true, allow_hyphen_values = false, value_name = "NEVER-A-KEY")]
    unexpected: Vec<String>,
    #[arg(long = "secret", aliases = ["key", "api-key", "value"], hide = true, num_args = 0..=1)]
    secret: Option<Option<String>>,
}

impl NoSecretArgument {
    /// Refuses where anything was written there.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.unexpected.is_empty() && self.secret.is_none() {
            return Ok(());
        }
        Err(Failure::usage(
            "a provider key is never taken as an argument: other users of this machine could read it, and the \
             shell's history keeps it; give it by --stdin, --file, --env or --reference, and replace it if it is \
             a real one",
        ))
    }
}

/// What was caught may be a key.
impl std::fmt::Debug for NoSecretArgument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NoSecretArgument")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{FromArgMatches, Subcommand};

    /// What a command line comes to before any server is asked.
    fn refusal(arguments: &str) -> String {
        let root = crate::cli::Command::augment_subcommands(clap::Command::new("topdog"));
        let matches = match root.try_get_matches_from(arguments.split(' ')) {
            Ok(matches) => matches,
            Err(error) => return error.to_string(),
        };
        let command = crate::cli::Command::from_arg_matches(&matches).expect("a command");
        let crate::cli::Command::Online(crate::cli::Online::ProviderKeys(keys)) = command else {
            panic!("another command")
        };
        keys.check().map_or_else(|failure| failure.to_string(), |()| "taken".to_owned())
    }

    #[test]
    fn a_key_given_as_an_argument_is_refused_without_being_repeated() {
        for arguments in [
            "topdog provider-keys add --provider openai sk-canary",
            "topdog provider-keys add --provider openai --stdin sk-canary",
            "topdog provider-keys add --provider openai --secret sk-canary --stdin",
            "topdog provider-keys add --provider openai --secret=sk-canary",
            "topdog provider-keys add --provider openai --api-key sk-canary",
            "topdog provider-keys rotate openai sk-canary --stdin",
            "topdog provider-keys rotate openai --key=sk-canary",
        ] {
            let refusal = refusal(arguments);
            assert!(
                refusal.starts_with("a provider key is never taken as an argument"),
                "{arguments}: {refusal}"
            );
            assert!(!refusal.contains("canary"));
        }
        assert!(!refusal("topdog provider-keys add sk-canary").contains("canary"));
    }

    #[test]
    fn where_a_key_is_must_be_said_once() {
        assert_eq!(refusal("topdog provider-keys add --provider openai --stdin"), "taken");
        assert!(refusal("topdog provider-keys add --provider openai").starts_with("say where the key is"));
        assert!(
            refusal("topdog provider-keys add --provider openai --stdin --env A")
                .contains("cannot be used with")
        );
    }

    #[test]
    fn white_space_round_a_key_is_not_part_of_it() {
        let secret = trimmed("  sk-test\r\n".to_owned(), "the file").expect("a key");
        assert_eq!(secret.expose(), "sk-test");
    }

    #[test]
    fn what_can_not_be_a_key_is_refused_without_being_repeated() {
        for bad in ["", " \n", "two words", "two\nlines", "schlüssel", &"x".repeat(4097)] {
            let failure = trimmed(bad.to_owned(), "the file").map(drop).expect_err(bad);
            assert!(bad.trim().is_empty() || !failure.to_string().contains(bad));
        }
    }
}
