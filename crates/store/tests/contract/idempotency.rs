use super::*;
use topdog_domain::fakes::samples::NEW_YEAR;
use topdog_domain::ports::{CLAIM_LASTS_SECONDS, IdempotencyClaim, Remembered};

contract! {
    a_key_is_claimed_once,
    one_of_many_claims_it,
    a_finished_answer_is_remembered,
    callers_are_apart,
    an_abandoned_claim_is_fresh_again,
    a_claim_that_nothing_came_of_is_fresh_after_a_minute,
    one_of_many_takes_over_what_nothing_came_of,
    pruning_forgets_what_is_older,
}

const PRINT: [u8; 32] = [9; 32];

/// A claim of that caller on that key, made so long after the new year.
fn claim<'a>(caller: &'a str, key: &'a str, seconds: i64) -> IdempotencyClaim<'a> {
    IdempotencyClaim { caller, key, at: NEW_YEAR.plus_seconds(seconds) }
}

async fn begin(ports: &Ports, caller: &str, key: &str) -> Remembered {
    begin_at(ports, caller, key, 0).await
}

async fn begin_at(ports: &Ports, caller: &str, key: &str, seconds: i64) -> Remembered {
    ports.idempotency.idempotency_begin(claim(caller, key, seconds), PRINT).await.unwrap()
}

async fn a_key_is_claimed_once(ports: &Ports) {
    assert_eq!(begin(ports, "a", "k").await, Remembered::Fresh);
    assert_eq!(begin(ports, "a", "k").await, Remembered::InFlight);
    assert_eq!(begin(ports, "a", "k2").await, Remembered::Fresh);
}

async fn one_of_many_claims_it(ports: &Ports) {
    let wishes: Vec<_> = (0..8)
        .map(|_| {
            let ports = ports.clone();
            tokio::spawn(async move { begin(&ports, "a", "k").await })
        })
        .collect();
    let mut fresh = 0;
    for wish in wishes {
        fresh += usize::from(wish.await.unwrap() == Remembered::Fresh);
    }
    assert_eq!(fresh, 1);
}

async fn a_finished_answer_is_remembered(ports: &Ports) {
    begin(ports, "a", "k").await;
    ports.idempotency.idempotency_finish(claim("a", "k", 0), 201, b"\0made").await.unwrap();
    // Even for another request with the key: the caller compares the fingerprint.
    let again = ports.idempotency.idempotency_begin(claim("a", "k", 90), [1; 32]).await.unwrap();
    assert_eq!(again, Remembered::Done { fingerprint: PRINT, status: 201, body: b"\0made".to_vec() });
}

async fn callers_are_apart(ports: &Ports) {
    begin(ports, "a", "k").await;
    ports.idempotency.idempotency_finish(claim("a", "k", 0), 201, b"a").await.unwrap();
    assert_eq!(begin(ports, "b", "k").await, Remembered::Fresh);
    // Neither can be taken for the other by where caller and key are joined.
    assert_eq!(begin(ports, "ak", "").await, Remembered::Fresh);
}

async fn an_abandoned_claim_is_fresh_again(ports: &Ports) {
    begin(ports, "a", "k").await;
    ports.idempotency.idempotency_abandon(claim("a", "k", 0)).await.unwrap();
    assert_eq!(begin(ports, "a", "k").await, Remembered::Fresh);
}

async fn a_claim_that_nothing_came_of_is_fresh_after_a_minute(ports: &Ports) {
    begin(ports, "a", "k").await;
    assert_eq!(begin_at(ports, "a", "k", CLAIM_LASTS_SECONDS - 1).await, Remembered::InFlight);
    // For another request, too: nobody knows what the first has come to.
    let taken_over = claim("a", "k", CLAIM_LASTS_SECONDS);
    let begun = ports.idempotency.idempotency_begin(taken_over, [1; 32]).await.unwrap();
    assert_eq!(begun, Remembered::Fresh);
    assert_eq!(begin_at(ports, "a", "k", CLAIM_LASTS_SECONDS + 1).await, Remembered::InFlight);
    // Who was thought dead and was slow changes nothing of the other's.
    ports.idempotency.idempotency_abandon(claim("a", "k", 0)).await.unwrap();
    ports.idempotency.idempotency_finish(claim("a", "k", 0), 201, b"slow").await.unwrap();
    assert_eq!(begin_at(ports, "a", "k", CLAIM_LASTS_SECONDS + 1).await, Remembered::InFlight);
    ports.idempotency.idempotency_finish(taken_over, 201, b"made").await.unwrap();
    let done = Remembered::Done { fingerprint: [1; 32], status: 201, body: b"made".to_vec() };
    assert_eq!(begin_at(ports, "a", "k", 3 * CLAIM_LASTS_SECONDS).await, done);
}

async fn one_of_many_takes_over_what_nothing_came_of(ports: &Ports) {
    begin(ports, "a", "k").await;
    let wishes: Vec<_> = (0..8)
        .map(|more| {
            let ports = ports.clone();
            tokio::spawn(async move { begin_at(&ports, "a", "k", CLAIM_LASTS_SECONDS + more).await })
        })
        .collect();
    let mut fresh = 0;
    for wish in wishes {
        fresh += usize::from(wish.await.unwrap() == Remembered::Fresh);
    }
    assert_eq!(fresh, 1);
}

async fn pruning_forgets_what_is_older(ports: &Ports) {
    begin(ports, "a", "old").await;
    let later = NEW_YEAR.plus_seconds(1);
    assert_eq!(begin_at(ports, "a", "new", 1).await, Remembered::Fresh);
    assert_eq!(ports.idempotency.idempotency_prune(later).await.unwrap(), 1);
    assert_eq!(ports.idempotency.idempotency_prune(later).await.unwrap(), 0);
    assert_eq!(begin(ports, "a", "old").await, Remembered::Fresh);
    assert_eq!(begin(ports, "a", "new").await, Remembered::InFlight);
}
