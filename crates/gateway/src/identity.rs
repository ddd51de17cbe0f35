//! Names that a request gets: its id, a UUIDv7 made without a lock or a system call, and its client's address as text.

use std::cell::{Cell, RefCell};
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::Arc;
use topdog_domain::{RequestId, Timestamp};
use uuid::Builder;

/// A thread's source of request ids. They are unique and ordered by time; they are no secret.
pub(crate) struct RequestIds {
    state: Cell<u64>,
    stream: u64,
}

impl RequestIds {
    /// A source seeded by the operating system.
    pub(crate) fn new() -> Self {
        let seed = RandomState::new();
        Self { state: Cell::new(seed.hash_one(1u8)), stream: seed.hash_one(2u8) | 1 }
    }

    /// The next id.
    pub(crate) fn next(&self, now: Timestamp) -> RequestId {
        let millis = u64::try_from(now.micros()).unwrap_or_default() / 1000;
        let high = self.random().to_be_bytes();
        let low = self.random().to_be_bytes();
        let mut random = [0; 10];
        for (to, from) in random.iter_mut().zip(high.iter().chain(&low)) {
            *to = *from;
        }
        RequestId::from_uuid(Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// SplitMix64 (Steele, Lea, Flood 2014) with a stream of this thread's own.
    pub(crate) fn random(&self) -> u64 {
        let state = self.state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.state.set(state);
        let mixed = (state ^ self.stream ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// The text of the address that was written last: most requests come from where the one before came from.
#[derive(Default)]
pub(crate) struct AddressText(RefCell<Option<(IpAddr, Arc<str>)>>);

impl AddressText {
    /// The address as records have it.
    pub(crate) fn of(&self, ip: IpAddr) -> Arc<str> {
        let mut last = self.0.borrow_mut();
        if let Some((of, text)) = &*last
            && *of == ip
        {
            return text.clone();
        }
        let text: Arc<str> = ip.to_string().into();
        *last = Some((ip, text.clone()));
        text
    }
}
