//! `portcullis audit`.

use std::fs;

use ::audit::{AuditError, PublicKey};

use crate::arguments::{AuditCommand, VerifyArguments};
use crate::failure::Failure;
use crate::output::print;

/// Works on the audit log of this machine.
pub(crate) fn audit(command: AuditCommand) -> Result<(), Failure> {
    match command {
        AuditCommand::Verify(arguments) => verify(&arguments),
    }
}

/// Proves that no record is missing or changed.
fn verify(arguments: &VerifyArguments) -> Result<(), Failure> {
    let directory = arguments.state.state_dir.join("audit");
    let own = directory.join("public-key.pem");
    let path = arguments.public_key.as_ref().unwrap_or(&own);
    let text = fs::read_to_string(path).map_err(|error| {
        Failure::caused(format!("cannot read the public key `{}`", path.display()), &error)
            .advice("give --state-dir of a `portcullis up` of this machine, or --public-key")
    })?;
    let key = PublicKey::from_pem(&text).ok_or_else(|| {
        Failure::new(format!("`{}` is not the PEM of an Ed25519 public key", path.display()))
            .advice("use the file public-key.pem of the audit log, or a copy of it")
    })?;
    let report = ::audit::verify(&directory, &key).map_err(|error| broken(&error))?;
    let times = report
        .times
        .map_or_else(|| "no records".to_owned(), |(from, to)| format!("{from} to {to}"));
    print(&format!(
        "the audit log is whole\n\
         records   {}\n\
         segments  {}\n\
         times     {times}\n\
         lines     {} to {}\n\
         sealed    line {} {}\n\
         unsealed  {}\n",
        report.records,
        report.segments,
        report.first,
        report.last,
        report.sealed,
        report.sealed_hash,
        report.unsealed,
    ))
}

fn broken(error: &AuditError) -> Failure {
    if let AuditError::Broken(place) = error {
        Failure::new(format!("the audit log is not whole: {place}"))
            .advice("keep the directory as evidence; what comes before this place is proven")
    } else {
        Failure::of(error)
    }
}
