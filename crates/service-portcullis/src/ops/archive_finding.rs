//! `ArchiveFinding`: somebody has dealt with it. It stays on record, and shows again only when the
//! same thing is seen again or archived findings are asked for.

use api_portcullis::ops::ArchiveFinding;
use api_portcullis::types::{ArchiveFindingRequest, ArchiveFindingResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::error::not_found;
use crate::{PortcullisContext, render, resource};

pub(crate) fn accesses(
    ctx: &PortcullisContext,
    _caller: &Caller,
    input: &ArchiveFindingRequest,
) -> Vec<Access> {
    let id = input.id.as_deref().unwrap_or_default();
    vec![Access::of::<ArchiveFinding>(resource::finding(&ctx.scope, id))]
}

pub(crate) async fn execute(
    ctx: &PortcullisContext,
    call: Authorized<ArchiveFinding>,
) -> Result<ArchiveFindingResponse, ApiError> {
    let (_, input) = call.into_parts();
    let id = input.id.unwrap_or_default();
    let finding = ctx
        .commit(|view, change| {
            let Some(known) = view.identities().finding(&id) else {
                return Err(not_found(format!("There is no finding {id}.")));
            };
            let mut finding = known.value.as_ref().clone();
            if !finding.archived {
                finding.archived = true;
                change.update(known, &finding);
            }
            Ok(finding)
        })
        .await?;
    Ok(ArchiveFindingResponse { finding: Some(render::finding(&ctx.scope, &finding)) })
}
