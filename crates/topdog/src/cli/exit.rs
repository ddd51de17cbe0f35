use std::process::ExitCode;

/// How a command ended, as scripts see it; the numbers are part of the interface (`docs/cli.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what it was asked to.
    Done = 0,
    /// Anything that no other number says.
    Failed = 1,
    /// A flag, an argument or a file that can't be understood.
    Usage = 2,
    /// The server can't be reached.
    Unreachable = 3,
    /// 401 or 403.
    Refused = 4,
    /// What was named is not there.
    NotFound = 5,
    /// Something is in the way, or a limit is reached.
    Conflict = 6,
    /// The audit chain is not what it should be.
    VerificationFailed = 7,
}

impl Exit {
    /// What the status of an answer means.
    pub(crate) const fn of_status(status: u16) -> Self {
        match status {
            200..=299 => Self::Done,
            401 | 403 => Self::Refused,
            404 => Self::NotFound,
            409 | 422 | 429 => Self::Conflict,
            _ => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What `--help` says of the numbers.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed
  2  wrong usage: a flag, an argument or a file that can't be understood
  3  the server can't be reached
  4  refused (401, 403)
  5  not found
  6  conflict, or a limit is reached (409, 422, 429)
  7  verification failed";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_and_the_help_list_every_code() {
        let manual = include_str!("../../../../docs/cli.md");
        for exit in [
            Exit::Done,
            Exit::Failed,
            Exit::Usage,
            Exit::Unreachable,
            Exit::Refused,
            Exit::NotFound,
            Exit::Conflict,
            Exit::VerificationFailed,
        ] {
            let code = exit as u8;
            assert!(manual.contains(&format!("\n| {code} | ")), "docs/cli.md lacks {code}");
            assert!(EXIT_CODES.contains(&format!("\n  {code}  ")), "the help lacks {code}");
        }
    }
}
