//! The list of what must hold.

macro_rules! invariants {
    ($($name:ident $number:literal $title:literal $doc:literal;)*) => {
        /// Something that must always hold.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Invariant {
            $(#[doc = $doc] $name,)*
        }

        impl Invariant {
            /// All of them, by number.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its number: `INV-001`.
            pub const fn id(self) -> &'static str {
                match self { $(Self::$name => concat!("INV-", $number),)* }
            }

            /// It in one sentence.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// What exactly is checked, and when.
            pub const fn doc(self) -> &'static str {
                match self { $(Self::$name => $doc,)* }
            }
        }
    };
}

invariants! {
    OneNode "001" "no task runs on two nodes"
        "A container starts only on the node that its task was placed on, and the placement never changes.";
    Amounts "002" "no CPU and no memory is given twice"
        "The tasks on an instance that are not STOPPED never reserve more than it has registered. Checked when a task is placed.";
    HostPorts "003" "no host port is given twice"
        "No two tasks on an instance that are not STOPPED reserve the same host port, nor one of the machine's own. Checked when a task with host ports is placed.";
    Addresses "004" "no address is given twice"
        "No two tasks that have their network on a node at the same time have the same address or published port.";
    Floor "005" "a service never stops healthy tasks below its floor"
        "A decision that stops healthy tasks leaves at least `ceil(desired × minimumHealthyPercent / 100)` healthy ones, of what the reconciler saw.";
    Ceiling "006" "a service never starts tasks above its ceiling"
        "A decision that starts tasks leaves at most `floor(desired × maximumPercent / 100)` that are not STOPPED; a DAEMON at most one on an instance.";
    NeverBack "007" "observed status never moves back"
        "lastStatus only moves down its list, desiredStatus never leaves STOPPED, and versions and report numbers never fall.";
    StoppedStays "008" "a stopped task never runs again"
        "When a task is STOPPED no container of it is alive, and none starts after that.";
    EssentialExit "009" "an essential container's exit stops its task"
        "A task with an essential container that has stopped is at STOPPING or further.";
    StartOrder "010" "containers start in the order of dependsOn"
        "When a container first starts, everything it depends on has reached the condition.";
    StopOrder "011" "containers stop in the reverse order of dependsOn"
        "When a container is told to stop, nothing that depends on it is alive.";
    Breaker "012" "the circuit breaker opens at its threshold and not before"
        "A deployment fails by its breaker in exactly the decision that sees as many failures as the threshold.";
    ClientTokens "013" "a client token never makes two"
        "All tasks of one client token were made in one commit.";
    AcceptedOnly "014" "nothing is done that no accepted request asked for"
        "A standalone task is made by a call of RunTask or StartTask, a service's by the reconciler of a service that CreateService made, and containers start for such tasks only.";
    RefusedWritesNothing "015" "a refused request leaves no write"
        "A call that was answered with the caller's fault has committed nothing.";
    StopsHaveReasons "016" "every stop has a reason"
        "A task whose desiredStatus is STOPPED has a stop code and a reason, and nothing is STOPPED that was not asked to stop or ended by itself.";
    DesiredReached "017" "services reach their desired count, and stay"
        "Once faults have stopped for long enough, an ACTIVE service whose tasks can run and fit has its desired count RUNNING, and the same tasks some time later.";
    DeploymentsEnd "018" "deployments complete or roll back"
        "Once faults have stopped for long enough, no deployment is IN_PROGRESS that could complete or whose breaker should have opened.";
    DrainingEnds "019" "draining ends"
        "Once faults have stopped for long enough, no service is DRAINING and no DRAINING instance has a service's task that could be elsewhere.";
    PendingExplained "020" "nothing is pending without an event that says why"
        "Once faults have stopped for long enough, no task is on its way to RUNNING, and a service that lacks tasks has an event that says why.";
    StopsEnd "021" "what should stop does stop"
        "Once faults have stopped for long enough, no task on a node that is there is still stopping.";
}
