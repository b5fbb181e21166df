//! Compression of lists: ZLIB (RFC 1950) and GZIP (RFC 1952), with a bound on what is inflated.

use std::io::{self, Read, Write as _};

use flate2::Compression;
use flate2::read::{GzDecoder, ZlibDecoder};
use flate2::write::{GzEncoder, ZlibEncoder};

use super::rules::*;
use crate::refusal::Refusal;

/// The largest list after inflation, in bytes: 128 million entries of one bit.
pub const LIST_BYTES_MAX: u64 = 16 << 20;

/// How a list is wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrapping {
    Zlib,
    Gzip,
}

/// Compresses as well as DEFLATE can: a list is compressed once and downloaded often.
pub(super) fn compress(bytes: &[u8], wrapping: Wrapping) -> Vec<u8> {
    const INFALLIBLE: &str = "writing to memory does not fail";
    match wrapping {
        Wrapping::Zlib => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(bytes).expect(INFALLIBLE);
            encoder.finish().expect(INFALLIBLE)
        }
        Wrapping::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(bytes).expect(INFALLIBLE);
            encoder.finish().expect(INFALLIBLE)
        }
    }
}

/// Inflates a whole list and checks its checksum.
pub(super) fn inflate(compressed: &[u8], wrapping: Wrapping) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    let mut reader = reader(compressed, wrapping).take(LIST_BYTES_MAX + 1);
    reader.read_to_end(&mut bytes).map_err(malformed)?;
    if bytes.len() as u64 > LIST_BYTES_MAX {
        return Err(LIST_TOO_LARGE.because(format_args!("more than {LIST_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}

/// Inflates up to the byte at `position` and returns it; `None` if the list ends before.
///
/// What comes after is not read, the checksum neither: the signature over the compressed bytes protects better.
pub(super) fn byte_at(
    compressed: &[u8],
    position: u64,
    wrapping: Wrapping,
) -> Result<Option<u8>, Refusal> {
    if position >= LIST_BYTES_MAX {
        return Err(LIST_TOO_LARGE.because(format_args!("place {position}")));
    }
    let mut reader = reader(compressed, wrapping);
    let mut buffer = [0; 16 << 10];
    let mut before = 0;
    loop {
        let read = match reader.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(malformed)?,
        };
        if read == 0 {
            return Ok(None);
        }
        let inside = usize::try_from(position - before).unwrap_or(usize::MAX);
        if inside < read {
            return Ok(Some(buffer[inside]));
        }
        before += read as u64;
    }
}

fn reader(compressed: &[u8], wrapping: Wrapping) -> Box<dyn Read + '_> {
    match wrapping {
        Wrapping::Zlib => Box::new(ZlibDecoder::new(compressed)),
        Wrapping::Gzip => Box::new(GzDecoder::new(compressed)),
    }
}

fn malformed(error: io::Error) -> Refusal {
    LIST_MALFORMED.because(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_lists_that_inflate_without_end() {
        for wrapping in [Wrapping::Zlib, Wrapping::Gzip] {
            let bomb = compress(&vec![0; LIST_BYTES_MAX as usize + 1], wrapping);
            assert!(bomb.len() < 100_000);
            assert_eq!(inflate(&bomb, wrapping).unwrap_err().rule(), LIST_TOO_LARGE);
            assert_eq!(
                byte_at(&bomb, LIST_BYTES_MAX, wrapping).unwrap_err().rule(),
                LIST_TOO_LARGE
            );
        }
    }

    proptest! {
        #[test]
        fn inflates_what_was_compressed(bytes in proptest::collection::vec(any::<u8>(), 0..40_000), at in 0u64..50_000) {
            for wrapping in [Wrapping::Zlib, Wrapping::Gzip] {
                let compressed = compress(&bytes, wrapping);
                prop_assert_eq!(&inflate(&compressed, wrapping).unwrap(), &bytes);
                prop_assert_eq!(byte_at(&compressed, at, wrapping).unwrap(), bytes.get(at as usize).copied());
            }
        }

        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            for wrapping in [Wrapping::Zlib, Wrapping::Gzip] {
                let _ = (inflate(&bytes, wrapping), byte_at(&bytes, 5, wrapping));
                let mut headed = vec![0x78, 0xda];
                headed.extend_from_slice(&bytes);
                let _ = (inflate(&headed, wrapping), byte_at(&headed, 5, wrapping));
            }
        }
    }
}
