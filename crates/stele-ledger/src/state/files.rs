//! Names of the state's files, and file operations whose errors name the file.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::StateError;

pub(super) const MANIFEST: &str = "MANIFEST";
pub(super) const LOCK: &str = "LOCK";

pub(super) fn segment_name(number: u32) -> String {
    format!("values-{number:07}.seg")
}

pub(super) fn segment_number(name: &str) -> Option<u32> {
    name.strip_prefix("values-")?
        .strip_suffix(".seg")?
        .parse()
        .ok()
}

pub(super) fn checkpoint_name(number: u64) -> String {
    format!("checkpoint-{number:010}.idx")
}

pub(super) fn is_checkpoint(name: &str) -> bool {
    name.starts_with("checkpoint-") || name.ends_with(".tmp")
}

/// Turns a refusal of the operating system into an error that names what was tried on which file.
pub(super) fn io_error<'a>(
    action: &'static str,
    file: &'a Path,
) -> impl FnOnce(io::Error) -> StateError + 'a {
    move |source| StateError::Io {
        action,
        file: file.to_path_buf(),
        source,
    }
}

/// Whether the error says that the file system, a quota or a limit has no room for more bytes.
pub(super) fn is_no_space(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// The error of a file that was to grow: lack of space, or any other refusal.
pub(super) fn grow_error<'a>(
    action: &'static str,
    file: &'a Path,
) -> impl FnOnce(io::Error) -> StateError + 'a {
    move |source| {
        if is_no_space(&source) {
            let file = file.to_path_buf();
            StateError::NoSpace { file, source }
        } else {
            io_error(action, file)(source)
        }
    }
}

pub(super) fn corrupt(file: &Path, offset: u64, reason: &'static str) -> StateError {
    StateError::Corrupt {
        file: file.to_path_buf(),
        offset,
        reason,
    }
}

pub(super) fn create(path: &Path) -> Result<File, StateError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
        .map_err(io_error("create", path))
}

pub(super) fn open(path: &Path) -> Result<File, StateError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .map_err(io_error("open", path))
}

pub(super) fn length(file: &File, path: &Path) -> Result<u64, StateError> {
    Ok(file.metadata().map_err(io_error("inspect", path))?.len())
}

pub(super) fn remove(path: &Path) -> Result<(), StateError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(io_error("remove", path)(error))
        }
        _ => Ok(()),
    }
}

pub(super) fn sync(file: &File, path: &Path) -> Result<(), StateError> {
    file.sync_data().map_err(io_error("fsync", path))
}

pub(super) fn sync_directory(dir: &Path) -> Result<(), StateError> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(io_error("fsync", dir))
}

/// Reads up to `buffer.len()` bytes at `offset` and returns how many there were before the end of the file.
pub(super) fn read_at(
    file: &File,
    path: &Path,
    buffer: &mut [u8],
    offset: u64,
) -> Result<usize, StateError> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(io_error("read", path)(error)),
        }
    }
    Ok(filled)
}

/// The names in a directory that are UTF-8; others are not the state's.
pub(super) fn names(dir: &Path) -> Result<Vec<String>, StateError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(io_error("list", dir))? {
        let entry = entry.map_err(io_error("list", dir))?;
        if let Ok(name) = entry.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Writes a whole small file so that either the old or the new content survives a crash.
pub(super) fn replace(dir: &Path, name: &str, content: &[u8]) -> Result<(), StateError> {
    let temporary: PathBuf = dir.join(format!("{name}.tmp"));
    let path = dir.join(name);
    let file = create(&temporary)?;
    file.write_all_at(content, 0)
        .map_err(grow_error("write", &temporary))?;
    file.sync_all().map_err(grow_error("fsync", &temporary))?;
    fs::rename(&temporary, &path).map_err(io_error("rename", &temporary))?;
    sync_directory(dir)
}
