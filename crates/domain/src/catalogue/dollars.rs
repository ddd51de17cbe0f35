//! Sums of money as people write them, read exactly.

use serde::Deserialize;
use std::borrow::Cow;

/// A sum of up to a million dollars, in millionths: of a price for a million tokens, so many pico-dollars a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dollars(i64);

impl Dollars {
    /// Millionths of a dollar.
    pub(crate) const fn millionths(self) -> i64 {
        self.0
    }

    /// A sum such as `0.15`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || !is_number(fraction) || whole.len() > 7 || fraction.len() > 6 {
            return None;
        }
        let millionths = format!("{whole}{fraction:0<6}").parse().ok()?;
        (millionths <= MOST).then_some(Self(millionths))
    }
}

/// Small enough that no number of tokens that a counter can hold makes a sum that an `i128` can't.
const MOST: i64 = 1_000_000_000_000;

impl<'de> Deserialize<'de> for Dollars {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "`{text}` is no price; write dollars in quotes, such as \"0.15\", with six digits at the most after \
                 the point, and a million at the most"
            ))
        })
    }
}
