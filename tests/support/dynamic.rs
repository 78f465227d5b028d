//! A dynamically linked program of this machine, put into an image with its libraries.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::command::try_run;
use super::gate;
use super::overlay::Image;

/// Where a loader that can list libraries is.
const LOADERS: [&str; 3] = [
    "/lib64/ld-linux-x86-64.so.2",
    "/lib/ld-linux-aarch64.so.1",
    "/lib64/ld64.so.2",
];

/// Copies the program `name` and what it is linked with; gives its path in the image,
/// or the reason why it cannot be had.
pub fn place(image: &Image, name: &str) -> Result<String, String> {
    let found = gate::find(name).ok_or_else(|| format!("needs the program {name}"))?;
    let program = fs::canonicalize(found).map_err(|error| format!("{name}: {error}"))?;
    let loader = LOADERS.into_iter().find(|path| Path::new(path).exists());
    let loader = loader.ok_or("needs the loader of glibc")?;
    let told = try_run(Command::new(loader).arg("--list").arg(&program))?;
    let libraries = told.split_whitespace().filter(|word| word.starts_with('/'));
    for path in libraries
        .chain([loader])
        .map(Path::new)
        .chain([program.as_path()])
    {
        let to = image.lower().join(path.strip_prefix("/").unwrap_or(path));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(path, to).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(program.to_string_lossy().into_owned())
}
