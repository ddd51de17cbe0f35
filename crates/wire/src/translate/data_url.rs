//! `data:` URLs: media within a body, as several dialects carry them.

use super::model::Source;
use std::borrow::Cow;

/// An address, or what a `data:` URL holds in base64.
pub(crate) fn read(url: Cow<'_, str>) -> Source<'_> {
    const SCHEME: usize = "data:".len();
    const BASE64: &str = ";base64,";
    let comma = url.starts_with("data:").then(|| url.find(BASE64)).flatten();
    let Some(end) = comma else { return Source::Url(url) };
    let start = end + BASE64.len();
    match url {
        Cow::Borrowed(url) => Source::Base64 {
            media_type: Cow::Borrowed(url.get(SCHEME..end).unwrap_or_default()),
            data: Cow::Borrowed(url.get(start..).unwrap_or_default()),
        },
        Cow::Owned(url) => Source::Base64 {
            media_type: Cow::Owned(url.get(SCHEME..end).unwrap_or_default().to_owned()),
            data: Cow::Owned(url.get(start..).unwrap_or_default().to_owned()),
        },
    }
}

pub(crate) fn write(media_type: &str, data: &str) -> String {
    let mut url = String::with_capacity(media_type.len() + data.len() + 13);
    url.push_str("data:");
    url.push_str(media_type);
    url.push_str(";base64,");
    url.push_str(data);
    url
}
