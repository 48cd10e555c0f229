//! boto3, kept running beside a test: a call costs milliseconds, and it is the real SDK.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

const DRIVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/driver.py");

/// An error answer of an AWS API, as the SDK understood it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// Such as `ClientException`.
    pub code: String,
    /// For people.
    pub message: String,
    /// The HTTP status.
    pub status: u64,
}

/// Credentials that a call is made with instead of those of the world's `client.env`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The access key id.
    pub access_key_id: String,
    /// The secret.
    pub secret: String,
    /// For temporary credentials, their token.
    pub session_token: Option<String>,
}

impl Credentials {
    /// Those in an answer of IAM or STS: the members `AccessKeyId`, `SecretAccessKey` and, for
    /// temporary ones, `SessionToken`.
    pub fn of(answer: &Value) -> Self {
        let text = |name: &str| answer[name].as_str().map(ToOwned::to_owned);
        Self {
            access_key_id: text("AccessKeyId").unwrap_or_else(|| panic!("no key in {answer}")),
            secret: text("SecretAccessKey").unwrap_or_else(|| panic!("no secret in {answer}")),
            session_token: text("SessionToken"),
        }
    }

    /// As environment variables, for other programs.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut variables = vec![
            ("AWS_ACCESS_KEY_ID", self.access_key_id.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.secret.clone()),
        ];
        variables.extend(self.session_token.clone().map(|token| ("AWS_SESSION_TOKEN", token)));
        variables
    }
}

/// One boto3 process.
#[derive(Debug)]
pub struct Client {
    process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Client {
    /// Starts it with the variables of a `client.env`.
    pub fn start(clients: &Path, environment: &[(String, String)]) -> Self {
        let mut process = Command::new(clients.join("bin/python"))
            .arg(DRIVER)
            .env_clear()
            .envs(environment.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("start boto3");
        let requests = process.stdin.take().expect("a pipe");
        let answers = BufReader::new(process.stdout.take().expect("a pipe"));
        Self { process, requests, answers }
    }

    /// Calls an operation, spelled as boto3 does: `run_task`.
    ///
    /// # Errors
    /// What the service answered.
    pub fn call(
        &mut self,
        service: &str,
        operation: &str,
        input: &Value,
    ) -> Result<Value, ApiError> {
        self.ask(
            &json!({"kind": "call", "service": service, "operation": operation, "input": input}),
        )
    }

    /// Calls an operation with credentials of its own.
    ///
    /// # Errors
    /// What the service answered.
    pub fn call_as(
        &mut self,
        credentials: &Credentials,
        service: &str,
        operation: &str,
        input: &Value,
    ) -> Result<Value, ApiError> {
        let mut keys = json!({
            "aws_access_key_id": credentials.access_key_id,
            "aws_secret_access_key": credentials.secret,
        });
        if let Some(token) = &credentials.session_token {
            keys["aws_session_token"] = json!(token);
        }
        self.ask(&json!({
            "kind": "call", "service": service, "operation": operation, "input": input, "as": keys,
        }))
    }

    /// What a device with this seed shows, `steps` of 30 s from now.
    ///
    /// # Panics
    /// When the seed is none.
    pub fn one_time_password(&mut self, seed: &str, steps: i64) -> String {
        let code = self.ask(&json!({"kind": "one_time_password", "seed": seed, "steps": steps}));
        code.expect("a code").as_str().expect("a text").to_owned()
    }

    /// Follows a paginator to its end; its pages as one.
    ///
    /// # Errors
    /// What the service answered.
    pub fn paginate(
        &mut self,
        service: &str,
        operation: &str,
        input: &Value,
        page_size: u32,
    ) -> Result<Value, ApiError> {
        self.ask(&json!({
            "kind": "paginate", "service": service, "operation": operation, "input": input,
            "page_size": page_size,
        }))
    }

    /// Waits with one of the SDK's waiters, looking every second.
    ///
    /// # Errors
    /// When the waiter gave up, with code `WaiterError`.
    pub fn wait(&mut self, service: &str, waiter: &str, input: &Value) -> Result<Value, ApiError> {
        self.ask(&json!({"kind": "wait", "service": service, "waiter": waiter, "input": input}))
    }

    /// Signs a request with the SDK's signer, as `request` says, and sends it: `service`, `target`,
    /// `body`, and optionally `secret`, `region`, `clock_offset_s`, `unsigned`, `headers`,
    /// `tampered_body`. Returns `{"status": …, "body": …}`.
    ///
    /// # Panics
    /// When nothing is answered.
    pub fn raw(&mut self, mut request: Value) -> Value {
        if let Some(fields) = request.as_object_mut() {
            fields.insert("kind".to_owned(), json!("raw"));
        }
        self.ask(&request).expect("an answer")
    }

    /// Ends the process, and its connections with it.
    pub fn end(&mut self) {
        // It may have ended by itself.
        drop(self.process.kill());
        drop(self.process.wait());
    }

    fn ask(&mut self, request: &Value) -> Result<Value, ApiError> {
        writeln!(self.requests, "{request}").expect("write to boto3");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("read from boto3");
        let answer: Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("boto3 said `{line}`: {error}"));
        let text = |name: &str| answer.get("error")?.get(name)?.as_str().map(ToOwned::to_owned);
        match (answer.get("ok"), text("code")) {
            (Some(value), None) => Ok(value.clone()),
            (_, code) => Err(ApiError {
                code: code.unwrap_or_default(),
                message: text("message").unwrap_or_default(),
                status: answer
                    .get("error")
                    .and_then(|error| error.get("status"))
                    .and_then(Value::as_u64)
                    .unwrap_or(0),
            }),
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.end();
    }
}
