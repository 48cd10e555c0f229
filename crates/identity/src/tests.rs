//! The directory over a real state: who is found, what applies to them, and who is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base::{AccountId, Clock as _, ManualClock, SeededIds, Timestamp};
use domain::{LaunchType, NetworkMode, NewTask, Task, TaskDefinitionId, TaskSpec, TaskStatus};
use iam::{
    AccessKey, AccessKeyStatus, Account, AccountStatus, Group, ManagedPolicy, Organization,
    OrganizationalUnit, PolicyVersion, Role, ServiceControlPolicy, User,
};
use policy::{Access, Caller, NamedPolicy, Permissions, PrincipalKind, decide};
use sigv4::SecretKey;
use state::{Change, Record, Row, State};
use store::{HistoryLimits, MemoryStore, NoFaults};

use crate::*;

const ALLOW: &str = r#"{"Version": "2012-10-17", "Statement":
    [{"Effect": "Allow", "Action": "ecs:*", "Resource": "*"}]}"#;
const TRUST: &str = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
    "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}]}"#;

struct World {
    state: Arc<State>,
    clock: Arc<ManualClock>,
    ids: Arc<SeededIds>,
    vault: Arc<Vault>,
    sessions: Arc<Sessions>,
    directory: Directory,
}

async fn world() -> World {
    let store = MemoryStore::new(HistoryLimits::default(), Arc::new(NoFaults));
    let (state, follower) = State::open(Arc::new(store)).await.unwrap();
    tokio::spawn(follower.run());
    let clock = Arc::new(ManualClock::new(Timestamp::from_epoch_ms(1_000_000)));
    let ids = Arc::new(SeededIds::new(1));
    let vault = Arc::new(Vault::new(&VaultKey::generate(ids.as_ref())).unwrap());
    let (time, chance) = (Arc::<ManualClock>::clone(&clock), Arc::<SeededIds>::clone(&ids));
    let sessions = Arc::new(Sessions::new(Arc::clone(&vault), time, chance));
    let root = RootAccessKey {
        account: account(),
        access_key_id: "AKIAROOT".to_owned(),
        secret: SecretKey::new("root".to_owned()),
    };
    let policies = Arc::new(Policies::new().unwrap());
    let (one, two) = (Arc::clone(&vault), Arc::clone(&sessions));
    let directory = Directory::new(Arc::clone(&state), one, two, policies, root);
    World { state, clock, ids, vault, sessions, directory }
}

fn account() -> AccountId {
    "123456789012".parse().unwrap()
}

fn user(name: &str) -> User {
    User {
        account: account(),
        name: name.to_owned(),
        path: "/".to_owned(),
        id: format!("AIDA{name}"),
        created_at: Timestamp::default(),
        inline_policies: BTreeMap::new(),
        attached_policies: BTreeSet::new(),
        permissions_boundary: None,
        groups: BTreeSet::new(),
        tags: BTreeMap::new(),
    }
}

fn role(name: &str) -> Role {
    Role {
        account: account(),
        name: name.to_owned(),
        path: "/".to_owned(),
        id: format!("AROA{name}"),
        created_at: Timestamp::default(),
        description: None,
        max_session_duration_s: 3600,
        trust_policy: TRUST.to_owned(),
        inline_policies: one("allow", ALLOW),
        attached_policies: BTreeSet::new(),
        permissions_boundary: None,
        tags: one("Team", "red"),
        linked_service: None,
    }
}

fn managed(name: &str, document: &str) -> ManagedPolicy {
    let version = PolicyVersion { document: document.to_owned(), created_at: Timestamp::default() };
    ManagedPolicy {
        account: account(),
        name: name.to_owned(),
        path: "/".to_owned(),
        id: format!("ANPA{name}"),
        description: None,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
        default_version: 1,
        next_version: 2,
        versions: BTreeMap::from([(1, version)]),
        tags: BTreeMap::new(),
    }
}

fn one(key: &str, value: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(key.to_owned(), value.to_owned())])
}

fn set(items: &[&str]) -> BTreeSet<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

impl World {
    async fn change(&self, build: impl FnOnce(&mut Change)) {
        let mut change = Change::new();
        build(&mut change);
        self.state.commit(change).await.unwrap();
    }

    async fn create<T: Record>(&self, record: &T) {
        self.change(|change| change.create(record)).await;
    }

    async fn update<T: Record>(&self, row: Row<T>, edit: impl FnOnce(&mut T)) {
        let mut record = row.value.as_ref().clone();
        edit(&mut record);
        self.change(|change| change.update(&row, &record)).await;
    }

    async fn key_of(&self, name: &str) -> (String, SecretKey) {
        let ids = self.ids.as_ref();
        let (id, secret) = new_access_key(ids, KeyKind::LongTerm, &account());
        let sealed = self.vault.seal(&access_key_purpose(&id), secret.expose().as_bytes(), ids);
        self.create(&AccessKey {
            id: id.clone(),
            account: account(),
            user: name.to_owned(),
            secret: sealed.unwrap(),
            status: AccessKeyStatus::Active,
            created_at: Timestamp::default(),
        })
        .await;
        (id, secret)
    }

    fn find(&self, id: &str, token: Option<&str>) -> Result<Arc<Credential>, Refusal> {
        self.find_from(id, token, &Door::Endpoint, "203.0.113.9")
    }

    fn find_from(
        &self,
        access_key_id: &str,
        session_token: Option<&str>,
        door: &Door,
        from: &str,
    ) -> Result<Arc<Credential>, Refusal> {
        let source_ip: IpAddr = from.parse().unwrap();
        let now = self.clock.now();
        self.directory.find(&Claim { access_key_id, session_token, source_ip, door, now })
    }

    fn issue(&self, spec: SessionSpec) -> IssuedCredentials {
        self.sessions.issue(spec, Duration::from_secs(3600)).unwrap()
    }

    fn user(&self, name: &str) -> Permissions {
        let view = self.state.view();
        self.directory.policies().permissions_of_user(&view, &account(), name).unwrap()
    }
}

fn names(policies: &[NamedPolicy]) -> Vec<&str> {
    policies.iter().map(|policy| policy.name.as_ref()).collect()
}

fn may(credential: &Credential, action: &'static str) -> bool {
    let caller = Caller {
        principal: Arc::clone(&credential.principal),
        permissions: Arc::clone(&credential.permissions),
        session: Arc::clone(&credential.session),
        ..Caller::root(account(), "us-east-1".parse().unwrap(), Timestamp::default())
    };
    decide(&caller, &Access::new(action, "*")).is_allowed()
}

#[tokio::test]
async fn the_root_key_is_found_without_a_token_only() {
    let world = world().await;
    let found = world.find("AKIAROOT", None).unwrap();
    assert!(found.secret.is("root") && found.principal.kind == PrincipalKind::Root);
    assert_eq!(world.find("AKIAROOT", Some("pc1.x")).unwrap_err(), Refusal::Unknown);
    assert_eq!(world.find("AKIANOBODY", None).unwrap_err(), Refusal::Unknown);
}

#[tokio::test]
async fn a_users_key_works_while_it_is_active_and_its_account_is() {
    let world = world().await;
    world.create(&user("Ann")).await;
    let (id, secret) = world.key_of("Ann").await;
    let found = world.find(&id, None).unwrap();
    assert!(found.secret.is(secret.expose()));
    assert_eq!(found.principal.arn, "arn:aws:iam::123456789012:user/Ann");
    assert!(!may(&found, "ecs:ListTasks"));

    let row = world.state.view().identities().user("123456789012/ann").cloned().unwrap();
    world.update(row, |user| user.inline_policies = one("allow", ALLOW)).await;
    assert!(may(&world.find(&id, None).unwrap(), "ecs:ListTasks"), "an old answer was given");

    let key = || world.state.view().identities().access_key(&id).cloned().unwrap();
    world.update(key(), |key| key.status = AccessKeyStatus::Inactive).await;
    assert_eq!(world.find(&id, None).unwrap_err(), Refusal::Unknown);
    world.update(key(), |key| key.status = AccessKeyStatus::Active).await;
    world.find(&id, None).unwrap();
    world.create(&member("123456789012", "r-1", AccountStatus::Suspended)).await;
    assert_eq!(world.find(&id, None).unwrap_err(), Refusal::Unknown);
    assert_eq!(world.find("AKIAROOT", None).unwrap_err(), Refusal::Unknown);
}

#[tokio::test]
async fn a_session_ends_with_its_time_and_with_its_role() {
    let world = world().await;
    world.create(&role("Deploy")).await;
    let mut spec = SessionSpec::of_role(&role("Deploy"), "night");
    spec.tags = one("team", "blue");
    spec.policy = Some(ALLOW.replace("ecs:*", "ecs:ListTasks"));
    let issued = world.issue(spec);
    let find = || world.find(&issued.access_key_id, Some(&issued.session_token));
    let found = find().unwrap();
    assert_eq!(found.principal.arn, "arn:aws:sts::123456789012:assumed-role/Deploy/night");
    assert_eq!(found.principal.user_id, "AROADeploy:night");
    assert_eq!(found.principal.tags, one("team", "blue"));
    assert!(may(&found, "ecs:ListTasks") && !may(&found, "ecs:RunTask"));
    assert_eq!(world.find(&issued.access_key_id, None).unwrap_err(), Refusal::Unknown);

    world.clock.advance_ms(3_600_000);
    assert_eq!(find().unwrap_err(), Refusal::Expired);
    world.clock.advance_ms(-3_600_000);
    find().unwrap();
    let row = world.state.view().identities().role("123456789012/deploy").cloned().unwrap();
    world.change(|change| change.delete(&row)).await;
    assert_eq!(find().unwrap_err(), Refusal::Unknown);
    world.create(&Role { id: "AROAOther".to_owned(), ..role("Deploy") }).await;
    assert_eq!(find().unwrap_err(), Refusal::Unknown);
}

fn task(address: Option<&str>) -> Task {
    let spec = TaskSpec {
        containers: Vec::new(),
        volumes: Vec::new(),
        network_mode: NetworkMode::Awsvpc,
        cpu_units: None,
        memory_mib: None,
        task_role_arn: None,
        execution_role_arn: None,
        ephemeral_storage_mib: None,
        compatible_with_ec2: true,
        compatible_with_fargate: false,
        placement_expressions: Vec::new(),
    };
    let mut task = NewTask {
        cluster: "c",
        task_definition: &TaskDefinitionId { family: "web".to_owned(), revision: 1 },
        spec: &spec,
        group: "family:web".to_owned(),
        launch_type: LaunchType::Ec2,
        container_instance: "i".to_owned(),
        now: Timestamp::default(),
    }
    .accept(&SeededIds::new(1));
    task.address = address.map(str::to_owned);
    task
}

/// Where the tasks of a container instance call the APIs.
fn link(container_instance: &str) -> Door {
    Door::TaskLink { container_instance: container_instance.into() }
}

#[tokio::test]
async fn a_tasks_session_works_from_within_the_task_only() {
    let world = world().await;
    world.create(&role("app")).await;
    let (own, other) = ("10.1.2.3", "10.1.2.4");
    let task = task(Some(own));
    let issue = |purpose| {
        let mut spec = SessionSpec::of_role(&role("app"), &task.id);
        spec.task = Some(TaskBinding {
            task_id: task.id.clone(),
            task_arn: "arn:task".to_owned(),
            cluster: "c".to_owned(),
            purpose,
        });
        world.issue(spec)
    };
    let (app, start) = (issue(TaskPurpose::TaskRole), issue(TaskPurpose::ExecutionRole));
    let find = |issued: &IssuedCredentials, door: Door, from| {
        world.find_from(&issued.access_key_id, Some(&issued.session_token), &door, from)
    };
    let refused = |issued: &IssuedCredentials, door, from| match find(issued, door, from) {
        Err(Refusal::BoundElsewhere { task_arn, principal }) => {
            assert!(principal.arn.contains("/app/"), "{}", principal.arn);
            task_arn == "arn:task"
        }
        Ok(_) | Err(Refusal::Unknown | Refusal::Expired) => false,
    };
    assert_eq!(find(&app, link("i"), own).unwrap_err(), Refusal::Unknown, "no such task");

    world.create(&task).await;
    let found = find(&app, link("i"), own).unwrap();
    assert_eq!(found.session.task_arn.as_deref(), Some("arn:task"));
    find(&app, link("i"), "::ffff:10.1.2.3").unwrap();
    assert!(refused(&app, link("j"), own), "another machine's task has the same address");
    assert!(refused(&app, link("i"), other));
    assert!(refused(&app, Door::Endpoint, own));
    assert!(refused(&start, link("i"), own));
    find(&start, Door::Endpoint, other).unwrap();

    let row = || world.state.view().task(&task.id).cloned().unwrap();
    world.update(row(), |task| task.address = None).await;
    assert!(refused(&app, link("i"), own), "a task without an address has no place");
    world.update(row(), |task| task.address = Some(own.to_owned())).await;
    find(&app, link("i"), own).unwrap();
    world.update(row(), |task| task.last_status = TaskStatus::Stopped).await;
    assert_eq!(find(&app, link("i"), own).unwrap_err(), Refusal::Expired);
    assert_eq!(find(&start, Door::Endpoint, other).unwrap_err(), Refusal::Expired);
}

#[tokio::test]
async fn a_user_has_its_own_policies_those_of_its_groups_and_a_boundary() {
    let world = world().await;
    let (reader, bound) = (managed("reader", ALLOW), managed("bound", ALLOW));
    world.create(&reader).await;
    world.create(&bound).await;
    world
        .create(&Group {
            account: account(),
            name: "Ops".to_owned(),
            path: "/".to_owned(),
            id: "AGPA".to_owned(),
            created_at: Timestamp::default(),
            inline_policies: one("ops-inline", ALLOW),
            attached_policies: set(&[&reader.arn()]),
        })
        .await;
    let mut ann = user("ann");
    ann.inline_policies = one("own", ALLOW);
    ann.attached_policies = set(&["arn:aws:iam::aws:policy/AdministratorAccess"]);
    ann.permissions_boundary = Some(bound.arn());
    ann.groups = set(&["Ops"]);
    world.create(&ann).await;
    let permissions = world.user("ANN");
    assert_eq!(
        names(&permissions.identity),
        ["own", "arn:aws:iam::aws:policy/AdministratorAccess", "ops-inline", &reader.arn()]
    );
    assert_eq!(permissions.boundary.unwrap().name.as_ref(), bound.arn());
    assert!(permissions.session.is_none() && permissions.service_control.is_empty());
    assert!(permissions.organization.is_none());
}

#[tokio::test]
async fn what_cannot_be_read_denies_everything() {
    for (name, break_it) in [
        (
            "no policy",
            (|user: &mut User| user.inline_policies.extend(one("bad", "{"))) as fn(&mut User),
        ),
        ("attached and not there", |user| {
            user.attached_policies = set(&["arn:aws:iam::123456789012:policy/gone"]);
        }),
        ("a group that is not there", |user| user.groups = set(&["gone"])),
        ("a boundary that is not there", |user| {
            user.permissions_boundary = Some("arn:aws:iam::123456789012:policy/gone".to_owned());
        }),
    ] {
        let world = world().await;
        let mut ann = user("ann");
        ann.inline_policies = one("good", ALLOW);
        world.create(&ann).await;
        let (id, _) = world.key_of("ann").await;
        assert!(may(&world.find(&id, None).unwrap(), "ecs:ListTasks"), "{name}");
        let row = world.state.view().identities().user("123456789012/ann").cloned().unwrap();
        world.update(row, break_it).await;
        assert!(!may(&world.find(&id, None).unwrap(), "ecs:ListTasks"), "{name}");
    }
}

#[tokio::test]
async fn a_service_may_assume_a_role_that_trusts_it() {
    let world = world().await;
    let policies = world.directory.policies();
    let may = |role: &Role, service| {
        let region = "us-east-1".parse().unwrap();
        policies.may_service_assume(role, service, None, region, world.clock.now()).is_allowed()
    };
    assert!(may(&role("app"), "ecs-tasks.amazonaws.com"));
    assert!(!may(&role("app"), "ecs.amazonaws.com"));
    let broken = Role { trust_policy: "{".to_owned(), ..role("app") };
    assert!(!may(&broken, "ecs-tasks.amazonaws.com"));
}

fn member(id: &str, parent_id: &str, status: AccountStatus) -> Account {
    Account {
        id: id.parse().unwrap(),
        name: id.to_owned(),
        email: format!("{id}@example.com"),
        status,
        request_id: None,
        joined_at: Timestamp::default(),
        parent_id: parent_id.to_owned(),
        tags: BTreeMap::new(),
    }
}

fn control(id: &str, targets: &[&str]) -> ServiceControlPolicy {
    ServiceControlPolicy {
        id: id.to_owned(),
        name: id.to_owned(),
        description: String::new(),
        content: ALLOW.to_owned(),
        aws_managed: false,
        targets: set(targets),
        tags: BTreeMap::new(),
    }
}

#[tokio::test]
async fn service_control_policies_apply_level_by_level_but_not_to_the_management_account() {
    let world = world().await;
    let management: AccountId = "999999999999".parse().unwrap();
    world
        .create(&Organization {
            id: "o-1".to_owned(),
            root_id: "r-1".to_owned(),
            management_account: management.clone(),
            management_email: "m@example.com".to_owned(),
            created_at: Timestamp::default(),
            service_control_policies: true,
        })
        .await;
    for (id, parent) in [("ou-a", "r-1"), ("ou-b", "ou-a")] {
        world
            .create(&OrganizationalUnit {
                id: id.to_owned(),
                name: id.to_owned(),
                parent_id: parent.to_owned(),
                tags: BTreeMap::new(),
            })
            .await;
    }
    world.create(&member("123456789012", "ou-b", AccountStatus::Active)).await;
    world.create(&member("999999999999", "r-1", AccountStatus::Active)).await;
    world.create(&control("p-1", &["r-1", "ou-b", "123456789012"])).await;
    world.create(&control("p-2", &["r-1"])).await;
    let of = |account: &AccountId| {
        world.directory.policies().permissions_of_root(&world.state.view(), account)
    };
    let permissions = of(&account());
    let levels: Vec<_> = permissions.service_control.iter().map(|level| names(level)).collect();
    assert_eq!(levels, [vec!["p-1", "p-2"], vec![], vec!["p-1"], vec!["p-1"]]);
    assert_eq!(permissions.organization.unwrap().path, "o-1/r-1/ou-a/ou-b/");
    let permissions = of(&management);
    assert!(permissions.service_control.is_empty());
    assert_eq!(permissions.organization.unwrap().path, "o-1/r-1/");
    assert!(of(&"111111111111".parse().unwrap()).organization.is_none());

    let row = world.state.view().identities().organization().cloned().unwrap();
    world.update(row, |organization| organization.service_control_policies = false).await;
    assert!(of(&account()).service_control.is_empty());
}
