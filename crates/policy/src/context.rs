//! What policies may ask about an access: its condition keys, looked up when they are asked for.

use std::borrow::Cow;
use std::net::IpAddr;

use base::Timestamp;

use crate::{Access, Caller, Keys, PrincipalKind, values};

/// A condition key, as a document names it. Names of keys are compared without their case.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    name: Box<str>,
    lower: Box<str>,
    source: Source,
}

/// Where a key's value comes from.
#[derive(Debug, Clone)]
enum Source {
    Caller(CallerKey),
    /// `aws:PrincipalTag/…`: the tag's key.
    PrincipalTag(Box<str>),
    Access,
}

/// The keys that only the caller and its request decide; no access can set them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CallerKey {
    AssumedRoot,
    CurrentTime,
    EpochTime,
    FederatedProvider,
    MultiFactorAuthAge,
    MultiFactorAuthPresent,
    PrincipalAccount,
    PrincipalArn,
    PrincipalIsAwsService,
    PrincipalOrgId,
    PrincipalOrgPaths,
    PrincipalServiceName,
    PrincipalType,
    RequestedRegion,
    ResourceAccount,
    SecureTransport,
    SourceIdentity,
    SourceIp,
    SourceVpce,
    TokenIssueTime,
    UserAgent,
    UserId,
    Username,
    ViaAwsService,
}

const CALLER_KEYS: [(&str, CallerKey); 25] = [
    ("aws:assumedroot", CallerKey::AssumedRoot),
    ("aws:currenttime", CallerKey::CurrentTime),
    ("aws:epochtime", CallerKey::EpochTime),
    ("aws:federatedprovider", CallerKey::FederatedProvider),
    ("aws:multifactorauthage", CallerKey::MultiFactorAuthAge),
    ("aws:multifactorauthpresent", CallerKey::MultiFactorAuthPresent),
    ("aws:principalaccount", CallerKey::PrincipalAccount),
    ("aws:principalarn", CallerKey::PrincipalArn),
    ("aws:principalisawsservice", CallerKey::PrincipalIsAwsService),
    ("aws:principalorgid", CallerKey::PrincipalOrgId),
    ("aws:principalorgpaths", CallerKey::PrincipalOrgPaths),
    ("aws:principalservicename", CallerKey::PrincipalServiceName),
    ("aws:principalservicenameslist", CallerKey::PrincipalServiceName),
    ("aws:principaltype", CallerKey::PrincipalType),
    ("aws:requestedregion", CallerKey::RequestedRegion),
    ("aws:resourceaccount", CallerKey::ResourceAccount),
    ("aws:securetransport", CallerKey::SecureTransport),
    ("aws:sourceidentity", CallerKey::SourceIdentity),
    ("aws:sourceip", CallerKey::SourceIp),
    ("aws:sourcevpce", CallerKey::SourceVpce),
    ("aws:tokenissuetime", CallerKey::TokenIssueTime),
    ("aws:useragent", CallerKey::UserAgent),
    ("aws:userid", CallerKey::UserId),
    ("aws:username", CallerKey::Username),
    ("aws:viaawsservice", CallerKey::ViaAwsService),
];

impl Key {
    pub(crate) fn new(name: &str) -> Self {
        let lower = name.to_ascii_lowercase();
        let source = match CALLER_KEYS.iter().find(|(known, _)| *known == lower) {
            Some((_, key)) => Source::Caller(*key),
            None => match (lower.starts_with("aws:principaltag/"), name.split_once('/')) {
                (true, Some((_, tag))) => Source::PrincipalTag(tag.into()),
                (false | true, _) => Source::Access,
            },
        };
        Self { name: name.into(), lower: lower.into(), source }
    }

    /// As the document writes it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

/// A value of a key, in the type it has.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    Text(&'a str),
    Time(Timestamp),
    Seconds(i64),
    Address(IpAddr),
    Flag(bool),
}

impl<'a> Value<'a> {
    pub(crate) fn text(self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Time(time) => {
                let whole = Timestamp::from_epoch_ms(time.as_epoch_ms().div_euclid(1000) * 1000);
                Cow::Owned(whole.to_string().replace(".000Z", "Z"))
            }
            Self::Seconds(seconds) => Cow::Owned(seconds.to_string()),
            Self::Address(address) => Cow::Owned(address.to_string()),
            Self::Flag(true) => Cow::Borrowed("true"),
            Self::Flag(false) => Cow::Borrowed("false"),
        }
    }

    pub(crate) fn number(self) -> Option<f64> {
        match self {
            Self::Text(text) => values::number(text),
            #[expect(clippy::cast_precision_loss, reason = "exact for the next 285 million years")]
            Self::Seconds(seconds) => Some(seconds as f64),
            Self::Time(_) | Self::Address(_) | Self::Flag(_) => None,
        }
    }

    pub(crate) fn time_ms(self) -> Option<i64> {
        match self {
            Self::Text(text) => values::time_ms(text),
            Self::Time(time) => Some(time.as_epoch_ms()),
            Self::Seconds(seconds) => Some(seconds.saturating_mul(1000)),
            Self::Address(_) | Self::Flag(_) => None,
        }
    }

    pub(crate) fn address(self) -> Option<IpAddr> {
        match self {
            Self::Text(text) => values::address(text),
            Self::Address(address) => Some(address),
            Self::Time(_) | Self::Seconds(_) | Self::Flag(_) => None,
        }
    }

    pub(crate) fn flag(self) -> Option<bool> {
        match self {
            Self::Text(text) => values::flag(text),
            Self::Flag(flag) => Some(flag),
            Self::Time(_) | Self::Seconds(_) | Self::Address(_) => None,
        }
    }
}

/// The values of one key; never none.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Values<'a> {
    One(Value<'a>),
    Many(&'a [String]),
}

impl<'a> Values<'a> {
    fn some(texts: &'a [String]) -> Option<Self> {
        (!texts.is_empty()).then_some(Self::Many(texts))
    }

    pub(crate) fn any(self, test: impl Fn(Value<'a>) -> bool) -> bool {
        match self {
            Self::One(value) => test(value),
            Self::Many(texts) => texts.iter().any(|text| test(Value::Text(text))),
        }
    }

    /// The value, when there is only one.
    pub(crate) fn single(self) -> Option<Value<'a>> {
        match self {
            Self::One(value) => Some(value),
            Self::Many([text]) => Some(Value::Text(text)),
            Self::Many(_) => None,
        }
    }
}

/// An access of a caller, as statements look at it.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) access: &'a Access,
    /// The action in lower case; what precedes its colon is `service_length` long.
    action: String,
    service_length: usize,
    /// For simulations: the values to assume, in place of those of the request.
    assumed: Option<&'a Keys>,
}

impl<'a> Facts<'a> {
    pub(crate) fn new(caller: &'a Caller, access: &'a Access) -> Self {
        let action = access.action.to_ascii_lowercase();
        let service_length = action.find(':').unwrap_or(action.len());
        Self { caller, access, action, service_length, assumed: None }
    }

    pub(crate) fn assuming(caller: &'a Caller, access: &'a Access, keys: &'a Keys) -> Self {
        Self { assumed: Some(keys), ..Self::new(caller, access) }
    }

    /// `ecs:runtask`.
    pub(crate) fn action(&self) -> &str {
        &self.action
    }

    /// `ecs` and `runtask`.
    pub(crate) fn action_parts(&self) -> Option<(&str, &str)> {
        let (service, rest) = self.action.split_at_checked(self.service_length)?;
        Some((service, rest.strip_prefix(':')?))
    }

    /// The account that the resource's ARN names, when it names one.
    pub(crate) fn resource_account(&self) -> Option<&'a str> {
        let account = self.access.resource.strip_prefix("arn:")?.split(':').nth(3)?;
        let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        is_account.then_some(account)
    }

    /// The values of `key`; `None` when the access has none.
    pub(crate) fn values(&self, key: &Key) -> Option<Values<'a>> {
        if let Some(assumed) = self.assumed.and_then(|keys| keys.get(&*key.lower)) {
            return Values::some(assumed);
        }
        match &key.source {
            Source::Caller(CallerKey::ResourceAccount) => match self.resource_account() {
                Some(account) => Some(Values::One(Value::Text(account))),
                None => self.of_access(key),
            },
            Source::Caller(key) if self.assumed.is_some() && key.is_of_request() => None,
            Source::Caller(key) => self.of_caller(*key).map(Values::One),
            Source::PrincipalTag(tag) => self.principal_tag(tag).map(Value::Text).map(Values::One),
            Source::Access => self.of_access(key),
        }
    }

    fn of_access(&self, key: &Key) -> Option<Values<'a>> {
        Values::some(self.access.keys.get(&*key.lower)?)
    }

    fn principal_tag(&self, tag: &str) -> Option<&'a str> {
        let tags = &self.caller.principal.tags;
        let exact = tags.get(tag);
        let value = exact.or_else(|| {
            tags.iter().find(|(key, _)| key.eq_ignore_ascii_case(tag)).map(|(_, value)| value)
        });
        value.map(String::as_str)
    }

    fn of_caller(&self, key: CallerKey) -> Option<Value<'a>> {
        let Caller { principal, session, .. } = self.caller;
        match key {
            CallerKey::AssumedRoot => None,
            CallerKey::CurrentTime => Some(Value::Time(self.caller.time)),
            CallerKey::EpochTime => {
                Some(Value::Seconds(self.caller.time.as_epoch_ms().div_euclid(1000)))
            }
            CallerKey::FederatedProvider => session.federated_provider.as_deref().map(Value::Text),
            CallerKey::MultiFactorAuthAge => {
                let age_ms = self.caller.time.ms_since(session.mfa_at?);
                Some(Value::Seconds(age_ms.div_euclid(1000)))
            }
            CallerKey::MultiFactorAuthPresent => {
                // A code may come with the very call that is signed with a long-term key.
                let known = session.issued_at.or(session.mfa_at);
                known.map(|_| Value::Flag(session.mfa_at.is_some()))
            }
            CallerKey::PrincipalOrgId | CallerKey::PrincipalOrgPaths => {
                let membership = self.caller.permissions.organization.as_deref()?;
                Some(Value::Text(if key == CallerKey::PrincipalOrgId {
                    &membership.organization_id
                } else {
                    &membership.path
                }))
            }
            CallerKey::PrincipalAccount
            | CallerKey::PrincipalArn
            | CallerKey::PrincipalIsAwsService
            | CallerKey::PrincipalServiceName
            | CallerKey::PrincipalType
            | CallerKey::Username => self.of_principal(key),
            CallerKey::RequestedRegion => Some(Value::Text(self.caller.region.as_str())),
            CallerKey::ResourceAccount => self.resource_account().map(Value::Text),
            CallerKey::SecureTransport => Some(Value::Flag(self.caller.secure_transport)),
            CallerKey::SourceIdentity => session.source_identity.as_deref().map(Value::Text),
            CallerKey::SourceIp => Some(Value::Address(self.caller.source_ip.to_canonical())),
            CallerKey::SourceVpce => self.caller.source_vpce.map(Value::Text),
            CallerKey::TokenIssueTime => session.issued_at.map(Value::Time),
            CallerKey::UserAgent => self.caller.user_agent.as_deref().map(Value::Text),
            CallerKey::UserId => match principal.kind {
                PrincipalKind::Anonymous => Some(Value::Text("anonymous")),
                PrincipalKind::Root
                | PrincipalKind::User { .. }
                | PrincipalKind::AssumedRole { .. }
                | PrincipalKind::Service { .. } => Some(Value::Text(&principal.user_id)),
            },
            CallerKey::ViaAwsService => Some(Value::Flag(false)),
        }
    }

    /// The keys that depend on the kind of principal.
    fn of_principal(&self, key: CallerKey) -> Option<Value<'a>> {
        let principal = &self.caller.principal;
        if key == CallerKey::PrincipalIsAwsService {
            return Some(Value::Flag(matches!(principal.kind, PrincipalKind::Service { .. })));
        }
        let account = Some(principal.account.as_str());
        let own = Some(principal.arn.as_str());
        let (account, arn, kind, username, service) = match &principal.kind {
            PrincipalKind::Root => (account, own, "Account", None, None),
            PrincipalKind::User { name } => (account, own, "User", Some(name), None),
            PrincipalKind::AssumedRole { role_arn, .. } => {
                (account, Some(role_arn.as_str()), "AssumedRole", None, None)
            }
            PrincipalKind::Service { name } => (None, None, "Service", None, Some(name)),
            PrincipalKind::Anonymous => (Some("anonymous"), None, "Anonymous", None, None),
        };
        let text = match key {
            CallerKey::PrincipalAccount => account,
            CallerKey::PrincipalArn => arn,
            CallerKey::PrincipalServiceName => service.map(String::as_str),
            CallerKey::PrincipalType => Some(kind),
            CallerKey::Username => username.map(String::as_str),
            CallerKey::AssumedRoot
            | CallerKey::CurrentTime
            | CallerKey::EpochTime
            | CallerKey::FederatedProvider
            | CallerKey::MultiFactorAuthAge
            | CallerKey::MultiFactorAuthPresent
            | CallerKey::PrincipalIsAwsService
            | CallerKey::PrincipalOrgId
            | CallerKey::PrincipalOrgPaths
            | CallerKey::RequestedRegion
            | CallerKey::ResourceAccount
            | CallerKey::SecureTransport
            | CallerKey::SourceIdentity
            | CallerKey::SourceIp
            | CallerKey::SourceVpce
            | CallerKey::TokenIssueTime
            | CallerKey::UserAgent
            | CallerKey::UserId
            | CallerKey::ViaAwsService => None,
        };
        text.map(Value::Text)
    }
}

impl CallerKey {
    /// Whether it is a matter of one request or session: what a simulation knows only when told.
    const fn is_of_request(self) -> bool {
        matches!(
            self,
            Self::FederatedProvider
                | Self::MultiFactorAuthAge
                | Self::MultiFactorAuthPresent
                | Self::RequestedRegion
                | Self::SecureTransport
                | Self::SourceIdentity
                | Self::SourceIp
                | Self::SourceVpce
                | Self::TokenIssueTime
                | Self::UserAgent
        )
    }
}
