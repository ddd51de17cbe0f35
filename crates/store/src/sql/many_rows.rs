//! Adding many rows by few statements: there is a text for each power of two, which is prepared once, so that any
//! number takes few journeys to the engine.

use super::engine::Pair;

/// An `INSERT` of any number of rows.
pub(super) struct ManyRows {
    texts: Vec<(usize, Texts)>,
}

struct Texts {
    sqlite: String,
    postgres: String,
}

/// Rows a statement, the most first.
const STEPS: [usize; 9] = [256, 128, 64, 32, 16, 8, 4, 2, 1];

impl ManyRows {
    /// `INSERT INTO <into> VALUES (…), (…)… <rest>` with so many columns. Where it fails, the transaction is not to
    /// be committed.
    pub(super) fn insert(into: &str, columns: usize, rest: &str) -> Self {
        let values = |rows, placeholder| values(rows, columns, placeholder);
        let texts = |rows| Texts {
            // Without `OR FAIL`, SQLite copies every page first, to undo what a failed statement has done alone.
            // A numbered parameter it finds by walking past all those before.
            sqlite: format!("INSERT OR FAIL INTO {into} VALUES {} {rest}", values(rows, |_| "?".to_owned())),
            postgres: format!(
                "INSERT INTO {into} VALUES {} {rest}",
                values(rows, |number| format!("${number}"))
            ),
        };
        Self { texts: STEPS.map(|rows| (rows, texts(rows))).into() }
    }

    /// The statement that adds the most of `rows` rows, and how many; none where there are none.
    pub(super) fn step(&'static self, rows: usize) -> Option<(usize, Pair)> {
        self.texts.iter().find(|(step, _)| *step <= rows).map(|(step, texts)| (*step, texts.pair()))
    }

    #[cfg(test)]
    pub(super) fn pairs(&'static self) -> impl Iterator<Item = Pair> {
        self.texts.iter().map(|(_, texts)| texts.pair())
    }
}

impl Texts {
    fn pair(&'static self) -> Pair {
        Pair { sqlite: &self.sqlite, postgres: &self.postgres }
    }
}

fn values(rows: usize, columns: usize, placeholder: fn(usize) -> String) -> String {
    let row = |row| {
        let first = row * columns + 1;
        let placeholders: Vec<String> = (first..first + columns).map(placeholder).collect();
        format!("({})", placeholders.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}
