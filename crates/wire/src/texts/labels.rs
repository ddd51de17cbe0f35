//! Which fields hold no text. What a caller could hide words in that a model reads is not among them.

/// Is the value of that name a word of the dialect, or a number that only tells things apart? No model reads it.
pub(super) fn is_label(name: &str) -> bool {
    matches!(
        name,
        "id" | "object"
            | "type"
            | "role"
            | "model"
            | "status"
            | "finish_reason"
            | "finishReason"
            | "stop_reason"
            | "signature"
            | "thoughtSignature"
            | "encrypted_content"
            | "system_fingerprint"
            | "service_tier"
            | "media_type"
            | "mime_type"
            | "mimeType"
            | "detail"
            | "obfuscation"
            | "encoding_format"
            | "responseId"
            | "modelVersion"
    ) || name.ends_with("_id")
}

/// Is an object of that name, in one of another name, somebody else's: the arguments of a tool, a schema, notes of the
/// caller? There every string is text.
pub(super) fn is_free_form(outer: &str, name: &str) -> bool {
    match name {
        "input" | "args" | "arguments" | "parameters" | "input_schema" | "schema" | "metadata" | "json" => {
            true
        }
        "response" => matches!(outer, "functionResponse" | "function_response"),
        _ => false,
    }
}

/// Is the value of that name a picture, a sound or a file in base64? Only where it can be nothing else: a short or a
/// spaced one is taken for text, as is one in the alphabet for URLs, which keys are written in.
pub(super) fn is_media(name: &str, text: &str) -> bool {
    const SHORTEST: usize = 256;
    let holds_media = matches!(
        name,
        "data"
            | "file_data"
            | "url"
            | "image_url"
            | "b64_json"
            | "partial_image_b64"
            | "result"
            | "embedding"
            | "audio"
            | "bytes"
    );
    if !holds_media {
        return false;
    }
    let base64 = match text.strip_prefix("data:").and_then(|url| url.split_once(";base64,")) {
        Some((kind, base64)) if kind.len() <= 64 => base64,
        Some(_) => return false,
        None => text,
    };
    let is_of_base64 =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'\r' | b'\n');
    base64.len() >= SHORTEST && base64.bytes().all(is_of_base64)
}

/// Does a stream's event add to what stands there, without saying so by `delta`? Completions do in their choices, Gemini
/// in the parts of its candidates' contents.
pub(super) fn is_streamed(outer: &str, name: &str) -> bool {
    (outer == "choices" && name == "choices") || (outer == "content" && name == "parts")
}

/// Does a number of that name say which of several a text belongs to?
pub(super) fn is_number_of_place(name: &str) -> bool {
    matches!(name, "index" | "output_index" | "content_index" | "summary_index")
}
