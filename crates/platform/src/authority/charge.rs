use std::sync::{Arc, Mutex, PoisonError};
use topdog_domain::directory::OrgView;
use topdog_domain::quota::Unit;

/// An API call that was counted, and whose.
pub(super) type Held = (Arc<OrgView>, Unit);

/// The API call that a request was counted as, for the edge to give back where a tier refuses after all.
#[derive(Clone, Default)]
pub(crate) struct Charge(Arc<Mutex<Option<Held>>>);

impl Charge {
    pub(super) fn hold(&self, held: Held) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
    }

    /// A request that a tier refuses counts nothing.
    pub(crate) fn give_back(&self) {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((org, unit)) = held {
            org.meters.api_calls.give_back(unit);
        }
    }
}
