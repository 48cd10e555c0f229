//! `portcullis image`.

use std::io::IsTerminal as _;
use std::path::Path;

use comfy_table::Table;
use images::{ImageError, ImageStore, ImportedImage, Progress, UnpackHelper};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::arguments::ImageCommand;
use crate::failure::Failure;
use crate::output::print;

/// Runs a command on the images of this machine; `portcullis up` may be running or not.
pub(crate) fn image(command: ImageCommand) -> Result<(), Failure> {
    match command {
        ImageCommand::Import { file, name, state } => {
            import(&open(&state.state_dir)?, &file, name.as_deref())
        }
        ImageCommand::List { state } => list(&open(&state.state_dir)?),
        ImageCommand::Remove { name, state } => {
            let store = open(&state.state_dir)?;
            if store.remove(&name).map_err(|error| Failure::of(&error))? {
                return Ok(());
            }
            Err(Failure::new(format!("there is no image `{name}`"))
                .advice("see `portcullis image list`"))
        }
    }
}

/// How this program starts itself as the confined unpacker.
pub(crate) fn unpack_helper() -> UnpackHelper {
    UnpackHelper { program: "/proc/self/exe".into(), args: vec!["unpack-layer".into()] }
}

fn open(state_directory: &Path) -> Result<ImageStore, Failure> {
    let directory = state_directory.join("images");
    ImageStore::open(&directory, unpack_helper()).map_err(|error| {
        Failure::caused(format!("cannot open the image store `{}`", directory.display()), &error)
            .advice("run it as the user of `portcullis up`, with the same --state-dir")
    })
}

fn import(store: &ImageStore, file: &Path, name: Option<&str>) -> Result<(), Failure> {
    let bar = bar();
    let mut shown = String::new();
    let imported = store.import(file, name, &mut |progress| show(&bar, &mut shown, progress));
    bar.finish_and_clear();
    let imported = imported.map_err(|error| refused(file, &error))?;
    print(&imported.iter().map(line).collect::<String>())
}

fn refused(file: &Path, error: &ImageError) -> Failure {
    Failure::caused(format!("cannot import `{}`", file.display()), error)
        .advice("nothing of it was kept; correct it and import it again")
}

fn line(image: &ImportedImage) -> String {
    let ImportedImage { reference, manifest_digest, layers_unpacked, layers_reused, .. } = image;
    format!(
        "imported {reference} {manifest_digest} ({layers_unpacked} layers unpacked, \
         {layers_reused} there before)\n"
    )
}

/// A bar on standard error if that is a terminal, otherwise nothing.
fn bar() -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let template = "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec}";
    // The template is a constant: were it wrong, the plain bar would do.
    let style = ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ");
    ProgressBar::with_draw_target(Some(0), target).with_style(style)
}

fn show(bar: &ProgressBar, shown: &mut String, progress: Progress<'_>) {
    let Progress { diff_id, layer, layers, done_bytes, total_bytes } = progress;
    let message = format!("layer {layer}/{layers} {}", diff_id.hex().get(..12).unwrap_or_default());
    if *shown != message {
        bar.reset();
        bar.set_length(total_bytes);
        bar.set_message(message.clone());
        *shown = message;
    }
    bar.set_position(done_bytes);
}

fn list(store: &ImageStore) -> Result<(), Failure> {
    let images = store.list().map_err(|error| Failure::of(&error))?;
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header(["IMAGE", "DIGEST"]);
    for image in images {
        table.add_row([image.reference, image.manifest_digest.to_string()]);
    }
    print(&format!("{table}\n"))
}
