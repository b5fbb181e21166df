//! The peer: etcd with three members on the same machine, durable writes of the same size by 64 clients.
//!
//! Each client has a connection of its own to the leader and one write under way, over gRPC, as etcd's own benchmark does. The client
//! is a few lines of HTTP/2 in this process, which takes less of the shared cores than etcd's HTTP gateway would. etcd writes and syncs
//! its log on a majority before it answers (its default). What it does not do: check signatures, execute, prove, or bear a member that lies.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::grpc::Connection;

const MEMBERS: usize = 3;
/// Clients, each with one write under way.
pub(super) const CLIENTS: usize = 64;
const READY_WITHIN: Duration = Duration::from_secs(30);

/// What was measured.
pub(super) struct Measured {
    pub(super) version: String,
    pub(super) writes_per_second: f64,
    pub(super) p50_ms: f64,
}

/// Starts a cluster of its own below `dir`, writes values of `bytes` bytes for `seconds`, stops it.
///
/// # Errors
/// Why it could not be measured, in words.
pub(super) fn measure(dir: &Path, bytes: usize, seconds: u64) -> Result<Measured, String> {
    let version =
        version().ok_or("etcd is not on the PATH (Debian: apt-get install etcd-server)")?;
    let cluster = Cluster::start(&dir.join("etcd"))?;
    let leader = cluster.leader()?;
    let stop = AtomicBool::new(false);
    // The first second fills caches and is not counted.
    let (warm, time) = (Duration::from_secs(1), Duration::from_secs(seconds));
    let results: Vec<Result<Vec<f64>, String>> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let stop = &stop;
                scope.spawn(move || write(leader, number, bytes, stop, Instant::now() + warm))
            })
            .collect();
        std::thread::sleep(warm + time);
        stop.store(true, Ordering::Relaxed);
        let joined = clients.into_iter().map(|client| client.join());
        joined
            .map(|times| times.unwrap_or_else(|_| Err("a client of etcd panicked".to_owned())))
            .collect()
    });
    let mut times = Vec::new();
    for result in results {
        times.extend(result?);
    }
    times.sort_by(f64::total_cmp);
    Ok(Measured {
        version,
        writes_per_second: times.len() as f64 / time.as_secs_f64(),
        p50_ms: times.get(times.len() / 2).copied().unwrap_or(f64::NAN),
    })
}

fn version() -> Option<String> {
    let output = Command::new("etcd").arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().next()?;
    Some(
        line.strip_prefix("etcd Version: ")
            .unwrap_or(line)
            .to_owned(),
    )
}

/// One client: writes new keys until it is told to stop; the time of each write that ended after `from`, in milliseconds.
fn write(
    to: SocketAddr,
    number: usize,
    bytes: usize,
    stop: &AtomicBool,
    from: Instant,
) -> Result<Vec<f64>, String> {
    let failed = |error: io::Error| format!("a write to etcd failed: {error}");
    let mut connection = Connection::open(to, "/etcdserverpb.KV/Put").map_err(failed)?;
    let mut times = Vec::new();
    for count in 0u64.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let key = format!("{number:04}/{count:012}");
        let started = Instant::now();
        connection
            .call(&put_request(key.as_bytes(), &value(number, count, bytes)))
            .map_err(failed)?;
        if Instant::now() >= from {
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
    }
    Ok(times)
}

/// Bytes that do not compress, as signed entries do not.
fn value(number: usize, count: u64, bytes: usize) -> Vec<u8> {
    let mut state = (((number as u64) << 40) | count).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut value: Vec<u8> = (0..bytes.div_ceil(8)).flat_map(|_| next()).collect();
    value.truncate(bytes);
    value
}

/// `etcdserverpb.PutRequest`: field 1 the key, field 2 the value.
fn put_request(key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(key.len() + value.len() + 8);
    for (tag, bytes) in [(0x0a, key), (0x12, value)] {
        out.push(tag);
        let mut length = bytes.len();
        while length >= 0x80 {
            out.push(length as u8 | 0x80);
            length >>= 7;
        }
        out.push(length as u8);
        out.extend_from_slice(bytes);
    }
    out
}

/// Three members; they end when this is dropped.
struct Cluster {
    members: Vec<Child>,
    clients: Vec<SocketAddr>,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for member in &mut self.members {
            let _ = member.kill();
            let _ = member.wait();
        }
    }
}

impl Cluster {
    fn start(dir: &Path) -> Result<Self, String> {
        let words = |error: io::Error| format!("etcd could not be started: {error}");
        std::fs::create_dir_all(dir).map_err(words)?;
        // Held until all are known, so that none is given twice.
        let held: Result<Vec<_>, _> = (0..2 * MEMBERS)
            .map(|_| TcpListener::bind("127.0.0.1:0"))
            .collect();
        let held = held.map_err(words)?;
        let addresses: Result<Vec<_>, _> = held.iter().map(TcpListener::local_addr).collect();
        let addresses = addresses.map_err(words)?;
        drop(held);
        let (peers, clients) = addresses.split_at(MEMBERS);
        let all: Vec<_> = peers
            .iter()
            .enumerate()
            .map(|(number, peer)| format!("m{number}=http://{peer}"))
            .collect();
        let mut cluster = Self {
            members: Vec::new(),
            clients: clients.to_vec(),
        };
        for (number, (peer, client)) in peers.iter().zip(clients).enumerate() {
            let name = format!("m{number}");
            let log = std::fs::File::create(dir.join(format!("{name}.log"))).map_err(words)?;
            let (peer, client) = (format!("http://{peer}"), format!("http://{client}"));
            let member = Command::new("etcd")
                .arg("--data-dir")
                .arg(dir.join(&name))
                .args(["--name", &name, "--initial-cluster", &all.join(",")])
                .args([
                    "--listen-peer-urls",
                    &peer,
                    "--initial-advertise-peer-urls",
                    &peer,
                ])
                .args([
                    "--listen-client-urls",
                    &client,
                    "--advertise-client-urls",
                    &client,
                ])
                .args([
                    "--initial-cluster-state",
                    "new",
                    "--quota-backend-bytes",
                    "8000000000",
                ])
                .args([
                    "--logger",
                    "zap",
                    "--log-outputs",
                    "stderr",
                    "--log-level",
                    "error",
                ])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()
                .map_err(words)?;
            cluster.members.push(member);
        }
        Ok(cluster)
    }

    /// The client address of the member that leads, as soon as there is one.
    fn leader(&self) -> Result<SocketAddr, String> {
        let deadline = Instant::now() + READY_WITHIN;
        while Instant::now() < deadline {
            for client in &self.clients {
                if leads(*client).unwrap_or(false) {
                    return Ok(*client);
                }
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Err(format!(
            "etcd had no leader within {} s",
            READY_WITHIN.as_secs()
        ))
    }
}

/// Asks a member through its HTTP gateway whether it leads.
fn leads(member: SocketAddr) -> io::Result<bool> {
    let mut link = TcpStream::connect_timeout(&member, Duration::from_secs(1))?;
    link.set_read_timeout(Some(Duration::from_secs(2)))?;
    let request = format!(
        "POST /v3/maintenance/status HTTP/1.1\r\nHost: {member}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}"
    );
    link.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    link.read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer);
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    // The body may be sent in chunks; it is one object.
    let object = body.find('{').zip(body.rfind('}'));
    let Some(status) = object
        .and_then(|(from, to)| serde_json::from_str::<serde_json::Value>(&body[from..=to]).ok())
    else {
        return Ok(false);
    };
    let (leader, me) = (&status["leader"], &status["header"]["member_id"]);
    Ok(leader.is_string() && leader == me)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_put_request_is_two_fields_with_their_lengths() {
        let request = put_request(b"k", &[7; 300]);
        assert_eq!(&request[..6], &[0x0a, 1, b'k', 0x12, 0xac, 0x02]);
        assert_eq!(request.len(), 6 + 300);
    }

    #[test]
    fn values_have_the_wanted_size_and_differ() {
        assert_eq!(value(1, 1, 403).len(), 403);
        assert_ne!(value(1, 1, 403), value(1, 2, 403));
        assert_ne!(value(1, 1, 403), value(2, 1, 403));
    }
}
