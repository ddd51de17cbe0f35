//! Marks of what to cache, read and written.

use super::words::{cache_ttl, cache_ttl_word};
use crate::translate::codec::ModelTraits;
use crate::translate::json::{Fields, Json};
use crate::translate::losses::{Losses, Malformed};
use crate::translate::model::{CacheMark, Spot};

/// `prompt_cache_breakpoint`, or `cache_control` as clients of other providers write it.
pub(in crate::translate) fn cache(
    fields: &mut Fields<'_>,
    losses: &mut Losses,
) -> Result<Option<CacheMark>, Malformed> {
    let own = fields.object("prompt_cache_breakpoint")?;
    let Some(mut mark) = fields.object("cache_control")?.or(own) else { return Ok(None) };
    let at: Spot = mark.at;
    mark.take("mode");
    mark.take("type");
    let ttl = mark.text("ttl")?;
    let known = ttl.as_ref().and_then(|ttl| cache_ttl(&ttl.value));
    if let Some(ttl) = ttl.filter(|_| known.is_none()) {
        losses.unknown(ttl.at);
    }
    mark.finish(losses);
    Ok(Some(CacheMark { ttl: known, at }))
}

pub(in crate::translate) fn put_cache(
    json: &mut Json,
    cache: Option<CacheMark>,
    traits: ModelTraits,
    losses: &mut Losses,
) {
    let Some(CacheMark { ttl, at }) = cache else { return };
    if !traits.takes_cache_marks {
        return losses.note(at, "what is cached can't be marked");
    }
    json.key("prompt_cache_breakpoint").open('{').key("mode").string("explicit");
    match ttl.map(cache_ttl_word) {
        None => {}
        Some(Some(word)) => {
            json.key("ttl").string(word);
        }
        Some(None) => {
            losses.note(at, "a prompt is cached for 30 minutes or 12 hours; it is sent without a time")
        }
    }
    json.close('}');
}
