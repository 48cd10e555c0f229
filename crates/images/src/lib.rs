//! OCI images in a content-addressed store.
//!
//! An image enters as an archive file or directory ([`ImageStore::import`]), is checked against every digest it
//! claims, and is unpacked layer by layer by a confined helper process ([`unpack`]). What is in the store is
//! complete and verified: a staging directory is renamed into place only after everything in it was checked.
//!
//! ```text
//! DIR/lock  DIR/importers          advisory locks, shared with other processes
//! DIR/blobs/sha256/<hex>           manifests and configurations
//! DIR/layers/<diff id hex>/        unpacked layers, ready to be overlayfs lower directories
//! DIR/references/<hash>            which manifest a reference means
//! DIR/tmp/                         staging; whatever is left here by a crash is removed by the next open
//! ```
//!
//! Layer blobs are not kept: the unpacked layer is the only copy. `DIR` is mode 0700, because layers hold
//! set-user-id programs as the image's author made them.

mod digest;
mod error;
mod import;
mod layout;
mod limits;
mod reference;
mod source;
mod spec;
mod store;
mod tar_walk;
pub mod unpack;

pub use digest::{Digest, ParseDigestError};
pub use error::{ImageError, Refusal};
pub use import::{ImportedImage, Progress};
pub use limits::Limits;
pub use reference::Reference;
pub use spec::ImageConfig;
pub use store::{Image, ImageStore, Pruned, StoredReference};
pub use unpack::UnpackHelper;
