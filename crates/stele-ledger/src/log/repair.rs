//! Cutting a damaged log back to its intact beginning. Never done without being asked.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::archive::Catalogue;
use super::base::LogBase;
use super::file::sync_folder;
use super::index::INDEX_FILE;
use super::open::{Start, lock, open_segments};
use super::segment::{Depth, SEGMENT_HEADER_BYTES, file_name, parse_file_name};
use super::{LogError, LogOptions, io_error};

/// What [`cut_damaged`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutReport {
    /// Blocks that are left, all of them verified.
    pub blocks: u64,
    /// Entries in them.
    pub entries: u64,
    /// Files that hold what was set aside: the rest of the damaged segment and all segments behind it.
    pub set_aside: Vec<PathBuf>,
}

/// Verifies the log from its beginning, keeps the blocks before the first damage and sets the rest aside in
/// files that end in `.damaged`. Final blocks are lost by this unless another node or a backup has them, so the
/// caller asks a person first. A log without damage is left as it is, but for its index, which is rebuilt when
/// the log is opened next.
///
/// # Errors
/// [`LogError::Locked`], [`LogError::UnsupportedVersion`], [`LogError::Io`], or [`LogError::Damaged`] when not
/// even the first segment can be recognised.
pub fn cut_damaged(dir: &Path, options: &LogOptions) -> Result<CutReport, LogError> {
    let _lock = lock(dir)?;
    let mut set_aside = vec![];
    let start = Start::of(LogBase::load(dir)?.as_ref());
    let mut archive = Catalogue::load(dir, options.archive_dir.as_deref())?;
    let segments = loop {
        match open_segments(dir, start, &mut archive) {
            Ok(segments) => break segments,
            // A segment that cannot be recognised takes all behind it along.
            Err(LogError::Damaged { file, height, .. })
                if height.get() > archive.end(start).height && file.exists() =>
            {
                set_aside_from(dir, height.get(), &mut set_aside)?;
            }
            Err(error) => return Err(error),
        }
    };
    let mut at = archive.end(start).scan_end();
    for segment in &segments {
        if (at.height, at.index) != (segment.first_height, segment.first_index) {
            set_aside_from(dir, segment.first_height, &mut set_aside)?;
            break;
        }
        at.offset = SEGMENT_HEADER_BYTES;
        at = segment.scan(at, u64::MAX, Depth::Full, &options.limits, |_, _| Ok(()))?;
        if at.problem.is_some() {
            let path = segment.file.path();
            let aside = dir.join(format!(
                "{}-{:x}.damaged",
                file_name(segment.first_height),
                at.offset
            ));
            copy_from(path, at.offset, &aside).map_err(io_error("write", &aside))?;
            set_aside.push(aside);
            set_aside_from(dir, segment.first_height + 1, &mut set_aside)?;
            segment
                .file
                .set_len(at.offset)
                .map_err(io_error("truncate", path))?;
            segment.file.sync_all().map_err(io_error("sync", path))?;
            break;
        }
    }
    let index = dir.join(INDEX_FILE);
    match fs::remove_file(&index) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(io_error("remove", index)(error));
        }
        _ => {}
    }
    sync_folder(dir).map_err(io_error("sync", dir))?;
    Ok(CutReport {
        blocks: at.height,
        entries: at.index,
        set_aside,
    })
}

/// Renames all segments from this first height on.
fn set_aside_from(dir: &Path, height: u64, set_aside: &mut Vec<PathBuf>) -> Result<(), LogError> {
    for entry in fs::read_dir(dir).map_err(io_error("list", dir))? {
        let entry = entry.map_err(io_error("list", dir))?;
        let name = entry.file_name();
        let first_height = name.to_str().and_then(parse_file_name);
        if first_height.is_some_and(|first_height| first_height >= height) {
            let mut aside = entry.path().into_os_string();
            aside.push(".damaged");
            let aside = PathBuf::from(aside);
            fs::rename(entry.path(), &aside).map_err(io_error("rename", entry.path()))?;
            set_aside.push(aside);
        }
    }
    Ok(())
}

fn copy_from(from: &Path, offset: u64, to: &Path) -> io::Result<()> {
    use std::io::{Seek, SeekFrom};

    let mut from = File::open(from)?;
    from.seek(SeekFrom::Start(offset))?;
    let mut to = File::create(to)?;
    io::copy(&mut from, &mut to)?;
    to.sync_all()
}
