use super::super::engine::on_engine;
use super::bed::{Bed, on_both};
use topdog_domain::audit::AuditEntry;
use topdog_domain::fakes::samples::{self, NEW_YEAR};
use topdog_domain::ports::{Batch, PageWish, PortError, RecordReader as _, RecordSink as _};
use topdog_domain::usage::Outcome;
use topdog_domain::{OrgId, RecordId};

on_both! {
    async fn no_record_holds_up_a_batch(bed: &Bed) {
        let org = OrgId::new();
        let mut record = samples::request_record(org, NEW_YEAR);
        record.model = "gpt\0\u{fffd}'\"\\u0000 \u{1f415}".into();
        record.model_requested = record.model.clone();
        record.client_ip = "\0".into();
        record.tokens.input = u64::MAX;
        record.tokens.cache_write_1h = u64::MAX;
        record.cost_nanodollars = None;
        let mut twin = record.clone();
        twin.id = RecordId::new();
        let requests = vec![record.clone(), twin];
        bed.store.ship(&Batch { requests, audits: Vec::new() }).await.unwrap();
        let wish = PageWish { after: None, limit: 10 };
        let rows = bed.store.usage_list(org, &wish).await.unwrap().rows;
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[1].record, record, "what is listed is what was shipped");
        let sums = bed.store.usage_sum(org, NEW_YEAR, NEW_YEAR.plus_seconds(1)).await.unwrap();
        assert_eq!((sums[0].requests, sums[0].unpriced_requests), (2, 2), "no sum overflows");
    }

    async fn what_only_columns_say_is_listed_as_it_was(bed: &Bed) {
        let org = OrgId::new();
        let mut records = [0, 1, 2].map(|_| samples::request_record(org, NEW_YEAR));
        records[0].tokens.cache_write_1h = 0;
        records[0].is_stream = !records[1].is_stream;
        records[1].cost_nanodollars = Some(i64::MAX);
        records[2].tokens.cache_write_1h = 0;
        records[2].tokens.reasoning = u64::MAX;
        let wish = PageWish { after: None, limit: 10 };
        bed.store.ship(&Batch { requests: records.to_vec(), audits: Vec::new() }).await.unwrap();
        let rows = bed.store.usage_list(org, &wish).await.unwrap().rows;
        assert!(rows.iter().map(|row| &row.record).eq(records.iter().rev()));
    }

    async fn a_whole_batch_goes_in_and_a_second_time_changes_nothing(bed: &Bed) {
        let org = OrgId::new();
        let requests: Vec<_> =
            (0..1_000).map(|i| samples::request_record(org, NEW_YEAR.plus_seconds(i))).collect();
        let audits = (0..10).map(|_| samples::audit(org, "api_key.create")).collect();
        let mut batch = Batch { requests, audits };
        batch.requests.push(batch.requests[7].clone());
        bed.store.ship(&batch).await.unwrap();
        let head = bed.store.audit_head(org).await.unwrap();
        assert_eq!(head.0, 1_010);
        bed.store.ship(&batch).await.unwrap();
        assert_eq!(bed.store.audit_head(org).await.unwrap(), head);

        let sums = bed.store.usage_sum(org, NEW_YEAR, NEW_YEAR.plus_seconds(999)).await.unwrap();
        assert_eq!(sums.len(), 1);
        assert_eq!((sums[0].requests, sums[0].cache_write, sums[0].output), (999, 999 * 7, 999 * 50));
        assert_eq!((sums[0].cost_nanodollars, sums[0].unpriced_requests), (999 * 1_500, 0));

        let mut seen: Vec<RecordId> = Vec::new();
        let mut after = None;
        loop {
            let page = bed.store.debug_log_list(org, &PageWish { after, limit: 300 }).await.unwrap();
            seen.extend(page.rows.iter().map(|row| row.id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen.len(), 1_000);
        assert!(seen.windows(2).all(|pair| pair[0] > pair[1]), "newest first");

        let pruned = bed.store.debug_log_prune(org, NEW_YEAR.plus_seconds(400)).await.unwrap();
        assert_eq!(pruned, 400);
        assert_eq!(bed.store.usage_list(org, &PageWish { after: None, limit: 1 }).await.unwrap().rows.len(), 1);
    }

    async fn the_use_of_a_key_is_in_the_chain_once(bed: &Bed) {
        let org = OrgId::new();
        let mut records = [0, 1, 2].map(|_| samples::request_record(org, NEW_YEAR));
        records[1].key_use.as_mut().unwrap().is_audited = true;
        records[2].key_use = None;
        let requests = records.to_vec();
        bed.store.ship(&Batch { requests, audits: Vec::new() }).await.unwrap();
        let entries: Vec<AuditEntry> = bed.store.audit_list(org, 0, 10).await.unwrap();
        assert_eq!(entries.iter().map(|entry| entry.id).collect::<Vec<_>>(), [records[0].id]);
        assert!([r#""action":"provider_key.use""#, r#""operation":"chat""#].iter().all(|said| entries[0].body.contains(said)));
    }

    async fn a_value_that_no_column_takes_is_told_from_a_database_that_is_away(bed: &Bed) {
        const NO_SEQ: &str = "INSERT INTO audit_heads (org, seq, hash) VALUES ($1, NULL, NULL)";
        const NO_TABLE: &str = "SELECT $1 FROM nothing";
        for (statement, is_of_a_value) in [(NO_SEQ, true), (NO_TABLE, false)] {
            let failed = on_engine!(bed.store.pools().writer(), |db| sqlx::query(statement)
                .bind(vec![0_u8])
                .execute(db)
                .await
                .map(|_| ()));
            let error = failed.unwrap_err();
            assert_eq!(matches!(error, PortError::Corrupt(_)), is_of_a_value, "{error:?}");
            assert_eq!(matches!(error, PortError::Unavailable(_)), !is_of_a_value, "{error:?}");
        }
    }

    async fn a_deleted_debug_log_leaves_the_usage_without_what_only_it_knew(bed: &Bed) {
        let org = OrgId::new();
        let mut records = [0, 1, 2].map(|second| samples::request_record(org, NEW_YEAR.plus_seconds(second)));
        records[0].outcome = Outcome::Refused;
        records[1].error_code = Some("overloaded".into());
        records[2].client_ip = "198.51.100.9".into();
        bed.store.ship(&Batch { requests: records.to_vec(), audits: Vec::new() }).await.unwrap();
        assert_eq!(bed.store.debug_log_prune(org, NEW_YEAR.plus_seconds(2)).await.unwrap(), 2);
        assert_eq!(bed.store.debug_log_prune(org, NEW_YEAR.plus_seconds(2)).await.unwrap(), 0);

        let wish = PageWish { after: None, limit: 10 };
        let logs = bed.store.debug_log_list(org, &wish).await.unwrap().rows;
        assert_eq!(logs.iter().map(|row| &row.record).collect::<Vec<_>>(), [&records[2]]);
        let usage = bed.store.usage_list(org, &wish).await.unwrap().rows;
        let mut stripped = records[1].clone();
        (stripped.client_ip, stripped.error_code, stripped.first_byte_us) = ("".into(), None, None);
        stripped.guardrails = None;
        (stripped.total_us, stripped.overhead_us, stripped.bytes_in, stripped.bytes_out) = (0, 0, 0, 0);
        assert_eq!(usage.iter().map(|row| &row.record).collect::<Vec<_>>(), [&records[2], &stripped]);
        let sums = bed.store.usage_sum(org, NEW_YEAR, NEW_YEAR.plus_seconds(9)).await.unwrap();
        assert_eq!(sums[0].requests, 2, "logged or not");

        // From a page whose last row has gone, nothing older is left.
        let wish = PageWish { after: Some(records[0].id.to_string()), limit: 10 };
        assert!(bed.store.debug_log_list(org, &wish).await.unwrap().rows.is_empty());
    }
}
