//! Bodies in, bodies out, with a small made-up service.

#![cfg(test)]

#[path = "codecs/service.rs"]
mod service;

use std::collections::BTreeMap;

use base::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};
use service::{Colour, Draw, DrawQuery, Drawing, Nothing, Point, Shape, Strict};
use wire::{ApiError, Validate as _, Violations, decode, encode, encode_error};

fn drawing() -> Drawing {
    Drawing {
        name: Some("ä & <b>".to_owned()),
        points: Some(vec![
            Point { x: Some(1), y: Some(-2), label: None },
            Point { x: None, y: None, label: Some("end".to_owned()) },
        ]),
        tags: Some(BTreeMap::from([("k".to_owned(), "v".to_owned())])),
        colour: Some(Colour::Red),
        colours: Some(vec![Colour::LightBlue, Colour::from("GREEN")]),
        names: Some(vec!["one".to_owned()]),
        at: Some(Timestamp::from_epoch_ms(1_500)),
        scale: Some(0.5),
        size: Some(i64::MAX),
        done: Some(false),
        shape: Some(Shape::Dot(Point::default())),
    }
}

fn drawing_json() -> Value {
    json!({
        "name": "ä & <b>",
        "points": [{"x": 1, "y": -2}, {"label": "end"}],
        "tags": {"k": "v"},
        "colour": "RED",
        "colours": ["LIGHT-BLUE", "GREEN"],
        "names": ["one"],
        "At": 1.5,
        "scale": 0.5,
        "size": i64::MAX,
        "done": false,
        "shape": {"dot": {}},
    })
}

#[track_caller]
fn check_refused(body: &[u8], expected: &str) {
    let error = decode::<Draw>(body).expect_err("the body is refused");
    assert_eq!(error.message, expected);
    assert_eq!((error.code.as_ref(), error.status), ("SerializationException", 400));
}

#[track_caller]
fn check_form_refused(form: &[u8], expected: &str) {
    let error = decode::<DrawQuery>(form).expect_err("the form is refused");
    assert_eq!(error.message, expected);
    assert_eq!((error.code.as_ref(), error.status), ("MalformedInput", 400));
}

#[test]
fn json_has_every_kind_of_member() {
    let written = encode::<Draw>(&drawing(), "id");
    assert_eq!((written.status, written.content_type), (200, "application/x-amz-json-1.1"));
    let body: Value = serde_json::from_slice(&written.body).expect("it is JSON");
    assert_eq!(body, drawing_json());
    let read: Drawing = serde_json::from_value(body).expect("it can be read");
    assert_eq!(read, drawing());
}

#[test]
fn null_is_absent_and_unknown_members_are_ignored() {
    let body = br#"{"name": null, "surprise": [{"deep": [1, null]}], "done": true, "At": null}"#;
    let expected = Drawing { done: Some(true), ..Drawing::default() };
    assert_eq!(decode::<Draw>(body), Ok(expected));
    assert_eq!(decode::<Draw>(b""), Ok(Drawing::default()));
}

#[test]
fn an_output_without_members_has_an_empty_body() {
    assert_eq!(encode::<Nothing>(&wire::NoOutput {}, "id").body, b"");
}

#[test]
fn a_body_of_the_wrong_type_says_where() {
    check_refused(
        br#"{"points": [{"x": 1}, {"x": "1"}]}"#,
        "the body of Draw cannot be read: `points.x`: invalid type: string \"1\", \
         expected i32 at line 1 column 31",
    );
    check_refused(
        b"{\n \"size\": 99999999999999999999}",
        "the body of Draw cannot be read: `size`: invalid type: floating point \
         `1e+20`, expected i64 at line 2 column 29",
    );
    check_refused(
        br#"{"points": [{"x": 3000000000}]}"#,
        "the body of Draw cannot be read: `points.x`: invalid value: integer \
         `3000000000`, expected i32 at line 1 column 28",
    );
    check_refused(
        br#"["name"]"#,
        "the body of Draw cannot be read: invalid type: sequence, expected a \
         structure Drawing at line 1 column 1",
    );
    check_refused(
        br#"{"shape": {}}"#,
        "the body of Draw cannot be read: `shape`: union Shape needs exactly one of: \
         dot, colour at line 1 column 12",
    );
}

#[test]
fn a_member_given_twice_is_refused() {
    check_refused(
        br#"{"name": "a", "name": "b"}"#,
        "the body of Draw cannot be read: `name`: given twice at line 1 column 20",
    );
}

#[test]
fn hostile_json_is_refused_with_its_place() {
    check_refused(
        b"{\"name\":\n\"\xff\"}",
        "the body of Draw is not UTF-8: invalid byte at line 2 column 2",
    );
    let deep = [br#"{"other": "#.as_slice(), &b"[".repeat(100_000)].concat();
    check_refused(&deep, "the body of Draw nests deeper than 64 levels at line 1 column 74");
    check_refused(
        br#"{"name": "\ud800"}"#,
        "the body of Draw cannot be read: `name`: unexpected end of hex escape at line \
         1 column 17",
    );
    check_refused(
        br#"{"done": true} {}"#,
        "the body of Draw cannot be read: trailing characters at line 1 column 16",
    );
    check_refused(
        br#"{"scale": 1e999}"#,
        "the body of Draw cannot be read: `scale`: number out of range at line 1 column 15",
    );
    let brackets_in_text = format!(r#"{{"name": "\"{}"}}"#, "[".repeat(100));
    assert!(decode::<Draw>(brackets_in_text.as_bytes()).is_ok());
}

#[test]
fn a_long_value_does_not_fill_the_message() {
    let body = format!(r#"{{"size": "{}"}}"#, "x".repeat(100_000));
    let error = decode::<Draw>(body.as_bytes()).expect_err("it is no number");
    assert!(error.message.chars().count() < 700, "{}", error.message.len());
    assert!(error.message.ends_with("expected i64 at line 1 column 100011"), "{}", error.message);
}

#[test]
fn forms_have_every_kind_of_member() {
    let form = b"Action=Draw&Version=1&name=%C3%A4+%26+<b>&points.member.2.label=end\
        &points.member.1.x=1&points.member.1.y=-2&tags.entry.1.key=k&tags.entry.1.value=v\
        &colour=RED&colours.1=LIGHT-BLUE&colours.2=GREEN&names.item.10=one\
        &At=1970-01-01T00%3A00%3A01.5Z&scale=0.5&size=9223372036854775807&done=false\
        &shape.dot.x=3";
    let dot = Point { x: Some(3), ..Point::default() };
    let expected = Drawing { shape: Some(Shape::Dot(dot)), ..drawing() };
    assert_eq!(decode::<DrawQuery>(form), Ok(expected));
}

#[test]
fn form_lists_follow_their_numbers_not_their_text() {
    let form = (1..=11).rev().map(|n| format!("names.member.{n}=n{n}")).collect::<Vec<_>>();
    let read = decode::<DrawQuery>(form.join("&").as_bytes()).expect("it is valid");
    let expected: Vec<String> = (1..=11).map(|n| format!("n{n}")).collect();
    assert_eq!(read.names, Some(expected));
    assert_eq!(decode::<DrawQuery>(b"names=").expect("it is valid").names, Some(Vec::new()));
}

#[test]
fn hostile_forms_are_refused_with_their_place() {
    check_form_refused(b"name=%zz", "parameter 1 has a `%` without two hex digits");
    check_form_refused(b"a=b&name=%ff", "parameter 2 is not UTF-8 at byte 0 after decoding");
    check_form_refused(b"name=a&name=b", "the parameter `name` is given twice");
    check_form_refused(
        b"size=1x",
        "the parameters of Draw do not fit: `size`: not a whole number of 64 bits: `1x`",
    );
    check_form_refused(
        b"points.member.1.x=1&points.member.one.x=1",
        "the parameters of Draw do not fit: `points`: expected a number in a list, found `one`",
    );
    check_form_refused(
        b"names.member.1=a&names.member.01=b",
        "the parameters of Draw do not fit: `names`: a number in a list is given twice",
    );
    check_form_refused(
        b"tags.entry.1.value=v",
        "the parameters of Draw do not fit: `tags`: an entry has no key",
    );
    let many: String = (0..=10_000).map(|n| format!("a{n}&")).collect();
    check_form_refused(many.as_bytes(), "the form has more than 10000 parameters");
    let deep = "a.".repeat(40);
    check_form_refused(
        deep.as_bytes(),
        &format!("the name of the parameter `{deep}` has more than 32 parts"),
    );
}

#[test]
fn xml_has_every_kind_of_member() {
    let written = encode::<DrawQuery>(&drawing(), "id");
    assert_eq!(
        String::from_utf8(written.body).expect("it is text"),
        "<DrawResponse xmlns=\"https://draw/\"><DrawResult><name>ä &amp; &lt;b&gt;</name>\
         <points><member><x>1</x><y>-2</y></member><member><label>end</label></member></points>\
         <tags><entry><key>k</key><value>v</value></entry></tags><colour>RED</colour>\
         <colours><member>LIGHT-BLUE</member><member>GREEN</member></colours>\
         <names><member>one</member></names><At>1970-01-01T00:00:01.500Z</At><scale>0.5</scale>\
         <size>9223372036854775807</size><done>false</done><shape><dot></dot></shape></DrawResult>\
         <ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></DrawResponse>"
    );
}

#[test]
fn errors_follow_the_protocol() {
    let error = ApiError::sender("ConflictException", "in < use\0")
        .with_status(409)
        .with_field("resourceIds", vec!["a"]);
    let json = encode_error(&service::JSON_API, &error, "id");
    assert_eq!((json.status, json.error_type.as_deref()), (409, Some("ConflictException")));
    assert_eq!(
        serde_json::from_slice::<Value>(&json.body).expect("it is JSON"),
        json!({"__type": "ConflictException", "message": "in < use\0", "resourceIds": ["a"]})
    );
    let xml = encode_error(&service::QUERY_API, &error, "id");
    assert_eq!((xml.status, xml.error_type), (409, None));
    assert_eq!(
        String::from_utf8(xml.body).expect("it is text"),
        "<ErrorResponse xmlns=\"https://draw/\"><Error><Type>Sender</Type>\
         <Code>ConflictException</Code><Message>in &lt; use\u{fffd}</Message></Error>\
         <RequestId>id</RequestId></ErrorResponse>"
    );
}

#[track_caller]
fn check_broken(drawing: Drawing, expected: &[&str]) {
    let mut violations = Violations::default();
    Strict(Drawing { done: Some(true), ..drawing }).validate(&mut violations);
    let message = violations.message().unwrap_or_default();
    let (_, list) = message.split_once(" detected: ").unwrap_or_default();
    let found: Vec<&str> = list.split("; ").filter(|found| !found.is_empty()).collect();
    assert_eq!(found, expected);
}

#[test]
fn broken_constraints_are_told_in_aws_words() {
    let text = |text: &str| Some(text.to_owned());
    let point = |label: &str| Point { x: None, y: None, label: text(label) };
    check_broken(Drawing { name: text("abcd"), size: Some(0), ..Drawing::default() }, &[]);
    check_broken(
        Drawing { name: text("A"), ..Drawing::default() },
        &[
            "Value 'A' at 'name' failed to satisfy constraint: Member must have length greater \
             than or equal to 2",
            "Value 'A' at 'name' failed to satisfy constraint: Member must satisfy regular \
             expression pattern: [a-z]+",
        ],
    );
    check_broken(
        Drawing { name: text("ääää"), points: Some(Vec::new()), ..Drawing::default() },
        &[
            "Value 'ääää' at 'name' failed to satisfy constraint: Member must satisfy regular \
             expression pattern: [a-z]+",
            "Value '[]' at 'points' failed to satisfy constraint: Member must have length greater \
             than or equal to 1",
        ],
    );
    check_broken(
        Drawing { points: Some(vec![point("s"), point("secret")]), ..Drawing::default() },
        &[
            "Value null at 'points.1.member.x' failed to satisfy constraint: Member must not be \
             null",
            "Value null at 'points.2.member.x' failed to satisfy constraint: Member must not be \
             null",
            "Value at 'points.2.member.label' failed to satisfy constraint: Member must have \
             length less than or equal to 1",
        ],
    );
    check_broken(
        Drawing {
            names: Some(vec!["ok".to_owned(), "long one".to_owned()]),
            colour: Some(Colour::from("PINK")),
            colours: Some(vec![Colour::Red, Colour::from("PINK")]),
            size: Some(-1),
            tags: Some(BTreeMap::from([("ok".to_owned(), "secret".to_owned())])),
            ..Drawing::default()
        },
        &[
            "Value at 'tags' failed to satisfy constraint: Map value must satisfy constraint: \
             [Member must have length less than or equal to 1]",
            "Value 'PINK' at 'colour' failed to satisfy constraint: Member must satisfy enum value \
             set: [RED, LIGHT-BLUE]",
            "Value '[RED, PINK]' at 'colours' failed to satisfy constraint: Member must satisfy \
             constraint: [Member must satisfy enum value set: [RED, LIGHT-BLUE]]",
            "Value '[ok, long one]' at 'names' failed to satisfy constraint: Member must satisfy \
             constraint: [Member must have length less than or equal to 4, Member must have length \
             greater than or equal to 2, Member must satisfy regular expression pattern: [a-z]+]",
            "Value '-1' at 'size' failed to satisfy constraint: Member must have value greater \
             than or equal to 0",
        ],
    );
}

#[test]
fn messages_about_broken_constraints_stay_short() {
    let mut violations = Violations::default();
    let points = vec![Point::default(); 1_000];
    let name = Some("X".repeat(100_000));
    Strict(Drawing { name, points: Some(points), ..Drawing::default() }).validate(&mut violations);
    let message = violations.message().expect("much is broken");
    assert!(message.starts_with("1004 validation errors detected: Value null at 'done'"));
    assert!(message.ends_with("; and 954 more"), "{message}");
    assert!(message.len() < 10_000, "{}", message.len());
}

proptest! {
    #[test]
    fn no_bytes_crash_the_decoders(body in proptest::collection::vec(any::<u8>(), 0..256)) {
        let _ = decode::<Draw>(&body);
        let _ = decode::<DrawQuery>(&body);
    }

    #[test]
    fn no_almost_valid_body_crashes_the_decoders(
        body in "[{\\[\"]{0,3}(name|points|shape|tags|At)[\"=:.0-9a-z\\[\\]{}member,%&é]{0,40}",
    ) {
        let _ = decode::<Draw>(body.as_bytes());
        let _ = decode::<DrawQuery>(body.as_bytes());
    }

    #[test]
    fn what_is_encoded_is_decoded(
        name in proptest::option::of(".{0,20}"),
        size in proptest::option::of(any::<i64>()),
        epoch_ms in -1_000_000_000_000_i64..4_000_000_000_000,
        colour in "RED|LIGHT-BLUE|[a-z]{0,4}",
        tags in proptest::collection::btree_map(".{0,5}", ".{0,5}", 0..4),
    ) {
        let drawing = Drawing {
            name,
            size,
            at: Some(Timestamp::from_epoch_ms(epoch_ms)),
            colour: Some(Colour::from(colour)),
            tags: Some(tags),
            ..Drawing::default()
        };
        let body = encode::<Draw>(&drawing, "id").body;
        prop_assert_eq!(serde_json::from_slice::<Drawing>(&body).expect("it is valid"), drawing);
    }

    #[test]
    fn text_survives_percent_encoding(name in ".{0,20}") {
        let encoded: String = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let read = wire::Form::parse(format!("name={encoded}").as_bytes()).expect("it is a form");
        prop_assert_eq!(read.get("name"), Some(name.as_str()));
    }
}
