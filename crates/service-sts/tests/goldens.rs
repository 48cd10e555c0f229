//! What every operation answers: the cases of `tests/wire/sts`.

#[cfg(test)]
#[path = "goldens/world.rs"]
mod world;

#[cfg(test)]
mod cases {
    use crate::world::World;

    #[tokio::test]
    async fn every_answer_is_as_recorded() {
        goldens::every_answer_is_as_recorded("sts", World::new).await;
    }

    #[tokio::test]
    async fn every_operation_has_a_success_and_an_error_case() {
        goldens::every_operation_has_its_cases("sts", &World::new().await, &[]);
    }

    #[tokio::test]
    async fn every_operation_can_be_denied() {
        goldens::every_operation_can_be_denied("sts", World::new).await;
    }
}

#[cfg(test)]
mod sessions {
    use std::collections::BTreeMap;
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::Arc;

    use base::Clock as _;
    use goldens::World as _;
    use identity::{Claim, Credential, Credentials as _, Door};
    use policy::Caller;
    use serde_json::json;

    use crate::world::World;

    /// The text of an element of an answer.
    fn element<'a>(answer: &'a str, name: &str) -> &'a str {
        let (_, rest) = answer.split_once(&format!("<{name}>")).expect(answer);
        rest.split_once("</").unwrap().0
    }

    /// Becomes a role as `caller`, and finds the credential that the answer holds.
    async fn become_role(world: &World, caller: Caller, body: &str) -> Arc<Credential> {
        let body = format!("Action=AssumeRole&Version=2011-06-15&{body}");
        let outcome = goldens::call_as(world.service(), "AssumeRole", body, caller).await;
        let answer = String::from_utf8(outcome.response.body).unwrap();
        let claim = Claim {
            access_key_id: element(&answer, "AccessKeyId"),
            session_token: Some(element(&answer, "SessionToken")),
            source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            door: &Door::Endpoint,
            now: world.clock().now(),
        };
        let found = world.directory().find(&claim).unwrap();
        assert!(found.secret.is(element(&answer, "SecretAccessKey")));
        found
    }

    fn caller(world: &World, credential: &Credential) -> Caller {
        let scope = goldens::scope();
        Caller {
            principal: Arc::clone(&credential.principal),
            permissions: Arc::clone(&credential.permissions),
            session: Arc::clone(&credential.session),
            ..Caller::root(scope.account, scope.region, world.clock().now())
        }
    }

    #[tokio::test]
    async fn transitive_tags_and_the_source_identity_go_on_to_the_next_session() {
        let world = World::new().await;
        let actions = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"];
        for (name, trusted) in [("first", "user/ann"), ("second", "role/first")] {
            let arn = format!("arn:aws:iam::123456789012:{trusted}");
            let trust = json!({ "Version": "2012-10-17", "Statement": [
                { "Effect": "Allow", "Principal": { "AWS": arn }, "Action": actions }] });
            world.set_up("role", &json!({ "name": name, "trust": trust })).await;
        }
        let scope = goldens::scope();
        let root = Caller::root(scope.account, scope.region, world.clock().now());
        let mut ann = root.principal.as_ref().clone();
        ann.arn = "arn:aws:iam::123456789012:user/ann".to_owned();
        ann.kind = policy::PrincipalKind::User { name: "ann".to_owned() };
        let ann = Caller { principal: Arc::new(ann), ..root };
        let arn = "RoleArn=arn:aws:iam::123456789012:role";
        let first = become_role(
            &world,
            ann,
            &format!(
                "{arn}/first&RoleSessionName=one&SourceIdentity=ann&Tags.member.1.Key=team\
                 &Tags.member.1.Value=blue&Tags.member.2.Key=stage&Tags.member.2.Value=test\
                 &TransitiveTagKeys.member.1=team"
            ),
        )
        .await;
        assert_eq!(first.principal.tags.len(), 2);
        let body = format!("{arn}/second&RoleSessionName=two");
        let second = become_role(&world, caller(&world, &first), &body).await;
        let expected = BTreeMap::from([("team".to_owned(), "blue".to_owned())]);
        assert_eq!(second.principal.tags, expected);
        assert_eq!(second.session.source_identity.as_deref(), Some("ann"));
        assert!(second.session.transitive_tag_keys.contains("team"));
    }
}
