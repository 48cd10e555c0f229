//! What an archive says is in it: images, their references, manifests and layers.
//!
//! Two forms are read: an OCI image layout (also inside newer `docker save` archives, which carry both forms) and
//! the older `docker save` form with `manifest.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use serde::de::DeserializeOwned;

use crate::digest::Digest;
use crate::error::{ImageError, Refusal};
use crate::limits::Limits;
use crate::reference::{Reference, valid_tag};
use crate::source::Source;
use crate::spec::{
    self, Compression, ConfigFile, Descriptor, Index, LayoutFile, Manifest, Platform, SavedImage,
};

const NAME_ANNOTATION: &str = "io.containerd.image.name";
const REF_ANNOTATION: &str = "org.opencontainers.image.ref.name";
const ATTESTATION_ANNOTATION: &str = "vnd.docker.reference.type";
/// Indexes inside indexes.
const INDEX_DEPTH: usize = 3;

/// An image of the archive that is going to be imported.
pub(crate) struct PlannedImage {
    pub(crate) references: Vec<Reference>,
    /// The manifest as it is in the archive; `None` for the older form, which has none.
    pub(crate) manifest: Option<(Digest, Vec<u8>)>,
    pub(crate) config_digest: Digest,
    pub(crate) config: Vec<u8>,
    pub(crate) layers: Vec<PlannedLayer>,
}

/// A layer and where its bytes are.
pub(crate) struct PlannedLayer {
    /// The member's name in the archive.
    pub(crate) member: String,
    /// The declared digest of the packed bytes; `None` in the older form.
    pub(crate) digest: Option<Digest>,
    pub(crate) compression: Compression,
    pub(crate) diff_id: Digest,
}

pub(crate) fn plan(
    source: &Source,
    name: Option<&str>,
    limits: &Limits,
) -> Result<Vec<PlannedImage>, ImageError> {
    let images = match source.find("oci-layout")? {
        Some(_) => plan_layout(source, name, limits)?,
        None if source.find("manifest.json")?.is_some() => plan_saved(source, name, limits)?,
        None => return Err(ImageError::refused("oci-layout", Refusal::Missing)),
    };
    if images.is_empty() {
        return Err(ImageError::refused("index.json", Refusal::Missing));
    }
    Ok(images)
}

pub(crate) fn parse<T: DeserializeOwned>(member: &str, bytes: &[u8]) -> Result<T, ImageError> {
    serde_json::from_slice(bytes).map_err(|error| {
        let reason = error.to_string().chars().take(300).collect();
        ImageError::refused(member, Refusal::Json { reason })
    })
}

fn plan_layout(
    source: &Source,
    name: Option<&str>,
    limits: &Limits,
) -> Result<Vec<PlannedImage>, ImageError> {
    let layout: LayoutFile = parse("oci-layout", &source.json("oci-layout", None, limits)?)?;
    if !layout.image_layout_version.starts_with("1.") {
        let reason = "imageLayoutVersion is not 1.x".to_owned();
        return Err(ImageError::refused("oci-layout", Refusal::Json { reason }));
    }
    let index: Index = read_index("index.json", &source.json("index.json", None, limits)?)?;
    let mut groups: BTreeMap<Option<String>, Vec<Descriptor>> = BTreeMap::new();
    for descriptor in index.manifests {
        if !is_attestation(&descriptor) {
            groups.entry(annotated_name(&descriptor)).or_default().push(descriptor);
        }
    }
    if groups.len() > limits.images {
        return Err(ImageError::refused(
            "index.json",
            Refusal::TooManyImages { limit: limits.images },
        ));
    }
    let single = groups.len() == 1;
    let mut images = Vec::new();
    for (annotation, descriptors) in groups {
        let given = name_of(source, name, single)?;
        let reference = layout_reference(source, given, annotation.as_deref())?;
        let manifest = choose(source, "index.json", descriptors, 0, limits)?;
        images.push(plan_manifest(source, reference, &manifest, limits)?);
    }
    Ok(images)
}

fn read_index(member: &str, bytes: &[u8]) -> Result<Index, ImageError> {
    let index: Index = parse(member, bytes)?;
    if index.schema_version != 2 {
        let reason = "schemaVersion is not 2".to_owned();
        return Err(ImageError::refused(member, Refusal::Json { reason }));
    }
    Ok(index)
}

fn is_attestation(descriptor: &Descriptor) -> bool {
    descriptor.annotations.as_ref().is_some_and(|all| all.contains_key(ATTESTATION_ANNOTATION))
}

fn annotated_name(descriptor: &Descriptor) -> Option<String> {
    let annotations = descriptor.annotations.as_ref()?;
    annotations.get(NAME_ANNOTATION).or_else(|| annotations.get(REF_ANNOTATION)).cloned()
}

/// The name that the caller gave, which is possible only for an archive with one image.
fn name_of<'a>(
    source: &Source,
    name: Option<&'a str>,
    single: bool,
) -> Result<Option<&'a str>, ImageError> {
    if name.is_some() && !single {
        let reason = "it holds several images: import it without a name";
        return Err(ImageError::Name { file: source.path().to_owned(), reason });
    }
    Ok(name)
}

/// A layout's annotation is a whole reference or, with most tools, just a tag.
fn layout_reference(
    source: &Source,
    given: Option<&str>,
    annotation: Option<&str>,
) -> Result<Reference, ImageError> {
    let tag = annotation.filter(|text| !text.contains([':', '/']) && valid_tag(text));
    let reference = match (given, annotation, tag) {
        (Some(given), _, Some(tag)) if !given.contains('@') && !has_tag(given) => {
            Reference::parse(&format!("{given}:{tag}"))?
        }
        (Some(given), _, _) => Reference::parse(given)?,
        (None, Some(annotation), None) => Reference::parse(annotation)?,
        (None, _, _) => {
            let reason = "the archive does not say: pass a name";
            return Err(ImageError::Name { file: source.path().to_owned(), reason });
        }
    };
    no_digest(source, reference)
}

fn has_tag(name: &str) -> bool {
    name.rsplit_once(':').is_some_and(|(_, tag)| !tag.contains('/'))
}

fn no_digest(source: &Source, reference: Reference) -> Result<Reference, ImageError> {
    if reference.digest().is_some() {
        let reason = "give a tag, the digest follows from the content";
        return Err(ImageError::Name { file: source.path().to_owned(), reason });
    }
    Ok(reference)
}

/// Finds this machine's manifest in a list, going down into indexes.
fn choose(
    source: &Source,
    member: &str,
    descriptors: Vec<Descriptor>,
    depth: usize,
    limits: &Limits,
) -> Result<Descriptor, ImageError> {
    let mut seen = BTreeSet::new();
    let mut offered = Vec::new();
    let mut best: Option<(u8, Descriptor)> = None;
    for descriptor in descriptors {
        if is_attestation(&descriptor) {
            continue;
        }
        if !seen.insert(descriptor.platform.clone()) {
            let name = descriptor
                .platform
                .as_ref()
                .map_or_else(|| descriptor.digest.to_string(), platform_name);
            return Err(ImageError::refused(&format!("{member}: {name}"), Refusal::Duplicate));
        }
        offered
            .push(descriptor.platform.as_ref().map_or_else(|| "unknown".to_owned(), platform_name));
        let rank = descriptor.platform.as_ref().map_or(Some(1), rank);
        if let Some(rank) = rank
            && best.as_ref().is_none_or(|(other, _)| rank > *other)
        {
            best = Some((rank, descriptor));
        }
    }
    let Some((_, descriptor)) = best else {
        return Err(wrong_platform(member, &offered.join(", ")));
    };
    match descriptor.media_type.as_str() {
        spec::OCI_MANIFEST | spec::DOCKER_MANIFEST => Ok(descriptor),
        spec::OCI_INDEX | spec::DOCKER_INDEX if depth < INDEX_DEPTH => {
            let member = blob_member(&descriptor.digest);
            let bytes =
                source.json(&member, Some((&descriptor.digest, descriptor.size)), limits)?;
            let index = read_index(&member, &bytes)?;
            choose(source, &member, index.manifests, depth.saturating_add(1), limits)
        }
        other => Err(unsupported(member, other)),
    }
}

fn unsupported(member: &str, media_type: &str) -> ImageError {
    let media_type = crate::error::shown(media_type.as_bytes());
    ImageError::refused(member, Refusal::MediaType { media_type })
}

fn wrong_platform(member: &str, found: &str) -> ImageError {
    let found = crate::error::shown(found.as_bytes());
    ImageError::refused(
        member,
        Refusal::Platform { found, wanted: format!("linux/{}", architecture()) },
    )
}

/// How well a platform fits; a variant above the architecture's baseline is not known to run here.
fn rank(platform: &Platform) -> Option<u8> {
    if platform.os != "linux" || platform.architecture != architecture() {
        return None;
    }
    match (architecture(), platform.variant.as_deref()) {
        (_, None | Some("")) => Some(3),
        ("amd64", Some("v1")) | ("arm64", Some("v8")) => Some(2),
        (_, Some(_)) => None,
    }
}

fn platform_name(platform: &Platform) -> String {
    let Platform { os, architecture, variant, .. } = platform;
    match variant {
        Some(variant) => format!("{os}/{architecture}/{variant}"),
        None => format!("{os}/{architecture}"),
    }
}

/// This machine's architecture in Go's words, which images use.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn blob_member(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

fn plan_manifest(
    source: &Source,
    reference: Reference,
    descriptor: &Descriptor,
    limits: &Limits,
) -> Result<PlannedImage, ImageError> {
    let member = blob_member(&descriptor.digest);
    let bytes = source.json(&member, Some((&descriptor.digest, descriptor.size)), limits)?;
    let manifest: Manifest = parse(&member, &bytes)?;
    if manifest.schema_version != 2 {
        return Err(ImageError::refused(
            &member,
            Refusal::Json { reason: "schemaVersion is not 2".to_owned() },
        ));
    }
    let declared = manifest.media_type.as_deref().unwrap_or(&descriptor.media_type);
    if declared != descriptor.media_type {
        return Err(unsupported(&member, declared));
    }
    if !matches!(manifest.config.media_type.as_str(), spec::OCI_CONFIG | spec::DOCKER_CONFIG) {
        return Err(unsupported(&member, &manifest.config.media_type));
    }
    let config_member = blob_member(&manifest.config.digest);
    let config = source.json(
        &config_member,
        Some((&manifest.config.digest, manifest.config.size)),
        limits,
    )?;
    let diff_ids = check_config(&config_member, &config, manifest.layers.len(), limits)?;
    let mut layers = Vec::new();
    for (layer, diff_id) in manifest.layers.into_iter().zip(diff_ids) {
        let compression = Compression::of_media_type(&layer.media_type)
            .ok_or_else(|| unsupported(&member, &layer.media_type))?;
        let blob = blob_member(&layer.digest);
        let found = source.member(&blob)?.size;
        if found != layer.size {
            return Err(ImageError::refused(&blob, Refusal::Size { expected: layer.size, found }));
        }
        layers.push(PlannedLayer {
            member: blob,
            digest: Some(layer.digest),
            compression,
            diff_id,
        });
    }
    Ok(PlannedImage {
        references: vec![reference],
        manifest: Some((descriptor.digest.clone(), bytes)),
        config_digest: manifest.config.digest,
        config,
        layers,
    })
}

/// The diff ids of a configuration that fits this machine and the number of layers.
fn check_config(
    member: &str,
    bytes: &[u8],
    layers: usize,
    limits: &Limits,
) -> Result<Vec<Digest>, ImageError> {
    let config: ConfigFile = parse(member, bytes)?;
    if config.os != "linux" || config.architecture != architecture() {
        return Err(wrong_platform(member, &format!("{}/{}", config.os, config.architecture)));
    }
    if layers == 0 || layers > limits.layers {
        return Err(ImageError::refused(
            member,
            Refusal::LayerCount { found: layers, limit: limits.layers },
        ));
    }
    let diff_ids = config.rootfs.diff_ids;
    if diff_ids.len() != layers {
        return Err(ImageError::refused(
            member,
            Refusal::DiffIdCount { layers, diff_ids: diff_ids.len() },
        ));
    }
    Ok(diff_ids)
}

fn plan_saved(
    source: &Source,
    name: Option<&str>,
    limits: &Limits,
) -> Result<Vec<PlannedImage>, ImageError> {
    let saved: Vec<SavedImage> =
        parse("manifest.json", &source.json("manifest.json", None, limits)?)?;
    if saved.len() > limits.images {
        return Err(ImageError::refused(
            "manifest.json",
            Refusal::TooManyImages { limit: limits.images },
        ));
    }
    let single = saved.len() == 1;
    let mut images = Vec::new();
    for image in saved {
        let given = name_of(source, name, single)?;
        let tags = image.repo_tags.unwrap_or_default();
        let references = match given {
            Some(given) => vec![no_digest(source, Reference::parse(given)?)?],
            None => tags
                .iter()
                .map(|tag| no_digest(source, Reference::parse(tag)?))
                .collect::<Result<_, _>>()?,
        };
        if references.is_empty() {
            let reason = "the archive does not say: pass a name";
            return Err(ImageError::Name { file: source.path().to_owned(), reason });
        }
        let config = source.json(&image.config, None, limits)?;
        let config_digest = Digest::of(&config);
        let file_name = image.config.rsplit('/').next().unwrap_or_default();
        if let Ok(expected) = Digest::from_hex(file_name.strip_suffix(".json").unwrap_or(file_name))
            && expected != config_digest
        {
            return Err(ImageError::refused(
                &image.config,
                Refusal::Digest { expected, found: config_digest },
            ));
        }
        let diff_ids = check_config(&image.config, &config, image.layers.len(), limits)?;
        let mut layers = Vec::new();
        for (member, diff_id) in image.layers.into_iter().zip(diff_ids) {
            let mut start = Vec::new();
            source
                .member(&member)?
                .take(4)
                .read_to_end(&mut start)
                .map_err(ImageError::io("read", source.path()))?;
            layers.push(PlannedLayer {
                member,
                digest: None,
                compression: Compression::sniff(&start),
                diff_id,
            });
        }
        images.push(PlannedImage { references, manifest: None, config_digest, config, layers });
    }
    Ok(images)
}
