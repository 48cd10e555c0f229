//! ARNs, accounts, regions, task definitions, references of images, digests. What is a name prints
//! as it was.

use std::fmt::Display;
use std::str::FromStr;

use base::{AccountId, Arn, Region};
use domain::TaskDefinitionId;
use images::{Digest, Reference};

use super::{Target, behaviour};

pub(super) const TARGET: Target = Target {
    name: "names",
    dictionary: &[
        "arn:",
        "aws",
        ":",
        "::",
        "/",
        "ecs",
        "us-east-1",
        "123456789012",
        "task/",
        "@sha256:",
        "localhost:5000/",
        "latest",
        ".",
        "..",
        "-",
        "_",
        "__",
        "0123456789abcdef",
        ":4294967296",
        ":0",
        ":-1",
        ":+1",
    ],
    repair: None,
    run,
};

fn run(input: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(input);
    behaviour(&[
        printed::<Arn>(&text),
        printed::<AccountId>(&text),
        printed::<Region>(&text),
        printed::<TaskDefinitionId>(&text),
        printed::<Digest>(&text),
        reference(&text),
    ])
}

fn printed<T: FromStr + Display + PartialEq>(text: &str) -> bool {
    let Ok(read) = text.parse::<T>() else { return false };
    let printed = read.to_string();
    assert!(printed == text, "`{text}` prints as `{printed}`");
    assert!(printed.parse::<T>().is_ok_and(|again| again == read), "`{printed}` is another name");
    true
}

fn reference(text: &str) -> bool {
    let Ok(read) = Reference::parse(text) else { return false };
    let printed = read.to_string();
    let again = Reference::parse(&printed).unwrap_or_else(|error| panic!("`{printed}`: {error}"));
    assert_eq!(again.to_string(), printed, "`{text}` prints otherwise each time");
    true
}
