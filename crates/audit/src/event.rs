//! Events in CloudTrail's record format.

use std::net::IpAddr;

use base::{AccountId, Region, Timestamp};
use operation::{CallRecord, ErrorFacts, Who};
use policy::{Decided, Decision, Decisions, PolicyType, Principal, PrincipalKind};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use wire::Recorded;

/// The version of CloudTrail's record format.
const EVENT_VERSION: &str = "1.11";
/// Decisions, and resources, that a record names; the rest is counted.
const MAX_LISTED: usize = 100;
/// The longest text of a list's entry, in bytes.
const MAX_TEXT_BYTES: usize = 512;
/// The longest message and user agent, in bytes, as in CloudTrail.
const MAX_MESSAGE_BYTES: usize = 1024;
/// The longest record.
const MAX_EVENT_BYTES: usize = 256 * 1024;

/// Something that happened and was no call of an API: credentials were issued to a task, a secret was
/// read for one, a node joined.
#[derive(Debug, Clone)]
pub struct ServiceEvent {
    /// What happened, spelt like an operation: `IssueTaskCredentials`.
    pub name: &'static str,
    /// The part that did it, as an event source: `ecs.amazonaws.com`.
    pub source: &'static str,
    /// The account that it is about.
    pub account: AccountId,
    /// The region.
    pub region: Region,
    /// On whose behalf, if on anybody's.
    pub who: Option<Who>,
    /// The address that asked for it.
    pub source_ip: Option<IpAddr>,
    /// The ARNs of what it is about.
    pub resources: Vec<String>,
    /// More; no secrets. At most 16 KiB as JSON, or it is left out.
    pub details: Map<String, Value>,
    /// Why it failed, if it did.
    pub error: Option<ErrorFacts>,
    /// When.
    pub time: Timestamp,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    event_version: &'static str,
    user_identity: UserIdentity<'a>,
    event_time: String,
    event_source: String,
    event_name: &'a str,
    aws_region: &'a str,
    #[serde(rename = "sourceIPAddress")]
    source_ip_address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<&'a str>,
    request_parameters: Option<Box<RawValue>>,
    response_elements: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_event_data: Option<Additional<'a>>,
    #[serde(rename = "requestID", skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(rename = "eventID")]
    event_id: &'a str,
    read_only: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resources: Vec<Resource<'a>>,
    event_type: &'static str,
    management_event: bool,
    recipient_account_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_event_details: Option<&'a Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vpc_endpoint_id: Option<&'a str>,
    event_category: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_details: Option<TlsDetails<'a>>,
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct UserIdentity<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arn: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_key_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_context: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoked_by: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Additional<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authorization: Vec<Authorization<'a>>,
    #[serde(skip_serializing_if = "is_zero")]
    further_authorizations: usize,
    /// Present when the claim to be somebody was not believed.
    #[serde(skip_serializing_if = "Option::is_none")]
    authentication: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_arn: Option<&'a str>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
const fn is_zero(count: &usize) -> bool {
    *count == 0
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Authorization<'a> {
    action: &'a str,
    resource: &'a str,
    decision: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    statement_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<&'a str>,
}

#[derive(Serialize)]
struct Resource<'a> {
    #[serde(rename = "ARN")]
    arn: &'a str,
    #[serde(rename = "accountId", skip_serializing_if = "Option::is_none")]
    account_id: Option<&'a str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TlsDetails<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    client_provided_host_header: Option<&'a str>,
}

/// The record of a call. `is_believed` is whether the caller was authenticated; `account` is the
/// server's own, for callers that have none.
pub(crate) fn of_call(
    call: &CallRecord,
    is_believed: bool,
    account: &AccountId,
    event_id: &str,
) -> String {
    let account = call.who.principal.as_ref().map_or(account, |principal| &principal.account);
    let task_arn = call.who.session.task_arn.as_deref();
    let additional = Additional {
        authorization: authorizations(&call.decisions),
        further_authorizations: call.decisions.len().saturating_sub(MAX_LISTED),
        authentication: (!is_believed).then_some("refused"),
        task_arn: call.who.bound_elsewhere.as_deref().or(task_arn),
    };
    let mut record = Record {
        event_version: EVENT_VERSION,
        user_identity: user_identity(&call.who),
        event_time: seconds(call.time),
        event_source: format!("{}.amazonaws.com", call.api.endpoint_prefix),
        event_name: call.operation,
        aws_region: call.region.as_str(),
        source_ip_address: call.source_ip.to_string(),
        user_agent: call.user_agent.as_deref().map(|agent| cut(agent, MAX_MESSAGE_BYTES)),
        error_code: call.error.as_ref().map(|error| cut(&error.code, MAX_TEXT_BYTES)),
        error_message: call.error.as_ref().map(|error| cut(&error.message, MAX_MESSAGE_BYTES)),
        request_parameters: element(&call.request),
        response_elements: element(&call.elements),
        additional_event_data: Some(additional),
        request_id: Some(&call.request_id),
        event_id,
        read_only: operation::is_read_only(call.operation),
        resources: resources(call.decisions.iter().map(|decided| &*decided.access.resource)),
        event_type: "AwsApiCall",
        management_event: true,
        recipient_account_id: account.as_str(),
        service_event_details: None,
        vpc_endpoint_id: call.source_vpce,
        event_category: "Management",
        tls_details: call.secure_transport.then(|| TlsDetails {
            client_provided_host_header: call.host.as_deref().map(|host| cut(host, MAX_TEXT_BYTES)),
        }),
    };
    let text = write(&record);
    if text.len() <= MAX_EVENT_BYTES {
        return text;
    }
    record.request_parameters = element(&Recorded::TooLong);
    record.response_elements = element(&Recorded::TooLong);
    write(&record)
}

/// The record of an event that was no call.
pub(crate) fn of_event(event: &ServiceEvent, event_id: &str) -> String {
    const MAX_DETAILS_BYTES: usize = 16 * 1024;
    let details_bytes = serde_json::to_string(&event.details).map_or(usize::MAX, |text| text.len());
    let user_identity = match &event.who {
        Some(who) => UserIdentity { invoked_by: Some(event.source), ..user_identity(who) },
        None => UserIdentity {
            kind: "AWSService",
            account_id: Some(event.account.as_str()),
            invoked_by: Some(event.source),
            ..UserIdentity::default()
        },
    };
    let task_arn = event.who.as_ref().and_then(|who| who.session.task_arn.as_deref());
    write(&Record {
        event_version: EVENT_VERSION,
        user_identity,
        event_time: seconds(event.time),
        event_source: event.source.to_owned(),
        event_name: event.name,
        aws_region: event.region.as_str(),
        source_ip_address: event
            .source_ip
            .map_or_else(|| event.source.to_owned(), |address| address.to_string()),
        user_agent: None,
        error_code: event.error.as_ref().map(|error| cut(&error.code, MAX_TEXT_BYTES)),
        error_message: event.error.as_ref().map(|error| cut(&error.message, MAX_MESSAGE_BYTES)),
        request_parameters: None,
        response_elements: None,
        additional_event_data: task_arn.map(|task_arn| Additional {
            authorization: Vec::new(),
            further_authorizations: 0,
            authentication: None,
            task_arn: Some(task_arn),
        }),
        request_id: None,
        event_id,
        read_only: false,
        resources: resources(event.resources.iter().map(String::as_str)),
        event_type: "AwsServiceEvent",
        management_event: true,
        recipient_account_id: event.account.as_str(),
        service_event_details: (details_bytes <= MAX_DETAILS_BYTES && !event.details.is_empty())
            .then_some(&event.details),
        vpc_endpoint_id: None,
        event_category: "Management",
        tls_details: None,
    })
}

/// Structures of texts and numbers are always JSON.
fn write(record: &Record<'_>) -> String {
    serde_json::to_string(record).unwrap_or_else(|_| "{}".to_owned())
}

fn element(recorded: &Recorded) -> Option<Box<RawValue>> {
    match recorded {
        Recorded::Absent => None,
        Recorded::Json(text) => RawValue::from_string(text.clone()).ok(),
        Recorded::TooLong => {
            let omitted = json!({ "omitted": true, "reason": "longer than 102400 bytes" });
            serde_json::value::to_raw_value(&omitted).ok()
        }
    }
}

/// At most `max` bytes of `text`.
fn cut(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or_default()
}

/// ISO 8601 in UTC, without a fraction, as CloudTrail writes it.
pub(crate) fn seconds(time: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(time.as_epoch_ms())
        .map_or_else(|_| time.to_string(), |time| format!("{time:.0}"))
}

fn user_identity(who: &Who) -> UserIdentity<'_> {
    let access_key_id = (!who.access_key_id.is_empty()).then(|| cut(&who.access_key_id, 128));
    let Some(principal) = who.principal.as_deref() else {
        return UserIdentity { kind: "Unknown", access_key_id, ..UserIdentity::default() };
    };
    let mut identity = UserIdentity {
        kind: "",
        principal_id: Some(&principal.user_id),
        arn: Some(&principal.arn),
        account_id: Some(principal.account.as_str()),
        access_key_id,
        user_name: None,
        session_context: None,
        invoked_by: None,
    };
    match &principal.kind {
        PrincipalKind::Root => identity.kind = "Root",
        PrincipalKind::User { name } => {
            (identity.kind, identity.user_name) = ("IAMUser", Some(name.as_str()));
        }
        PrincipalKind::AssumedRole { .. } => identity.kind = "AssumedRole",
        PrincipalKind::Service { name } => {
            (identity.kind, identity.invoked_by) = ("AWSService", Some(name.as_str()));
        }
        PrincipalKind::Anonymous => identity.kind = "AWSAccount",
    }
    identity.session_context = session_context(who, principal);
    identity
}

fn session_context(who: &Who, principal: &Principal) -> Option<Value> {
    let session = &who.session;
    let issued_at = session.issued_at?;
    let mut context = Map::new();
    if let PrincipalKind::AssumedRole { role_arn, role_name, .. } = &principal.kind {
        let role_id = principal.user_id.split(':').next().unwrap_or_default();
        let issuer = json!({
            "type": "Role",
            "principalId": role_id,
            "arn": role_arn,
            "accountId": principal.account.as_str(),
            "userName": role_name,
        });
        context.insert("sessionIssuer".to_owned(), issuer);
    }
    let attributes = json!({
        "creationDate": seconds(issued_at),
        "mfaAuthenticated": session.mfa_at.is_some().to_string(),
    });
    context.insert("attributes".to_owned(), attributes);
    if let Some(source_identity) = &session.source_identity {
        context.insert("sourceIdentity".to_owned(), json!(source_identity));
    }
    if let Some(provider) = &session.federated_provider {
        let federation = json!({ "federatedProvider": provider });
        context.insert("webIdFederationData".to_owned(), federation);
    }
    Some(Value::Object(context))
}

fn authorizations(decisions: &Decisions) -> Vec<Authorization<'_>> {
    decisions.iter().take(MAX_LISTED).map(authorization).collect()
}

fn authorization(decided: &Decided) -> Authorization<'_> {
    let (decision, statement, policy_type) = match &decided.decision {
        Decision::Allowed(statement) => ("Allowed", statement.as_ref(), None),
        Decision::ExplicitlyDenied(statement) => ("ExplicitlyDenied", Some(statement), None),
        Decision::NotAllowed(policy_type) => ("NotAllowed", None, Some(*policy_type)),
    };
    let policy_type = statement.map(|statement| statement.policy_type).or(policy_type);
    Authorization {
        action: &decided.access.action,
        resource: cut(&decided.access.resource, MAX_TEXT_BYTES),
        decision,
        policy_type: policy_type.map(PolicyType::name),
        policy: statement.map(|statement| &*statement.policy),
        statement_index: statement.map(|statement| statement.index),
        sid: statement.and_then(|statement| statement.sid.as_deref()),
    }
}

/// Every ARN among `resources`, once.
fn resources<'a>(resources: impl Iterator<Item = &'a str>) -> Vec<Resource<'a>> {
    let mut listed: Vec<Resource<'a>> = Vec::new();
    for arn in resources.filter(|arn| arn.starts_with("arn:") && arn.len() <= MAX_TEXT_BYTES) {
        if listed.len() >= MAX_LISTED {
            break;
        }
        if listed.iter().all(|resource| resource.arn != arn) {
            let account_id = arn.split(':').nth(4).filter(|account| !account.is_empty());
            listed.push(Resource { arn, account_id, kind: resource_type(arn) });
        }
    }
    listed
}

/// The type of the resource with this ARN, as CloudTrail and CloudFormation name it.
fn resource_type(arn: &str) -> Option<&'static str> {
    let mut parts = arn.splitn(6, ':');
    let service = parts.nth(2)?;
    let resource = parts.nth(2)?;
    let kind = resource.split(['/', ':']).next()?;
    Some(match (service, kind) {
        ("ecs", "cluster") => "AWS::ECS::Cluster",
        ("ecs", "service") => "AWS::ECS::Service",
        ("ecs", "task") => "AWS::ECS::Task",
        ("ecs", "task-definition") => "AWS::ECS::TaskDefinition",
        ("ecs", "container-instance") => "AWS::ECS::ContainerInstance",
        ("iam", "user") => "AWS::IAM::User",
        ("iam", "group") => "AWS::IAM::Group",
        ("iam", "role") => "AWS::IAM::Role",
        ("iam", "policy") => "AWS::IAM::Policy",
        ("iam", "instance-profile") => "AWS::IAM::InstanceProfile",
        ("iam", "mfa") => "AWS::IAM::MFADevice",
        ("iam", "oidc-provider") => "AWS::IAM::OIDCProvider",
        ("logs", "log-group") => "AWS::Logs::LogGroup",
        ("cloudtrail", "trail") => "AWS::CloudTrail::Trail",
        _ => return None,
    })
}
