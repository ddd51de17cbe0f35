use super::*;
use crate::spool::fields::Field;
use crate::spool::frame::{self, Frame, Kind, Record, Unframeable};
use topdog_domain::usage::RequestRecord;

/// A record all of whose fields are told apart.
fn record() -> RequestRecord {
    let json = r#"{
        "id": "rec_00000000000000000000000000000001", "request": "req_00000000000000000000000000000002",
        "at": 3, "org": "org_00000000000000000000000000000004",
        "workspace": "ws_00000000000000000000000000000005", "api_key": "key_00000000000000000000000000000006",
        "client_ip": "::7", "plan": "Pro", "segment": "medical", "operation": "audio_translation",
        "is_stream": true, "provider": "openai", "model_requested": "gpt-4o", "model": "gpt-4o-2024",
        "key_use": {"provider_key": "pk_00000000000000000000000000000008", "version": 9, "is_audited": true},
        "outcome": "upstream_failed", "status": 502, "is_counted": true,
        "tokens": {"input": 10, "cache_read": 11, "cache_write_5m": 12, "cache_write_1h": 13, "output": 14,
            "reasoning": 15},
        "source": "estimated", "cost_nanodollars": -16, "first_byte_us": 17, "total_us": 18, "overhead_us": 19,
        "bytes_in": 20, "bytes_out": 21, "error_code": "upstream_broken",
        "guardrails": "output block keys 1"
    }"#;
    serde_json::from_str(json).unwrap()
}

fn requests(frame: &[u8]) -> Vec<RequestRecord> {
    let mut batch = Batch::default();
    assert!(Frame::parse(frame).unwrap().add_to(&mut batch));
    batch.requests
}

#[test]
fn a_request_is_read_as_it_was_written() {
    let mut bare = record();
    (bare.workspace, bare.key_use, bare.cost_nanodollars) = (None, None, None);
    (bare.first_byte_us, bare.error_code) = (None, None);
    for record in [record(), bare, samples::request_record(OrgId::new(), samples::NEW_YEAR)] {
        let mut bytes = Vec::new();
        frame::encode(&mut bytes, &record).unwrap();
        assert_eq!(requests(&bytes), [record]);
    }
}

/// What is in the spools of this version must be read by every later one: where this fails, give the new layout another
/// kind.
#[test]
fn the_layout_is_what_it_always_was() {
    let mut bytes = Vec::new();
    record().put(&mut bytes);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let layout = [
        "00000000000000000000000000000001 00000000000000000000000000000002 0300000000000000",
        "00000000000000000000000000000004 01 00000000000000000000000000000005 00000000000000000000000000000006",
        "03000000 3a3a37 01 02 0a 01 06000000 6f70656e6169 06000000 6770742d346f 0b000000 6770742d346f2d32303234",
        "01 00000000000000000000000000000008 09000000 01 03 f601 01",
        "0a00000000000000 0b00000000000000 0c00000000000000 0d00000000000000 0e00000000000000 0f00000000000000",
        "01 01 f0ffffffffffffff 01 1100000000000000 1200000000000000 1300000000000000",
        "1400000000000000 1500000000000000 01 0f000000 757073747265616d5f62726f6b656e",
    ];
    assert_eq!(hex, layout.concat().replace(' ', ""));
}

#[test]
fn fields_cut_off_anywhere_are_no_record() {
    let mut bytes = Vec::new();
    record().put(&mut bytes);
    for end in 0..bytes.len() {
        assert_eq!(RequestRecord::take(&mut &bytes[..end]), None, "cut at {end}");
    }
}

#[test]
fn what_is_behind_the_fields_makes_the_frame_foreign() {
    struct Longer;
    impl Record for Longer {
        const KIND: Kind = Kind::Request;
        fn write(&self, bytes: &mut Vec<u8>) -> Result<(), Unframeable> {
            record().write(bytes)?;
            bytes.push(0);
            Ok(())
        }
    }
    let mut bytes = Vec::new();
    frame::encode(&mut bytes, &Longer).unwrap();
    assert!(!Frame::parse(&bytes).unwrap().add_to(&mut Batch::default()));
}

#[test]
fn a_request_of_the_first_version_is_still_read() {
    struct First;
    impl Record for First {
        const KIND: Kind = Kind::JsonRequest;
        fn write(&self, bytes: &mut Vec<u8>) -> Result<(), Unframeable> {
            serde_json::to_writer(bytes, &record()).map_err(|_| Unframeable)
        }
    }
    let mut bytes = Vec::new();
    frame::encode(&mut bytes, &First).unwrap();
    assert_eq!(requests(&bytes), [record()]);
}
