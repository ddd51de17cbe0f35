use super::head::Head;
use crc32fast::Hasher;

/// How parts are written by this version. What was written is read by every later one, so this layout never changes:
/// another one has another number.
pub(super) const LAYOUT: u8 = 1;
/// How details are written where something stands behind them: what guardrails decided.
pub(super) const JUDGED_LAYOUT: u8 = 2;
const SUM_BYTES: usize = 4;

/// A part of a run: [`LAYOUT`], what [columns](super::column) write, and a CRC-32 (IEEE, little-endian) of the run's head,
/// the part's own byte and all before it. So neither a changed byte, nor a changed head, nor a part of another run is
/// ever read as if it were sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Part {
    Ids = b'i',
    Sums = b's',
    Facts = b'f',
    Detail = b'd',
}

impl Part {
    const fn column(self) -> &'static str {
        match self {
            Self::Ids => "request_runs.ids",
            Self::Sums => "request_runs.sums",
            Self::Facts => "request_runs.facts",
            Self::Detail => "request_runs.detail",
        }
    }
}

/// A part that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadPart {
    /// A later version wrote it.
    #[error("{} is of layout {layout}, this version knows {LAYOUT}: install the newer version again", .part.column())]
    Unknown { part: Part, layout: u8 },
    /// It is not what was written, or not with this head.
    #[error("{} was changed, or belongs to another row", .part.column())]
    Changed { part: Part },
}

/// The part that `put` writes.
pub(super) fn write(part: Part, layout: u8, head: &Head, put: &dyn Fn(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = vec![layout];
    put(&mut bytes);
    let sum = checksum(part, head, &bytes);
    bytes.extend(sum);
    bytes
}

/// What `take` takes of the part, which must be all of it.
pub(super) fn read<T>(
    part: Part,
    head: &Head,
    bytes: &[u8],
    take: impl FnOnce(&mut &[u8]) -> Option<T>,
) -> Result<T, BadPart> {
    read_layouts(part, LAYOUT, head, bytes, |_, bytes| take(bytes))
}

/// The same of a part of which there are layouts up to `newest`, and `take` is told which.
pub(super) fn read_layouts<T>(
    part: Part,
    newest: u8,
    head: &Head,
    bytes: &[u8],
    take: impl FnOnce(u8, &mut &[u8]) -> Option<T>,
) -> Result<T, BadPart> {
    let changed = BadPart::Changed { part };
    let (written, sum) = bytes.split_last_chunk::<SUM_BYTES>().ok_or_else(|| changed.clone())?;
    let layout = match written.first() {
        Some(&layout) if (LAYOUT..=newest).contains(&layout) => layout,
        Some(&layout) => return Err(BadPart::Unknown { part, layout }),
        None => return Err(changed),
    };
    if checksum(part, head, written) != *sum || !head.is_sound() {
        return Err(changed);
    }
    let mut rest = written.get(1..).unwrap_or_default();
    take(layout, &mut rest).filter(|_| rest.is_empty()).ok_or(changed)
}

fn checksum(part: Part, head: &Head, written: &[u8]) -> [u8; SUM_BYTES] {
    let mut hasher = Hasher::new();
    hasher.update(&head.bytes());
    hasher.update(&[part as u8]);
    hasher.update(written);
    hasher.finalize().to_le_bytes()
}
