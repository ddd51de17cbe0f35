use super::*;

fn all(detector: Detector, text: &str) -> Vec<&str> {
    let shape = shape(detector);
    let (mut found, mut from) = (Vec::new(), 0);
    while let Some(next) = (shape.find)(text, from) {
        let mut end = next.span.end;
        let mut tail = next.tail;
        end += text[end..].chars().take_while(|c| tail.takes(*c)).map(char::len_utf8).sum::<usize>();
        assert!(next.span.start >= from && next.span.len() <= shape.longest, "{next:?}");
        found.push(&text[next.span.start..end]);
        from = end;
    }
    found
}

/// Each case: the text, and what is found in it.
fn tell(detector: Detector, cases: &[(&str, &[&str])]) {
    for (text, expected) in cases {
        assert_eq!(all(detector, text), *expected, "{text}");
    }
}

#[test]
fn secrets_are_known_by_their_beginnings() {
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";
    let pem = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIEow/+A==\n-----";
    let ours = "td_live_0123456789abcdefABCDEF0123456789";
    tell(
        Detector::Secret,
        &[
            ("key=sk-proj-Ab12_cd34-ef56gh78ij90, and", &["sk-proj-Ab12_cd34-ef56gh78ij90"]),
            ("sk-ant-api03-0123456789abcdef", &["sk-ant-api03-0123456789abcdef"]),
            ("\"AKIAIOSFODNN7EXAMPLE\"", &["AKIAIOSFODNN7EXAMPLE"]),
            ("ghp_0123456789abcdefghijABCDEFGHIJ012345!", &["ghp_0123456789abcdefghijABCDEFGHIJ012345"]),
            (ours, &[ours]),
            (&format!("Bearer {jwt}; next"), &[jwt]),
            (&format!("{pem}END RSA PRIVATE KEY----- after"), &[pem]),
            ("1_sk-0123456789abcdef1", &["sk-0123456789abcdef1"]),
            ("sk-abc", &[]),
            ("a risk-management-of-everything-else", &[]),
            ("see sk-learn-contrib-and-many-more-packages", &[]),
            ("akiaiosfodnn7example", &[]),
        ],
    );
}

#[test]
fn addresses_are_found_and_nothing_like_them() {
    tell(
        Detector::Email,
        &[
            ("write to jane.doe+x@mail.example.co.uk.", &["jane.doe+x@mail.example.co.uk"]),
            ("<a@b.io>", &["a@b.io"]),
            ("..a@b.io", &["a@b.io"]),
            ("a@b.com.1", &["a@b.com"]),
            ("a@b@c.org", &["b@c.org"]),
            ("@handle, a@b, a@.com, a @b.com, user@host", &[]),
        ],
    );
    tell(
        Detector::Phone,
        &[
            ("+49 30 901820 or +1 (212) 555-0188", &["+49 30 901820", "+1 (212) 555-0188"]),
            ("call (212) 555-0188 / 212-555-0188", &["(212) 555-0188", "212-555-0188"]),
            ("+49 30 901820 4111 1111 1111 1111", &["+49 30 901820 4111 1"]),
            ("+12345, 2024-01-01, 123456789012, 1212-555-01889", &[]),
        ],
    );
    tell(
        Detector::Ipv4,
        &[
            ("10.0.0.1:80 and 255.255.255.255", &["10.0.0.1", "255.255.255.255"]),
            ("1.2.3, 300.1.1.1000", &[]),
        ],
    );
    tell(
        Detector::UsSsn,
        &[
            ("219-09-9999", &["219-09-9999"]),
            ("000-12-3456 666-12-3456 900-12-3456 219-00-9999 1219-09-9999", &[]),
        ],
    );
}

#[test]
fn numbers_with_a_checksum_need_it() {
    tell(
        Detector::Card,
        &[
            ("4111 1111 1111 1111", &["4111 1111 1111 1111"]),
            ("0 4111-1111-1111-1111 222", &["4111-1111-1111-1111"]),
            ("378282246310005,5555555555554444", &["378282246310005", "5555555555554444"]),
            ("4111111111111112 14111111111111111", &[]),
            ("1234567890123456", &[]),
        ],
    );
    tell(
        Detector::Iban,
        &[
            ("DE89 3704 0044 0532 0130 00.", &["DE89 3704 0044 0532 0130 00"]),
            ("gb82west12345698765432", &["gb82west12345698765432"]),
            ("DE89370400440532013001 XDE89370400440532013000 DE8937040044053201300", &[]),
        ],
    );
}

#[test]
fn every_detector_is_named_and_finds_something() {
    let texts = [
        "AKIAIOSFODNN7EXAMPLE",
        "a@b.io",
        "+4930901820",
        "DE89370400440532013000",
        "378282246310005",
        "1.1.1.1",
        "219-09-9999",
    ];
    for (detector, text) in Detector::ALL.into_iter().zip(texts) {
        assert_eq!(all(detector, text), [text], "{detector:?}");
    }
}
