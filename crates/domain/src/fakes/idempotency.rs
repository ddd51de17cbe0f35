use super::MemoryStore;
use super::store::Claim;
use crate::Timestamp;
use crate::ports::{CLAIM_LASTS_SECONDS, Idempotency, IdempotencyClaim, PortError, Remembered};
use async_trait::async_trait;

#[async_trait]
impl Idempotency for MemoryStore {
    async fn idempotency_begin(
        &self,
        claim: IdempotencyClaim<'_>,
        fingerprint: [u8; 32],
    ) -> Result<Remembered, PortError> {
        let claims = &mut self.state()?.idempotency;
        let fresh = Claim { at: claim.at, fingerprint, answer: None };
        let Some(there) = claims.get_mut(&place(claim)) else {
            claims.insert(place(claim), fresh);
            return Ok(Remembered::Fresh);
        };
        Ok(match &there.answer {
            Some((status, body)) => {
                Remembered::Done { fingerprint: there.fingerprint, status: *status, body: body.clone() }
            }
            None if there.at.plus_seconds(CLAIM_LASTS_SECONDS) <= claim.at => {
                *there = fresh;
                Remembered::Fresh
            }
            None => Remembered::InFlight,
        })
    }

    async fn idempotency_finish(
        &self,
        claim: IdempotencyClaim<'_>,
        status: u16,
        body: &[u8],
    ) -> Result<(), PortError> {
        if let Some(there) =
            self.state()?.idempotency.get_mut(&place(claim)).filter(|there| holds(there, claim))
        {
            there.answer = Some((status, body.to_vec()));
        }
        Ok(())
    }

    async fn idempotency_abandon(&self, claim: IdempotencyClaim<'_>) -> Result<(), PortError> {
        let claims = &mut self.state()?.idempotency;
        if claims.get(&place(claim)).is_some_and(|there| holds(there, claim)) {
            claims.remove(&place(claim));
        }
        Ok(())
    }

    async fn idempotency_prune(&self, before: Timestamp) -> Result<u64, PortError> {
        let claims = &mut self.state()?.idempotency;
        let count = claims.len();
        claims.retain(|_, claim| claim.at >= before);
        Ok((count - claims.len()) as u64)
    }
}

fn place(claim: IdempotencyClaim<'_>) -> (String, String) {
    (claim.caller.to_owned(), claim.key.to_owned())
}

fn holds(there: &Claim, claim: IdempotencyClaim<'_>) -> bool {
    there.answer.is_none() && there.at == claim.at
}
