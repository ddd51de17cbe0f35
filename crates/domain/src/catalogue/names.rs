//! Names of models: dated snapshots, and names that are near to others.

/// What a pattern of dated snapshots, `NAME-*`, stands for.
pub(super) fn of_snapshots(name: &str) -> Option<&str> {
    name.strip_suffix("-*")
}

/// The name of which this is a dated snapshot, such as `claude-sonnet-4-5` of `claude-sonnet-4-5-20250929` and `gpt-5.4`
/// of `gpt-5.4-2026-03-05`.
pub(super) fn without_date(name: &str) -> Option<&str> {
    [DASHED, TOGETHER].into_iter().find_map(|form| {
        let (base, date) = name.split_at_checked(name.len().checked_sub(form.len())?)?;
        let fits = |(given, wanted): (u8, &u8)| match wanted {
            b'0' => given.is_ascii_digit(),
            other => given == *other,
        };
        (!base.is_empty() && date.bytes().zip(form).all(fits)).then_some(base)
    })
}

const DASHED: &[u8] = b"-2000-00-00";
const TOGETHER: &[u8] = b"-20000000";

/// The three names nearest to one; none that is far off.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Vec<String> {
    let name: String = name.chars().take(64).collect();
    let most = (name.len() / 2).max(3);
    // As many characters as one is longer have to be put in.
    let near = known.filter(|known| known.len().abs_diff(name.len()) <= most);
    let mut near: Vec<_> = near.map(|known| (distance(&name, known), known)).collect();
    near.retain(|(distance, _)| *distance <= most);
    near.sort_unstable();
    near.dedup();
    near.into_iter().take(3).map(|(_, known)| known.to_owned()).collect()
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(&b) {
            let substituted = diagonal + usize::from(from != *to);
            diagonal = *cell;
            left = substituted.min(left + 1).min(diagonal + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}
