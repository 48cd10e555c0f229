//! Task-level CPU and memory: numbers that come as text.

use wire::ApiError;

use crate::error::{client_exception, invalid_parameter};

/// CPU units out of `256`, `1 vCPU`, `.25 vcpu`.
pub(crate) fn cpu_units(text: &str) -> Result<u32, ApiError> {
    amount(text, &["vcpu"])
        .filter(|units| *units > 0)
        .ok_or_else(|| invalid_parameter(format!(
            "Invalid setting for cpu: `{text}` is not a number of CPU units such as 256, or of vCPUs such as `.25 vCPU`."
        )))
}

/// MiB out of `512`, `1 GB`, `0.5gb`.
pub(crate) fn memory_mib(text: &str) -> Result<u32, ApiError> {
    amount(text, &["gb", "gib"])
        .filter(|mib| *mib > 0)
        .ok_or_else(|| invalid_parameter(format!(
            "Invalid setting for memory: `{text}` is not a number of MiB such as 512, or of gigabytes such as `1 GB`."
        )))
}

/// The number itself, or 1024 times the number before one of `units`.
fn amount(text: &str, units: &[&str]) -> Option<u32> {
    let text = text.trim().to_ascii_lowercase();
    if let Ok(number) = text.parse::<u32>() {
        return Some(number);
    }
    let number = units.iter().find_map(|unit| text.strip_suffix(unit))?.trim_end();
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.len() + fraction.len() == 0 || fraction.len() > 6 {
        return None;
    }
    let digits = |text: &str| {
        if text.is_empty() { Some(0) } else { text.parse::<u64>().ok() }
    };
    let scale = 10_u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let scaled = digits(whole)?.checked_mul(scale)?.checked_add(digits(fraction)?)?;
    u32::try_from(scaled.checked_mul(1024)? / scale).ok()
}

/// Holds a FARGATE task's CPU and memory against AWS's table.
pub(crate) fn check_fargate_combination(cpu_units: u32, memory_mib: u32) -> Result<(), ApiError> {
    const GIB: u32 = 1024;
    let (least, most, step) = match cpu_units {
        256 if memory_mib == 512 => return Ok(()),
        256 => (GIB, 2 * GIB, GIB),
        512 => (GIB, 4 * GIB, GIB),
        1024 => (2 * GIB, 8 * GIB, GIB),
        2048 => (4 * GIB, 16 * GIB, GIB),
        4096 => (8 * GIB, 30 * GIB, GIB),
        8192 => (16 * GIB, 60 * GIB, 4 * GIB),
        16384 => (32 * GIB, 120 * GIB, 8 * GIB),
        _ => {
            return Err(client_exception(format!(
                "No Fargate configuration exists for given values: {cpu_units} CPU, {memory_mib} memory. Use 256, 512, 1024, 2048, 4096, 8192 or 16384 CPU units."
            )));
        }
    };
    let fits = (least..=most).contains(&memory_mib) && (memory_mib - least).is_multiple_of(step);
    if fits {
        return Ok(());
    }
    Err(client_exception(format!(
        "No Fargate configuration exists for given values: {cpu_units} CPU, {memory_mib} memory. With {cpu_units} CPU units, use {least} to {most} MiB in steps of {step}."
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_numbers_or_numbers_with_a_unit() {
        let check = |text: &str, expected: Option<u32>| assert_eq!(cpu_units(text).ok(), expected);
        check("256", Some(256));
        check("1 vCPU", Some(1024));
        check(".25 vcpu", Some(256));
        check("0.5vCPU", Some(512));
        check("", None);
        check("0", None);
        check("vCPU", None);
        check("1 GB", None);
        check("-1", None);
        check("99999999999 vCPU", None);
        assert_eq!(memory_mib("1 GB").ok(), Some(1024));
        assert_eq!(memory_mib("0.5gb").ok(), Some(512));
    }

    #[test]
    fn fargate_takes_only_the_combinations_of_its_table() {
        let check = |cpu, memory, expected| {
            assert_eq!(check_fargate_combination(cpu, memory).is_ok(), expected, "{cpu} {memory}");
        };
        check(256, 512, true);
        check(256, 2048, true);
        check(256, 3072, false);
        check(512, 512, false);
        check(1024, 2048, true);
        check(4096, 30 * 1024, true);
        check(8192, 17 * 1024, false);
        check(8192, 20 * 1024, true);
        check(300, 1024, false);
    }
}
