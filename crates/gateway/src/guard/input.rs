//! The end of step 3: may the caller's words go to a model, and which of them? They are judged as they came, before
//! they are translated or kept to be tried again, so that whatever is sent anywhere has been judged.

use super::Guard;
use super::judge::{Pace, document};
use crate::arrive::Trail;
use crate::entitle::{Entitled, Outgoing};
use crate::share::Share;
use crate::worker::Worker;
use bytes::Bytes;
use std::sync::Arc;
use topdog_domain::Refusal;
use topdog_domain::guardrail::decision::BlockCause;
use topdog_domain::guardrail::{RuleSet, Side, Tally};
use topdog_wire::json_head::read_head;
use topdog_wire::texts::{asks_for_tokens, texts};

/// Judges a request, and redacts it. Forms have no texts that are judged.
pub(crate) async fn input(
    worker: &Worker,
    trail: &Trail,
    rules: Arc<RuleSet>,
    mut entitled: Box<Entitled>,
    share: &mut Share,
) -> Result<Box<Entitled>, Refusal> {
    let mut tally = Tally::default();
    let body = match &entitled.outgoing {
        Outgoing::Json { body, .. } => Some(body.clone()),
        Outgoing::Form { .. } => None,
        // They are made of what has been judged, later.
        Outgoing::Translated { .. } | Outgoing::Addressed { .. } | Outgoing::Through(_) => {
            return Err(Refusal::Internal);
        }
    };
    if let Some(body) = body {
        match judged(&rules, &body, &mut tally, share).await {
            Ok(None) => {}
            Ok(Some(redacted)) => replace(&mut entitled.outgoing, redacted)?,
            Err(refusal) => {
                // It gets no settlement, which would count them.
                worker.parts().metrics.judged(trail.labels.get(), &tally);
                return Err(refusal);
            }
        }
    }
    entitled.guard = Some(Box::new(Guard { rules, tally }));
    Ok(entitled)
}

async fn judged(
    rules: &Arc<RuleSet>,
    body: &Bytes,
    tally: &mut Tally,
    share: &mut Share,
) -> Result<Option<Bytes>, Refusal> {
    // Both have been read and checked, or written by us.
    let text = std::str::from_utf8(body).map_err(|_| Refusal::Internal)?;
    let found = texts(text, false).map_err(|_| Refusal::Internal)?;
    rules.require_size(found.iter().map(|text| text.text.len() as u64).sum())?;
    let output = rules.on(Side::Output);
    if let Some(rule) = output.first_acting()
        && asks_for_tokens(text)
    {
        return Err(output.block(rule, BlockCause::Unreadable).into());
    }
    // As much again, for what has escapes and what is changed.
    let length = body.len() as u64;
    share.hold(2 * length)?;
    let redacted = document(rules.on(Side::Input), text, &found, tally, Pace::Yielding, 0).await?;
    let redacted = redacted.map(Bytes::from);
    share.hold(redacted.as_ref().map_or(length, |redacted| redacted.len() as u64))?;
    Ok(redacted)
}

fn replace(outgoing: &mut Outgoing, redacted: Bytes) -> Result<(), Refusal> {
    // Only strings are others now, so it still reads.
    let marks = read_head(&redacted).map_err(|_| Refusal::Internal)?.marks();
    *outgoing = Outgoing::Json { body: redacted, marks };
    Ok(())
}
