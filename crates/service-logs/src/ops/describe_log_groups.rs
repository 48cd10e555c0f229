//! `DescribeLogGroups`.

use std::collections::BTreeSet;

use api_logs::ops::DescribeLogGroups;
use api_logs::types::{
    DescribeLogGroupsRequest, DescribeLogGroupsResponse, LogGroup, LogGroupClass,
};
use base::Scope;
use logstore::GroupInfo;
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::error::invalid_parameter;
use crate::{LogsContext, access, name};

/// The most groups of an answer, and how many there are when nothing is asked.
const PAGE_LIMIT: usize = 50;

pub(crate) fn accesses(
    ctx: &LogsContext,
    _caller: &Caller,
    _input: &DescribeLogGroupsRequest,
) -> Vec<Access> {
    vec![access::group::<DescribeLogGroups>(ctx, None, None)]
}

pub(crate) async fn execute(
    ctx: &LogsContext,
    call: Authorized<DescribeLogGroups>,
) -> Result<DescribeLogGroupsResponse, ApiError> {
    let (_, input) = call.into_parts();
    if input.log_group_name_prefix.is_some() && input.log_group_name_pattern.is_some() {
        return Err(invalid_parameter(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
        ));
    }
    let own = ctx.scope.account.as_str();
    let elsewhere = input
        .account_identifiers
        .is_some_and(|accounts| !accounts.iter().any(|account| account == own));
    let other_class = input.log_group_class.is_some_and(|class| class != LogGroupClass::Standard);
    if elsewhere || other_class {
        let log_groups = Some(Vec::new());
        return Ok(DescribeLogGroupsResponse { log_groups, next_token: None });
    }
    let chosen: Option<BTreeSet<String>> = match input.log_group_identifiers {
        Some(identifiers) => Some(
            identifiers
                .iter()
                .map(|identifier| name::group(&ctx.scope, None, Some(identifier)))
                .collect::<Result<_, _>>()?,
        ),
        None => None,
    };
    let prefix = input.log_group_name_prefix.unwrap_or_default();
    let part = input.log_group_name_pattern.unwrap_or_default();
    let limit = input.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(PAGE_LIMIT);
    let after = input.next_token;
    let page = ctx
        .with_store(move |store| {
            let wanted = |name: &str| {
                name.starts_with(&prefix)
                    && name.contains(&part)
                    && chosen.as_ref().is_none_or(|chosen| chosen.contains(name))
            };
            Ok(store.groups(wanted, after.as_deref(), limit))
        })
        .await?;
    let last = page.groups.last().filter(|_| page.more);
    Ok(DescribeLogGroupsResponse {
        next_token: last.map(|group| group.name.clone()),
        log_groups: Some(page.groups.into_iter().map(|group| render(&ctx.scope, group)).collect()),
    })
}

fn render(scope: &Scope, group: GroupInfo) -> LogGroup {
    LogGroup {
        arn: Some(name::group_arn_with_streams(scope, &group.name)),
        log_group_arn: Some(name::group_arn(scope, &group.name)),
        creation_time: Some(group.created_ms),
        retention_in_days: group.retention_days.and_then(|days| i32::try_from(days).ok()),
        metric_filter_count: Some(0),
        stored_bytes: Some(i64::try_from(group.stored_bytes).unwrap_or(i64::MAX)),
        log_group_class: Some(LogGroupClass::Standard),
        deletion_protection_enabled: Some(false),
        log_group_name: Some(group.name),
        ..LogGroup::default()
    }
}
