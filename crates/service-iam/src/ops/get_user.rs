//! `GetUser`: one user, or who calls.

use api_iam::ops::GetUser;
use api_iam::types::{self, GetUserRequest, GetUserResponse};
use policy::{Access, Authorized, Caller, PrincipalKind};
use wire::ApiError;

use crate::{IamContext, access, lookup, name, render};

pub(crate) fn accesses(ctx: &IamContext, caller: &Caller, input: &GetUserRequest) -> Vec<Access> {
    vec![access::on_user_or_caller::<GetUser>(ctx, caller, input.user_name.as_deref())]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<GetUser>,
) -> Result<GetUserResponse, ApiError> {
    let caller = call.caller();
    let given = call.input().user_name.as_deref();
    let view = ctx.state.view();
    let account = &caller.principal.account;
    if given.is_none() && caller.principal.kind == PrincipalKind::Root {
        let member = view.identities().account(account.as_str());
        let root = types::User {
            user_id: Some(account.to_string()),
            arn: Some(caller.principal.arn.clone()),
            create_date: member.map(|account| account.joined_at),
            ..types::User::default()
        };
        return Ok(GetUserResponse { user: Some(root) });
    }
    let user = lookup::user(&view, account, name::user_or_caller(caller, given)?)?;
    Ok(GetUserResponse { user: Some(render::user::whole(user)) })
}
