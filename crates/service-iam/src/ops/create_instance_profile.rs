//! `CreateInstanceProfile`: a new instance profile, without a role.

use api_iam::ops::CreateInstanceProfile;
use api_iam::types::{CreateInstanceProfileRequest, CreateInstanceProfileResponse};
use iam::InstanceProfile;
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::error::{already_exists, quota_exceeded};
use crate::{IamContext, access, instance_profile, name, quota, render, tag};

pub(crate) fn accesses(
    _ctx: &IamContext,
    caller: &Caller,
    input: &CreateInstanceProfileRequest,
) -> Vec<Access> {
    let path = input.path.as_deref().unwrap_or(name::DEFAULT_PATH);
    let name = input.instance_profile_name.as_deref().unwrap_or_default();
    let arn = iam::arn(&caller.principal.account, "instance-profile", path, name);
    let own = Access::of::<CreateInstanceProfile>(arn);
    access::to_create(own, input.tags.as_deref(), "iam:TagInstanceProfile")
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<CreateInstanceProfile>,
) -> Result<CreateInstanceProfileResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let profile = InstanceProfile {
        account: account.clone(),
        name: input.instance_profile_name.unwrap_or_default(),
        path: name::path_or_default(input.path),
        id: identity::unique_id(ctx.ids.as_ref(), "AIPA"),
        created_at: ctx.now(),
        role: None,
        tags: tag::read(input.tags)?,
    };
    let rendered = ctx
        .commit(|view, change| {
            if instance_profile::find(view, account, &profile.name).is_ok() {
                return Err(already_exists(format!(
                    "Instance Profile {} already exists.",
                    profile.name
                )));
            }
            let all = view.identities().instance_profiles();
            let own = all.filter(|profile| profile.account == *account);
            if own.count() >= quota::INSTANCE_PROFILES {
                let limit = quota::INSTANCE_PROFILES;
                return Err(quota_exceeded("InstanceProfilesPerAccount", limit));
            }
            change.create(&profile);
            Ok(render::instance_profile::whole(view, &profile))
        })
        .await?;
    Ok(CreateInstanceProfileResponse { instance_profile: Some(rendered) })
}
