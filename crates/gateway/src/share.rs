//! What one request takes of the node: a place among those under way, and memory for bodies that are held whole.
//!
//! Both are bounded for the node, and more tightly for each organisation: whatever one does, the others get through.

use crate::arrive::Trail;
use crate::worker::Worker;
use std::rc::Rc;
use std::sync::Arc;
use topdog_domain::Refusal;
use topdog_domain::directory::Caller;
use topdog_domain::labels::Labels;
use topdog_domain::occupancy::Occupancy;

/// A request's share of the node. All of it is given back at drop, however the request ends.
pub(crate) struct Share {
    worker: Rc<Worker>,
    caller: Arc<Caller>,
    labels: Labels,
    body_bytes: u64,
}

impl Share {
    /// Takes a place for a request, and no memory yet.
    pub(crate) fn take(worker: &Rc<Worker>, trail: &Trail, caller: &Arc<Caller>) -> Result<Self, Refusal> {
        let limits = &worker.config().limits;
        let of_org = &caller.org.occupancy.requests;
        if !of_org.try_take(1, limits.requests_per_organisation) {
            return Err(Refusal::ConcurrencyLimit(limits.requests_per_organisation));
        }
        if !worker.parts().metrics.occupancy().requests.try_take(1, limits.requests) {
            of_org.give_back(1);
            return Err(Refusal::Overloaded);
        }
        let labels = trail.labels.get();
        worker.parts().metrics.entered(labels);
        Ok(Self { worker: worker.clone(), caller: caller.clone(), labels, body_bytes: 0 })
    }

    /// Holds so many bytes of bodies from now on, more or fewer than before.
    pub(crate) fn hold(&mut self, body_bytes: u64) -> Result<(), Refusal> {
        match body_bytes.checked_sub(self.body_bytes) {
            Some(0) => return Ok(()),
            Some(more) => self.take_bytes(more)?,
            None => self.give_bytes_back(self.body_bytes - body_bytes),
        }
        self.body_bytes = body_bytes;
        Ok(())
    }

    /// Holds nothing any more; the place stays taken.
    pub(crate) fn let_go(&mut self) {
        let held = std::mem::take(&mut self.body_bytes);
        self.give_bytes_back(held);
    }

    fn take_bytes(&self, more: u64) -> Result<(), Refusal> {
        let limits = &self.worker.config().limits;
        let of_org = &self.caller.org.occupancy.body_bytes;
        if !of_org.try_take(more, limits.body_bytes_per_organisation) {
            return Err(Refusal::BodyMemoryLimit(limits.body_bytes_per_organisation));
        }
        if !self.of_node().body_bytes.try_take(more, limits.body_bytes) {
            of_org.give_back(more);
            return Err(Refusal::Overloaded);
        }
        Ok(())
    }

    fn give_bytes_back(&self, fewer: u64) {
        if fewer > 0 {
            self.caller.org.occupancy.body_bytes.give_back(fewer);
            self.of_node().body_bytes.give_back(fewer);
        }
    }

    fn of_node(&self) -> &Occupancy {
        self.worker.parts().metrics.occupancy()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.let_go();
        self.caller.org.occupancy.requests.give_back(1);
        self.of_node().requests.give_back(1);
        self.worker.parts().metrics.left(self.labels);
    }
}
