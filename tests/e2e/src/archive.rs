//! Images of the tests, as `docker save` writes them.

use std::path::Path;

use serde_json::json;
use tar::{Builder, EntryType, Header};

/// What the scripts of the tests use.
const APPLETS: [&str; 40] = [
    "awk", "cat", "chmod", "chown", "cut", "date", "dd", "df", "echo", "env", "false", "grep",
    "head", "hostname", "id", "ip", "kill", "ln", "ls", "mkdir", "mknod", "mount", "nc", "ping",
    "ps", "pwd", "rm", "sed", "seq", "sh", "sleep", "sort", "stat", "tail", "test", "timeout",
    "touch", "tr", "true", "wget",
];

/// A tar archive being written.
#[expect(missing_debug_implementations, reason = "the builder has none")]
pub struct Archive {
    builder: Builder<Vec<u8>>,
}

impl Default for Archive {
    fn default() -> Self {
        Self { builder: Builder::new(Vec::new()) }
    }
}

impl Archive {
    /// Adds a file.
    #[must_use]
    pub fn file(mut self, name: &str, mode: u32, data: &[u8]) -> Self {
        let mut header = header(EntryType::Regular, mode);
        header.set_size(data.len() as u64);
        self.builder.append_data(&mut header, name, data).expect("writing to memory");
        self
    }

    /// Adds a directory.
    #[must_use]
    pub fn directory(mut self, name: &str, mode: u32) -> Self {
        let mut header = header(EntryType::Directory, mode);
        self.builder.append_data(&mut header, name, &[][..]).expect("writing to memory");
        self
    }

    /// Adds a link of this kind, with any target, as hostile ones have.
    #[must_use]
    pub fn link(mut self, kind: EntryType, name: &str, target: &str) -> Self {
        let mut header = header(kind, 0o777);
        self.builder.append_link(&mut header, name, target).expect("writing to memory");
        self
    }

    /// Adds a file under a name that no honest writer would use.
    #[must_use]
    pub fn raw_name(mut self, name: &str, data: &[u8]) -> Self {
        let mut header = header(EntryType::Regular, 0o644);
        let field = header.as_old_mut().name.get_mut(..name.len()).expect("a short name");
        field.copy_from_slice(name.as_bytes());
        header.set_size(data.len() as u64);
        header.set_cksum();
        self.builder.append(&header, data).expect("writing to memory");
        self
    }

    /// Adds a device node.
    #[must_use]
    pub fn device(mut self, name: &str) -> Self {
        let mut header = header(EntryType::Block, 0o666);
        header.set_device_major(8).expect("a small number");
        header.set_device_minor(0).expect("a small number");
        self.builder.append_data(&mut header, name, &[][..]).expect("writing to memory");
        self
    }

    /// The archive's bytes.
    pub fn finish(self) -> Vec<u8> {
        self.builder.into_inner().expect("writing to memory")
    }

    /// Makes this archive the only layer of an image and writes it to `path`.
    pub fn save_as_image(self, reference: &str, path: &Path) {
        self.save_as_image_with(reference, &["FROM_IMAGE=yes".to_owned()], &["sh"], path);
    }

    /// As [`Archive::save_as_image`], with this environment and command.
    pub fn save_as_image_with(
        self,
        reference: &str,
        environment: &[String],
        command: &[&str],
        path: &Path,
    ) {
        let layer = self.finish();
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        let config = json!({
            "architecture": architecture,
            "os": "linux",
            "config": {"Env": environment, "Cmd": command},
            "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]},
        });
        let manifest =
            json!([{"Config": "config.json", "RepoTags": [reference], "Layers": ["layer.tar"]}]);
        let archive = Self::default()
            .file("manifest.json", 0o644, manifest.to_string().as_bytes())
            .file("config.json", 0o644, config.to_string().as_bytes())
            .file("layer.tar", 0o644, &layer);
        std::fs::write(path, archive.finish()).expect("write an image");
    }
}

/// Writes an image with a shell and the usual small tools to `path`.
pub fn busybox_image(reference: &str, path: &Path) {
    with_busybox(Archive::default()).save_as_image(reference, path);
}

/// Adds a shell and the usual small tools.
pub(crate) fn with_busybox(archive: Archive) -> Archive {
    let busybox = std::fs::read("/bin/busybox").expect("read busybox: install busybox-static");
    let users = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/:/bin/sh\n";
    let mut layer = archive
        .directory("bin", 0o755)
        .directory("etc", 0o755)
        .directory("tmp", 0o1777)
        .file("etc/passwd", 0o644, users.as_bytes())
        .file("etc/group", 0o644, b"root:x:0:\napp:x:1000:\n")
        .file("bin/busybox", 0o755, &busybox);
    for applet in APPLETS {
        layer = layer.link(EntryType::Symlink, &format!("bin/{applet}"), "busybox");
    }
    layer
}

fn header(kind: EntryType, mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(0);
    header
}

/// The digest of a layer, in the words of its configuration.
fn digest(bytes: &[u8]) -> String {
    images::Digest::of(bytes).to_string()
}
