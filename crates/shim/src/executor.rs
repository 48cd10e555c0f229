//! The last step inside the container: from libcontainer's process to the program.

use std::ffi::CString;
use std::os::fd::{OwnedFd, RawFd};

use libcontainer::workload::{
    Executor, ExecutorError, ExecutorSetEnvsError, ExecutorValidationError,
};
use nix::errno::Errno;
use oci_spec::runtime::Spec;

use crate::{init, syscalls};

/// Starts the program with the environment of the specification and nothing else.
#[derive(Clone)]
pub(crate) struct ProgramExecutor {
    /// Where the error number goes when the program cannot be started. Closed by starting it.
    pub(crate) status: RawFd,
    /// Whether to stay as process 1 and run the program as a child.
    pub(crate) init_process: bool,
}

impl Executor for ProgramExecutor {
    fn exec(&self, spec: &Spec) -> Result<(), ExecutorError> {
        let status = syscalls::adopt(self.status);
        let program = Program::of(spec).ok_or(ExecutorError::InvalidArg)?;
        let errno =
            if self.init_process { init::run(&program, status) } else { start(&program, status) };
        Err(ExecutorError::Other(errno.to_string()))
    }

    fn validate(&self, _: &Spec) -> Result<(), ExecutorValidationError> {
        // From here on the process waits for the start: without its shim it must not.
        syscalls::die_with_parent()
            .map_err(|error| ExecutorValidationError::ArgValidationError(error.to_string()))
    }

    #[expect(clippy::disallowed_types, reason = "the trait's own signature")]
    fn setup_envs(
        &self,
        _: std::collections::HashMap<String, String>,
    ) -> Result<(), ExecutorSetEnvsError> {
        // The environment is handed to execve; this process has no use for it.
        Ok(())
    }
}

/// What to execute, ready for execve.
pub(crate) struct Program {
    argv: Vec<CString>,
    environment: Vec<CString>,
    candidates: Vec<CString>,
}

impl Program {
    fn of(spec: &Spec) -> Option<Self> {
        let process = spec.process().as_ref()?;
        let texts = |list: &Option<Vec<String>>| -> Option<Vec<CString>> {
            list.iter().flatten().map(|text| CString::new(text.as_str()).ok()).collect()
        };
        let name = process.args().as_ref()?.first()?;
        let path = process.env().iter().flatten().find_map(|pair| pair.strip_prefix("PATH="));
        let candidates: Option<Vec<CString>> = if name.contains('/') {
            CString::new(name.as_str()).ok().map(|name| vec![name])
        } else {
            path.unwrap_or_default()
                .split(':')
                .map(|directory| {
                    let directory = if directory.is_empty() { "." } else { directory };
                    CString::new(format!("{directory}/{name}")).ok()
                })
                .collect()
        };
        Some(Self {
            argv: texts(process.args())?,
            environment: texts(process.env())?,
            candidates: candidates?,
        })
    }
}

/// Becomes the program. Comes back only with the error, which it has told to `status`.
pub(crate) fn start(program: &Program, status: OwnedFd) -> Errno {
    syscalls::reset_signals();
    let mut errno = Errno::ENOENT;
    for candidate in &program.candidates {
        let refused = syscalls::execve(candidate, &program.argv, &program.environment);
        if matches!(refused, Errno::ENOENT | Errno::ENOTDIR) {
            continue;
        }
        errno = refused;
        // As a shell does: something later in the path may be allowed.
        if refused != Errno::EACCES {
            break;
        }
    }
    let _ = nix::unistd::write(&status, &(errno as i32).to_le_bytes());
    drop(status);
    errno
}
