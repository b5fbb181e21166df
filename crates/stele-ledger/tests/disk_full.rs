//! A full disk: new entries are refused, reads go on, and when space returns the node takes entries again by itself.
//!
//! The disk is a small file system in memory. Mounting it takes root; a test that is not started by root starts itself again in
//! a user namespace, where it is. Where neither is allowed the tests fail and say so.

mod support;

use std::ffi::CString;
use std::fs::File;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use stele_core::cbor::BodyBuilder;
use stele_core::entry::Entry;
use stele_core::id::LogIndex;
use stele_core::machine::Refusal;
use stele_core::receipt::verify;
use stele_ledger::doctor;
use stele_ledger::ledger::{Finalised, Ledger, LedgerOptions, Progress, ProofError};
use stele_ledger::log::LogOptions;
use support::{Signer, World, record_event};

const NESTED: &str = "STELE_TEST_IN_NAMESPACE";
/// Longer than anything here takes; only a test that fails waits as long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A file system of a few megabytes.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    fn mount(bytes: u64) -> std::io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let target = CString::new(folder.path().as_os_str().as_bytes())?;
        let options = CString::new(format!("size={bytes},mode=700"))?;
        // SAFETY: all pointers are NUL-terminated strings that outlive the call.
        let result = unsafe {
            libc::mount(
                c"stele-test".as_ptr(),
                target.as_ptr(),
                c"tmpfs".as_ptr(),
                0,
                options.as_ptr().cast(),
            )
        };
        if result == 0 {
            Ok(Self { folder })
        } else {
            Err(std::io::Error::last_os_error())
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }

    fn free(&self) -> u64 {
        let path = CString::new(self.path().as_os_str().as_bytes()).expect("no NUL");
        let mut figures = core::mem::MaybeUninit::<libc::statvfs>::zeroed();
        // SAFETY: the path is NUL-terminated, the structure is writable and of the right type.
        let result = unsafe { libc::statvfs(path.as_ptr(), figures.as_mut_ptr()) };
        assert_eq!(result, 0);
        // SAFETY: zeroed, then filled in by statvfs.
        let figures = unsafe { figures.assume_init() };
        figures.f_bavail * figures.f_frsize
    }

    /// Fills the disk until only `left` bytes are free.
    fn fill(&self, left: u64) {
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(self.ballast())
            .expect("ballast");
        while self.free() > left {
            let bytes = vec![0x5a; (self.free() - left).min(1 << 20) as usize];
            file.write_all(&bytes).expect("there is room");
        }
    }

    fn empty(&self) {
        std::fs::remove_file(self.ballast()).expect("ballast");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let target = CString::new(self.path().as_os_str().as_bytes()).expect("no NUL");
        // SAFETY: the pointer is a NUL-terminated string that outlives the call.
        unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH) };
    }
}

/// Runs `body` with a small disk: here, or where that is not allowed in a user namespace.
fn with_small_disk(test: &str, bytes: u64, body: impl FnOnce(&SmallDisk)) {
    match SmallDisk::mount(bytes) {
        Ok(disk) => {
            eprintln!("{test}: a tmpfs of {} MiB", bytes >> 20);
            body(&disk);
        }
        Err(error) if std::env::var_os(NESTED).is_none() => {
            eprintln!("{test}: mounting is refused ({error}); trying a user namespace");
            let status = Command::new("unshare")
                .args(["--user", "--map-root-user", "--mount"])
                .arg(std::env::current_exe().expect("this test"))
                .args([test, "--exact", "--nocapture"])
                .env(NESTED, "1")
                .status();
            let passed = status.as_ref().is_ok_and(std::process::ExitStatus::success);
            assert!(
                passed,
                "in a user namespace: {status:?}. This test needs a small file system: run it as root, or allow user namespaces"
            );
        }
        Err(error) => panic!("mounting a tmpfs is refused in the user namespace too: {error}"),
    }
}

/// Submits until the node answers as `wanted` says.
fn until<T>(
    ledger: &Ledger,
    mut entry: impl FnMut() -> Entry,
    mut wanted: impl FnMut(Result<Finalised, Refusal>) -> Option<T>,
) -> T {
    let began = Instant::now();
    loop {
        let entry = entry();
        if let Some(found) = wanted(support::submit(ledger, &entry)) {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "the node never answered so");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn submit_without_waiting(ledger: &Ledger, entry: &Entry) -> Receiver<Result<Finalised, Refusal>> {
    let (sender, answer) = channel();
    let listener = move |progress| {
        let _ = match progress {
            Progress::Admitted(_) => Ok(()),
            Progress::Refused(refusal) | Progress::Unknown(refusal) => sender.send(Err(refusal)),
            Progress::Final(done) => sender.send(Ok(*done)),
        };
    };
    ledger
        .submit(entry.bytes().to_vec(), listener)
        .expect("taken in");
    answer
}

fn check_reads(ledger: &Ledger) {
    check_entry_receipts(ledger);
    let state = ledger
        .state_receipt(&[("identity", b"nobody")])
        .expect("proofs go on");
    verify(&state.encode(), &ledger.descriptor()).expect("valid");
}

fn check_entry_receipts(ledger: &Ledger) {
    let size = ledger.head().log_size().get();
    for index in [0, size - 1] {
        let receipt = ledger
            .entry_receipt(LogIndex::new(index), true)
            .expect("receipts go on");
        verify(&receipt.encode(), &ledger.descriptor()).expect("valid");
    }
}

struct Numbers(u64);

impl Numbers {
    fn event(&mut self, world: &World, signer: &Signer) -> Entry {
        self.0 += 1;
        let id = format!("urn:example:full:{}", self.0);
        signer.entry(world, "trace", vec![record_event(&id, [1; 32])])
    }

    /// An entry of `bytes` bytes that a rule refuses, so that it takes room in the log and none in the state.
    fn bulky(&mut self, world: &World, signer: &Signer, bytes: usize) -> Entry {
        self.0 += 1;
        let body = BodyBuilder::new()
            .bytes("filler", &vec![7; bytes])
            .uint("number", self.0);
        signer.entry(world, "trace", vec![("no.such-command", body.build())])
    }
}

/// The log reserves no room ahead, so that the log itself meets the full disk.
fn bare_options() -> LedgerOptions {
    LedgerOptions {
        log: LogOptions {
            reserve_bytes: 0,
            ..LogOptions::default()
        },
        ..World::options()
    }
}

#[test]
fn below_the_reserve_entries_are_refused_and_reads_go_on() {
    let test = "below_the_reserve_entries_are_refused_and_reads_go_on";
    with_small_disk(test, 64 << 20, |disk| {
        let world = World::new_in(&disk.path().join("ledger"));
        let options = LedgerOptions {
            disk_reserve_bytes: 8 << 20,
            ..World::options()
        };
        let ledger = world.open_with(options);
        let mill = world.register(&ledger, 1, "Fictional Olive Mill");
        let mut numbers = Numbers(0);
        for _ in 0..20 {
            support::submit(&ledger, &numbers.event(&world, &mill)).expect("ordered");
        }
        disk.fill(4 << 20);
        let refusal = until(&ledger, || numbers.event(&world, &mill), Result::err);
        assert_eq!(refusal.code, "node.disk-full", "{refusal}");
        assert_eq!(ledger.refusing().map(|r| r.code), Some(refusal.code));
        check_reads(&ledger);
        let head = ledger.head();
        disk.empty();
        let done = until(&ledger, || numbers.event(&world, &mill), Result::ok);
        assert_eq!(done.record.height, head.height().next());
        let head = ledger.head();
        drop(ledger);
        assert_eq!(world.open().head(), head);
        doctor::check(world.dir(), &mut |_, _, _| {}).expect("whole");
    });
}

#[test]
fn a_block_that_meets_a_full_disk_waits_for_space() {
    let test = "a_block_that_meets_a_full_disk_waits_for_space";
    with_small_disk(test, 16 << 20, |disk| {
        let world = World::new_in(&disk.path().join("ledger"));
        let ledger = world.open_with(bare_options());
        let mill = world.register(&ledger, 1, "Fictional Olive Mill");
        let mut numbers = Numbers(0);
        support::submit(&ledger, &numbers.event(&world, &mill)).expect("ordered");
        let head = ledger.head();
        disk.fill(64 << 10);

        let bulky = numbers.bulky(&world, &mill, 500_000);
        let answer = submit_without_waiting(&ledger, &bulky);
        let began = Instant::now();
        while ledger.refusing().is_none() {
            assert!(began.elapsed() < PATIENCE, "the log found room");
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(ledger.refusing().expect("refuses").code, "node.disk-full");
        assert_eq!(ledger.head(), head, "nothing half-written is final");
        assert!(answer.try_recv().is_err(), "its submitter still waits");
        check_entry_receipts(&ledger);
        // The state holds the waiting block already, and its certificate is not final: no proof until there is space again.
        let refused = ledger.state_receipt(&[("identity", b"nobody")]);
        assert!(matches!(refused, Err(ProofError::Busy)), "{refused:?}");

        disk.empty();
        let done = answer.recv_timeout(PATIENCE).expect("an answer");
        assert_eq!(done.expect("final").entry_id, bulky.id());
        until(&ledger, || numbers.event(&world, &mill), Result::ok);
        check_reads(&ledger);
        let head = ledger.head();
        drop(ledger);
        assert_eq!(world.open_with(bare_options()).head(), head);
        doctor::check(world.dir(), &mut |_, _, _| {}).expect("whole");
    });
}

#[test]
fn a_ledger_is_closed_and_opened_on_a_full_disk() {
    let test = "a_ledger_is_closed_and_opened_on_a_full_disk";
    with_small_disk(test, 16 << 20, |disk| {
        let world = World::new_in(&disk.path().join("ledger"));
        let ledger = world.open_with(bare_options());
        let mill = world.register(&ledger, 1, "Fictional Olive Mill");
        let mut numbers = Numbers(0);
        support::submit(&ledger, &numbers.event(&world, &mill)).expect("ordered");
        let head = ledger.head();
        disk.fill(64 << 10);
        let bulky = numbers.bulky(&world, &mill, 500_000);
        let mut entries = vec![numbers.event(&world, &mill), bulky.clone()];
        entries.extend((0..3).map(|_| numbers.event(&world, &mill)));
        let answers: Vec<_> = entries
            .iter()
            .map(|entry| submit_without_waiting(&ledger, entry))
            .collect();
        // Closing must not wait for space that may never come.
        drop(ledger);
        let mut ordered = 0;
        for answer in answers {
            match answer.try_recv().expect("everybody hears something") {
                Ok(_) => ordered += 1,
                Err(refusal) => assert_eq!(refusal.code, "node.disk-full", "{refusal}"),
            }
        }
        disk.fill(0);
        let ledger = world.open_with(bare_options());
        assert_eq!(
            ledger.head().log_size().get(),
            head.log_size().get() + ordered
        );
        check_reads(&ledger);
        drop(ledger);
        disk.empty();
        let ledger = world.open_with(bare_options());
        let done = support::submit(&ledger, &bulky).expect("it was never ordered");
        assert_eq!(done.entry_id, bulky.id());
        drop(ledger);
        doctor::check(world.dir(), &mut |_, _, _| {}).expect("whole");
    });
}

#[test]
fn the_state_meets_a_full_disk() {
    let test = "the_state_meets_a_full_disk";
    with_small_disk(test, 32 << 20, |disk| {
        let world = World::new_in(&disk.path().join("ledger"));
        // The log has room ahead, so the state is the first to find none.
        let ledger = world.open();
        let mill = world.register(&ledger, 1, "Fictional Olive Mill");
        let mut numbers = Numbers(0);
        support::submit(&ledger, &numbers.event(&world, &mill)).expect("ordered");
        disk.fill(0);
        let mut answers = Vec::new();
        let began = Instant::now();
        while ledger.refusing().is_none() {
            assert!(began.elapsed() < PATIENCE, "the state found room");
            let entry = numbers.event(&world, &mill);
            if ledger.refusing().is_none() {
                answers.push(submit_without_waiting(&ledger, &entry));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let refusal = ledger.refusing().expect("refuses");
        assert_eq!(refusal.code, "node.disk-full", "{refusal}");
        check_reads(&ledger);
        disk.empty();
        for answer in answers {
            let done = answer.recv_timeout(PATIENCE).expect("an answer");
            done.expect("what was taken in becomes final");
        }
        until(&ledger, || numbers.event(&world, &mill), Result::ok);
        let head = ledger.head();
        drop(ledger);
        assert_eq!(world.open().head(), head);
        doctor::check(world.dir(), &mut |_, _, _| {}).expect("whole");
    });
}
