//! One file of the log: positioned reads and writes, syncing, and reserving space ahead.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::sealed::SealedFile;

/// A file with its path, read and written at positions only, so that threads share it without a lock.
///
/// A file in the archive is read through its seal and never written.
#[derive(Debug)]
pub(super) struct LogFile {
    inner: Inner,
    path: PathBuf,
}

#[derive(Debug)]
enum Inner {
    Plain(File),
    Sealed(SealedFile),
}

impl LogFile {
    /// Creates a file that must not exist yet.
    pub fn create(path: PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)?;
        Ok(Self::plain(file, path))
    }

    fn plain(file: File, path: PathBuf) -> Self {
        let inner = Inner::Plain(file);
        Self { inner, path }
    }

    pub fn sealed(file: SealedFile) -> Self {
        Self {
            path: file.path().to_owned(),
            inner: Inner::Sealed(file),
        }
    }

    fn file(&self) -> io::Result<&File> {
        match &self.inner {
            Inner::Plain(file) => Ok(file),
            Inner::Sealed(_) => Err(io::Error::other("a sealed segment is never written")),
        }
    }

    pub fn open(path: PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        Ok(Self::plain(file, path))
    }

    pub fn open_or_create(path: PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)?;
        Ok(Self::plain(file, path))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn len(&self) -> io::Result<u64> {
        match &self.inner {
            Inner::Plain(file) => Ok(file.metadata()?.len()),
            Inner::Sealed(file) => Ok(file.len()),
        }
    }

    /// Fills the buffer, or fails with `UnexpectedEof` when the file ends before.
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        match &self.inner {
            Inner::Plain(file) => file.read_exact_at(buffer, offset),
            Inner::Sealed(file) => match file.read_up_to_at(buffer, offset)? {
                read if read == buffer.len() => Ok(()),
                _ => Err(io::ErrorKind::UnexpectedEof.into()),
            },
        }
    }

    /// Reads until the buffer is full or the file ends.
    pub fn read_up_to_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let file = match &self.inner {
            Inner::Plain(file) => file,
            Inner::Sealed(file) => return file.read_up_to_at(buffer, offset),
        };
        let mut filled = 0;
        while filled < buffer.len() {
            match file.read_at(&mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    /// One `pwrite`, continued only if the kernel took less than all.
    pub fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        #[cfg(test)]
        if let Some((written, error)) = faults::take_write() {
            self.file()?
                .write_all_at(&bytes[..written.min(bytes.len())], offset)?;
            return Err(error);
        }
        self.file()?.write_all_at(bytes, offset)
    }

    pub fn set_len(&self, len: u64) -> io::Result<()> {
        #[cfg(test)]
        if let Some(error) = faults::take(faults::Operation::Truncate) {
            return Err(error);
        }
        self.file()?.set_len(len)
    }

    /// `fdatasync`: the bytes, and the length that is needed to read them.
    pub fn sync_data(&self) -> io::Result<()> {
        #[cfg(test)]
        if let Some(error) = faults::take(faults::Operation::Sync) {
            return Err(error);
        }
        self.file()?.sync_data()
    }

    pub fn sync_all(&self) -> io::Result<()> {
        self.file()?.sync_all()
    }

    /// Reserves disk blocks for `[offset, offset + len)` without changing the file's length. File systems that
    /// cannot do that are taken as they are: a later write then reports the lack of space.
    #[cfg(target_os = "linux")]
    pub fn reserve(&self, offset: u64, len: u64) -> io::Result<()> {
        use std::os::fd::AsRawFd;

        #[cfg(test)]
        if let Some(error) = faults::take(faults::Operation::Reserve) {
            return Err(error);
        }
        let (Ok(offset), Ok(len)) = (i64::try_from(offset), i64::try_from(len)) else {
            return Err(io::Error::from_raw_os_error(libc::EFBIG));
        };
        let file = self.file()?;
        loop {
            // SAFETY: the descriptor is open for as long as `file` lives, and the call takes no pointers.
            let result = unsafe {
                libc::fallocate(file.as_raw_fd(), libc::FALLOC_FL_KEEP_SIZE, offset, len)
            };
            if result == 0 {
                return Ok(());
            }
            let error = io::Error::last_os_error();
            match error.raw_os_error() {
                Some(libc::EINTR) => {}
                Some(libc::EOPNOTSUPP | libc::ENOSYS) => return Ok(()),
                _ => return Err(error),
            }
        }
    }

    /// No portable call reserves space: a later write reports the lack of it.
    #[cfg(not(target_os = "linux"))]
    pub fn reserve(&self, _offset: u64, _len: u64) -> io::Result<()> {
        Ok(())
    }
}

/// Makes created, renamed and removed names in the folder durable.
pub(super) fn sync_folder(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Whether the error says that the file system, a quota or a limit has no room for more bytes.
pub(super) fn is_no_space(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// Failures that a test asks for, each used once, on the thread that asked.
#[cfg(test)]
pub(super) mod faults {
    use std::cell::RefCell;
    use std::io;

    #[derive(Clone, Copy, PartialEq, Eq)]
    pub enum Operation {
        /// Fails after so many bytes were written.
        Write(usize),
        Truncate,
        Sync,
        Reserve,
    }

    thread_local! {
        static PLANNED: RefCell<Vec<(Operation, i32)>> = const { RefCell::new(Vec::new()) };
    }

    pub fn plan(operation: Operation, errno: i32) {
        PLANNED.with_borrow_mut(|planned| planned.push((operation, errno)));
    }

    pub fn take(operation: Operation) -> Option<io::Error> {
        PLANNED.with_borrow_mut(|planned| {
            let at = planned.iter().position(|(found, _)| *found == operation)?;
            Some(io::Error::from_raw_os_error(planned.remove(at).1))
        })
    }

    pub fn take_write() -> Option<(usize, io::Error)> {
        PLANNED.with_borrow_mut(|planned| {
            let at = planned
                .iter()
                .position(|(found, _)| matches!(found, Operation::Write(_)))?;
            match planned.remove(at) {
                (Operation::Write(bytes), errno) => {
                    Some((bytes, io::Error::from_raw_os_error(errno)))
                }
                _ => None,
            }
        })
    }
}
