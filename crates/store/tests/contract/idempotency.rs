use super::*;
use topdog_domain::fakes::samples::NEW_YEAR;
use topdog_domain::ports::Remembered;

contract! {
    a_key_is_claimed_once,
    one_of_many_claims_it,
    a_finished_answer_is_remembered,
    callers_are_apart,
    an_abandoned_claim_is_fresh_again,
    pruning_forgets_what_is_older,
}

const PRINT: [u8; 32] = [9; 32];

async fn begin(ports: &Ports, caller: &str, key: &str) -> Remembered {
    ports.idempotency.idempotency_begin(caller, key, PRINT, NEW_YEAR).await.unwrap()
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
    ports.idempotency.idempotency_finish("a", "k", 201, b"\0made").await.unwrap();
    // Even for another request with the key: the caller compares the fingerprint.
    let again = ports.idempotency.idempotency_begin("a", "k", [1; 32], NEW_YEAR).await.unwrap();
    assert_eq!(again, Remembered::Done { fingerprint: PRINT, status: 201, body: b"\0made".to_vec() });
}

async fn callers_are_apart(ports: &Ports) {
    begin(ports, "a", "k").await;
    ports.idempotency.idempotency_finish("a", "k", 201, b"a").await.unwrap();
    assert_eq!(begin(ports, "b", "k").await, Remembered::Fresh);
    // Neither can be taken for the other by where caller and key are joined.
    assert_eq!(begin(ports, "ak", "").await, Remembered::Fresh);
}

async fn an_abandoned_claim_is_fresh_again(ports: &Ports) {
    begin(ports, "a", "k").await;
    ports.idempotency.idempotency_abandon("a", "k").await.unwrap();
    assert_eq!(begin(ports, "a", "k").await, Remembered::Fresh);
}

async fn pruning_forgets_what_is_older(ports: &Ports) {
    begin(ports, "a", "old").await;
    let later = NEW_YEAR.plus_seconds(1);
    ports.idempotency.idempotency_begin("a", "new", PRINT, later).await.unwrap();
    assert_eq!(ports.idempotency.idempotency_prune(later).await.unwrap(), 1);
    assert_eq!(ports.idempotency.idempotency_prune(later).await.unwrap(), 0);
    assert_eq!(begin(ports, "a", "old").await, Remembered::Fresh);
    assert_eq!(begin(ports, "a", "new").await, Remembered::InFlight);
}
