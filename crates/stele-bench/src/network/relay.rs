//! Long links between processes of one machine: a relay before each validator that delays every byte, in both directions.
//!
//! The genesis names the relays' addresses, so the validators connect through them without knowing. Only time is added: bytes are
//! taken as fast as they come and handed on when they are due, so bandwidth is that of loopback. Setting up a connection is not delayed,
//! only what is sent over it.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// Bytes of one direction that may be on their way: more than a link of a gigabit holds in 200 ms.
const ON_THE_WAY_MAX: usize = 32 << 20;
const CHUNK: usize = 64 << 10;

/// A listener whose connections are handed on, delayed. Dropping it takes no more connections.
pub(crate) struct Relay {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
}

impl Relay {
    /// Relays what connects to `listener` to `target`, each way delayed by `delay`.
    pub(crate) fn start(
        listener: TcpListener,
        target: SocketAddr,
        delay: Duration,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let stopped = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopped);
        std::thread::Builder::new()
            .name("bench-relay".to_owned())
            .spawn(move || {
                for near in listener.incoming() {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    // A validator that does not listen yet is tried again by the one that connects.
                    let joined = near.and_then(|near| Ok((near, TcpStream::connect(target)?)));
                    if let Ok((near, far)) = joined {
                        let _ = join(&near, &far, delay);
                    }
                }
            })?;
        Ok(Self { address, stopped })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Wakes the listener, so that it sees that it is over.
        let _ = TcpStream::connect(self.address);
    }
}

fn join(near: &TcpStream, far: &TcpStream, delay: Duration) -> io::Result<()> {
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    for (from, to) in [(near, far), (far, near)] {
        let line = Arc::new(Line::default());
        let (from, to) = (from.try_clone()?, to.try_clone()?);
        let (enter, leave) = (Arc::clone(&line), line);
        let thread = || std::thread::Builder::new().name("bench-link".to_owned());
        thread().spawn(move || enter.fill(from, delay))?;
        thread().spawn(move || leave.empty(to))?;
    }
    Ok(())
}

/// One direction of a link: what is on its way, and when it arrives.
#[derive(Default)]
struct Line {
    state: Mutex<OnTheWay>,
    moved: Condvar,
}

#[derive(Default)]
struct OnTheWay {
    chunks: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
    /// The sender sends no more.
    closed: bool,
    /// The receiver takes no more.
    broken: bool,
}

impl Line {
    fn fill(&self, mut from: TcpStream, delay: Duration) {
        let mut buffer = vec![0; CHUNK];
        loop {
            let read = from.read(&mut buffer);
            let due = Instant::now() + delay;
            let mut state = self.state.lock().expect("no thread of a line panics");
            match read {
                Ok(count) if count > 0 && !state.broken => {
                    state.bytes += count;
                    state.chunks.push_back((due, buffer[..count].to_vec()));
                }
                _ => {
                    state.closed = true;
                    self.moved.notify_all();
                    return;
                }
            }
            self.moved.notify_all();
            while state.bytes >= ON_THE_WAY_MAX && !state.broken {
                state = self.moved.wait(state).expect("no thread of a line panics");
            }
        }
    }

    fn empty(&self, mut to: TcpStream) {
        loop {
            let mut state = self.state.lock().expect("no thread of a line panics");
            while state.chunks.is_empty() && !state.closed {
                state = self.moved.wait(state).expect("no thread of a line panics");
            }
            let Some((due, chunk)) = state.chunks.pop_front() else {
                // The other direction may still be open.
                let _ = to.shutdown(Shutdown::Write);
                return;
            };
            drop(state);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let written = to.write_all(&chunk);
            let mut state = self.state.lock().expect("no thread of a line panics");
            state.bytes -= chunk.len();
            self.moved.notify_all();
            if written.is_err() {
                state.broken = true;
                let _ = to.shutdown(Shutdown::Both);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_arrive_unchanged_in_both_directions_and_not_before_their_time() {
        let delay = Duration::from_millis(30);
        let echo = TcpListener::bind("127.0.0.1:0").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let relay = Relay::start(listener, echo.local_addr().unwrap(), delay).unwrap();
        let server = std::thread::spawn(move || {
            let (mut peer, _) = echo.accept().unwrap();
            let mut all = Vec::new();
            peer.read_to_end(&mut all).unwrap();
            all.len()
        });
        let echo = TcpListener::bind("127.0.0.1:0").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let answered = listener.local_addr().unwrap();
        let second = Relay::start(listener, echo.local_addr().unwrap(), delay).unwrap();
        let answering = std::thread::spawn(move || {
            let (mut peer, _) = echo.accept().unwrap();
            let mut question = [0; 4];
            peer.read_exact(&mut question).unwrap();
            peer.write_all(&question).unwrap();
        });

        let mut link = TcpStream::connect(address).unwrap();
        let sent: Vec<u8> = (0..3_000_000u32).map(|number| number as u8).collect();
        link.write_all(&sent).unwrap();
        link.shutdown(Shutdown::Write).unwrap();
        assert_eq!(server.join().unwrap(), sent.len());

        let mut link = TcpStream::connect(answered).unwrap();
        let started = Instant::now();
        link.write_all(b"ping").unwrap();
        let mut answer = [0; 4];
        link.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"ping");
        assert!(started.elapsed() >= 2 * delay, "there and back");
        answering.join().unwrap();
        drop((relay, second));
    }
}
