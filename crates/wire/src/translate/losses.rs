//! What a translation could not carry: noted where it is met, named by its path in the caller's body.

use super::json::{Node, Value, parse};
use super::model::Spot;
use std::iter::Peekable;
use std::vec;

/// What becomes of a field that the target can't express.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The request is refused, naming it.
    Strict,
    /// It is dropped or approximated, and listed.
    Lenient,
}

/// One thing that the target can't express.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// The field's path in the body as it came, such as `messages[2].content[0].input_audio`.
    pub path: String,
    /// Why it can't be carried, and what is done instead where it is not simply left out.
    pub why: &'static str,
}

/// The losses of one translation, gathered by reader and writer. Nothing is left out without an entry here.
#[derive(Debug, Default)]
pub struct Losses {
    noted: Vec<(Spot, &'static str)>,
    /// A stream's events have no places worth telling, and lose the same thing again and again.
    has_no_places: bool,
}

impl Losses {
    /// The losses of a stream: each reason once.
    pub(crate) const fn of_stream() -> Self {
        Self { noted: Vec::new(), has_no_places: true }
    }

    /// What is at `at` is not carried.
    pub(crate) fn note(&mut self, at: Spot, why: &'static str) {
        let at = if self.has_no_places { Spot::NOWHERE } else { at };
        if at != Spot::NOWHERE || !self.noted.contains(&(at, why)) {
            self.noted.push((at, why));
        }
    }

    /// A field that is no part of the dialect as far as Top Dog knows it.
    pub(crate) fn unknown(&mut self, at: Spot) {
        self.note(at, "it is not a field that can be translated");
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.noted.is_empty()
    }

    /// Why, once each, in the order in which they were met.
    pub(crate) fn reasons(&self) -> Vec<&'static str> {
        let mut reasons: Vec<&'static str> = Vec::new();
        for (_, why) in &self.noted {
            if !reasons.contains(why) {
                reasons.push(why);
            }
        }
        reasons
    }

    /// The losses with their paths in `body`, in the order in which they stand there, each once.
    pub(crate) fn name(mut self, body: &str) -> Vec<Loss> {
        if self.noted.is_empty() {
            return Vec::new();
        }
        self.noted.sort();
        self.noted.dedup();
        let Ok(root) = parse(body) else { return Vec::new() };
        let mut naming =
            Naming { noted: self.noted.into_iter().peekable(), path: String::new(), named: Vec::new() };
        naming.visit(&root);
        // What was not read from the body has no place in it.
        naming.name_while(|_| true);
        naming.named
    }
}

/// A body that can't be understood: a field is missing or of another type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed {
    at: Spot,
    missing: Option<&'static str>,
    expected: &'static str,
}

impl Malformed {
    /// The value at `at` is not `expected` (with its article).
    pub(crate) const fn new(at: Spot, expected: &'static str) -> Self {
        Self { at, missing: None, expected }
    }

    /// The object at `at` lacks the field `name`.
    pub(crate) const fn missing(at: Spot, name: &'static str) -> Self {
        Self { at, missing: Some(name), expected: "given" }
    }

    /// The field's path, and what it must be.
    pub(crate) fn name(self, body: &str) -> (String, &'static str) {
        let mut path = parse(body).map(|root| path_in(&root, self.at)).unwrap_or_default();
        if let Some(name) = self.missing {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(name);
        }
        (path, self.expected)
    }
}

/// The path of the value that begins at `at`; of the body itself it is empty.
fn path_in(root: &Node<'_>, at: Spot) -> String {
    let mut naming =
        Naming { noted: vec![(at, "")].into_iter().peekable(), path: String::new(), named: Vec::new() };
    naming.visit(root);
    naming.named.pop().map(|loss| loss.path).unwrap_or_default()
}

/// One walk over a body that names all that was noted, in its order: however much that is, no value is looked at twice.
struct Naming {
    noted: Peekable<vec::IntoIter<(Spot, &'static str)>>,
    path: String,
    named: Vec<Loss>,
}

impl Naming {
    /// Names what lies in this value, which is at the present path.
    fn visit(&mut self, node: &Node<'_>) {
        self.name_while(|at| at == node.at);
        let length = self.path.len();
        match &node.value {
            Value::Object(members) => {
                for (key, inner) in members {
                    if self.is_next_in(inner) {
                        if length > 0 {
                            self.path.push('.');
                        }
                        self.path.push_str(key);
                        self.visit(inner);
                        self.path.truncate(length);
                    }
                }
            }
            Value::List(elements) => {
                for (index, inner) in elements.iter().enumerate() {
                    if self.is_next_in(inner) {
                        self.path.push_str(&format!("[{index}]"));
                        self.visit(inner);
                        self.path.truncate(length);
                    }
                }
            }
            _ => {}
        }
        // What begins at none of the values in it is told by its own path.
        self.name_while(|at| node.holds(at));
    }

    fn is_next_in(&mut self, node: &Node<'_>) -> bool {
        self.noted.peek().is_some_and(|(at, _)| node.holds(*at))
    }

    fn name_while(&mut self, belongs: impl Fn(Spot) -> bool) {
        while let Some((_, why)) = self.noted.next_if(|(at, _)| belongs(*at)) {
            self.named.push(Loss { path: self.path.clone(), why });
        }
    }
}
