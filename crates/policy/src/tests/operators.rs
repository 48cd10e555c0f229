//! Each operator against the request contexts that AWS documents for it.

use super::support::{access, identity, user, with_identity};
use crate::decide;

/// Whether a statement under `condition` matches, for each of the values of `ecs:k`.
#[track_caller]
fn check(condition: &str, contexts: &[(&[&str], bool)]) {
    let body = format!(r#""Action":"*","Resource":"*","Condition":{{{condition}}}"#);
    let caller = user(with_identity(vec![identity("Allow", &body)]));
    for (values, expected) in contexts {
        let decision = decide(&caller, &access(&[("ecs:K", values)]));
        assert_eq!(decision.is_allowed(), *expected, "{condition} with {values:?}");
    }
}

const NONE: &[&str] = &[];

#[test]
fn texts_are_equal_as_the_operator_says() {
    check(
        r#""StringEquals":{"ecs:k":["a*","b"]}"#,
        &[(&["b"], true), (&["a*"], true), (&["ab"], false), (&["B"], false), (NONE, false)],
    );
    check(
        r#""StringNotEquals":{"ecs:k":["a","b"]}"#,
        &[(&["b"], false), (&["B"], true), (&["c"], true), (NONE, true)],
    );
    check(
        r#""StringEqualsIgnoreCase":{"ecs:k":"Äb"}"#,
        &[(&["äB"], true), (&["ab"], false), (NONE, false)],
    );
    check(
        r#""StringNotEqualsIgnoreCase":{"ecs:k":"ab"}"#,
        &[(&["AB"], false), (&["c"], true), (NONE, true)],
    );
    check(
        r#""StringLike":{"ecs:k":["a*z","?"]}"#,
        &[(&["a/:z"], true), (&["q"], true), (&["A-z"], false), (&[""], false), (NONE, false)],
    );
    check(r#""StringNotLike":{"ecs:k":"a*"}"#, &[(&["ab"], false), (&["b"], true), (NONE, true)]);
    check(r#""StringEquals":{"ecs:k":[5,true]}"#, &[(&["5"], true), (&["true"], true)]);
}

#[test]
fn numbers_compare_by_value() {
    check(
        r#""NumericEquals":{"ecs:k":["10",12.5]}"#,
        &[(&["10.0"], true), (&["12.5"], true), (&["ten"], false), (NONE, false)],
    );
    check(r#""NumericNotEquals":{"ecs:k":10}"#, &[(&["10"], false), (&["9"], true), (NONE, true)]);
    check(r#""NumericLessThan":{"ecs:k":10}"#, &[(&["9"], true), (&["10"], false)]);
    check(r#""NumericLessThanEquals":{"ecs:k":10}"#, &[(&["10"], true), (&["10.1"], false)]);
    check(r#""NumericGreaterThan":{"ecs:k":-1}"#, &[(&["0"], true), (&["-1"], false)]);
    check(r#""NumericGreaterThanEquals":{"ecs:k":2}"#, &[(&["2"], true), (&["1"], false)]);
}

#[test]
fn dates_compare_as_moments() {
    let noon = "2026-11-20T12:00:00Z";
    check(
        r#""DateEquals":{"ecs:k":"2026-11-20T12:00:00Z"}"#,
        &[
            (&["2026-11-20T13:00:00+01:00"], true),
            (&["1795176000"], true),
            (&["2026-11-20"], false),
            (&["soon"], false),
            (NONE, false),
        ],
    );
    check(r#""DateNotEquals":{"ecs:k":1795176000}"#, &[(&[noon], false), (NONE, true)]);
    check(
        r#""DateLessThan":{"ecs:k":"2026-11-20"}"#,
        &[(&["2026-11-19T23:59:59Z"], true), (&[noon], false)],
    );
    check(r#""DateLessThanEquals":{"ecs:k":"2026-11-20T12:00:00Z"}"#, &[(&[noon], true)]);
    check(r#""DateGreaterThan":{"ecs:k":"2026-11-20T12:00:00Z"}"#, &[(&[noon], false)]);
    check(r#""DateGreaterThanEquals":{"ecs:k":"2026-11-20T12:00:00Z"}"#, &[(&[noon], true)]);
}

#[test]
fn truth_bytes_addresses_and_arns_compare_as_such() {
    check(r#""Bool":{"ecs:k":"true"}"#, &[(&["True"], true), (&["false"], false), (NONE, false)]);
    check(
        r#""BoolIfExists":{"ecs:k":false}"#,
        &[(&["false"], true), (&["true"], false), (NONE, true)],
    );
    check(r#""BinaryEquals":{"ecs:k":"QUI="}"#, &[(&["QUI="], true), (&["QUE="], false)]);
    check(
        r#""IpAddress":{"ecs:k":["203.0.113.0/24","2001:db8::/32"]}"#,
        &[
            (&["203.0.113.9"], true),
            (&["::ffff:203.0.113.9"], true),
            (&["2001:db8::9"], true),
            (&["203.0.114.9"], false),
            (&["here"], false),
            (NONE, false),
        ],
    );
    check(
        r#""NotIpAddress":{"ecs:k":"10.0.0.0/8"}"#,
        &[(&["10.1.1.1"], false), (&["11.1.1.1"], true), (NONE, true)],
    );
    for operator in ["ArnEquals", "ArnLike"] {
        check(
            &format!(r#""{operator}":{{"ecs:k":"arn:aws:ecs:*:1*:cluster/*"}}"#),
            &[
                (&["arn:aws:ecs:eu-west-1:111111111111:cluster/a:b/c"], true),
                (&["arn:aws:ecs:eu-west-1:222222222222:cluster/a"], false),
                (&["arn:aws:ecs:a:b:1:cluster/a"], false),
                (&["cluster/a"], false),
                (NONE, false),
            ],
        );
    }
    check(r#""ArnLike":{"ecs:k":"*"}"#, &[(&["arn:aws:ecs:::x"], true), (&["x"], false)]);
    check(
        r#""ArnNotLike":{"ecs:k":"arn:aws:ecs:*:*:*"}"#,
        &[(&["arn:aws:ecs:::x"], false), (&["arn:aws:s3:::x"], true), (NONE, true)],
    );
}

#[test]
fn null_asks_whether_a_key_is_missing() {
    check(r#""Null":{"ecs:k":"true"}"#, &[(NONE, true), (&["a"], false)]);
    check(r#""Null":{"ecs:k":[false]}"#, &[(NONE, false), (&["a"], true)]);
}

#[test]
fn a_missing_key_is_no_obstacle_if_it_need_not_exist() {
    check(
        r#""StringEqualsIfExists":{"ecs:k":"a"}"#,
        &[(NONE, true), (&["a"], true), (&["b"], false)],
    );
    check(r#""NumericLessThanIfExists":{"ecs:k":"1"}"#, &[(NONE, true), (&["2"], false)]);
    check(r#""ForAnyValue:StringEqualsIfExists":{"ecs:k":"a"}"#, &[(NONE, true), (&["b"], false)]);
}

#[test]
fn sets_are_compared_value_by_value() {
    check(
        r#""ForAnyValue:StringEquals":{"ecs:k":["a","b"]}"#,
        &[(&["x", "b"], true), (&["x", "y"], false), (NONE, false)],
    );
    check(
        r#""ForAllValues:StringLike":{"ecs:k":["a*","b"]}"#,
        &[(&["ab", "b"], true), (&["ab", "c"], false), (NONE, true)],
    );
    check(
        r#""ForAnyValue:StringNotEquals":{"ecs:k":["a","b"]}"#,
        &[(&["a", "c"], true), (&["a", "b"], false), (NONE, false)],
    );
    check(
        r#""ForAllValues:StringNotEquals":{"ecs:k":["a","b"]}"#,
        &[(&["c", "d"], true), (&["a", "c"], false), (NONE, true)],
    );
    check(r#""StringNotEquals":{"ecs:k":"a"}"#, &[(&["a", "b"], false), (&["b", "c"], true)]);
}

#[test]
fn every_operator_and_key_must_hold() {
    let both = r#""StringEquals":{"ecs:k":["a","b"],"aws:username":"ann"},"StringNotEquals":{"ecs:k":"b"}"#;
    check(both, &[(&["a"], true), (&["b"], false), (NONE, false)]);
    check(r#""StringEquals":{"ecs:k":"a","aws:username":"bob"}"#, &[(&["a"], false)]);
}

#[test]
fn variables_are_filled_in() {
    check(
        r#""StringEquals":{"ecs:k":"${aws:username}-${AWS:principaltag/team}"}"#,
        &[(&["ann-blue"], true), (&["${aws:username}-blue"], false)],
    );
    check(r#""StringEqualsIgnoreCase":{"ecs:k":"${aws:username}"}"#, &[(&["ANN"], true)]);
    check(
        r#""StringLike":{"ecs:k":"${*}${?}${$}${aws:PrincipalTag/none, 'x*'}?"}"#,
        &[(&["*?$x*y"], true), (&["*?$xyy"], false)],
    );
    check(r#""StringEquals":{"ecs:k":["${ecs:none}","b"]}"#, &[(&["b"], true), (&[""], false)]);
    check(r#""StringNotEquals":{"ecs:k":"${ecs:none}"}"#, &[(&["b"], true)]);
    check(
        r#""ArnLike":{"ecs:k":"${aws:PrincipalArn}"}"#,
        &[
            (&["arn:aws:iam::111111111111:user/ann"], true),
            (&["arn:aws:iam::111111111111:user/bob"], false),
        ],
    );
    check(r#""StringEquals":{"ecs:k":"${ecs:k}"}"#, &[(&["a"], true), (&["a", "b"], false)]);
}
