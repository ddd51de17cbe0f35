//! Every leniency by which two readers of the same bytes could see two requests is a refusal.

mod heads;
mod hyper_too;
mod uploads;

use super::property::{Seen, see};

/// What is seen of a whole request.
fn seen(wire: impl AsRef<[u8]>) -> Seen {
    see(&[wire.as_ref()])
}

/// The code of a refusal.
#[track_caller]
fn refused(wire: impl AsRef<[u8]>) -> &'static str {
    let wire = wire.as_ref();
    match seen(wire) {
        Seen::Refused(code) => code,
        other => panic!("{:?} is {other:?}", String::from_utf8_lossy(wire)),
    }
}
