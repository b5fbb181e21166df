//! The peer: PostgreSQL doing an unsigned insert and two balance updates in one durable transaction, 64 clients.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where Debian keeps the server's programs.
const PROGRAMS: &str = "/usr/lib/postgresql";

const SCRIPT: &str = "\\set a random(1, ACCOUNTS)\n\\set b random(1, ACCOUNTS)\nBEGIN;\n\
    INSERT INTO entries (payer, receiver, amount) VALUES (:a, :b, 1);\n\
    UPDATE accounts SET balance = balance - 1 WHERE id = :a;\n\
    UPDATE accounts SET balance = balance + 1 WHERE id = :b;\nEND;\n";

/// What was measured.
pub(crate) struct Measured {
    pub(crate) version: String,
    pub(crate) transactions_per_second: f64,
}

/// Starts a server of its own in `dir`, measures for `seconds`, stops it.
///
/// # Errors
/// Why it could not be measured, in words.
pub(crate) fn measure(dir: &Path, accounts: u64, seconds: u64) -> Result<Measured, String> {
    let programs = newest_programs().ok_or("PostgreSQL is not installed (Debian: postgresql)")?;
    let server = Server::start(&programs, dir)?;
    server.sql(&format!(
        "CREATE TABLE accounts (id bigint PRIMARY KEY, balance bigint NOT NULL);\
         CREATE TABLE entries (id bigserial PRIMARY KEY, payer bigint, receiver bigint, amount bigint);\
         INSERT INTO accounts SELECT g, 1000000 FROM generate_series(1, {accounts}) g; ANALYZE; CHECKPOINT;"
    ))?;
    let script = dir.join("transfer.sql");
    std::fs::write(&script, SCRIPT.replace("ACCOUNTS", &accounts.to_string()))
        .map_err(|error| error.to_string())?;
    readable(&script);
    let mut bench = server.command("pgbench");
    bench
        .args([
            "-n",
            "-M",
            "prepared",
            "-c",
            "64",
            "-j",
            "2",
            "-T",
            &seconds.to_string(),
            "-f",
        ])
        .arg(&script);
    let output = bench
        .arg("postgres")
        .output()
        .map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let tps = text
        .lines()
        .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    let version = server.sql("SHOW server_version")?;
    match tps {
        Some(transactions_per_second) => Ok(Measured {
            version,
            transactions_per_second,
        }),
        None => Err(format!(
            "pgbench said: {text} {}",
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

fn newest_programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir(PROGRAMS).ok()?;
    let mut found: Vec<_> = versions
        .flatten()
        .map(|version| version.path().join("bin"))
        .filter(|programs| programs.join("initdb").exists())
        .collect();
    found.sort();
    found.pop()
}

fn readable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755));
}

struct Server {
    programs: PathBuf,
    data: PathBuf,
    sockets: PathBuf,
    /// The server refuses to run as root; root becomes `postgres`.
    as_postgres: bool,
}

impl Server {
    fn start(programs: &Path, dir: &Path) -> Result<Self, String> {
        // SAFETY: geteuid has no preconditions and cannot fail.
        let as_postgres = unsafe { libc::geteuid() } == 0;
        let home = dir.join("postgres");
        std::fs::create_dir_all(&home).map_err(|error| error.to_string())?;
        for folder in [dir, &home] {
            readable(folder);
        }
        if as_postgres {
            run(Command::new("chown").arg("postgres").arg(&home))?;
        }
        let server = Self {
            programs: programs.to_owned(),
            data: home.join("data"),
            sockets: home,
            as_postgres,
        };
        run(server
            .command("initdb")
            .arg("-D")
            .arg(&server.data)
            .args(["-A", "trust", "-U", "postgres"]))?;
        let sockets = server.sockets.display();
        let options = format!(
            "-c listen_addresses='' -k {sockets} -c max_connections=100 -c shared_buffers=512MB -c max_wal_size=8GB"
        );
        let log = server.sockets.join("log");
        run(server
            .command("pg_ctl")
            .arg("-D")
            .arg(&server.data)
            .arg("-l")
            .arg(log)
            .args(["-w", "-o", &options, "start"]))?;
        Ok(server)
    }

    fn command(&self, program: &str) -> Command {
        let path = self.programs.join(program);
        let mut command = if self.as_postgres {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        command
            .env("PGHOST", &self.sockets)
            .env("PGUSER", "postgres")
            .current_dir(&self.sockets)
            .stdin(Stdio::null());
        command
    }

    fn sql(&self, text: &str) -> Result<String, String> {
        run(self
            .command("psql")
            .args(["-qtA", "-d", "postgres", "-c", text]))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ =
            run(self
                .command("pg_ctl")
                .arg("-D")
                .arg(&self.data)
                .args(["-m", "immediate", "stop"]));
    }
}

fn run(command: &mut Command) -> Result<String, String> {
    // pg_ctl leaves the server behind with its output open: nothing may wait for that to close.
    let log = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
    let sink = |file: &tempfile::NamedTempFile| {
        file.reopen()
            .map(Stdio::from)
            .map_err(|error| error.to_string())
    };
    let status = command.stdout(sink(&log)?).stderr(sink(&log)?).status();
    let status = status.map_err(|error| format!("{command:?}: {error}"))?;
    let text = std::fs::read_to_string(log.path()).unwrap_or_default();
    if status.success() {
        Ok(text.trim().to_owned())
    } else {
        Err(format!("{command:?}: {}", text.trim()))
    }
}
