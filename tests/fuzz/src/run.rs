//! Runs one input and judges what it did.

use std::cell::RefCell;
use std::fmt;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::Target;

/// Processor time that one input may take in an unoptimised build on a slow machine.
pub const CPU_LIMIT: Duration = Duration::from_secs(2);
/// How much the process may grow by one input, in KiB.
pub const MEMORY_LIMIT_KIB: u64 = 64 * 1024;

/// What an input must not do, and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The target.
    pub target: &'static str,
    /// What happened.
    pub what: String,
    /// The input, made small.
    pub input: Vec<u8>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, what, input } = self;
        let sum = input.iter().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
            (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        writeln!(f, "{target}: {what}")?;
        writeln!(f, "add it as tests/fuzz/corpus/{target}/found-{:08x}:", sum & 0xffff_ffff)?;
        write!(f, "printf '")?;
        for byte in input {
            match byte {
                b'\'' => f.write_str("\\047")?,
                b'%' => f.write_str("%%")?,
                b'\\' => f.write_str("\\\\")?,
                b' '..=b'~' => write!(f, "{}", char::from(*byte))?,
                _ => write!(f, "\\{byte:03o}")?,
            }
        }
        write!(f, "'")
    }
}

thread_local! {
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Remembers where and why a thread panicked instead of printing it.
fn listen_to_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |information| {
            let listening = LAST_PANIC.with_borrow_mut(|last| {
                let listening = last.is_some();
                if listening {
                    *last = Some(information.to_string().replace('\n', " "));
                }
                listening
            });
            if !listening {
                before(information);
            }
        }));
    });
}

/// How the target behaved.
///
/// # Errors
/// What it did and must not.
pub(crate) fn run(target: &Target, input: &[u8]) -> Result<u64, String> {
    listen_to_panics();
    LAST_PANIC.set(Some(String::new()));
    let begin = cpu_time();
    let outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    let spent = cpu_time().saturating_sub(begin);
    let panic = LAST_PANIC.take();
    match outcome {
        Err(_) => Err(panic.unwrap_or_default()),
        Ok(_) if spent > CPU_LIMIT => Err(format!("took {spent:?} of processor time")),
        Ok(behaviour) => Ok(behaviour),
    }
}

fn cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// Forgets how large this process has been.
pub(crate) fn forget_peak() {
    // Where the kernel refuses, growth is seen only once.
    drop(fs::write("/proc/self/clear_refs", "5"));
}

/// The most resident memory since [`forget_peak`], in KiB.
pub(crate) fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0)
}
