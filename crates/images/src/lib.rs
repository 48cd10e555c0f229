//! OCI images in a content-addressed store.
