//! `AddRoleToInstanceProfile`: an instance profile gets its role.

use api_iam::ops::AddRoleToInstanceProfile;
use api_iam::types::AddRoleToInstanceProfileRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::context::touch;
use crate::error::quota_exceeded;
use crate::{IamContext, instance_profile, name, role};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &AddRoleToInstanceProfileRequest,
) -> Vec<Access> {
    let account = &caller.principal.account;
    let profile = input.instance_profile_name.as_deref();
    let mut pass = role::on::<AddRoleToInstanceProfile>(ctx, account, input.role_name.as_deref());
    pass.action = "iam:PassRole".into();
    let shown = iam::arn(
        account,
        "role",
        name::DEFAULT_PATH,
        input.role_name.as_deref().unwrap_or_default(),
    );
    vec![
        instance_profile::on::<AddRoleToInstanceProfile>(ctx, account, profile),
        pass.with_key("iam:passedtoservice", "ec2.amazonaws.com").with_shown(shown),
    ]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<AddRoleToInstanceProfile>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let profile = input.instance_profile_name.unwrap_or_default();
    let role = input.role_name.unwrap_or_default();
    ctx.commit(|view, change| {
        let row = instance_profile::find(view, account, &profile)?;
        let role = role::changeable(view, account, &role)?;
        if row.role.is_some() {
            return Err(quota_exceeded("InstanceSessionsPerInstanceProfile", 1));
        }
        touch(change, role);
        let mut profile = row.value.as_ref().clone();
        profile.role = Some(role.name.clone());
        change.update(row, &profile);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
