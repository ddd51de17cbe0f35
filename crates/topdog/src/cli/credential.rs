use super::failure::Failure;
use super::globals::Globals;
use crate::config::environment;
use http::HeaderValue;
use std::io::ErrorKind;
use std::path::Path;

/// Who the command speaks for. Neither shown nor compared: it is a secret.
pub(crate) struct Credential {
    header: HeaderValue,
    is_operator: bool,
}

impl Credential {
    /// An owner's key where one was given (file before environment), else the operator's token.
    pub(crate) fn find(globals: &Globals) -> Result<Self, Failure> {
        if let Some(file) = &globals.api_key_file {
            return Self::of(&read(file).map_err(|error| {
                Failure::usage(format!("the key file {} can't be read: {error}", file.display()))
            })?);
        }
        if let Some(key) = environment::var(API_KEY_VARIABLE) {
            return Self::of(&key);
        }
        let file = globals.data_dir().join("operator.token");
        match read(&file) {
            Ok(token) => Self::of(&token),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(Failure::usage(format!(
                "there is no operator token at {}; name the server's data folder with --data-dir, or give an \
                 organisation's key with --api-key-file or {API_KEY_VARIABLE}",
                file.display()
            ))),
            Err(error) => Err(Failure::usage(format!(
                "the operator token at {} can't be read: {error}; run this as the server's user",
                file.display()
            ))),
        }
    }

    pub(super) fn of(token: &str) -> Result<Self, Failure> {
        let token = token.trim();
        let mut header = HeaderValue::try_from(format!("Bearer {token}"))
            .ok()
            .filter(|_| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()))
            .ok_or_else(|| {
                Failure::usage(
                    "the given key is not one line of visible characters; check the file or variable",
                )
            })?;
        header.set_sensitive(true);
        Ok(Self { header, is_operator: token.starts_with(OPERATOR_PREFIX) })
    }

    /// The value of `authorization`.
    pub(crate) const fn header(&self) -> &HeaderValue {
        &self.header
    }

    /// Is it the operator's, who may do everything and belongs to no organisation?
    pub(crate) const fn is_operator(&self) -> bool {
        self.is_operator
    }
}

fn read(file: &Path) -> std::io::Result<String> {
    std::fs::read_to_string(file)
}

const API_KEY_VARIABLE: &str = "TOPDOG_API_KEY";
const OPERATOR_PREFIX: &str = "td_operator_";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_token_it_is_shows_in_its_first_characters() {
        let is_operator = |token| Credential::of(token).map(|c| c.is_operator());
        assert_eq!(is_operator("td_operator_abc\n"), Ok(true));
        assert_eq!(is_operator("td_live_abc"), Ok(false));
    }

    #[test]
    fn what_can_not_be_a_header_is_refused_without_being_repeated() {
        for bad in ["", "  ", "two words", "a\r\nb: c", "schlüssel"] {
            let failure = Credential::of(bad).err().expect(bad);
            assert!(bad.trim().is_empty() || !failure.to_string().contains(bad), "{failure}");
        }
    }
}
