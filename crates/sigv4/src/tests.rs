use base::Timestamp;
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use crate::{
    ErrorFamily, Expected, RequestParts, SecretKey, SignatureError, Signer, SigningKeys, parse,
    sign,
};

const HERE: Expected<'static> = Expected { region: "us-east-1", service: "ecs" };
const NOW: Timestamp = Timestamp::from_epoch_ms(1_772_323_170_000); // 2026-02-28T23:59:30Z

#[derive(serde::Deserialize)]
struct Vectors {
    now_ms: i64,
    secret: String,
    cases: Vec<Case>,
}

#[derive(serde::Deserialize)]
struct Case {
    name: String,
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: String,
    service: String,
    token: Option<String>,
    presigned: bool,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../tests/vectors/botocore.json")).unwrap()
}

fn header_map(headers: &[(String, String)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name: HeaderName = name.parse().unwrap();
        map.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    map
}

/// A request that can be spoiled in one place before it is judged.
struct Request {
    method: &'static str,
    path: String,
    query: String,
    headers: HeaderMap,
    body: Vec<u8>,
    now: Timestamp,
}

impl Request {
    fn signed() -> Self {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("127.0.0.1:4510"));
        headers.insert("x-amz-target", HeaderValue::from_static("Service.Operation"));
        Self {
            method: "POST",
            path: "/".to_owned(),
            query: "a=1&b=x%20y".to_owned(),
            headers,
            body: b"{}".to_vec(),
            now: NOW,
        }
        .sign()
    }

    fn sign(mut self) -> Self {
        let secret = SecretKey::new("secret".to_owned());
        let signer = Signer {
            access_key_id: "AKID",
            secret: &secret,
            session_token: None,
            region: "us-east-1",
            service: "ecs",
        };
        let target = (self.method, self.path.as_str(), self.query.as_str());
        sign(&signer, target, &mut self.headers, &self.body, NOW).unwrap();
        self
    }

    fn set(&mut self, name: &'static str, value: &str) {
        self.headers.insert(name, HeaderValue::from_str(value).unwrap());
    }

    fn replace_in_authorization(&mut self, from: &str, to: &str) {
        let old = self.headers.get("authorization").unwrap().to_str().unwrap();
        let new = old.replace(from, to);
        assert_ne!(old, new);
        self.set("authorization", &new);
    }

    fn judge(&self) -> Result<(), SignatureError> {
        let parts = RequestParts {
            method: self.method,
            path: &self.path,
            query: &self.query,
            headers: &self.headers,
        };
        let secret = SecretKey::new("secret".to_owned());
        parse(&parts, self.now)?.verify(&parts, HERE, &secret, &self.body, &SigningKeys::new(4))
    }
}

/// Spoils a good request and expects `code` and a message with `words`.
fn check(spoil: impl FnOnce(&mut Request), code: &str, words: &str) {
    let mut request = Request::signed();
    spoil(&mut request);
    let error = request.judge().unwrap_err();
    assert_eq!(error.code(ErrorFamily::Json), code, "{error}");
    assert!(error.to_string().contains(words), "{error}");
}

#[test]
fn requests_signed_by_botocore_verify_and_changed_ones_do_not() {
    let vectors = vectors();
    let (secret, keys) = (SecretKey::new(vectors.secret), SigningKeys::new(8));
    for case in &vectors.cases {
        let headers = header_map(&case.headers);
        let parts = RequestParts {
            method: &case.method,
            path: &case.path,
            query: &case.query,
            headers: &headers,
        };
        let expected = Expected { region: "us-east-1", service: &case.service };
        let parsed = parse(&parts, Timestamp::from_epoch_ms(vectors.now_ms)).unwrap();
        assert_eq!(parsed.is_presigned, case.presigned, "{}", case.name);
        assert_eq!(parsed.access_key_id, "AKIDEXAMPLE");
        assert_eq!(parsed.session_token.as_deref(), case.token.as_deref());
        let verify = |parts: RequestParts<'_>, body: &[u8]| {
            parsed.verify(&parts, expected, &secret, body, &keys)
        };
        let body = case.body.as_bytes();
        assert_eq!(verify(parts, body), Ok(()), "{}", case.name);
        let (path, query) = (format!("{}x", case.path), format!("{}&x=y", case.query));
        assert!(verify(parts, b"other").is_err(), "{}", case.name);
        assert!(verify(RequestParts { path: &path, ..parts }, body).is_err(), "{}", case.name);
        assert!(verify(RequestParts { query: &query, ..parts }, body).is_err(), "{}", case.name);
    }
    assert_eq!(keys.len(), 2);
}

#[test]
fn our_own_signature_verifies() {
    assert_eq!(Request::signed().judge(), Ok(()));
}

#[test]
fn a_request_without_a_signature_has_a_missing_token() {
    let remove = |request: &mut Request| {
        request.headers.remove("authorization");
    };
    check(remove, "MissingAuthenticationTokenException", "Missing Authentication Token");
}

#[test]
fn any_change_after_signing_is_a_mismatch() {
    let code = "InvalidSignatureException";
    check(|request| request.body = b"{ }".to_vec(), code, "does not match");
    check(|request| request.method = "PUT", code, "does not match");
    check(|request| request.query.push_str("&c"), code, "does not match");
    check(|request| request.query = "a=1&b=x%2520y".to_owned(), code, "does not match");
    check(|request| request.path = "/x".to_owned(), code, "does not match");
    check(|request| request.set("x-amz-target", "Service.Other"), code, "does not match");
    check(|request| request.set("x-amz-date", "20260228T235931Z"), code, "does not match");
}

#[test]
fn the_clocks_may_differ_by_fifteen_minutes() {
    for skew_s in [-900, 900] {
        let mut request = Request::signed();
        request.now = NOW.plus_seconds(skew_s);
        assert_eq!(request.judge(), Ok(()));
    }
    let code = "InvalidSignatureException";
    let late = "Signature expired: 20260228T235930Z is now earlier than 20260228T235931Z \
                (20260301T001431Z - 15 min.)";
    check(|request| request.now = NOW.plus_seconds(901), code, late);
    check(|request| request.now = NOW.plus_seconds(-901), code, "Signature not yet current");
}

#[test]
fn a_presigned_request_lives_as_long_as_it_says() {
    let vectors = vectors();
    let case = vectors.cases.iter().find(|case| case.name == "presigned").unwrap();
    let headers = header_map(&case.headers);
    let check = |query: &str, seconds, words: &str| {
        let parts = RequestParts { method: "GET", path: "/", query, headers: &headers };
        match parse(&parts, Timestamp::from_epoch_ms(vectors.now_ms).plus_seconds(seconds)) {
            Ok(_) => assert_eq!(words, ""),
            Err(error) => {
                assert!(!words.is_empty() && error.to_string().contains(words), "{error}")
            }
        }
    };
    check(&case.query, 60, "");
    check(&case.query, 61, "Signature expired");
    check(&case.query, -901, "Signature not yet current");
    for wrong in ["0", "604801", "-1", "x", "99999999999999999999", ""] {
        let query = case.query.replace("Expires=60", &format!("Expires={wrong}"));
        check(&query, 0, "X-Amz-Expires");
    }
    check(&format!("{}&X-Amz-Date=20260228T235930Z", case.query), 0, "sent twice");
    check(&format!("{}&X-Amz-%53ignature=00", case.query), 0, "sent twice");
    check(&case.query.replace("HMAC-SHA256", "HMAC-SHA1"), 0, "Unsupported AWS 'algorithm'");
    check(&case.query.replace("X-Amz-Algorithm", "x"), 0, "must include 'X-Amz-Algorithm'");
}

#[test]
fn the_scope_must_be_this_service_and_this_region() {
    let code = "InvalidSignatureException";
    let change = |from: &'static str, to: &'static str| {
        move |request: &mut Request| request.replace_in_authorization(from, to)
    };
    check(change("us-east-1", "eu-west-1"), code, "valid region, not 'eu-west-1'");
    check(change("/ecs/", "/sts/"), code, "correct service: 'ecs'");
    check(change("20260228", "20260227"), code, "'20260227' != '20260228'");
    check(change("aws4_request", "aws4"), code, "valid terminator");
    let malformed = "exactly 5 slash-delimited";
    check(change("/ecs/", "//"), "IncompleteSignatureException", malformed);
    check(change("/ecs/", "/ecs/x/"), "IncompleteSignatureException", malformed);
}

#[test]
fn the_host_and_every_amz_header_must_be_signed() {
    let code = "InvalidSignatureException";
    let change = |from: &'static str, to: &'static str| {
        move |request: &mut Request| request.replace_in_authorization(from, to)
    };
    check(change("host;", ""), code, "'Host'");
    check(change(";x-amz-target", ""), code, "not signed: x-amz-target");
    check(change("x-amz-target", "x-amz-zeta"), code, "not in the request");
    check(|request| request.set("x-amz-security-token", "t"), code, "x-amz-security-token");
    let incomplete = "IncompleteSignatureException";
    check(change("host;x-amz-date", "x-amz-date;host"), incomplete, "sorted");
    check(change("host;", "host;host;"), incomplete, "sorted");
    check(change("host;", "Host;"), incomplete, "lower-case");

    let mut harmless = Request::signed();
    harmless.set("x-amz-user-agent", "browser");
    harmless.set("x-amzn-trace-id", "Root=1");
    assert_eq!(harmless.judge(), Ok(()));
}

#[test]
fn a_malformed_authorization_says_all_that_is_missing() {
    let code = "IncompleteSignatureException";
    let set =
        |value: &'static str| move |request: &mut Request| request.set("authorization", value);
    let all = "Authorization header requires 'Credential' parameter. Authorization header \
               requires 'Signature' parameter. Authorization header requires 'SignedHeaders' \
               parameter.";
    check(set("AWS4-HMAC-SHA256"), code, all);
    check(set("Basic YTpi"), code, "Unsupported AWS 'algorithm': 'Basic'");
    check(set("AWS4-HMAC-SHA256 Signature=0, Signature=1"), code, "two 'Signature'");
    check(set("AWS4-HMAC-SHA256 Foo=1"), code, "'Foo'");
    check(|request| request.set("x-amz-date", "2026"), code, "ISO-8601");
    check(|request| request.replace_in_authorization("Signature=", "Signature=A"), code, "64");
    let append = |name: &'static str| {
        move |request: &mut Request| {
            request.headers.append(name, HeaderValue::from_static("x"));
        }
    };
    for name in ["authorization", "x-amz-date", "x-amz-target", "host"] {
        check(append(name), code, "more than once");
    }
    let no_date = |request: &mut Request| {
        request.headers.remove("x-amz-date");
    };
    check(no_date, code, "'X-Amz-Date' or a 'Date' header");
}

#[test]
fn an_announced_body_hash_must_be_the_body_s() {
    for value in ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "00"] {
        let mut request = Request::signed();
        request.set("x-amz-content-sha256", value);
        let error = request.sign().judge().unwrap_err();
        assert!(error.to_string().contains("x-amz-content-sha256"), "{error}");
    }
}

#[test]
fn the_key_cache_is_bounded_and_follows_a_changed_secret() {
    let keys = SigningKeys::new(2);
    let tag = |secret: &SecretKey, service: &str| {
        let key = crate::key::derive(secret, "20260228", "us-east-1", service);
        let mut bytes = [0; 32];
        bytes.copy_from_slice(aws_lc_rs::hmac::sign(&key, b"text").as_ref());
        bytes
    };
    let (old, new) = (SecretKey::new("old".to_owned()), SecretKey::new("new".to_owned()));
    for service in ["a", "b", "c", "c"] {
        let credential = format!("AKID/20260228/us-east-1/{service}");
        assert!(keys.verify(&credential, &old, b"text", &tag(&old, service)));
    }
    assert_eq!(keys.len(), 2);
    let credential = "AKID/20260228/us-east-1/c";
    assert!(!keys.verify(credential, &new, b"text", &tag(&old, "c")));
    assert!(keys.verify(credential, &new, b"text", &tag(&new, "c")));
    assert!(!keys.verify(credential, &old, b"text", &tag(&new, "c")));
    assert!(!keys.verify("AKID/20260228/us-east-1/d", &old, b"text", &[0; 32]));
    assert_eq!(keys.len(), 2);
}

#[test]
fn a_secret_is_never_printed() {
    assert_eq!(format!("{:?}", SecretKey::new("hush".to_owned())), "SecretKey(hidden)");
}

proptest! {
    #[test]
    fn no_request_makes_the_parser_panic(
        authorization in "(AWS4-HMAC-SHA256 )?(Credential=|SignedHeaders=|Signature=|[ -~]{0,12}|[,/;=]){0,9}",
        date in "[0-9TZ]{0,18}|20260228T[0-9]{6}Z",
        path in "/[ -~é]{0,20}",
        query in "((X-Amz-[A-Za-z]{4,13}|[ -~é%+]{0,6})=[ -~é%+]{0,20}&?){0,8}",
    ) {
        let mut request = Request::signed();
        request.set("authorization", &authorization);
        request.set("x-amz-date", &date);
        (request.path, request.query) = (path, query);
        prop_assert!(request.judge().is_err());
        request.headers.remove("authorization");
        prop_assert!(request.judge().is_err());
    }

    #[test]
    fn whatever_is_signed_verifies_and_its_query_is_bound(
        path in "/[!-~]{0,20}",
        query in "[!-~]{0,40}",
        body in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        prop_assume!(!query.contains("X-Amz-") && !path.contains('?') && !query.contains('%'));
        let mut request = Request::signed();
        (request.path, request.query, request.body) = (path, query, body);
        let mut request = request.sign();
        prop_assert_eq!(request.judge(), Ok(()));
        request.query.push_str("&zz=1");
        prop_assert!(request.judge().is_err());
    }
}
