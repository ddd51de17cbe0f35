//! Answers that are kept to be given again: in memory only, on each node by itself, and in a place of its own for each
//! organisation, so that none is ever looked for among another's.

use crate::Timestamp;
use crate::occupancy::InUse;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Everything that shapes an answer, as a digest: two requests with the same are the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CacheKey([u8; 32]);

impl CacheKey {
    /// The key of these parts; each counts by itself, so that none runs over into the next.
    #[must_use]
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        for part in parts {
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part);
        }
        let mut key = [0; 32];
        // A SHA-256 digest is as long as the key.
        for (byte, digest) in key.iter_mut().zip(context.finish().as_ref()) {
            *byte = *digest;
        }
        Self(key)
    }
}

/// An answer that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// The head's fields that are given again, by their names.
    pub headers: Vec<(Box<str>, Box<[u8]>)>,
    /// The whole body; of a stream all its events.
    pub body: Arc<[u8]>,
    /// When it came.
    pub at: Timestamp,
}

/// How much may be kept, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheRoom {
    /// Of all organisations together.
    pub node: u64,
    /// Of one.
    pub organisation: u64,
}

/// What is kept of one organisation.
pub struct ResponseCache {
    entries: Mutex<Entries>,
    in_use: InUse,
    of_node: Arc<InUse>,
}

#[derive(Default)]
struct Entries {
    by_key: HashMap<CacheKey, Entry>,
    /// Oldest first; one that was replaced has another serial number.
    order: VecDeque<(CacheKey, u64)>,
    serial: u64,
}

struct Entry {
    answer: Arc<KeptAnswer>,
    expires_at: Timestamp,
    serial: u64,
    bytes: u64,
}

/// Room that is taken for an answer which is still coming; given back at its drop, unless it is filled.
pub struct Room {
    cache: Arc<ResponseCache>,
    bytes: u64,
}

/// What keeping one takes beside its bytes, about.
const OVERHEAD_BYTES: u64 = 512;

impl ResponseCache {
    /// An empty one, which counts for the node as well.
    #[must_use]
    pub fn new(of_node: Arc<InUse>) -> Self {
        Self { entries: Mutex::default(), in_use: InUse::default(), of_node }
    }

    /// The answer of that key, if it is not too old.
    #[must_use]
    pub fn find(&self, key: &CacheKey, now: Timestamp) -> Option<Arc<KeptAnswer>> {
        let entries = self.entries();
        let entry = entries.by_key.get(key)?;
        // A clock that was set back makes nothing last longer.
        (entry.answer.at <= now && now < entry.expires_at).then(|| entry.answer.clone())
    }

    /// Room for an answer that begins to come; none where there is none.
    #[must_use]
    pub fn room(self: &Arc<Self>, limits: CacheRoom) -> Option<Room> {
        let mut room = Room { cache: self.clone(), bytes: 0 };
        room.grow(OVERHEAD_BYTES, limits).then_some(room)
    }

    /// Forgets what is too old.
    pub fn forget_expired(&self, now: Timestamp) {
        let mut entries = self.entries();
        let mut freed = 0;
        entries.by_key.retain(|_, entry| {
            let stays = now < entry.expires_at;
            freed += if stays { 0 } else { entry.bytes };
            stays
        });
        let Entries { by_key, order, .. } = &mut *entries;
        order.retain(|(key, serial)| by_key.get(key).is_some_and(|entry| entry.serial == *serial));
        self.free(freed);
    }

    /// Bytes that are taken.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.in_use.now()
    }

    fn forget_oldest(&self) -> bool {
        let mut entries = self.entries();
        while let Some((key, serial)) = entries.order.pop_front() {
            if entries.by_key.get(&key).is_some_and(|entry| entry.serial == serial) {
                let freed = entries.by_key.remove(&key).map_or(0, |entry| entry.bytes);
                self.free(freed);
                return true;
            }
        }
        false
    }

    fn free(&self, bytes: u64) {
        self.in_use.give_back(bytes);
        self.of_node.give_back(bytes);
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ResponseCache {
    fn drop(&mut self) {
        self.of_node.give_back(self.in_use.now());
    }
}

impl Room {
    /// Makes it larger by so many bytes, at the cost of the organisation's own oldest answers; false where it can't be.
    #[must_use]
    pub fn grow(&mut self, bytes: u64, limits: CacheRoom) -> bool {
        if bytes > limits.organisation.min(limits.node) {
            return false;
        }
        let cache = &self.cache;
        loop {
            if cache.in_use.try_take(bytes, limits.organisation) {
                if cache.of_node.try_take(bytes, limits.node) {
                    self.bytes += bytes;
                    return true;
                }
                cache.in_use.give_back(bytes);
            }
            if !cache.forget_oldest() {
                return false;
            }
        }
    }

    /// Keeps the answer in it, for so long; one of the same key is replaced.
    pub fn fill(mut self, key: CacheKey, answer: KeptAnswer, ttl_seconds: u32) {
        let expires_at = answer.at.plus_seconds(i64::from(ttl_seconds));
        let bytes = std::mem::take(&mut self.bytes);
        let mut entries = self.cache.entries();
        entries.serial += 1;
        let serial = entries.serial;
        let entry = Entry { answer: Arc::new(answer), expires_at, serial, bytes };
        let replaced = entries.by_key.insert(key, entry);
        entries.order.push_back((key, serial));
        if let Some(old) = replaced {
            self.cache.free(old.bytes);
            let Entries { by_key, order, .. } = &mut *entries;
            if order.len() > 2 * by_key.len() + 16 {
                order.retain(|(key, serial)| by_key.get(key).is_some_and(|entry| entry.serial == *serial));
            }
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.cache.free(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: CacheRoom = CacheRoom { node: 10_000, organisation: 5_000 };

    fn key(text: &str) -> CacheKey {
        CacheKey::of([text.as_bytes()])
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(0).plus_seconds(seconds)
    }

    fn keep(cache: &Arc<ResponseCache>, name: &str, bytes: usize, seconds: i64) -> bool {
        let Some(mut room) = cache.room(LIMITS) else { return false };
        if !room.grow(bytes as u64, LIMITS) {
            return false;
        }
        let answer = KeptAnswer { headers: Vec::new(), body: vec![0; bytes].into(), at: at(seconds) };
        room.fill(key(name), answer, 60);
        true
    }

    fn cache(node: &Arc<InUse>) -> Arc<ResponseCache> {
        Arc::new(ResponseCache::new(node.clone()))
    }

    #[test]
    fn an_answer_lasts_for_its_time_and_not_before_it() {
        let cache = cache(&Arc::default());
        assert!(keep(&cache, "a", 10, 100));
        for (seconds, is_there) in [(99, false), (100, true), (159, true), (160, false)] {
            assert_eq!(cache.find(&key("a"), at(seconds)).is_some(), is_there, "{seconds}");
        }
        assert!(cache.find(&key("b"), at(100)).is_none());
    }

    #[test]
    fn parts_do_not_run_over_into_each_other() {
        let one: [&[u8]; 2] = [b"ab", b"c"];
        let other: [&[u8]; 2] = [b"a", b"bc"];
        assert!(CacheKey::of(one) != CacheKey::of(other));
        assert!(CacheKey::of(one) == CacheKey::of(one));
    }

    #[test]
    fn the_oldest_make_room_and_no_other_organisations_do() {
        let node = Arc::new(InUse::default());
        let (mine, other, third) = (cache(&node), cache(&node), cache(&node));
        for name in ["a", "b", "c", "d"] {
            assert!(keep(&mine, name, 1_000, 0) && mine.bytes() <= 5_000);
        }
        let there = |cache: &ResponseCache, name| cache.find(&key(name), at(0)).is_some();
        assert_eq!(["a", "b", "c", "d"].map(|name| there(&mine, name)), [false, true, true, true]);
        assert!(!keep(&mine, "huge", 5_001, 0));
        let are_left = ["b", "c", "d"].map(|name| there(&mine, name));
        assert_eq!(are_left, [false, true, true], "what never fits drives out one, as it has begun to come");
        assert!(keep(&mine, "e", 1_000, 0));
        for name in ["a", "b", "c"] {
            assert!(keep(&other, name, 1_000, 0));
        }
        assert!(!keep(&third, "a", 1_000, 0), "the node is full");
        assert!(there(&mine, "d") && there(&other, "a"));
        assert!(keep(&other, "d", 1_000, 0) && !there(&other, "a"), "but its own oldest can go");
        drop(mine);
        assert_eq!(node.now(), other.bytes(), "an organisation that is gone takes nothing");
        assert!(keep(&third, "a", 1_000, 0));
    }

    #[test]
    fn what_is_replaced_expired_or_never_filled_takes_nothing() {
        let node = Arc::new(InUse::default());
        let cache = cache(&node);
        for _ in 0..1_000 {
            assert!(keep(&cache, "a", 100, 0));
        }
        assert_eq!(cache.bytes(), 100 + OVERHEAD_BYTES);
        assert!(cache.entries().order.len() < 30);
        assert!(keep(&cache, "b", 100, 50));
        drop(cache.room(LIMITS));
        cache.forget_expired(at(60));
        assert_eq!(cache.bytes(), 612);
        // One after the other: a lock lasts to its statement's end.
        assert_eq!(cache.entries().by_key.len(), 1);
        assert_eq!(cache.entries().order.len(), 1);
        cache.forget_expired(at(110));
        assert_eq!((cache.bytes(), node.now()), (0, 0));
    }
}
