//! A client's body as far as it must be read before anything is decided: JSON whole, a form up to its model. What is
//! held meanwhile is within the organisation's share of the node's memory.

use crate::edge::body::BodyReader;
use crate::share::Share;
use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use serde::Deserialize;
use std::sync::Arc;
use topdog_domain::Refusal;
use topdog_wire::BadBody;
use topdog_wire::json_head::{Marks, read_head};
use topdog_wire::multipart::{BadMultipart, ModelFinder, Progress};

/// A JSON body, whole and checked, and what it says.
pub(crate) struct JsonBody {
    pub(crate) body: Bytes,
    pub(crate) marks: Marks,
    pub(crate) model: Option<Arc<str>>,
    pub(crate) is_stream: bool,
    /// Did the client itself ask for the usage chunk of a stream?
    pub(crate) asks_usage: bool,
    pub(crate) bounds: OutputBounds,
}

/// How much a request asks for at the most, as far as it says so.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OutputBounds {
    /// Tokens of an answer.
    pub(crate) max_output_tokens: Option<u64>,
    /// Answers.
    pub(crate) n: Option<u64>,
}

impl OutputBounds {
    /// What a request of Gemini's dialect says, in either of the spellings that are taken there
    /// (ai.google.dev, `GenerationConfig`).
    pub(crate) fn of_gemini(body: &[u8]) -> Self {
        #[derive(Default, Deserialize)]
        struct Body {
            #[serde(default, rename = "generationConfig", alias = "generation_config")]
            config: Config,
        }
        #[derive(Default, Deserialize)]
        struct Config {
            #[serde(default, rename = "maxOutputTokens", alias = "max_output_tokens")]
            max_output_tokens: Option<u64>,
            #[serde(default, rename = "candidateCount", alias = "candidate_count")]
            n: Option<u64>,
        }
        let Body { config } = serde_json::from_slice(body).unwrap_or_default();
        Self { max_output_tokens: config.max_output_tokens, n: config.n }
    }
}

/// Reads a JSON body to its end.
pub(crate) async fn read_json(
    headers: &HeaderMap,
    reader: &mut BodyReader,
    share: &mut Share,
) -> Result<JsonBody, Refusal> {
    let is_json = headers.get(CONTENT_TYPE).is_none_or(|v| is_media_type(v.as_bytes(), b"application/json"));
    if !is_json {
        return Err(Refusal::UnsupportedMediaType("application/json"));
    }
    if headers.get(CONTENT_ENCODING).is_some_and(|v| v != "identity") {
        return Err(Refusal::UnsupportedMediaType("a body without content-encoding"));
    }
    let body = whole(reader, share).await?;
    let head = read_head(&body).map_err(|bad| bad_body(&bad))?;
    let model = head.model.as_deref().map(Arc::from);
    let bounds = OutputBounds { max_output_tokens: head.max_output_tokens, n: head.n };
    let (is_stream, asks_usage, marks) = (head.is_stream, head.asks_usage, head.marks());
    Ok(JsonBody { body, marks, model, is_stream, asks_usage, bounds })
}

/// What the caller hears of a body that can't be understood.
pub(crate) fn bad_body(bad: &BadBody) -> Refusal {
    Refusal::BadBody {
        message: bad.public_message(),
        param: bad.param().map(std::borrow::Cow::into_owned),
        code: bad.code(),
    }
}

/// Reads a form until its model is known, or until it has ended.
pub(crate) async fn read_form(
    headers: &HeaderMap,
    reader: &mut BodyReader,
    share: &mut Share,
) -> Result<Box<ModelFinder>, Refusal> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let mut finder =
        ModelFinder::new(content_type).map_err(|_| Refusal::UnsupportedMediaType("multipart/form-data"))?;
    while let Some(chunk) = reader.next().await? {
        share.hold((finder.held_bytes() + chunk.len()) as u64)?;
        match finder.feed(chunk).map_err(bad_form)? {
            Progress::Searching => {}
            Progress::Found | Progress::Ended => return Ok(Box::new(finder)),
        }
    }
    Err(bad_form(BadMultipart::Truncated))
}

/// The whole body; not copied where it came in one piece. Memory is asked for before it is needed: all at once where
/// the length is announced, so that nothing is read that could not be held.
async fn whole(reader: &mut BodyReader, share: &mut Share) -> Result<Bytes, Refusal> {
    let announced = reader.announced();
    share.hold(announced.unwrap_or_default())?;
    let Some(first) = reader.next().await? else { return Ok(Bytes::new()) };
    if reader.announced() == Some(0) {
        return Ok(first);
    }
    let mut growing =
        Growing { blocks: Vec::new(), length: 0, announced: announced.unwrap_or_default(), share };
    growing.hold(first.len())?;
    let Some(second) = reader.next().await? else { return Ok(first) };
    growing.add(&first)?;
    growing.add(&second)?;
    while let Some(piece) = reader.next().await? {
        growing.add(&piece)?;
    }
    growing.whole()
}

/// A body that comes in pieces. One of unknown length is kept in blocks: what has come is not moved to make room for
/// more, and a body that turns out too long has never taken more than has come of it.
struct Growing<'a> {
    blocks: Vec<Vec<u8>>,
    length: usize,
    announced: u64,
    share: &'a mut Share,
}

const SMALLEST_BLOCK: usize = 8 * 1024;
const LARGEST_BLOCK: usize = 1024 * 1024;

impl Growing<'_> {
    fn add(&mut self, mut piece: &[u8]) -> Result<(), Refusal> {
        self.hold(self.length + piece.len())?;
        while !piece.is_empty() {
            if self.blocks.last().is_none_or(|block| block.len() == block.capacity()) {
                self.blocks.push(Vec::with_capacity(self.next_block()));
            }
            let Some(block) = self.blocks.last_mut() else { break };
            let (now, later) = piece.split_at(piece.len().min(block.capacity() - block.len()));
            block.extend_from_slice(now);
            self.length += now.len();
            piece = later;
        }
        Ok(())
    }

    /// All at once where the length is known, as memory that is not written to costs nothing; else as much again as
    /// has come.
    fn next_block(&self) -> usize {
        let announced = usize::try_from(self.announced).unwrap_or_default();
        match announced.checked_sub(self.length) {
            Some(rest) if rest > 0 => rest,
            _ => self.length.clamp(SMALLEST_BLOCK, LARGEST_BLOCK),
        }
    }

    fn hold(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.share.hold(self.announced.max(bytes as u64))
    }

    fn whole(mut self) -> Result<Bytes, Refusal> {
        if self.blocks.len() <= 1 {
            return Ok(self.blocks.pop().unwrap_or_default().into());
        }
        self.hold(2 * self.length)?;
        let whole = self.blocks.concat();
        self.blocks.clear();
        self.hold(whole.len())?;
        Ok(whole.into())
    }
}

/// What is wrong with a form.
fn bad_form(bad: BadMultipart) -> Refusal {
    Refusal::BadBody {
        message: bad.public_message(),
        param: bad.param().map(str::to_owned),
        code: bad.code(),
    }
}

pub(crate) fn is_media_type(value: &[u8], want: &[u8]) -> bool {
    let essence = value.split(|b| *b == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(want)
}

#[cfg(test)]
mod tests {
    use super::OutputBounds;

    #[test]
    fn geminis_bounds_are_read_in_both_spellings() {
        for (body, expected) in [
            (
                r#"{"contents":[],"generationConfig":{"maxOutputTokens":7,"candidateCount":2,"x":1}}"#,
                (Some(7), Some(2)),
            ),
            (r#"{"generation_config":{"max_output_tokens":7}}"#, (Some(7), None)),
            (r#"{"contents":[]}"#, (None, None)),
            (r#"{"generationConfig":{"maxOutputTokens":"many"}}"#, (None, None)),
        ] {
            let OutputBounds { max_output_tokens, n } = OutputBounds::of_gemini(body.as_bytes());
            assert_eq!((max_output_tokens, n), expected, "{body}");
        }
    }
}
