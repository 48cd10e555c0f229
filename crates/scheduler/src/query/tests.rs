use std::collections::{BTreeMap, BTreeSet};

use base::Timestamp;
use proptest::prelude::*;

use super::{MAX_NESTING, Query};
use crate::{Instance, InstanceStatus, Resources};

const A_SUBJECT: &str = "a subject such as `attribute:NAME`, `agentVersion` or `task:group`";

/// In us-east-1a, a t2.small registered on 2018-06-18 at 22:28:28 UTC, with three tasks.
fn instance() -> Instance {
    let attributes = [
        ("ecs.instance-type", Some("t2.small")),
        ("ecs.availability-zone", Some("us-east-1a")),
        ("rack", Some("12")),
        ("note", Some("two words")),
        ("ecs.capability.execution-role", None),
    ];
    Instance {
        id: "a1".to_owned(),
        ec2_instance_id: Some("i-0abc".to_owned()),
        status: InstanceStatus::Active,
        agent_connected: true,
        agent_version: "1.75.3".to_owned(),
        registered_at: Timestamp::from_epoch_ms(1_529_360_908_250),
        attributes: attributes
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.map(str::to_owned)))
            .collect(),
        launch_types: BTreeSet::new(),
        total: Resources::default(),
        remaining: Resources::default(),
        used_host_ports: BTreeSet::new(),
        running_tasks: 3,
        tasks_by_group: BTreeMap::from([
            ("service:web".to_owned(), 2),
            ("family:batch".to_owned(), 1),
        ]),
    }
}

fn check(text: &str, expected: bool) {
    let query = Query::parse(text).unwrap_or_else(|error| panic!("`{text}`: {error}"));
    assert_eq!(query.matches(&instance()), expected, "`{text}`");
}

fn check_error(text: &str, expected: &str) {
    let error = Query::parse(text).expect_err(text).to_string();
    assert_eq!(error, expected, "`{text}`");
    assert!(!error.contains('\n'));
}

#[test]
fn attributes_are_compared_as_text_lists_and_patterns() {
    check("attribute:ecs.instance-type == t2.small", true);
    check("attribute:ecs.instance-type equals 't2.small'", true);
    check("attribute:ecs.instance-type==t2.small", true);
    check("attribute:ecs.instance-type != t2.small", false);
    check("attribute:ecs.instance-type not_equals t2.large", true);
    check("attribute:ecs.instance-type =~ t2.*", true);
    check("attribute:ecs.instance-type =~ [tm][0-9].*", true);
    check("attribute:ecs.instance-type matches t2", false);
    check("attribute:ecs.instance-type !~ g2.*", true);
    check("attribute:ecs.instance-type not_matches t2.*", false);
    check("attribute:ecs.availability-zone in [us-east-1a, 'us-east-1b']", true);
    check("attribute:ecs.availability-zone in[us-east-1b,us-east-1c]", false);
    check("attribute:ecs.availability-zone !in [us-east-1b]", true);
    check("attribute:ecs.availability-zone not_in [us-east-1a]", false);
    check("attribute:note == \"two words\"", true);
    check(r"attribute:note =~ 'two\s(words|birds)'", true);
}

#[test]
fn an_attribute_without_a_value_only_exists() {
    check("attribute:ecs.capability.execution-role exists", true);
    check("attribute:ecs.capability.execution-role == ''", false);
    check("attribute:missing exists", false);
    check("attribute:missing !exists", true);
    check("attribute:missing not_exists", true);
    check("attribute:missing != x", true);
}

#[test]
fn attributes_that_are_numbers_are_ordered_as_numbers() {
    check("attribute:rack > 9", true);
    check("attribute:rack less_than 9", false);
    check("attribute:ecs.instance-type > t2.medium", true);
}

#[test]
fn versions_counts_and_dates_are_ordered() {
    check("agentVersion >= 1.75", true);
    check("agentVersion > 1.9.0", true);
    check("agentVersion == 1.75.3.0", true);
    check("agentVersion less_than 1.75.3", false);
    check("runningTasksCount == 3", true);
    check("runningTasksCount greater_than_equal 4", false);
    check("runningTasksCount less_than_equal 3", true);
    check("registeredAt == 2018-06-18", true);
    check("registeredAt > 2018-06-18", false);
    check("registeredAt >= 2018-06-18 and registeredAt < 2018-06-19", true);
    check("registeredAt == 2018-06-18T22:28:28", true);
    check("registeredAt == 2018-06-18T22:28:28Z", true);
    check("registeredAt == 2018-06-19T00:28:28+02:00", true);
    check("registeredAt > 2018-06-18T22:28:28+00:00", false);
    check("registeredAt != 2018-06-18T22:28:27", true);
}

#[test]
fn a_task_group_is_matched_by_any_task_on_the_instance() {
    check("task:group == service:web", true);
    check("task:group == service:other", false);
    check("not(task:group == service:web)", false);
    check("task:group != service:web", false);
    check("task:group =~ family:.*", true);
    check("task:group in [family:x, family:batch]", true);
    check("task:group exists", true);
}

#[test]
fn identity_and_connection_are_text() {
    check("agentConnected == true", true);
    check("agentConnected in [false]", false);
    check("ec2InstanceId in ['i-0abc', 'i-0def']", true);
    check("ec2InstanceId !~ i-1.*", true);
}

#[test]
fn and_binds_tighter_than_or_and_parentheses_tighter_still() {
    check("runningTasksCount == 3 || runningTasksCount == 4 && agentConnected == false", true);
    check("(runningTasksCount == 3 or runningTasksCount == 4) and agentConnected == false", false);
    check("!(runningTasksCount == 3)||!agentConnected==false", true);
    check("not (not (agentConnected == true))", true);
}

#[test]
fn errors_say_where_and_what_was_expected() {
    check_error("", &format!("character 1: expected {A_SUBJECT}, found the end"));
    check_error(
        "attribute: == a",
        &format!("character 1: expected {A_SUBJECT}, found `attribute:`"),
    );
    check_error("zone == a", &format!("character 1: expected {A_SUBJECT}, found `zone`"));
    check_error(
        "agentConnected == true and",
        &format!("character 27: expected {A_SUBJECT}, found the end"),
    );
    check_error(
        "attribute:a is b",
        "character 13: expected an operator such as `==`, `=~`, `in` or `exists`, found `is`",
    );
    check_error("attribute:a ==", "character 15: expected a value, found the end");
    check_error("attribute:a == b c", "character 18: expected `and`, `or` or the end, found `c`");
    check_error("(attribute:a == b", "character 18: expected `)`, `and` or `or`, found the end");
    check_error("attribute:a in b", "character 16: expected `[` and a list of values, found `b`");
    check_error("attribute:a in [b c]", "character 19: expected `,` or `]`, found `c`");
    check_error("attribute:a == 'b", "character 16: the quoted value is not closed");
    check_error(
        "agentVersion =~ 1.*",
        "character 14: `agentVersion` does not allow `=~`: use `==`, `!=`, `>`, `>=`, `<` or `<=`",
    );
    check_error(
        "ec2InstanceId exists",
        "character 15: `ec2InstanceId` does not allow `exists`: use `==`, `!=`, `in`, `!in`, `=~` or `!~`",
    );
    check_error("runningTasksCount > few", "character 21: `few` is not a whole number");
    check_error(
        "registeredAt > 2018-13-01",
        "character 16: `2018-13-01` is not a date such as `2018-06-18` or `2018-06-18T22:28:28+00:00`",
    );
    check_error("agentConnected == yes", "character 19: `yes` is not `true` or `false`");
}

#[test]
fn regular_expressions_that_only_java_knows_are_refused() {
    let refused = |pattern: &str, reason: &str| {
        check_error(
            &format!("ec2InstanceId =~ '{pattern}'"),
            &format!("character 18: the regular expression `{pattern}` is not supported: {reason}"),
        );
    };
    let look = "look-around, including look-ahead and look-behind, is not supported";
    refused("(?!i-1).*", look);
    refused("(?<=i)-.*", look);
    refused(r"(.)\1", "backreferences are not supported");
    refused("i-.*+", "possessive quantifiers are Java syntax without a counterpart");
    refused(r"\d{2}+", "possessive quantifiers are Java syntax without a counterpart");
    refused("a)|(b", "unopened group");
    check(r"ec2InstanceId =~ '\p{L}+-[0-9+*]+.*?'", true);
}

#[test]
fn a_regular_expression_has_a_limited_size() {
    let error = Query::parse("ec2InstanceId =~ '.{1000}{1000}'").expect_err("too large");
    assert!(error.to_string().contains("compiles to more than"), "{error}");
}

#[test]
fn length_and_nesting_are_limited() {
    let long = format!("ec2InstanceId == {}", "x".repeat(2000));
    check_error(&long, "the query has 2017 characters: at most 2000 are allowed");
    let nested =
        |depth: usize| format!("{}agentConnected == true{}", "(".repeat(depth), ")".repeat(depth));
    check(&nested(MAX_NESTING), true);
    check_error(&nested(MAX_NESTING + 1), "character 33: more than 32 nested parentheses");
}

proptest! {
    /// Text made of the language's own pieces reaches deeper than arbitrary text.
    #[test]
    fn no_text_makes_the_parser_panic(pieces in prop::collection::vec(
        prop::sample::select(vec![
            "(", ")", "[", "]", ",", "!", "not ", " and ", "||", "&", "attribute:a", "task:group",
            "registeredAt", " in ", "==", "=~", ">", " exists", "'", "\"", "\\", "é", "2018-06-18",
            "9999-99-99", "1.2", "x*+", "{", " ",
        ]), 0..24)
    ) {
        if let Ok(query) = Query::parse(&pieces.concat()) {
            query.matches(&instance());
        }
    }

    #[test]
    fn a_negative_operator_is_the_opposite_of_its_positive(value in "[a-z0-9.-]{1,8}") {
        for (positive, negative) in [("==", "!="), ("=~", "!~")] {
            for subject in ["ec2InstanceId", "attribute:rack", "task:group", "attribute:missing"] {
                let holds = |operator: &str| {
                    Query::parse(&format!("{subject} {operator} '{value}'"))
                        .unwrap()
                        .matches(&instance())
                };
                prop_assert_ne!(holds(positive), holds(negative));
            }
        }
    }
}
