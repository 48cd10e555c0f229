//! Image references, as far as the node needs to take them apart.

/// `reference` by digest instead of tag: what it meant when the task was made.
pub(crate) fn pinned(reference: &str, digest: &str) -> String {
    let name = reference.split_once('@').map_or(reference, |(name, _)| name);
    let name_starts = name.rfind('/').map_or(0, |slash| slash + 1);
    let tag = name.get(name_starts..).and_then(|last| last.find(':'));
    let name = tag.and_then(|tag| name.get(..name_starts + tag)).unwrap_or(name);
    format!("{name}@{digest}")
}

#[cfg(test)]
mod tests {
    use super::pinned;

    #[test]
    fn a_tag_gives_way_to_the_digest() {
        let check = |reference, expected| assert_eq!(pinned(reference, "sha256:1"), expected);
        check("quotes:1", "quotes@sha256:1");
        check("quotes", "quotes@sha256:1");
        check("registry:5000/team/quotes:1.2", "registry:5000/team/quotes@sha256:1");
        check("registry:5000/team/quotes", "registry:5000/team/quotes@sha256:1");
        check("quotes@sha256:0", "quotes@sha256:1");
    }
}
