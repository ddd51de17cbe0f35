//! A whole document, judged text by text; and so is a text that is a document itself, as the arguments of a tool are.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use topdog_domain::guardrail::{GuardrailBlock, Scan, SideRules, Tally};
use topdog_wire::texts::{Flow, Text, is_document, rewritten, texts};

/// Documents within texts of documents are read so deep.
const DEEPEST: u8 = 4;
/// So many bytes are judged at a time, before others on this thread have their turn.
const PIECE: usize = 4 * 1024;

/// Whether others have their turn meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// After each piece.
    Yielding,
    /// Never: what is judged is short.
    AtOnce,
}

/// Judges what a model has answered: JSON string by string, anything else as one text. None: it goes on as it is.
pub(crate) async fn answer(
    rules: &Arc<SideRules>,
    answer: &[u8],
    tally: &mut Tally,
) -> Result<Option<String>, GuardrailBlock> {
    anything(rules, answer, tally, Pace::Yielding).await
}

/// The same of what is short, and can't wait.
pub(crate) fn answer_at_once(
    rules: &Arc<SideRules>,
    answer: &[u8],
    tally: &mut Tally,
) -> Result<Option<String>, GuardrailBlock> {
    at_once(anything(rules, answer, tally, Pace::AtOnce)).unwrap_or(Ok(None))
}

async fn anything(
    rules: &Arc<SideRules>,
    answer: &[u8],
    tally: &mut Tally,
    pace: Pace,
) -> Result<Option<String>, GuardrailBlock> {
    let text = String::from_utf8_lossy(answer);
    match texts(&text, false) {
        Ok(found) => document(rules, &text, &found, tally, pace, 0).await,
        Err(_) => one_text(rules, &text, tally, pace).await.map(|changed| match changed {
            Cow::Borrowed(_) => None,
            Cow::Owned(changed) => Some(changed),
        }),
    }
}

/// Judges the texts of a document; the document as it is to go on, where that is not as it was.
pub(super) async fn document(
    rules: &Arc<SideRules>,
    document: &str,
    found: &[Text<'_>],
    tally: &mut Tally,
    pace: Pace,
    depth: u8,
) -> Result<Option<String>, GuardrailBlock> {
    let changed = each_text(rules, found, tally, pace, depth).await?;
    if changed.iter().all(Option::is_none) {
        return Ok(None);
    }
    let places = found.iter().zip(&changed);
    let changes = places.filter_map(|(text, changed)| Some((text.span.clone(), changed.as_deref()?)));
    Ok(Some(rewritten(document, changes)))
}

/// Judges texts, each by itself, and those that a model reads one behind the other also together. Those of a stream's
/// flow are left to whoever sees all of it.
pub(super) async fn each_text(
    rules: &Arc<SideRules>,
    found: &[Text<'_>],
    tally: &mut Tally,
    pace: Pace,
    depth: u8,
) -> Result<Vec<Option<String>>, GuardrailBlock> {
    let mut changed: Vec<Option<String>> = Vec::with_capacity(found.len());
    let mut lists: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (place, text) in found.iter().enumerate() {
        match text.flow {
            Flow::Stream(_) => {
                changed.push(None);
                continue;
            }
            Flow::Parts(list) => lists.entry(list).or_default().push(place),
            Flow::Alone => {}
        }
        changed.push(text_and_within(rules, &text.text, tally, pace, depth).await?);
    }
    for parts in lists.into_values().filter(|parts| parts.len() > 1) {
        together(rules, found, &parts, &mut changed, tally, pace).await?;
    }
    Ok(changed)
}

/// A text and, where it is a document, the texts in that.
async fn text_and_within(
    rules: &Arc<SideRules>,
    text: &str,
    tally: &mut Tally,
    pace: Pace,
    depth: u8,
) -> Result<Option<String>, GuardrailBlock> {
    let mut within = None;
    let mut found_within = false;
    if depth < DEEPEST
        && is_document(text)
        && let Ok(found) = texts(text, false)
    {
        found_within = true;
        within = Box::pin(document(rules, text, &found, tally, pace, depth + 1)).await?;
    }
    // Once more as it stands: names of members are in no text of a document.
    let mut of_all = Tally::default();
    let judged = one_text(rules, within.as_deref().unwrap_or(text), &mut of_all, pace).await;
    if found_within {
        tally.extend_with_new(&of_all);
    } else {
        tally.extend(&of_all);
    }
    let outer = match judged? {
        Cow::Owned(changed) => Some(changed),
        Cow::Borrowed(_) => None,
    };
    Ok(outer.or(within))
}

/// Judges parts as the one text that they make, so that nothing passes by being cut in two.
async fn together(
    rules: &Arc<SideRules>,
    found: &[Text<'_>],
    parts: &[usize],
    changed: &mut [Option<String>],
    tally: &mut Tally,
    pace: Pace,
) -> Result<(), GuardrailBlock> {
    let now = |place: usize, changed: &[Option<String>]| -> String {
        let as_changed = changed.get(place).cloned().flatten();
        as_changed.or_else(|| found.get(place).map(|text| text.text.to_string())).unwrap_or_default()
    };
    let mut scan = Scan::new(rules);
    let mut judged = Ok(());
    for place in parts {
        if judged.is_ok() {
            judged = feed(&mut scan, &now(*place, changed), pace).await;
        }
    }
    judged = judged.and_then(|()| end(&mut scan));
    tally.extend_with_new(scan.tally());
    judged?;
    for place in parts {
        let text = now(*place, changed);
        if let Cow::Owned(joined) = scan.take(&text)
            && let Some(slot) = changed.get_mut(*place)
        {
            *slot = Some(joined);
        }
    }
    Ok(())
}

async fn one_text<'t>(
    rules: &Arc<SideRules>,
    text: &'t str,
    tally: &mut Tally,
    pace: Pace,
) -> Result<Cow<'t, str>, GuardrailBlock> {
    let mut scan = Scan::new(rules);
    let judged = feed(&mut scan, text, pace).await.and_then(|()| end(&mut scan));
    tally.extend(scan.tally());
    judged?;
    Ok(scan.take(text))
}

async fn feed(scan: &mut Scan, text: &str, pace: Pace) -> Result<(), GuardrailBlock> {
    let mut rest = text;
    while !rest.is_empty() {
        let mut length = rest.len().min(PIECE);
        while !rest.is_char_boundary(length) {
            length += 1;
        }
        let (piece, after) = rest.split_at(length);
        scan.feed(piece);
        if let Some(block) = scan.blocked() {
            return Err(block.clone());
        }
        rest = after;
        if pace == Pace::Yielding && length == PIECE {
            tokio::task::yield_now().await;
        }
    }
    Ok(())
}

fn end(scan: &mut Scan) -> Result<(), GuardrailBlock> {
    scan.finish();
    scan.blocked().map_or(Ok(()), |block| Err(block.clone()))
}

/// The result of what never waits.
pub(super) fn at_once<T>(judging: impl Future<Output = T>) -> Option<T> {
    match pin!(judging).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(judged) => Some(judged),
        Poll::Pending => None,
    }
}
