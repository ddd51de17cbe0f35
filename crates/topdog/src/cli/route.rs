use std::fmt::Write;

/// A path of the management API, put together from parts that are escaped one by one: no name can reach
/// another path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    path: String,
    query: String,
}

impl Route {
    /// The collection of that name.
    pub(crate) fn new(collection: &str) -> Self {
        Self { path: "/api/v1".to_owned(), query: String::new() }.then(collection)
    }

    /// What is kept below an organisation.
    pub(crate) fn of_org(org: &str) -> Self {
        Self::new("organisations").then(org)
    }

    /// One step deeper.
    pub(crate) fn then(mut self, segment: impl AsRef<str>) -> Self {
        self.path.push('/');
        escape(segment.as_ref(), &mut self.path);
        self
    }

    /// One parameter more.
    pub(crate) fn with(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.query.push(if self.query.is_empty() { '?' } else { '&' });
        escape(name, &mut self.query);
        self.query.push('=');
        escape(value.as_ref(), &mut self.query);
        self
    }

    /// One parameter more, where there is a value for it.
    pub(crate) fn with_any(self, name: &str, value: Option<impl AsRef<str>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Path and query.
    pub(crate) fn written(&self) -> String {
        [self.path.as_str(), self.query.as_str()].concat()
    }
}

/// Everything but RFC 3986's unreserved characters becomes `%XX`.
fn escape(text: &str, into: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            into.push(char::from(byte));
        } else {
            // Writing to a String can't fail.
            let _ = write!(into, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_escaped_one_by_one() {
        let route = Route::of_org("a/b c?d").then("api-keys").with("cursor", "x&y=z").with("limit", "5");
        assert_eq!(route.written(), "/api/v1/organisations/a%2Fb%20c%3Fd/api-keys?cursor=x%26y%3Dz&limit=5");
    }

    #[test]
    fn a_missing_value_leaves_its_parameter_out() {
        assert_eq!(Route::new("tiers").with_any("after", None::<&str>).written(), "/api/v1/tiers");
    }
}
