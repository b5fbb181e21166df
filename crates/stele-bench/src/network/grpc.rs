//! As much of gRPC over HTTP/2 as one unary call after the other on one connection needs (RFC 9113; header fields of RFC 7541 without
//! Huffman coding and without the dynamic table).
//!
//! An answer counts when its stream ends and it carried a message; what fails carries none. Flow control: both windows of what we receive
//! are opened to the largest size at once, and we never have more under way than one small request.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
/// The largest frame that a peer may send unless it is told otherwise.
const FRAME_MAX: usize = 1 << 14;
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// A connection that calls one method.
pub(super) struct Connection {
    link: TcpStream,
    /// The header block of every request.
    headers: Vec<u8>,
    stream: u32,
    input: Vec<u8>,
}

impl Connection {
    pub(super) fn open(to: SocketAddr, method: &str) -> io::Result<Self> {
        let mut link = TcpStream::connect(to)?;
        link.set_nodelay(true)?;
        link.set_read_timeout(Some(ANSWER_WITHIN))?;
        let mut hello = PREFACE.to_vec();
        // SETTINGS_INITIAL_WINDOW_SIZE, and the window of the whole connection.
        let window = (1u32 << 31) - 1;
        let setting = [&4u16.to_be_bytes()[..], &window.to_be_bytes()].concat();
        frame(&mut hello, SETTINGS, 0, 0, &setting);
        frame(
            &mut hello,
            WINDOW_UPDATE,
            0,
            0,
            &(window - 65_535).to_be_bytes(),
        );
        link.write_all(&hello)?;
        Ok(Self {
            link,
            headers: header_block(&to.to_string(), method),
            stream: 1,
            input: Vec::new(),
        })
    }

    /// Sends a message and waits for the answer's end.
    pub(super) fn call(&mut self, message: &[u8]) -> io::Result<()> {
        let stream = self.stream;
        self.stream += 2;
        let mut out = Vec::with_capacity(self.headers.len() + message.len() + 32);
        frame(&mut out, HEADERS, END_HEADERS, stream, &self.headers);
        let length = (message.len() as u32).to_be_bytes();
        let body = [&[0], &length[..], message].concat();
        frame(&mut out, DATA, END_STREAM, stream, &body);
        self.link.write_all(&out)?;
        let mut answered = false;
        loop {
            let (kind, flags, of, payload) = self.read_frame()?;
            match kind {
                SETTINGS if flags & ACK == 0 => self.reply(SETTINGS, &[])?,
                PING if flags & ACK == 0 => self.reply(PING, &payload)?,
                GOAWAY | RST_STREAM => return Err(io::ErrorKind::ConnectionReset.into()),
                DATA | HEADERS if of == stream => {
                    answered |= kind == DATA && !payload.is_empty();
                    if flags & END_STREAM != 0 {
                        break;
                    }
                }
                _ => {}
            }
        }
        if answered {
            Ok(())
        } else {
            Err(io::Error::other("the call was refused"))
        }
    }

    fn reply(&mut self, kind: u8, payload: &[u8]) -> io::Result<()> {
        let mut out = Vec::new();
        frame(&mut out, kind, ACK, 0, payload);
        self.link.write_all(&out)
    }

    fn read_frame(&mut self) -> io::Result<(u8, u8, u32, Vec<u8>)> {
        let head = self.take(9)?;
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        if length > FRAME_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let stream = u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]);
        Ok((head[3], head[4], stream, self.take(length)?))
    }

    fn take(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut buffer = [0; 4096];
        while self.input.len() < count {
            let read = self.link.read(&mut buffer)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.input.extend_from_slice(&buffer[..read]);
        }
        let rest = self.input.split_off(count);
        Ok(std::mem::replace(&mut self.input, rest))
    }
}

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    out.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

/// Fields without the dynamic table: `:method: POST` and `:scheme: http` stand in the static table, the rest is literal.
fn header_block(authority: &str, path: &str) -> Vec<u8> {
    let mut out = vec![0x83, 0x86];
    let mut literal = |name: &[u8], value: &[u8]| {
        out.extend_from_slice(name);
        assert!(value.len() < 127, "short enough for one byte of length");
        out.push(value.len() as u8);
        out.extend_from_slice(value);
    };
    literal(&[0x04], path.as_bytes());
    literal(&[0x01], authority.as_bytes());
    // `content-type` is number 31 of the static table: 15 and 16 more.
    literal(&[0x0f, 0x10], b"application/grpc");
    literal(&[0x00, 2, b't', b'e'], b"trailers");
    out
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Answers one call with these frames and returns what it received.
    fn call(answer: &'static [&'static [u8]]) -> (io::Result<()>, Vec<u8>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut link, _) = listener.accept().unwrap();
            answer
                .iter()
                .for_each(|bytes| link.write_all(bytes).unwrap());
            link.shutdown(std::net::Shutdown::Write).unwrap();
            let mut all = Vec::new();
            let _ = link.read_to_end(&mut all);
            all
        });
        let result = Connection::open(address, "/a.B/C").unwrap().call(b"xyz");
        (result, server.join().unwrap())
    }

    const SETTINGS_FRAME: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    const PING_FRAME: &[u8] = &[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    const HEADERS_FRAME: &[u8] = &[0, 0, 1, 1, 4, 0, 0, 0, 1, 0x88];
    const MESSAGE_FRAME: &[u8] = &[0, 0, 5, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0];
    const TRAILERS_FRAME: &[u8] = &[0, 0, 1, 1, 5, 0, 0, 0, 1, 0x88];

    #[test]
    fn a_call_is_answered_and_the_peers_frames_are_acknowledged() {
        let frames: &[&[u8]] = &[
            SETTINGS_FRAME,
            PING_FRAME,
            HEADERS_FRAME,
            MESSAGE_FRAME,
            TRAILERS_FRAME,
        ];
        let (result, sent) = call(frames);
        result.unwrap();
        assert!(sent.starts_with(PREFACE));
        let ends = |part: &[u8]| sent.windows(part.len()).any(|window| window == part);
        assert!(ends(b"\0\0\0\0\x03xyz"), "the message with its length");
        assert!(
            ends(&[0, 0, 0, 4, 1, 0, 0, 0, 0]),
            "settings are acknowledged"
        );
        assert!(
            ends(&[0, 0, 8, 6, 1, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]),
            "and pings"
        );
    }

    #[test]
    fn what_fails_is_an_error() {
        // Trailers alone; a reset stream; an end.
        assert!(call(&[SETTINGS_FRAME, TRAILERS_FRAME]).0.is_err());
        assert!(call(&[&[0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 2]]).0.is_err());
        assert!(call(&[&[0, 0, 4, 7]]).0.is_err());
    }
}
