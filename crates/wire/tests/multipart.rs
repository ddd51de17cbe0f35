//! Forms: finding the model, renaming it, and refusing what two readers could understand differently.
#![cfg(test)]

use bytes::Bytes;
use topdog_wire::multipart::{BadMultipart, ModelFinder, Progress};

const TYPE: &str = "multipart/form-data; boundary=----edge";

fn form(parts: &[(&str, &str)]) -> String {
    let mut form = String::new();
    for (head, value) in parts {
        form.push_str(&format!("------edge\r\n{head}\r\n\r\n{value}\r\n"));
    }
    form + "------edge--\r\n"
}

fn field(name: &str) -> String {
    format!("Content-Disposition: form-data; name=\"{name}\"")
}

struct Passed {
    model: Option<String>,
    is_stream: bool,
    sent: Vec<u8>,
    growth: i64,
}

fn pass(body: &str, size: usize, rename: &str) -> Result<Passed, BadMultipart> {
    let mut finder = ModelFinder::new(TYPE)?;
    let mut pieces = body.as_bytes().chunks(size);
    loop {
        let piece = pieces.next().ok_or(BadMultipart::Truncated)?;
        if finder.feed(Bytes::copy_from_slice(piece))? != Progress::Searching {
            break;
        }
    }
    let model = finder.model().map(str::to_owned);
    let is_stream = finder.is_stream();
    let spliced = finder.splice(rename);
    let mut sent = spliced.held.concat();
    let mut rest = spliced.rest;
    for piece in pieces {
        rest.feed(piece)?;
        sent.extend_from_slice(piece);
    }
    rest.finish()?;
    Ok(Passed { model, is_stream, sent, growth: spliced.growth })
}

fn refused(body: &str) -> BadMultipart {
    let whole = pass(body, usize::MAX, "x").err().unwrap();
    assert_eq!(pass(body, 3, "x").err(), Some(whole));
    whole
}

#[test]
fn the_model_is_renamed_wherever_it_stands_and_however_the_form_is_cut() {
    let file = "Content-Disposition: form-data; name=\"file\"; filename=\"a \\\"b\\\".wav\"\r\nContent-Type: audio/wav";
    let noise = "RIFF\r\n------edg\r\r\n\n--\0 \r\n--";
    let (stream, model) = (field("stream"), field("model"));
    let orders: [&[(&str, &str)]; 3] = [
        &[(&model, "openai/whisper-1"), (&stream, "true"), (file, noise)],
        &[(file, noise), (&stream, "true"), (&model, "openai/whisper-1")],
        &[(&stream, "true"), (&model, "openai/whisper-1"), (file, noise), (file, "")],
    ];
    for (at, parts) in orders.iter().enumerate() {
        let body = form(parts);
        let expected = body.replace("openai/whisper-1", "whisper-1");
        for size in (1..80).chain([usize::MAX]) {
            let passed = pass(&body, size, "whisper-1").unwrap();
            assert_eq!(passed.model.as_deref(), Some("openai/whisper-1"), "by {size}");
            assert_eq!(String::from_utf8_lossy(&passed.sent), expected, "by {size}");
            assert_eq!(passed.growth, -7);
            assert!(passed.is_stream || at == 0, "by {size}");
        }
    }
}

#[test]
fn names_are_read_as_the_standard_says() {
    for head in [
        "content-disposition:form-data;name=model",
        "X-A: b\r\nCONTENT-DISPOSITION: Form-Data ; NAME=\"model\"",
        "Content-Disposition: form-data; name=\"mod\\el\"",
        "Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=\"model\"",
    ] {
        let passed = pass(&form(&[(head, "m")]), usize::MAX, "n").unwrap();
        assert_eq!(passed.model.as_deref(), Some("m"), "{head}");
    }
    let other = pass(&form(&[(&field("Model"), "m"), (&field("model[]"), "m")]), usize::MAX, "n").unwrap();
    assert_eq!(other.model, None, "these are other fields");
}

#[test]
fn a_missing_model_is_put_first() {
    let body = form(&[(&field("prompt"), "hi")]);
    for body in [body.clone(), format!("\r\n{body}")] {
        let passed = pass(&body, 7, "dall-e-2").unwrap();
        assert_eq!(passed.model, None);
        let again = pass(&String::from_utf8(passed.sent.clone()).unwrap(), 7, "dall-e-2").unwrap();
        assert_eq!(again.model.as_deref(), Some("dall-e-2"));
        assert_eq!(again.sent, passed.sent);
        assert_eq!(passed.sent.len() as i64, body.len() as i64 + passed.growth);
    }
}

#[test]
fn two_models_are_refused_also_when_the_first_has_gone() {
    let (model, prompt) = (field("model"), field("prompt"));
    let body = form(&[(&model, "a"), (&prompt, &"x".repeat(5000)), (&model, "b")]);
    assert_eq!(refused(&body), BadMultipart::DuplicateModel);
}

#[test]
fn a_model_that_is_no_plain_text_is_refused() {
    for (head, value) in [
        ("Content-Disposition: form-data; name=\"model\"; filename=\"m.txt\"", "m"),
        ("Content-Disposition: form-data; name=\"model\"\r\nContent-Transfer-Encoding: base64", "bQ=="),
        ("Content-Disposition: form-data; name=\"model\"", "two\r\nlines"),
        ("Content-Disposition: form-data; name=\"model\"", &"m".repeat(257)),
    ] {
        assert_eq!(refused(&form(&[(head, value)])), BadMultipart::ModelNotText, "{head}");
    }
}

#[test]
fn what_two_readers_could_understand_differently_is_refused() {
    let good = form(&[(&field("a"), "1")]);
    let bodies = [
        format!("preamble\r\n{good}"),
        format!("{good}epilogue"),
        good.replace("------edge--", "------edge --"),
        good.replacen("------edge\r\n", "------edge \r\n", 1),
        good.replacen("------edge\r\n", "------edge\n", 1),
        // A delimiter that ends with LF only, or that borrows the headers' line end.
        form(&[(&field("a"), "1\n------edge\r\n\r\n")]),
        form(&[(&field("a"), "------edge\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm")]),
        form(&[("Content-Disposition: form-data; name*=utf-8''model", "m")]),
        form(&[("Content-Disposition: form-data; name=\"a\"; name=\"model\"", "m")]),
        form(&[(
            "Content-Disposition: form-data; name=\"a\"\r\nContent-Disposition: form-data; name=\"model\"",
            "m",
        )]),
        form(&[("Content-Disposition: form-data;\r\n name=\"model\"", "m")]),
        form(&[(
            "Content-Disposition: form-data; name=\"a\"\nContent-Disposition: form-data; name=\"model\"",
            "m",
        )]),
        form(&[("Content-Disposition: attachment; name=\"model\"", "m")]),
        form(&[("Content-Type: text/plain", "m")]),
        form(&[("Content-Disposition : form-data; name=\"model\"", "m")]),
        form(&[("Content-Disposition: form-data; name=\"model", "m")]),
    ];
    for body in bodies {
        assert_eq!(refused(&body), BadMultipart::Malformed, "{body}");
    }
}

#[test]
fn sizes_and_counts_are_bounded() {
    let long = format!("{}\r\nX: {}", field("a"), "x".repeat(9000));
    assert_eq!(refused(&form(&[(&long, "1")])), BadMultipart::HeadTooLong);
    let (a, model) = (field("a"), field("model"));
    let many: Vec<(&str, &str)> = std::iter::repeat_n((a.as_str(), "1"), 257).collect();
    assert_eq!(refused(&form(&many)), BadMultipart::TooManyParts);

    let late = form(&[(&a, &"x".repeat(100_000)), (&model, "m")]);
    let mut finder = ModelFinder::new(TYPE).unwrap().with_hold_limit(10_000);
    let outcome = late
        .as_bytes()
        .chunks(1000)
        .map(|piece| finder.feed(Bytes::copy_from_slice(piece)))
        .find(Result::is_err);
    assert_eq!(outcome, Some(Err(BadMultipart::FieldTooLate)));
    assert!(finder.held_bytes() <= 11_000);
}

#[test]
fn a_torn_form_is_not_taken_for_whole() {
    let body = form(&[(&field("model"), "m"), (&field("a"), "1")]);
    let torn = body.strip_suffix("--\r\n").unwrap();
    assert_eq!(pass(torn, usize::MAX, "m").err(), Some(BadMultipart::Truncated));
    assert!(
        pass(body.strip_suffix("\r\n").unwrap(), usize::MAX, "m").is_ok(),
        "the last line end may be missing"
    );
}

#[test]
fn a_new_name_can_forge_no_part() {
    let body = form(&[(&field("model"), "m")]);
    let passed = pass(&body, usize::MAX, "a\r\n------edge\r\n").unwrap();
    assert_eq!(
        pass(std::str::from_utf8(&passed.sent).unwrap(), 9, "x").unwrap().model.as_deref(),
        Some("a------edge")
    );
}

#[test]
fn content_types_are_read_strictly() {
    for good in [
        "multipart/form-data; boundary=a",
        "Multipart/Form-Data; charset=utf-8; Boundary=\"a b?c\"",
        "multipart/form-data;boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW",
        "multipart/form-data; boundary=a;",
    ] {
        assert!(ModelFinder::new(good).is_ok(), "{good}");
    }
    for bad in [
        "application/json",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"\"",
        "multipart/form-data; boundary=a; boundary=b",
        "multipart/form-data; boundary=\"a\r\nb\"",
        "multipart/form-data; boundary=a,b\u{e9}",
        "multipart/mixed; boundary=a",
        &format!("multipart/form-data; boundary={}", "a".repeat(71)),
    ] {
        assert!(ModelFinder::new(bad).is_err(), "{bad}");
    }
}
