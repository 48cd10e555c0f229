//! awsQuery forms: `Action=X&Version=Y&List.member.1.Name=…`.

mod de;
mod form;

pub use form::Form;
