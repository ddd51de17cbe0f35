use super::MemoryStore;
use super::store::Claim;
use crate::Timestamp;
use crate::ports::{Idempotency, PortError, Remembered};
use async_trait::async_trait;
use std::collections::btree_map::Entry;

#[async_trait]
impl Idempotency for MemoryStore {
    async fn idempotency_begin(
        &self,
        caller: &str,
        key: &str,
        fingerprint: [u8; 32],
        now: Timestamp,
    ) -> Result<Remembered, PortError> {
        match self.state()?.idempotency.entry(place(caller, key)) {
            Entry::Vacant(free) => {
                free.insert(Claim { at: now, fingerprint, answer: None });
                Ok(Remembered::Fresh)
            }
            Entry::Occupied(claim) => Ok(match &claim.get().answer {
                None => Remembered::InFlight,
                Some((status, body)) => Remembered::Done {
                    fingerprint: claim.get().fingerprint,
                    status: *status,
                    body: body.clone(),
                },
            }),
        }
    }

    async fn idempotency_finish(
        &self,
        caller: &str,
        key: &str,
        status: u16,
        body: &[u8],
    ) -> Result<(), PortError> {
        if let Some(claim) = self.state()?.idempotency.get_mut(&place(caller, key)) {
            claim.answer = Some((status, body.to_vec()));
        }
        Ok(())
    }

    async fn idempotency_abandon(&self, caller: &str, key: &str) -> Result<(), PortError> {
        self.state()?.idempotency.remove(&place(caller, key));
        Ok(())
    }

    async fn idempotency_prune(&self, before: Timestamp) -> Result<u64, PortError> {
        let claims = &mut self.state()?.idempotency;
        let count = claims.len();
        claims.retain(|_, claim| claim.at >= before);
        Ok((count - claims.len()) as u64)
    }
}

fn place(caller: &str, key: &str) -> (String, String) {
    (caller.to_owned(), key.to_owned())
}
