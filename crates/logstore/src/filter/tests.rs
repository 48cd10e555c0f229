use proptest::prelude::*;

use super::*;

fn check(pattern: &str, matching: &[&str], others: &[&str]) {
    let parsed = Pattern::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
    for message in matching {
        assert!(parsed.matches(message.as_bytes()), "{pattern} should match {message}");
        assert!(parsed.may_match_within(message.as_bytes()), "{pattern} may match {message}");
    }
    for message in others {
        assert!(!parsed.matches(message.as_bytes()), "{pattern} should not match {message}");
    }
}

fn check_error(pattern: &str, position: usize, reason: &str) {
    let error = Pattern::parse(pattern).expect_err(pattern);
    assert_eq!((error.position, error.reason.as_str()), (position, reason), "{pattern}");
}

#[test]
fn terms_must_may_or_must_not_occur() {
    check("", &["", "anything"], &[]);
    check("  ", &["anything"], &[]);
    check("ERROR", &["[ERROR 400] BAD", "MYERRORS"], &["error", ""]);
    check("ERROR ARGUMENTS", &["ARGUMENTS before ERROR"], &["ERROR", "ARGUMENTS"]);
    check("\"INTERNAL SERVER ERROR\"", &["an INTERNAL SERVER ERROR"], &["INTERNAL ERROR SERVER"]);
    check(r#""say \"hi\"""#, &[r#"say "hi""#], &["say hi"]);
    check("?ERROR ?WARN", &["ERROR", "WARN", "WARN ERROR"], &["INFO"]);
    check("ERROR -EXITING", &["ERROR"], &["ERROR EXITING", "EXITING", "INFO"]);
    check("-\"health check\"", &["GET /"], &["a health check"]);
    check("?ERROR ?WARN -quiet", &["INFO"], &["ERROR quiet"]);
    check("task-1 a.b/c", &["task-1 a.b/c"], &["task-1"]);
    check("%4[0-9]+%", &["status 404"], &["status 500"]);
    check("%^ERROR$% -x", &["ERROR"], &["an ERROR"]);
}

#[test]
fn json_properties_are_compared() {
    let event = r#"{"type":"Update","n":5,"big":1.5e3,"yes":true,"no":false,"z":null,
        "list":["a",{"id":7}],"deep":{"a-b":{"c":"10.0.3.4"}},"text":"12"}"#;
    for pattern in [
        r#"{ $.type = "Update" }"#,
        "{$.type=Update}",
        r#"{ $.type = "Up*e" }"#,
        r#"{ $.type != "Delete" }"#,
        "{ $.type = %^Up% }",
        "{ $.n = 5 }",
        "{ $.n >= 5 && $.n < 6 && $.big > 1e3 }",
        "{ $.n != 6 }",
        "{ $.text > 11 && $.text = 12 }",
        r#"{ $.n = "5" }"#,
        "{ $.z IS NULL }",
        "{ $.yes IS TRUE && $.no is false }",
        "{ $.z EXISTS }",
        "{ $.missing NOT EXISTS }",
        r#"{ $.list[0] = "a" }"#,
        "{ $.list[1].id = 7 }",
        "{ $.list[*].id = 7 }",
        "{ $.deep.a-b.c = 10.0.* }",
        r#"{ $["deep"]['a-b'].c = "*.3.4" }"#,
        r#"{ $.type = "x" || $.n = 5 && $.yes IS TRUE }"#,
        r#"{ ($.type = "x" || $.n = 5) && ($.list[0] = "a") }"#,
    ] {
        check(pattern, &[event], &["", "plain", "{", "{}extra"]);
    }
    for pattern in [
        r#"{ $.type = "update" }"#,
        r#"{ $.missing != "x" }"#,
        "{ $.missing IS NULL }",
        "{ $.missing EXISTS }",
        "{ $.z NOT EXISTS }",
        "{ $.n > 5 }",
        "{ $.type > 5 }",
        "{ $.yes IS FALSE }",
        "{ $.list[2] EXISTS }",
        "{ $.list = 5 }",
        r#"{ ($.type = "x" || $.n = 5) && $.yes IS FALSE }"#,
    ] {
        check(pattern, &[], &[event]);
    }
}

#[test]
fn fields_between_spaces_are_compared() {
    let line =
        r#"127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534"#;
    for pattern in [
        "[ip, id, user, timestamp, request, status, size]",
        "[ip, id, user, timestamp, request, status = 4*, size > 1000]",
        "[..., status_code = 404, size]",
        "[ip, ...]",
        "[...]",
        "[ip, ..., request = *.html*, status = 404 || status = 410, size]",
        "[ip = 127.0.0.*, ..., (status >= 400 && status < 500), size != 1]",
        "[ip=%127\\.0\\.0\\.[1-9]%, id, user=\"fr*\", , , , ]",
        "[ip, id, user, timestamp = \"*-0700\", ...]",
    ] {
        check(pattern, &[line], &[]);
    }
    check("[a, b]", &["1 2", " 1  2 ", "[1 1] \"2 2\""], &["", "1", "1 2 3"]);
    check("[a, ..., b]", &["1 2", "1 2 3"], &["", "1"]);
    for pattern in [
        "[ip, id]",
        "[ip, ..., status = 5*, size]",
        "[ip, ..., size > 2000]",
        "[ip != 127.*, ...]",
        "[a, b, c, d, e, f, g, h, ...]",
        "[user > 5, ...]",
    ] {
        check(pattern, &[], &[line]);
    }
}

#[test]
fn errors_say_what_is_wrong_and_where() {
    check_error("one \"two", 5, "this quotation mark has no partner");
    check_error("one -", 6, "expected a term");
    check_error("%a", 1, "this `%` has no partner");
    check_error("%a(b)%", 3, "`(` is not supported in regular expressions");
    check_error("%a[%", 1, "`a[` is not a valid regular expression");
    check_error("%a% %b% %c%", 9, "more than 2 regular expressions in one pattern");
    check_error("{ $.a = 1", 10, "expected `}`");
    check_error("{ a = 1 }", 3, "expected a selector that begins with `$`, or `(`");
    check_error(
        "{ $.a }",
        7,
        "expected a comparison, IS NULL, IS TRUE, IS FALSE, EXISTS or NOT EXISTS",
    );
    check_error("{ $.a > x }", 9, "only a number can be compared with `<`, `<=`, `>` or `>=`");
    check_error("{ $.a = }", 9, "expected a value to compare with");
    check_error("{ $.a[x] = 1 }", 7, "expected an index, `*` or a name in quotation marks");
    check_error("{ $.a = 1 } x", 13, "expected the end of the pattern");
    check_error("[a, b", 6, "expected `,` or `]`");
    check_error("[..., ...]", 10, "only one `...` is possible");
    check_error(&format!("{{ {}", "(".repeat(40)), 36, "more than 32 parentheses inside another");
}

proptest! {
    #[test]
    fn any_pattern_and_message_is_read_without_a_panic(
        pattern in "[\\[{%\"?-]?[ a-c$.=<>!&|()*\\[\\]{}%\"0-9?é,-]{0,40}",
        message in "[ a-c{}\"\\[\\]:0-9,é]{0,40}",
    ) {
        if let Ok(pattern) = Pattern::parse(&pattern) {
            let matches = pattern.matches(message.as_bytes());
            prop_assert!(!matches || pattern.may_match_within(message.as_bytes()));
        }
    }

    #[test]
    fn any_text_is_read_without_a_panic(pattern in ".{0,60}", message in any::<Vec<u8>>()) {
        if let Ok(pattern) = Pattern::parse(&pattern) {
            pattern.matches(&message);
        }
    }
}
