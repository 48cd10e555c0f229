//! `ListPrincipalsWithAccess`: who of the account can perform an action on a resource, and which
//! statement says so.

use access_report::{Ability, who_can};
use api_portcullis::ops::ListPrincipalsWithAccess;
use api_portcullis::types::{
    AccessDecision, ListPrincipalsWithAccessRequest, ListPrincipalsWithAccessResponse,
    PrincipalWithAccess,
};
use policy::{Access, Authorized, Caller, Decision, Keys, PolicyType, StatementRef};
use wire::ApiError;

use crate::PortcullisContext;
use crate::access::subjects;
use crate::page::page;

pub(crate) fn accesses(
    _ctx: &PortcullisContext,
    _caller: &Caller,
    _input: &ListPrincipalsWithAccessRequest,
) -> Vec<Access> {
    vec![Access::of::<ListPrincipalsWithAccess>("*")]
}

pub(crate) async fn execute(
    ctx: &PortcullisContext,
    call: Authorized<ListPrincipalsWithAccess>,
) -> Result<ListPrincipalsWithAccessResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let resource = input.resource.unwrap_or_else(|| "*".to_owned());
    let access = Access::new(input.action.unwrap_or_default(), resource);
    let assumed: Keys = input
        .condition_keys
        .unwrap_or_default()
        .into_iter()
        .map(|key| {
            let name = key.name.unwrap_or_default().to_ascii_lowercase();
            (name, key.values.unwrap_or_default())
        })
        .collect();
    let subjects = subjects(ctx, &ctx.state.view(), &caller.principal.account);
    let principals = subjects.iter().map(|subject| (subject.arn.clone(), &subject.caller));
    let all = input.include_denied == Some(true);
    // Who might be allowed under conditions that were not named is not left out.
    let wanted = |ability: &Ability| {
        let depends = matches!(ability.decision, Decision::NotAllowed(_));
        all || ability.decision.is_allowed() || depends && !ability.depends_on.is_empty()
    };
    let abilities = who_can(principals, &access, &assumed).into_iter().filter(wanted);
    let key = |ability: &Ability| ability.principal.clone();
    let (abilities, next_token) =
        page(abilities, key, input.max_results, input.next_token.as_deref())?;
    let principals = Some(abilities.into_iter().map(render).collect());
    Ok(ListPrincipalsWithAccessResponse { next_token, principals })
}

fn render(ability: Ability) -> PrincipalWithAccess {
    let (decision, policy_type, statement) = match ability.decision {
        Decision::Allowed(statement) => {
            let policy_type = statement.as_ref().map(|statement| statement.policy_type);
            (AccessDecision::Allowed, policy_type, statement)
        }
        Decision::ExplicitlyDenied(statement) => {
            (AccessDecision::ExplicitlyDenied, Some(statement.policy_type), Some(statement))
        }
        Decision::NotAllowed(policy_type) => (AccessDecision::NotAllowed, Some(policy_type), None),
    };
    let place = |statement: &StatementRef| i32::try_from(statement.index).ok();
    PrincipalWithAccess {
        decision: Some(decision),
        depends_on: Some(ability.depends_on),
        policy: statement.as_ref().map(|statement| statement.policy.to_string()),
        policy_type: policy_type.map(PolicyType::name).map(str::to_owned),
        principal: Some(ability.principal),
        sid: statement.as_ref().and_then(|statement| statement.sid.as_deref()).map(str::to_owned),
        statement: statement.as_ref().and_then(place),
    }
}
