//! Regulated segments: the audit entry before the key, the record before the last byte.

use crate::rig::{Rig, Wish, run};
use crate::upstream::Script;
use topdog_domain::labels::DataSegment;

const ASK: &str = r#"{"model":"gpt-4o-mini","messages":[],"stream":true}"#;

fn medical() -> Wish {
    Wish { facts: |f| f.organisation.data_segment = Some(DataSegment::Medical), ..Wish::default() }
}

#[test]
fn the_use_of_a_key_is_audited_before_it_happens() {
    run(async {
        let rig = Rig::start(medical()).await;
        assert_eq!(rig.chat(r#"{"model":"gpt-4o-mini"}"#).await.status, 200);
        let actions: Vec<_> = rig.spool.audits().iter().map(|a| a.action.clone()).collect();
        assert_eq!(actions, ["provider_key.open", "provider_key.use"]);
        assert!(
            rig.records(1).await[0].key_use.as_ref().is_some_and(|k| k.is_audited),
            "and not a second time"
        );
    });
}

#[test]
fn no_record_no_request() {
    run(async {
        let mut rig = Rig::start(medical()).await;
        rig.spool.set_healthy(false);
        let reply = rig.chat(r#"{"model":"gpt-4o-mini"}"#).await;
        assert_eq!((reply.status, reply.code().as_str()), (503, "records_unavailable"));
        assert_eq!(rig.upstream.count(), 0, "the key was not used");
        rig.change(|f| f.organisation.data_segment = None);
        assert_eq!(rig.chat(r#"{"model":"gpt-4o-mini"}"#).await.status, 200, "the rest goes on");
    });
}

#[test]
fn a_record_that_is_lost_meanwhile_takes_the_answers_end_with_it() {
    run(async {
        let rig = Rig::start(medical()).await;
        let event = b"data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n".to_vec();
        let pieces = vec![event.clone(), event, b"data: [DONE]\n\n".to_vec()];
        rig.upstream.now_does(Script::Chunks {
            pieces,
            pause: std::time::Duration::from_millis(150),
            has_end: true,
        });
        let spool = rig.spool.clone();
        tokio::task::spawn_local(async move {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            spool.set_healthy(false);
        });
        let reply = rig.chat(ASK).await;
        assert!(reply.body.contains("records_unavailable"), "{}", reply.body);
        assert!(!reply.body.contains("[DONE]"), "not before its record is kept: {}", reply.body);
    });
}

#[test]
fn a_failing_request_is_recorded_before_its_failure_is_told() {
    run(async {
        for script in [
            Script::stream(&["{}"]).dying(),
            Script::Close,
            Script::Answer { status: 302, content_type: "text/html", body: String::new() },
        ] {
            let rig = Rig::start(medical()).await;
            rig.upstream.now_does(script);
            let spool = rig.spool.clone();
            // From when the provider has the request on, nothing is kept any more.
            rig.upstream.first_does(move || spool.set_healthy(false));
            let reply = rig.chat(ASK).await;
            assert!(reply.body.contains("records_unavailable"), "told before it was kept: {}", reply.body);
        }
    });
}

#[test]
fn of_several_labels_none_undoes_another() {
    run(async {
        let rig = Rig::start(Wish::default()).await;
        assert_eq!(rig.raw_with("x-data-segment: general\r\nx-data-segment: medical").await.status, 200);
        assert_eq!(rig.records(1).await[0].segment, DataSegment::Medical);
        assert_eq!(
            rig.raw_with("x-data-segment: general\r\nx-data-segment: bogus").await.code(),
            "invalid_label"
        );
        assert_eq!(rig.raw_with("x-plan: Pro\r\nx-plan: Starter").await.code(), "invalid_label");
    });
}

#[test]
fn a_header_makes_it_stricter_and_a_wrong_one_is_refused() {
    run(async {
        let rig = Rig::start(Wish::default()).await;
        assert_eq!(rig.raw_with("x-data-segment: medical").await.status, 200);
        assert_eq!(rig.records(1).await[0].segment, DataSegment::Medical);
        let bad = rig.raw_with("x-data-segment: secret").await;
        assert_eq!((bad.status, bad.code().as_str()), (400, "invalid_label"));
        assert_eq!(rig.raw_with("x-plan: enterprise").await.status, 400);
        assert_eq!(rig.raw_with("x-plan: Enterprise").await.status, 200);
        assert_eq!(rig.records(2).await[1].plan.name(), "Pro", "a plan header gives nothing");
    });
}
