//! The operations of Portcullis's own API: what AWS has no words for. One file each in `ops/`,
//! registered in one line each here.

mod access;
mod context;
mod error;
mod ops;
mod page;
mod render;
mod resource;

pub use context::PortcullisContext;

operation::operations! {
    /// Portcullis's own API.
    pub struct PortcullisService(PortcullisContext) for api_portcullis::API {
        api_portcullis::ops::ArchiveFinding => ops::archive_finding,
        api_portcullis::ops::CreateJoinToken => ops::create_join_token,
        api_portcullis::ops::DeleteJoinToken => ops::delete_join_token,
        api_portcullis::ops::GetAccessReport => ops::get_access_report,
        api_portcullis::ops::ListFindings => ops::list_findings,
        api_portcullis::ops::ListJoinTokens => ops::list_join_tokens,
        api_portcullis::ops::ListNodes => ops::list_nodes,
        api_portcullis::ops::ListPrincipalsWithAccess => ops::list_principals_with_access,
        api_portcullis::ops::RevokeNode => ops::revoke_node,
    }
}
