//! Sends what actors observe to the control plane: the newest of each task, many at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::TaskObservation;
use node_proto::{ControlPlane, TaskReport};
use tokio::sync::mpsc;

use crate::live_tasks::LiveTasks;

/// Reports that wait for the reporter; an actor that finds the queue full waits.
pub(crate) const QUEUE: usize = 1024;
/// Reports sent at once.
const MAX_BATCH: usize = 128;
/// Pauses after failures: doubled each time up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Works until every sender is gone and everything is sent.
pub(crate) async fn run(
    control_plane: Arc<dyn ControlPlane>,
    tasks: Arc<LiveTasks>,
    mut reports: mpsc::Receiver<(String, TaskObservation)>,
) {
    let mut waiting: BTreeMap<String, TaskObservation> = BTreeMap::new();
    let mut pause = FIRST_PAUSE;
    loop {
        if waiting.is_empty() {
            match reports.recv().await {
                Some((task_id, observation)) => drop(waiting.insert(task_id, observation)),
                None => return,
            }
        }
        while let Ok((task_id, observation)) = reports.try_recv() {
            waiting.insert(task_id, observation);
        }
        let batch: Vec<TaskReport> = waiting
            .iter()
            .take(MAX_BATCH)
            .map(|(task_id, observation)| TaskReport {
                task_id: task_id.clone(),
                observation: observation.clone(),
            })
            .collect();
        match control_plane.report(batch.clone()).await {
            Ok(()) => {
                pause = FIRST_PAUSE;
                let with_address =
                    batch.iter().filter(|report| report.observation.address.is_some());
                tasks.reported(with_address.map(|report| report.task_id.as_str()));
                for report in batch {
                    waiting.remove(&report.task_id);
                }
            }
            Err(error) => {
                tracing::warn!(%error, reports = waiting.len(), "reports wait");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}
