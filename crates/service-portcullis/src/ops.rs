//! One module per operation: what it is authorised on, and what it does.

pub(crate) mod archive_finding;
pub(crate) mod create_join_token;
pub(crate) mod delete_join_token;
pub(crate) mod get_access_report;
pub(crate) mod list_findings;
pub(crate) mod list_join_tokens;
pub(crate) mod list_nodes;
pub(crate) mod list_principals_with_access;
pub(crate) mod revoke_node;
