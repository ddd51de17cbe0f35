use super::exit::Exit;
use serde::Deserialize;
use std::fmt;

/// Why a command ended early: what happened, why, and what to do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    /// The user asked for what can't be understood.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::with(Exit::Usage, message)
    }

    /// Something did not work.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::with(Exit::Failed, message)
    }

    /// A failure with a number of its own.
    pub(crate) fn with(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    /// What the server said instead of doing it; `body` is a problem document (RFC 9457) where the server is
    /// Top Dog.
    pub(crate) fn of_answer(status: u16, body: &[u8]) -> Self {
        let message = match serde_json::from_slice::<Problem>(body) {
            Ok(problem) => problem.to_string(),
            Err(_) => format!("the server answered {status} without saying why; check --url"),
        };
        Self::with(Exit::of_status(status), message)
    }

    /// The number that it ends the process with.
    pub(crate) const fn exit(&self) -> Exit {
        self.exit
    }

    /// The same failure, said of something.
    pub(crate) fn about(self, what: impl fmt::Display) -> Self {
        Self { message: format!("{what}: {}", self.message), ..self }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// What is read of a problem document, leniently: the server may be a newer one.
#[derive(Deserialize)]
struct Problem {
    title: Option<String>,
    detail: Option<String>,
    code: Option<String>,
    instance: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = self.detail.as_deref().or(self.title.as_deref());
        f.write_str(said.unwrap_or("the server refused"))?;
        let marks: Vec<&str> =
            [&self.code, &self.instance].into_iter().flatten().map(String::as_str).collect();
        if marks.is_empty() { Ok(()) } else { write!(f, " ({})", marks.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_document_is_told_with_its_code_and_request() {
        let body = br#"{"type":"urn:topdog:tier_limit","title":"limit reached","status":429,
            "detail":"the limit api_keys_limit is reached","code":"tier_limit","instance":"req_1"}"#;
        let failure = Failure::of_answer(429, body);
        assert_eq!(failure.exit(), Exit::Conflict);
        assert_eq!(failure.to_string(), "the limit api_keys_limit is reached (tier_limit, req_1)");
    }

    #[test]
    fn anything_else_is_not_repeated() {
        let failure = Failure::of_answer(502, b"<html>bad gateway</html>");
        assert_eq!(failure.exit(), Exit::Failed);
        assert!(!failure.to_string().contains("html"));
    }

    #[test]
    fn every_status_class_has_its_number() {
        for (status, exit) in [
            (200, Exit::Done),
            (400, Exit::Failed),
            (401, Exit::Refused),
            (403, Exit::Refused),
            (404, Exit::NotFound),
            (409, Exit::Conflict),
            (422, Exit::Conflict),
            (429, Exit::Conflict),
            (500, Exit::Failed),
        ] {
            assert_eq!(Exit::of_status(status), exit, "{status}");
        }
    }
}
