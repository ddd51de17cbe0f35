//! The event scanner and the relay.

use super::Cuts;
use bytes::Bytes;
use topdog_domain::provider::Operation;
use topdog_domain::usage::TokenUsage;
use topdog_wire::StreamRelay;
use topdog_wire::redact::KeyFinder;

/// Of a stream, whatever it is: cut anywhere, the same bytes go to the client and the same is learnt;
/// unless usage is stripped, all bytes go, in the pieces that came. (Keys in failures do not go, and how
/// much of one is seen in time depends on the cuts: where a stream has any, only what is learnt is the same.)
pub fn stream(data: &[u8]) {
    let (mut cuts, stream) = Cuts::of(data);
    let has_keys = KeyFinder::new(b"").is_in(stream);
    for operation in [
        Operation::Chat,
        Operation::Completions,
        Operation::Responses,
        Operation::Transcription,
        Operation::Messages,
        Operation::CohereChat,
        Operation::GenerateContent,
        Operation::Passthrough,
    ] {
        for strip_usage in [false, true] {
            let mut whole = relay(operation, strip_usage, &[stream]);
            let pieces = cuts.pieces(stream);
            let mut cut = relay(operation, strip_usage, &pieces);
            if has_keys {
                whole.client.clear();
                cut.client.clear();
            }
            assert_eq!(whole, cut, "{operation:?}, stripping {strip_usage}, cut into {pieces:?}");
            if !strip_usage && !has_keys {
                assert_eq!(whole.client, stream);
            }
        }
    }
}

#[derive(PartialEq, Eq)]
struct Relayed {
    client: Vec<u8>,
    usage: Option<TokenUsage>,
    is_done: bool,
    has_failed: bool,
    text_bytes: u64,
    next_sequence_number: u64,
}

impl std::fmt::Debug for Relayed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relayed")
            .field("client", &self.client.escape_ascii().to_string())
            .field("usage", &self.usage)
            .field("is_done", &self.is_done)
            .field("has_failed", &self.has_failed)
            .field("text_bytes", &self.text_bytes)
            .field("next_sequence_number", &self.next_sequence_number)
            .finish()
    }
}

fn relay(operation: Operation, strip_usage: bool, pieces: &[&[u8]]) -> Relayed {
    let mut relay = StreamRelay::new(operation, strip_usage);
    let mut client = Vec::new();
    for piece in pieces {
        relay.feed(Bytes::copy_from_slice(piece), b"", &mut |bytes: Bytes| {
            assert!(!bytes.is_empty(), "sent nothing");
            client.extend_from_slice(&bytes);
        });
    }
    client.extend(relay.finish(b"").unwrap_or_default());
    Relayed {
        client,
        usage: relay.usage(),
        is_done: relay.is_done(),
        has_failed: relay.has_failed(),
        text_bytes: relay.delivered_text_bytes(),
        next_sequence_number: relay.next_sequence_number(),
    }
}
