//! What programs of ours tell each other, and keep in files: shim, agent, control plane. The first
//! line says what the rest is; what can be read reads the same after it was written.

use std::fmt::Debug;

use node_proto::{DesiredSet, JoinTokenText, Registration};
use serde::Serialize;
use serde::de::DeserializeOwned;
use shim_proto::{
    CreateReply, CreateRequest, ExecReply, ExecRequest, ExitRecord, Reply, Request, SandboxReply,
    SandboxRequest,
};

use super::{Target, behaviour};

pub(super) const TARGET: Target = Target {
    name: "messages",
    dictionary: &[
        "create\n",
        "exec\n",
        "exit\n",
        "reply\n",
        "desired\n",
        "registration\n",
        "join\n",
        "{",
        "}",
        "[",
        "]",
        "\"",
        ":",
        ",",
        "null",
        "true",
        "-1",
        "\"signal\":",
        "\"exit_code\":",
        "\"running\":",
        "\"generation\":",
        "\"tasks\":",
        "\"status\"",
        "{\"signal\":{\"signal\":9}}",
        "[[[[[[[[",
    ],
    repair: None,
    run,
};

fn run(input: &[u8]) -> u64 {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (kind, body) = input.split_at(end);
    let body = body.get(1..).unwrap_or_default();
    match kind {
        b"create" => round_trip::<CreateRequest>(body),
        b"created" => round_trip::<CreateReply>(body),
        b"exec" => round_trip::<ExecRequest>(body),
        b"executed" => round_trip::<ExecReply>(body),
        b"exit" => round_trip::<ExitRecord>(body),
        b"request" => round_trip::<Request>(body),
        b"reply" => round_trip::<Reply>(body),
        b"sandbox" => round_trip::<SandboxRequest>(body),
        b"sandboxed" => round_trip::<SandboxReply>(body),
        b"desired" => round_trip::<DesiredSet>(body),
        b"registration" => round_trip::<Registration>(body),
        _ => join_token(body),
    }
}

fn round_trip<T: DeserializeOwned + Serialize + Debug>(body: &[u8]) -> u64 {
    let read: T = match serde_json::from_slice(body) {
        Ok(read) => read,
        Err(error) => return behaviour(&error.to_string()),
    };
    let text = serde_json::to_vec(&read).expect("a message is written");
    let again: T = serde_json::from_slice(&text)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&text)));
    assert_eq!(format!("{again:?}"), format!("{read:?}"), "it reads otherwise");
    behaviour(&read)
}

fn join_token(body: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(body);
    match JoinTokenText::parse(&text) {
        Ok(token) => {
            assert_eq!(token.text().as_str(), text.trim());
            1
        }
        Err(error) => behaviour(&error.to_string()),
    }
}
