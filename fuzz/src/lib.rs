//! What must hold for every input. Each function takes any bytes, and panics where something doesn't hold.

mod cuts;
mod form;
mod request;
mod streaming;

use cuts::Cuts;

pub use form::multipart;
pub use request::{api_key, redaction, splicer};
pub use streaming::stream;
