//! The ARNs that policies name.

use base::Scope;
use policy::Access;

/// The condition key with the name of a cluster.
const CLUSTER_KEY: &str = "portcullis:cluster";

/// `arn:aws:portcullis:REGION:ACCOUNT:join-token/ID`.
pub(crate) fn join_token(scope: &Scope, id: &str) -> String {
    scope.arn("portcullis", format_args!("join-token/{id}"))
}

/// `arn:aws:portcullis:REGION:ACCOUNT:node/ID`.
pub(crate) fn node(scope: &Scope, id: &str) -> String {
    scope.arn("portcullis", format_args!("node/{id}"))
}

/// `arn:aws:portcullis:REGION:ACCOUNT:finding/ID`.
pub(crate) fn finding(scope: &Scope, id: &str) -> String {
    scope.arn("portcullis", format_args!("finding/{id}"))
}

/// With the cluster that the access is about, where that is known.
pub(crate) fn in_cluster(access: Access, cluster: Option<&str>) -> Access {
    match cluster {
        Some(cluster) => access.with_key(CLUSTER_KEY, cluster),
        None => access,
    }
}
