//! One opening at a time for each key: who comes meanwhile waits for it and shares its result, good or bad.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;
use topdog_domain::{OrgId, ProviderKeyId};

use crate::cache::{CacheKey, OpenedKey};
use crate::error::VaultError;
use crate::open::Opening;

type Outcome = Result<(Arc<OpenedKey>, Opening), VaultError>;

#[derive(Default)]
pub(crate) struct Flights(Mutex<HashMap<CacheKey, Flight>>);

/// An opening that is under way.
struct Flight {
    org: OrgId,
    cell: Arc<OnceCell<Outcome>>,
}

impl Flights {
    /// The outcome, and whether it was this caller that brought it about. Where the leader is dropped, the next
    /// one waiting takes over.
    pub(crate) async fn join(
        &self,
        place: CacheKey,
        org: OrgId,
        open: impl Future<Output = Outcome>,
    ) -> (Outcome, bool) {
        let seat = self.board(place, org);
        let mut has_led = false;
        let outcome = seat
            .cell
            .get_or_init(|| {
                has_led = true;
                open
            })
            .await
            .clone();
        (outcome, has_led)
    }

    /// Lets nobody else share what is being opened now; those who wait already are served.
    pub(crate) fn forget(&self, is_meant: impl Fn(OrgId, ProviderKeyId) -> bool) {
        self.lock().retain(|(id, _), flight| !is_meant(flight.org, *id));
    }

    fn board(&self, place: CacheKey, org: OrgId) -> Seat<'_> {
        let cell = Arc::clone(
            &self.lock().entry(place).or_insert_with(|| Flight { org, cell: Arc::default() }).cell,
        );
        Seat { flights: self, place, cell }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CacheKey, Flight>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in a flight; the last to leave, or the first after landing, clears it away.
struct Seat<'a> {
    flights: &'a Flights,
    place: CacheKey,
    cell: Arc<OnceCell<Outcome>>,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut flights = self.flights.lock();
        let is_mine = flights.get(&self.place).is_some_and(|flight| Arc::ptr_eq(&flight.cell, &self.cell));
        // One for the map and one for this seat: nobody else is aboard.
        if is_mine && (self.cell.initialized() || Arc::strong_count(&self.cell) <= 2) {
            flights.remove(&self.place);
        }
    }
}
