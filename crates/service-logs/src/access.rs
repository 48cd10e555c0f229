//! What calls need to be allowed, as AWS's Service Authorization Reference and the denials of Amazon
//! CloudWatch Logs have it.
//!
//! What is done to a group is done to `log-group:NAME:log-stream:`, which both `log-group:NAME:*` and
//! `log-group:NAME:log-stream:*` in a policy stand for; tags are of `log-group:NAME` itself. A
//! resource is always what the call would act on, never the text that it was named by, except for
//! ARNs of other accounts and regions, which are not acted on.

use base::Scope;
use policy::Access;
use wire::Operation;

use crate::{LogsContext, name};

/// `Op` on a group, given by name or by identifier, which may be an ARN.
pub(crate) fn group<Op: Operation>(
    ctx: &LogsContext,
    name: Option<&str>,
    identifier: Option<&str>,
) -> Access {
    stream::<Op>(ctx, name, identifier, None)
}

/// `Op` on a stream of a group.
pub(crate) fn stream<Op: Operation>(
    ctx: &LogsContext,
    name: Option<&str>,
    identifier: Option<&str>,
    stream: Option<&str>,
) -> Access {
    let (group, name) = of_group(&ctx.scope, name.or(identifier).unwrap_or_default());
    let resource = format!("{group}:log-stream:{}", stream.unwrap_or_default());
    with_tags(ctx, Access::of::<Op>(resource), name.as_deref())
}

/// `Op` on a group's tags.
pub(crate) fn tags<Op: Operation>(ctx: &LogsContext, given: Option<&str>) -> Access {
    let (group, name) = of_group(&ctx.scope, given.unwrap_or_default());
    with_tags(ctx, Access::of::<Op>(group), name.as_deref())
}

/// The ARN of the group that a name or an ARN means, and its name when it is here.
fn of_group(scope: &Scope, given: &str) -> (String, Option<String>) {
    if !given.starts_with("arn:") {
        return (name::group_arn(scope, given), Some(given.to_owned()));
    }
    match name::group_by_arn(scope, given) {
        Ok(group) => (name::group_arn(scope, &group), Some(group)),
        Err(_) => (given.to_owned(), None),
    }
}

/// With `aws:ResourceTag/…` of the group.
fn with_tags(ctx: &LogsContext, access: Access, group: Option<&str>) -> Access {
    let tags = group.map(|group| ctx.store.tags_of(group)).unwrap_or_default();
    access.with_resource_tags(tags.iter().map(|(key, value)| (key.as_str(), value.as_str())))
}
