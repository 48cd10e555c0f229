//! How a simulated container behaves: words of its command.
//!
//! `exit=1@5s` ends with 1 after 5 s, `oom@5s` is killed for its memory, `deaf` ignores the stop signal,
//! `stop=2s` takes its time to stop, `sick` fails its health checks, `sick@30s` from then on,
//! `well@30s` until then; `pull=20s`, `start=2s` take so long, `pullfail` and `startfail` fail.

use domain::{DependencyCondition, TaskSpec};

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Behaviour {
    pub(crate) exit: Option<(i32, i64)>,
    pub(crate) oom_ms: Option<i64>,
    pub(crate) deaf: bool,
    pub(crate) stop_ms: Option<i64>,
    pub(crate) sick_from_ms: Option<i64>,
    pub(crate) well_from_ms: Option<i64>,
    pub(crate) pull_ms: Option<i64>,
    pub(crate) start_ms: Option<i64>,
    pub(crate) pull_fails: bool,
    pub(crate) start_fails: bool,
}

impl Behaviour {
    /// Words that mean nothing here are left to the container.
    pub(crate) fn of(command: &[String]) -> Self {
        let mut all = Self::default();
        for word in command {
            let (word, after) = word
                .split_once('@')
                .map_or((word.as_str(), None), |(word, at)| (word, milliseconds(at)));
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            match name {
                "exit" => {
                    all.exit = value.parse().ok().map(|code| (code, after.unwrap_or(0)));
                }
                "oom" => all.oom_ms = Some(after.unwrap_or(0)),
                "deaf" => all.deaf = true,
                "stop" => all.stop_ms = milliseconds(value),
                "sick" => all.sick_from_ms = Some(after.unwrap_or(0)),
                "well" => all.well_from_ms = Some(after.unwrap_or(0)),
                "pull" => all.pull_ms = milliseconds(value),
                "start" => all.start_ms = milliseconds(value),
                "pullfail" => all.pull_fails = true,
                "startfail" => all.start_fails = true,
                _ => {}
            }
        }
        all
    }

    /// Whether a health check passes so long after the start.
    pub(crate) fn passes(&self, ran_ms: i64) -> bool {
        self.sick_from_ms.is_none_or(|from| ran_ms < from)
            && self.well_from_ms.is_none_or(|from| ran_ms >= from)
    }
}

/// Whether a service of such tasks never comes to rest.
pub(crate) fn is_hopeless(spec: &TaskSpec) -> bool {
    spec.containers.iter().any(|container| {
        let behaviour = Behaviour::of(&container.command);
        if behaviour.pull_fails {
            return true;
        }
        if !container.essential {
            return false;
        }
        let restarted = container
            .restart_policy
            .as_ref()
            .map(|policy| i64::from(policy.attempt_period_seconds).saturating_mul(1_000));
        let ends_ms = behaviour.exit.map(|(_, after_ms)| after_ms).or(behaviour.oom_ms);
        let ends = ends_ms.is_some_and(|ends| restarted.is_none_or(|period| ends < period));
        let sick = container.health_check.is_some() && behaviour.sick_from_ms.is_some();
        let waits_in_vain = container.depends_on.iter().any(|needed| {
            let Some(other) = spec.container(&needed.container_name) else { return false };
            let other = Behaviour::of(&other.command);
            match needed.condition {
                DependencyCondition::Start => other.start_fails,
                DependencyCondition::Complete => other.exit.is_none(),
                DependencyCondition::Success => other.exit.is_none_or(|(code, _)| code != 0),
                DependencyCondition::Healthy => other.sick_from_ms == Some(0),
            }
        });
        behaviour.start_fails || ends || sick || waits_in_vain
    })
}

/// `200ms`, `30s`, `5m`, `2h` in milliseconds.
pub(crate) fn milliseconds(text: &str) -> Option<i64> {
    let digits = text.find(|character: char| !character.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(unit)
}
