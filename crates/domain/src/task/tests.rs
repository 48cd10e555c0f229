use base::SeededIds;
use proptest::prelude::*;

use super::*;

fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_epoch_ms(seconds * 1000)
}

fn task(network_mode: NetworkMode) -> Task {
    let spec = TaskSpec {
        containers: vec![crate::ContainerSpec { name: "web".to_owned(), ..Default::default() }],
        volumes: Vec::new(),
        network_mode,
        cpu_units: None,
        memory_mib: None,
        task_role_arn: None,
        execution_role_arn: None,
        ephemeral_storage_mib: None,
        compatible_with_ec2: true,
        compatible_with_fargate: false,
        placement_expressions: Vec::new(),
    };
    NewTask {
        cluster: "c",
        task_definition: &TaskDefinitionId { family: "web".to_owned(), revision: 1 },
        spec: &spec,
        group: "family:web".to_owned(),
        launch_type: LaunchType::Ec2,
        container_instance: "i".to_owned(),
        now: moment(0),
    }
    .accept(&SeededIds::new(1))
}

fn report(sequence: u64, last_status: TaskStatus) -> TaskObservation {
    TaskObservation {
        sequence,
        last_status,
        containers: Vec::new(),
        health_status: HealthStatus::Unknown,
        address: None,
        mac_address: None,
        stop: None,
        pull_started_at: None,
        pull_stopped_at: None,
        started_at: None,
        execution_stopped_at: None,
        stopped_at: None,
    }
}

const STATUSES: [TaskStatus; 8] = [
    TaskStatus::Provisioning,
    TaskStatus::Pending,
    TaskStatus::Activating,
    TaskStatus::Running,
    TaskStatus::Deactivating,
    TaskStatus::Stopping,
    TaskStatus::Deprovisioning,
    TaskStatus::Stopped,
];

#[test]
fn a_task_waits_for_its_interface_in_awsvpc_mode_only() {
    assert_eq!(task(NetworkMode::Awsvpc).last_status, TaskStatus::Provisioning);
    assert_eq!(task(NetworkMode::Bridge).last_status, TaskStatus::Pending);
}

#[test]
fn the_first_reason_to_stop_stays() {
    let mut task = task(NetworkMode::Bridge);
    assert!(task.request_stop(StopCode::UserInitiated, "first", moment(1)));
    assert!(!task.request_stop(StopCode::ServiceSchedulerInitiated, "second", moment(2)));
    let mut ended = report(1, TaskStatus::Stopped);
    ended.stop = Some((StopCode::EssentialContainerExited, "third".to_owned()));
    assert_eq!(task.observe(ended, moment(3)), Ok(true));
    assert_eq!(task.stop_code, Some(StopCode::UserInitiated));
    assert_eq!(task.stopped_reason.as_deref(), Some("first"));
    assert_eq!(task.stopping_at, Some(moment(1)));
    assert_eq!(task.version, 3, "one for the request, one for the report");
}

#[test]
fn a_task_that_ends_by_itself_is_wanted_stopped() {
    let mut task = task(NetworkMode::Bridge);
    let mut ended = report(1, TaskStatus::Stopping);
    ended.stop = Some((StopCode::TaskFailedToStart, "why".to_owned()));
    assert_eq!(task.observe(ended, moment(3)), Ok(true));
    assert_eq!(task.desired_status, DesiredStatus::Stopped);
    assert_eq!((task.stopping_at, task.version), (Some(moment(3)), 2));
}

#[test]
fn a_report_that_would_move_a_task_back_is_refused_whole() {
    let mut task = task(NetworkMode::Bridge);
    task.observe(report(1, TaskStatus::Running), moment(1)).unwrap();
    let before = task.clone();
    let error = task.observe(report(2, TaskStatus::Pending), moment(2)).unwrap_err();
    assert!(error.to_string().contains("from RUNNING to PENDING"), "{error}");
    assert_eq!(task, before);
}

#[test]
fn first_moments_and_addresses_stay() {
    let mut task = task(NetworkMode::Bridge);
    let mut first = report(1, TaskStatus::Running);
    first.started_at = Some(moment(5));
    first.address = Some("10.0.0.1".to_owned());
    task.observe(first, moment(5)).unwrap();
    let mut second = report(2, TaskStatus::Running);
    second.started_at = Some(moment(9));
    task.observe(second, moment(9)).unwrap();
    assert_eq!((task.started_at, task.address.as_deref()), (Some(moment(5)), Some("10.0.0.1")));
}

#[test]
fn protection_ends_at_its_moment() {
    let mut task = task(NetworkMode::Bridge);
    task.protection = Some(Protection { expires_at: moment(10) });
    assert!(task.is_protected(moment(9)) && !task.is_protected(moment(10)));
}

proptest! {
    #[test]
    fn in_any_order_of_reports_the_status_only_goes_on(
        reports in prop::collection::vec((0..20_u64, 0..STATUSES.len()), 0..30),
    ) {
        let mut task = task(NetworkMode::Awsvpc);
        for (sequence, status) in reports {
            let before = task.clone();
            let result = task.observe(report(sequence, STATUSES[status]), moment(1));
            prop_assert!(task.last_status >= before.last_status);
            if sequence <= before.report_sequence {
                prop_assert_eq!(result, Ok(false));
                prop_assert_eq!(&task, &before);
            } else if let Ok(changed) = result {
                prop_assert!(changed && task.version == before.version + 1);
                prop_assert_eq!(task.report_sequence, sequence);
            } else {
                prop_assert_eq!(&task, &before);
            }
        }
    }
}
