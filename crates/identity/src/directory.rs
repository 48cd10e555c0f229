//! Every credential: those of root, of users and of sessions.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::constant_time;
use base::{AccountId, Timestamp};
use domain::TaskStatus;
use iam::{AccessKeyStatus, AccountStatus};
use policy::{Permissions, Principal, SessionFacts};
use sigv4::SecretKey;
use state::{State, View};
use store::Revision;

use crate::policies::{principal_of_role_session, principal_of_user};
use crate::{
    Claim, Credential, Credentials, Door, Policies, Refusal, Session, SessionPrincipal, Sessions,
    TaskBinding, TaskPurpose, Vault, account_of_key,
};

/// How many credentials are kept at hand.
const MAX_KNOWN: usize = 4096;

/// The access key of the root of the server's account.
#[derive(Debug, Clone)]
pub struct RootAccessKey {
    /// The account.
    pub account: AccountId,
    /// `AKIA…`, or what the operator chose.
    pub access_key_id: String,
    /// The secret.
    pub secret: SecretKey,
}

/// Finds every credential there is. What was found is kept while no identity changes, at most
/// 4,096 at a time; whether a session has expired and where a task's session is used from is looked
/// at anew each time.
pub struct Directory {
    state: Arc<State>,
    vault: Arc<Vault>,
    sessions: Arc<Sessions>,
    policies: Arc<Policies>,
    root: RootAccessKey,
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    /// What the identities were when all of this was found.
    revision: Revision,
    by_id: BTreeMap<Arc<str>, Arc<Found>>,
    by_age: VecDeque<Arc<str>>,
}

/// A credential and what has to hold each time it is used.
struct Found {
    credential: Arc<Credential>,
    token: Option<String>,
    expires_at: Option<Timestamp>,
    task: Option<TaskBinding>,
}

impl Directory {
    /// The credentials of `state` and `root`.
    pub fn new(
        state: Arc<State>,
        vault: Arc<Vault>,
        sessions: Arc<Sessions>,
        policies: Arc<Policies>,
        root: RootAccessKey,
    ) -> Self {
        Self { state, vault, sessions, policies, root, known: RwLock::default() }
    }

    /// What builds permissions from records.
    pub const fn policies(&self) -> &Arc<Policies> {
        &self.policies
    }

    /// The account that an access key is of: of the keys there are, and of any that
    /// [`new_access_key`](crate::new_access_key) made.
    pub fn account_of_key(&self, access_key_id: &str) -> Option<AccountId> {
        if access_key_id == self.root.access_key_id {
            return Some(self.root.account.clone());
        }
        let view = self.state.view();
        let key = view.identities().access_key(access_key_id);
        key.map(|key| key.account.clone()).or_else(|| account_of_key(access_key_id))
    }

    fn known(&self, claim: &Claim<'_>, revision: Revision) -> Option<Arc<Found>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if known.revision != revision {
            return None;
        }
        let found = known.by_id.get(claim.access_key_id)?;
        same_token(found.token.as_deref(), claim.session_token).then(|| Arc::clone(found))
    }

    fn remember(&self, access_key_id: &str, revision: Revision, found: &Arc<Found>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.revision != revision {
            *known = Known { revision, ..Known::default() };
        }
        let id: Arc<str> = access_key_id.into();
        if known.by_id.insert(Arc::clone(&id), Arc::clone(found)).is_none() {
            known.by_age.push_back(id);
        }
        if known.by_age.len() > MAX_KNOWN
            && let Some(oldest) = known.by_age.pop_front()
        {
            known.by_id.remove(&oldest);
        }
    }

    fn look_up(&self, view: &View, claim: &Claim<'_>) -> Result<Found, Refusal> {
        match claim.session_token {
            Some(token) => {
                let session = self.sessions.open(claim.access_key_id, token, claim.now)?;
                self.of_session(view, session, token)
            }
            None if claim.access_key_id == self.root.access_key_id => self.of_root(view),
            None => self.of_user_key(view, claim.access_key_id),
        }
    }

    fn of_root(&self, view: &View) -> Result<Found, Refusal> {
        let account = &self.root.account;
        self.is_usable(view, account)?;
        let permissions = self.policies.permissions_of_root(view, account);
        let principal = Principal::root(account.clone());
        Ok(Found::long_term(self.root.secret.clone(), principal, permissions))
    }

    fn of_user_key(&self, view: &View, access_key_id: &str) -> Result<Found, Refusal> {
        let identities = view.identities();
        let key = identities.access_key(access_key_id).ok_or(Refusal::Unknown)?;
        match key.status {
            AccessKeyStatus::Active => {}
            AccessKeyStatus::Inactive => return Err(Refusal::Unknown),
        }
        self.is_usable(view, &key.account)?;
        let user = identities.user(&iam::key(&key.account, &key.user)).ok_or(Refusal::Unknown)?;
        let secret = self.vault.open(&access_key_purpose(access_key_id), &key.secret);
        let secret =
            secret.ok().and_then(|bytes| std::str::from_utf8(&bytes).ok().map(str::to_owned));
        let Some(secret) = secret else {
            tracing::error!(access_key_id, "the secret of the access key cannot be opened");
            return Err(Refusal::Unknown);
        };
        let permissions = self.policies.permissions_of_user(view, &key.account, &key.user);
        let permissions = permissions.ok_or(Refusal::Unknown)?;
        Ok(Found::long_term(SecretKey::new(secret), principal_of_user(user), permissions))
    }

    fn of_session(&self, view: &View, session: Session, token: &str) -> Result<Found, Refusal> {
        let Session { secret, issued_at, expires_at, spec, .. } = session;
        self.is_usable(view, &spec.account)?;
        let identities = view.identities();
        let (principal, mut permissions) = match &spec.principal {
            SessionPrincipal::Role { id, name, session_name } => {
                let role = identities.role(&iam::key(&spec.account, name));
                let role = role.filter(|role| role.id == *id).ok_or(Refusal::Unknown)?;
                let principal = principal_of_role_session(role, session_name, &spec.tags);
                (principal, self.policies.permissions_of_role(view, role))
            }
            SessionPrincipal::User { id, name } => {
                let user = identities.user(&iam::key(&spec.account, name));
                let user = user.filter(|user| user.id == *id).ok_or(Refusal::Unknown)?;
                let permissions = self.policies.permissions_of_user(view, &spec.account, name);
                (principal_of_user(user), permissions.ok_or(Refusal::Unknown)?)
            }
            SessionPrincipal::Root => (
                Principal::root(spec.account.clone()),
                self.policies.permissions_of_root(view, &spec.account),
            ),
        };
        permissions.session = self.policies.session_policies(view, &spec);
        let facts = SessionFacts {
            issued_at: Some(issued_at),
            mfa_at: spec.mfa_at,
            source_identity: spec.source_identity,
            federated_provider: spec.federated_provider,
            task_arn: spec.task.as_ref().map(|task| task.task_arn.clone()),
            transitive_tag_keys: spec.transitive_tag_keys,
        };
        let credential = Credential {
            secret,
            principal: Arc::new(principal),
            permissions: Arc::new(permissions),
            session: Arc::new(facts),
        };
        Ok(Found {
            credential: Arc::new(credential),
            token: Some(token.to_owned()),
            expires_at: Some(expires_at),
            task: spec.task,
        })
    }

    fn is_usable(&self, view: &View, account: &AccountId) -> Result<(), Refusal> {
        match view.identities().account(account.as_str()).map(|account| account.status) {
            None | Some(AccountStatus::Active) => Ok(()),
            Some(AccountStatus::Suspended) => Err(Refusal::Unknown),
        }
    }
}

impl Credentials for Directory {
    fn find(&self, claim: &Claim<'_>) -> Result<Arc<Credential>, Refusal> {
        let view = self.state.view();
        let revision = view.identities().modified();
        let found = match self.known(claim, revision) {
            Some(found) => found,
            None => {
                let found = Arc::new(self.look_up(&view, claim)?);
                self.remember(claim.access_key_id, revision, &found);
                found
            }
        };
        if found.expires_at.is_some_and(|expires_at| claim.now >= expires_at) {
            return Err(Refusal::Expired);
        }
        if let Some(task) = &found.task {
            is_in_its_place(&view, claim, task, &found.credential.principal)?;
        }
        Ok(Arc::clone(&found.credential))
    }
}

/// The purpose that the secret of an access key is sealed for.
pub fn access_key_purpose(access_key_id: &str) -> String {
    format!("access-key/{access_key_id}")
}

/// The purpose that the seed of an MFA device is sealed for.
pub fn mfa_purpose(serial_number: &str) -> String {
    format!("mfa/{serial_number}")
}

/// A task's role works for its containers only, and its execution role for the platform only, both as
/// long as the task is there.
fn is_in_its_place(
    view: &View,
    claim: &Claim<'_>,
    binding: &TaskBinding,
    principal: &Arc<Principal>,
) -> Result<(), Refusal> {
    let task = view.task(&binding.task_id).filter(|task| task.cluster == binding.cluster);
    let task = task.ok_or(Refusal::Unknown)?;
    if task.last_status == TaskStatus::Stopped {
        return Err(Refusal::Expired);
    }
    let in_place = match (binding.purpose, claim.door) {
        (TaskPurpose::TaskRole, Door::TaskLink { container_instance }) => {
            let own = task.address.as_deref().and_then(|text| text.parse::<IpAddr>().ok());
            task.container_instance == **container_instance
                && own.map(|own| own.to_canonical()) == Some(claim.source_ip.to_canonical())
        }
        (TaskPurpose::ExecutionRole, Door::Endpoint) => true,
        (TaskPurpose::TaskRole, Door::Endpoint)
        | (TaskPurpose::ExecutionRole, Door::TaskLink { .. }) => false,
    };
    if in_place {
        return Ok(());
    }
    let (principal, task_arn) = (Arc::clone(principal), binding.task_arn.clone());
    Err(Refusal::BoundElsewhere { principal, task_arn })
}

fn same_token(one: Option<&str>, other: Option<&str>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => {
            constant_time::verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
        }
        (None, Some(_)) | (Some(_), None) => false,
    }
}

impl Found {
    fn long_term(secret: SecretKey, principal: Principal, permissions: Permissions) -> Self {
        let credential = Credential {
            secret,
            principal: Arc::new(principal),
            permissions: Arc::new(permissions),
            session: Arc::default(),
        };
        Self { credential: Arc::new(credential), token: None, expires_at: None, task: None }
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").field("root", &self.root).finish_non_exhaustive()
    }
}
