use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use bytes::Bytes;
use operation::{Call, Service};
use policy::{Caller, Principal};

use crate::StsService;

#[tokio::test]
async fn a_caller_learns_who_it_is() {
    let caller = Caller {
        principal: Arc::new(Principal::root("123456789012".parse().unwrap())),
        request_id: "the-request".into(),
        source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        user_agent: None,
    };
    let body = Bytes::from_static(b"Action=GetCallerIdentity&Version=2011-06-15");
    let call = Call { operation: "GetCallerIdentity", caller, body };
    let response = StsService::new(()).call(call).await;
    let text = String::from_utf8(response.body).unwrap();
    assert_eq!(response.status, 200, "{text}");
    for expected in [
        "<GetCallerIdentityResult>",
        "<Account>123456789012</Account>",
        "<Arn>arn:aws:iam::123456789012:root</Arn>",
        "<UserId>123456789012</UserId>",
        "<RequestId>the-request</RequestId>",
    ] {
        assert!(text.contains(expected), "{expected} is not in {text}");
    }
}
