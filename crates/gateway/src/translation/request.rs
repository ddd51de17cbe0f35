//! A request in its provider's dialect, or why it can't be said there.

use super::dropped::listed;
use super::traits::target;
use super::{Pair, Translation, X_TRANSLATION};
use crate::arrive::Trail;
use crate::edge::body::shown;
use crate::entitle::Route;
use crate::share::Share;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use topdog_domain::Refusal;
use topdog_wire::translate::{self, Dialect, Mode, Untranslatable, embeddings, memory_to_translate};

/// A translated body, and what its answer will be translated by.
pub(crate) struct Told {
    pub(crate) body: Bytes,
    pub(crate) translation: Box<Translation>,
}

/// Translates a body that has been checked. Nothing of it is dropped unless the caller allows that; then the answer says
/// what.
pub(crate) fn translate(
    trail: &Trail,
    pair: Pair,
    route: &Route,
    headers: &HeaderMap,
    body: &[u8],
    is_stream: bool,
    share: &mut Share,
) -> Result<Told, Refusal> {
    let mode = mode(headers)?;
    share.hold(memory_to_translate(body) as u64)?;
    let mut translation = Translation::new(pair, trail.request, trail.at, route.model.clone());
    let (body, dropped) = match pair {
        Pair::Chat { caller, provider } => {
            let mut target = target(provider, route);
            // Of Gemini's requests the path tells it, and not the body.
            target.is_stream = (caller == Dialect::Gemini).then_some(is_stream);
            let told = translate::request(caller, provider, body, mode, &target).map_err(|e| refusal(&e))?;
            translation.wants_usage = told.wants_usage;
            (told.body, told.dropped)
        }
        Pair::Embeddings { caller, provider } => {
            let told = embeddings::request(caller, provider, body, mode, &route.model);
            let told = told.map_err(|e| refusal(&e))?;
            translation.vectors = told.shape;
            (told.body, told.dropped)
        }
    };
    share.hold(body.len() as u64)?;
    translation.dropped = listed(&dropped);
    Ok(Told { body, translation: Box::new(translation) })
}

/// May what the provider can't be asked for be left out?
fn mode(headers: &HeaderMap) -> Result<Mode, Refusal> {
    let mut said = headers.get_all(X_TRANSLATION).iter().map(HeaderValue::as_bytes);
    match (said.next(), said.next()) {
        (None | Some(b"strict"), None) => Ok(Mode::Strict),
        (Some(b"lenient"), None) => Ok(Mode::Lenient),
        _ => Err(Refusal::BadHeader("x-topdog-translation")),
    }
}

fn refusal(error: &Untranslatable) -> Refusal {
    Refusal::BadBody {
        message: error.public_message(),
        param: error.param().filter(|field| !field.is_empty()).map(shown),
        code: error.code(),
    }
}
