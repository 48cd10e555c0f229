//! Requests with signatures: method, path and query on one line, a header on each further one, then
//! an empty line and the body.

use base::Timestamp;
use http::{HeaderMap, HeaderName, HeaderValue};
use sigv4::{Expected, RequestParts, SecretKey, Signer, SigningKeys, parse, sign};

use super::{Target, behaviour};

/// 2015-08-30T12:36:00Z, when the corpus was signed.
const NOW: Timestamp = Timestamp::from_epoch_ms(1_440_938_160_000);

pub(super) const TARGET: Target = Target {
    name: "sigv4",
    dictionary: &[
        "GET /",
        "POST / ",
        "?",
        "&",
        "=",
        "%2F",
        "%",
        "%zz",
        "/../",
        "//",
        "host: a\n",
        "\n",
        "x-amz-date: 20150830T123600Z\n",
        "authorization: AWS4-HMAC-SHA256 ",
        "Credential=",
        "SignedHeaders=",
        "Signature=",
        "20150830/us-east-1/ecs/aws4_request",
        "host;x-amz-date",
        "X-Amz-Algorithm=AWS4-HMAC-SHA256",
        "X-Amz-Credential=",
        "X-Amz-Date=20150830T123600Z",
        "X-Amz-Expires=",
        "X-Amz-SignedHeaders=host",
        "X-Amz-Signature=",
        "X-Amz-Security-Token=",
        "x-amz-content-sha256: UNSIGNED-PAYLOAD\n",
        ", ",
        ";",
    ],
    repair: None,
    run,
};

fn run(input: &[u8]) -> u64 {
    let Some(request) = Request::read(input) else { return 0 };
    let secret = SecretKey::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned());
    let expected = Expected { region: "us-east-1", service: "ecs" };
    let keys = SigningKeys::new(4);
    let outcome = match parse(&request.parts(), NOW) {
        Ok(parsed) => {
            let verified = parsed.verify(&request.parts(), expected, &secret, request.body, &keys);
            (Ok(parsed.is_presigned), verified.map_err(|error| error.to_string()))
        }
        Err(error) => (Err(error.to_string()), Ok(())),
    };
    what_is_signed_verifies(request, &secret, expected, &keys);
    behaviour(&outcome)
}

/// Signed by us, any request verifies; and not with another body.
fn what_is_signed_verifies(
    mut request: Request<'_>,
    secret: &SecretKey,
    expected: Expected<'_>,
    keys: &SigningKeys,
) {
    // Those that carry a signature in the query, announce a body or repeat what must be single are
    // refused for that.
    if request.query.to_ascii_lowercase().contains("x-amz-") {
        return;
    }
    let names: Vec<HeaderName> = request.headers.keys().cloned().collect();
    for name in names {
        if name.as_str().starts_with("x-amz-") || request.headers.get_all(&name).iter().count() > 1
        {
            request.headers.remove(&name);
        }
    }
    request.headers.entry("host").or_insert(HeaderValue::from_static("ecs"));
    let Expected { region, service } = expected;
    let signer =
        Signer { access_key_id: "AKIDEXAMPLE", secret, session_token: None, region, service };
    let target = (request.method, request.path, request.query);
    if sign(&signer, target, &mut request.headers, request.body, NOW).is_err() {
        return;
    }
    let parts = request.parts();
    let parsed = parse(&parts, NOW).unwrap_or_else(|error| panic!("signed, but {error}"));
    if let Err(error) = parsed.verify(&parts, expected, secret, request.body, keys) {
        panic!("signed, but {error}");
    }
    let other = [request.body, b"x"].concat();
    assert!(parsed.verify(&parts, expected, secret, &other, keys).is_err(), "any body will do");
}

struct Request<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a str,
    headers: HeaderMap,
    body: &'a [u8],
}

impl<'a> Request<'a> {
    /// As far as an HTTP server lets it through.
    fn read(input: &'a [u8]) -> Option<Self> {
        let end = input.windows(2).position(|pair| pair == b"\n\n");
        let (head, body) = match end {
            Some(end) => (&input[..end], &input[end + 2..]),
            None => (input, &[][..]),
        };
        let mut lines = head.split(|byte| *byte == b'\n');
        let first = std::str::from_utf8(lines.next()?).ok()?;
        let (method, target) = first.split_once(' ')?;
        http::Method::from_bytes(method.as_bytes()).ok()?;
        target.parse::<http::Uri>().ok()?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers = HeaderMap::new();
        for line in lines.take(100) {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let name = HeaderName::from_bytes(&line[..colon]).ok()?;
            let value = line[colon + 1..].trim_ascii();
            headers.append(name, HeaderValue::from_bytes(value).ok()?);
        }
        path.starts_with('/').then_some(Self { method, path, query, headers, body })
    }

    fn parts(&self) -> RequestParts<'_> {
        let Self { method, path, query, headers, .. } = self;
        RequestParts { method, path, query, headers }
    }
}
