/// The candidate that was most likely meant; none where all are far off.
pub(crate) fn nearest<'a>(given: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|candidate| (distance(given, candidate), candidate))
        .min()
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).max(2))
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance, by rows.
fn distance(a: &str, b: &str) -> usize {
    let first: Vec<usize> = (0..=b.chars().count()).collect();
    let last = a.chars().zip(1..).fold(first, |above, (from, row_number)| {
        let mut row = vec![row_number];
        let mut left = row_number;
        for ((to, diagonal), up) in b.chars().zip(&above).zip(above.iter().skip(1)) {
            left = (diagonal + usize::from(from != to)).min(left + 1).min(up + 1);
            row.push(left);
        }
        row
    });
    last.last().copied().unwrap_or_default()
}
