//! What could not be carried, as one header: a caller's own words in it can do no harm.

use http::HeaderValue;
use std::fmt::Write;
use topdog_wire::translate::Loss;

/// The most that is listed, bytes; how many more there were is said.
const MOST_BYTES: usize = 1024;

/// The fields by their paths, separated by commas; none where nothing was dropped. Whatever is no letter, digit or sign of
/// a path is a question mark: paths hold what the caller, or the provider, called its fields.
pub(crate) fn listed(losses: &[Loss]) -> Option<HeaderValue> {
    let mut list = String::new();
    let mut left = losses.len();
    for loss in losses {
        if list.len() + loss.path.len() + 2 > MOST_BYTES {
            break;
        }
        if !list.is_empty() {
            list.push_str(", ");
        }
        list.extend(loss.path.chars().map(|c| if is_of_path(c) { c } else { '?' }));
        left -= 1;
    }
    match (left, list.is_empty()) {
        (0, true) => return None,
        (0, false) => {}
        (more, is_empty) => {
            let comma = if is_empty { "" } else { ", " };
            let _ = write!(list, "{comma}and {more} more");
        }
    }
    HeaderValue::try_from(list).ok()
}

const fn is_of_path(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '[' | ']' | '$')
}

#[cfg(test)]
mod tests {
    use super::{MOST_BYTES, listed};
    use topdog_wire::translate::Loss;

    fn lost(paths: &[&str]) -> Option<String> {
        let losses: Vec<_> =
            paths.iter().map(|path| Loss { path: (*path).to_owned(), why: "it can't be said" }).collect();
        listed(&losses).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_list_is_one_safe_and_short_line() {
        assert_eq!(lost(&[]), None);
        assert_eq!(lost(&["seed", "messages[2].name"]).unwrap(), "seed, messages[2].name");
        assert_eq!(lost(&["a\r\nset-cookie: x", "é,b"]).unwrap(), "a??set-cookie??x, ??b");
        let many = vec!["messages[1].content"; 500];
        let told = lost(&many).unwrap();
        assert!(told.len() < MOST_BYTES + 32 && told.ends_with(" more"), "{told}");
        let listed = told.matches("messages").count();
        assert!(told.ends_with(&format!("and {} more", 500 - listed)), "{told}");
        assert_eq!(lost(&[&"x".repeat(5000)]).unwrap(), "and 1 more");
    }
}
