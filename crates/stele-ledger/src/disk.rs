//! How much space a disk has left.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Bytes that this user may still write to the file system of `path`.
#[allow(
    clippy::unnecessary_cast,
    reason = "the fields are narrower on 32-bit systems"
)]
pub(crate) fn free_bytes(path: &Path) -> io::Result<u64> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut figures = core::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: `path` is a NUL-terminated string and `figures` is writable memory of the right type; both outlive the call.
    let result = unsafe { libc::statvfs(path.as_ptr(), figures.as_mut_ptr()) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: statvfs returned 0, so it has filled in the whole structure.
    let figures = unsafe { figures.assume_init() };
    Ok(figures.f_bavail as u64 * figures.f_frsize as u64)
}
