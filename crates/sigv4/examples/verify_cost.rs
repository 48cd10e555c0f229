//! Prints what the verification of one DescribeTasks request costs, in microseconds.

use std::hint::black_box;
use std::io::Write as _;

use base::Timestamp;
use http::{HeaderMap, HeaderValue};
use sigv4::{Expected, RequestParts, SecretKey, Signer, SigningKeys, parse, sign};

const ROUNDS: u32 = 200_000;

#[expect(clippy::disallowed_methods, reason = "a measurement needs the machine's clock")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let secret = SecretKey::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned());
    let body = format!(
        "{{\"cluster\":\"default\",\"tasks\":[\"{}\"],\"include\":[\"TAGS\"]}}",
        "arn:aws:ecs:us-east-1:123456789012:task/default/0123456789abcdef0123456789abcdef"
    );
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("host", "127.0.0.1:4510"),
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", "AmazonEC2ContainerServiceV20141113.DescribeTasks"),
        ("amz-sdk-invocation-id", "2f1b7c3e-8c7e-4f0e-9d59-0f8a3f7a52aa"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let now = Timestamp::from_epoch_ms(1_772_323_170_000);
    let (region, service) = ("us-east-1", "ecs");
    let signer = Signer {
        access_key_id: "AKIDEXAMPLE",
        secret: &secret,
        session_token: None,
        region,
        service,
    };
    sign(&signer, ("POST", "/", ""), &mut headers, body.as_bytes(), now)?;
    headers.insert("user-agent", HeaderValue::from_static("aws-cli/2 botocore/1"));
    headers.insert("accept", HeaderValue::from_static("*/*"));

    let keys = SigningKeys::new(64);
    let parts = RequestParts { method: "POST", path: "/", query: "", headers: &headers };
    let started = std::time::Instant::now();
    for _ in 0..ROUNDS {
        let parsed = parse(black_box(&parts), now)?;
        let expected = Expected { region, service };
        parsed.verify(&parts, expected, &secret, black_box(body.as_bytes()), &keys)?;
    }
    let cost_us = started.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS);
    writeln!(std::io::stdout(), "verify: {cost_us:.2} us per request")?;
    Ok(())
}
