//! docs/operations.md, command by command: what an operator is told to type is what this test types, with addresses of this machine.

mod support;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use support::running::{Running, free_addresses, text};
use support::{Place, Ran, repository};

/// Commands of the page that another test exercises: how each begins, the file under `crates/stele/tests`, and the test's name.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    ("stele network propose ", "network.rs", CHANGES),
    ("stele network proposals ", "network.rs", CHANGES),
    ("stele network vote ", "network.rs", CHANGES),
    (
        "stele network join network.bundle --data ",
        "network.rs",
        CHANGES,
    ),
    ("stele network rotate ", "network.rs", CHANGES),
    ("stele party register ", "network.rs", CHANGES),
    ("stele keys export ", "network.rs", CHANGES),
    ("stele keys import ", "network.rs", CHANGES),
    ("stele up --data NEW-DIR", "network.rs", CHANGES),
    ("stele witness status ", "witness.rs", WITNESSED),
    ("stele witness up ", "witness.rs", WITNESSED),
    (
        "stele up --data DIR/validator-1 --witness ",
        "witness.rs",
        WITNESSED,
    ),
    (
        "stele verify FILE.receipt --witness ",
        "witness.rs",
        WITNESSED,
    ),
    ("stele snapshot ", "storage.rs", STORED),
    ("stele archive ", "storage.rs", STORED),
    (
        "stele up --data DIR/follower --archive-after ",
        "storage.rs",
        STORED,
    ),
];
const STORED: &str = "a_ledger_is_carried_in_a_file_and_archived";
const CHANGES: &str = "members_take_another_in_leave_and_change_their_keys";
const WITNESSED: &str = "receipts_carry_the_cosignatures_of_two_witnesses_through_death_and_return";

/// The four organisations of the page, each with the host of its address there.
const FOUNDERS: [(&str, &str); 4] = [
    ("Mill", "mill"),
    ("Harbour", "harbour"),
    ("Bakery", "bakery"),
    ("Shop", "shop"),
];

/// The lines of a page between fences.
fn fenced(page: &str) -> Vec<String> {
    let mut inside = false;
    let mut lines = Vec::new();
    for line in page.lines().map(str::trim) {
        if line.starts_with("```") {
            inside = !inside;
        } else if inside && !line.is_empty() {
            lines.push(line.to_owned());
        }
    }
    assert!(!inside, "a fence that nobody closes");
    lines
}

/// A line as a shell reads it, as far as the page needs one.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    for c in line.chars() {
        match quote {
            Some(end) if c == end => quote = None,
            Some(_) => word.push(c),
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c == ' ' => words.extend((!word.is_empty()).then(|| std::mem::take(&mut word))),
            None => word.push(c),
        }
    }
    assert!(quote.is_none(), "a quote that nobody closes: {line}");
    words.extend((!word.is_empty()).then_some(word));
    words
}

/// The commands of the page that no test has typed yet.
struct Page {
    left: Vec<String>,
}

impl Page {
    fn read() -> Self {
        let page = repository().join("docs/operations.md");
        let page = fs::read_to_string(page).expect("the page");
        Self {
            left: fenced(&page),
        }
    }

    /// Takes the next command that begins so, as its arguments without the program's name.
    fn take(&mut self, start: &str) -> Vec<String> {
        let found = self.left.iter().find(|line| line.starts_with(start));
        let found = found.cloned();
        let found = found.unwrap_or_else(|| panic!("the page has no command `{start}`"));
        // The page may say it again further down.
        self.left.retain(|line| *line != found);
        words(&found).split_off(1)
    }
}

fn with(arguments: &[String], replace: &[(&str, &str)]) -> Vec<String> {
    let change = |argument: &String| {
        let changed = replace.iter().find(|(from, _)| argument == from);
        changed.map_or_else(|| argument.clone(), |(_, to)| (*to).to_owned())
    };
    arguments.iter().map(change).collect()
}

fn strs(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

fn good(ran: Ran) -> Ran {
    assert_eq!(ran.code, 0, "{}", ran.whole());
    ran
}

#[test]
fn every_command_of_the_page_does_what_the_page_says() {
    let mut page = Page::read();
    let place = Place::new();
    // Everything happens in one folder, where each founder's folder has the name that the page gives it.
    let run = |arguments: &[String]| place.run(&strs(arguments));
    let addresses = free_addresses(5);

    let card = page.take("stele network card");
    for ((name, host), address) in FOUNDERS.iter().zip(&addresses) {
        let (name, file) = (format!("Fictional {name}"), format!("{host}.card"));
        let card = with(
            &card,
            &[
                ("Fictional Mill", &name),
                ("mill.example:7100", address),
                ("mill", host),
                ("mill.card", &file),
            ],
        );
        good(run(&card));
    }
    good(run(&page.take("stele network plan")));
    let shown = good(run(
        &page.take("stele network new --plan founding.json --data mill")
    ));
    let fingerprint = shown.stdout.lines().find_map(|line| {
        let line = line.trim().strip_prefix("fingerprint")?;
        Some(line.trim().to_owned())
    });
    let fingerprint = fingerprint.expect("a fingerprint");
    let new = page.take("stele network new --plan founding.json --data mill --fingerprint");
    let mut founders = Vec::new();
    for (_, host) in FOUNDERS {
        let new = with(&new, &[("FINGERPRINT", &fingerprint), ("mill", host)]);
        founders.push(Running::start(&place, &format!("new-{host}"), &strs(&new)));
    }
    for founder in &mut founders {
        founder.wait_done();
        assert!(founder.text().contains("is founded"), "{}", founder.text());
    }
    drop(founders);

    // The shop has lost what is public.
    let shop = place.path().join("shop");
    for file in ["network.bundle", "network.json", "validator/seat.json"] {
        fs::remove_file(shop.join(file)).expect("removed");
    }
    fs::remove_dir_all(shop.join("ledger")).expect("removed");
    let late = page.take("stele network new --plan founding.json --data shop");
    good(run(&with(&late, &[("FINGERPRINT", &fingerprint)])));

    let join = page.take("stele network join mill/network.bundle --data follower");
    let joined = good(run(&with(&join, &[("127.0.0.1:7200", &addresses[4])])));
    let key = joined
        .stdout
        .lines()
        .find_map(|line| line.trim().strip_prefix("node key"));
    let key = key.expect("a node key").trim().to_owned();
    let seat = place.path().join("mill/validator/seat.json");
    let settings = fs::read_to_string(&seat).expect("settings");
    let mut settings: serde_json::Value = serde_json::from_str(&settings).expect("JSON");
    settings["followers"] = serde_json::json!([key]);
    fs::write(&seat, settings.to_string()).expect("written");

    let up = page.take("stele up --data mill --listen");
    let start = |host: &str| {
        let up = with(&up, &[("mill", host), ("127.0.0.1:4180", "127.0.0.1:0")]);
        Running::node(&place, &format!("up-{host}"), &strs(&up))
    };
    let (mill, url) = start("mill");
    let others: Vec<_> = FOUNDERS[1..]
        .iter()
        .map(|(_, host)| start(host).0)
        .collect();
    let status = page.take("stele network status --url http://127.0.0.1:4180");
    let status = with(&status, &[("http://127.0.0.1:4180", &url)]);
    let deadline = std::time::Instant::now() + support::running::PATIENCE;
    // Exit code 0: no alarm.
    while run(&status).code != 0 {
        assert!(
            std::time::Instant::now() < deadline,
            "{}",
            run(&status).whole()
        );
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let follower = page.take("stele up --data follower");
    let follower = with(&follower, &[("127.0.0.1:4190", "127.0.0.1:0")]);
    let (follower, follower_url) = Running::node(&place, "up-follower", &strs(&follower));

    let here = [("http://127.0.0.1:4180", url.as_str())];
    let propose = page.take("stele network propose --title \"Trace version 2\"");
    good(run(&with(&propose, &here)));
    // Three of four stewards must agree, and the proposer is for it.
    let vote = page.take("stele network vote 1 yes --url http://127.0.0.1:4180 --data harbour");
    let agree = |number: &str| {
        for host in ["harbour", "bakery"] {
            let replace = [here[0], ("harbour", host), ("1", number)];
            good(run(&with(&vote, &replace)));
        }
    };
    agree("1");
    let told = run(&status);
    assert_eq!(told.code, 1, "an alarm: {}", told.whole());
    assert!(
        told.stdout.contains("version 2 of the register trace"),
        "{}",
        told.whole()
    );
    let propose = page.take("stele network propose --title \"No trace version 2\"");
    good(run(&with(&propose, &here)));
    agree("2");
    let told = run(&status);
    assert!(!told.stdout.contains("register trace"), "{}", told.whole());
    let read = |url: &str| place.run(&["read", "network", "--format", "json", "--url", url]);
    let height = good(read(&url)).json()["head"]["height"]
        .as_u64()
        .expect("a height");
    assert!(height >= 2);
    while good(read(&follower_url)).json()["head"]["height"].as_u64() < Some(height) {
        assert!(
            std::time::Instant::now() < deadline,
            "the follower is not level"
        );
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    follower.stop();
    mill.stop();

    let read_only = page.take("stele up --data mill --read-only");
    let read_only = with(&read_only, &[("127.0.0.1:4180", "127.0.0.1:0")]);
    let (reader, reader_url) = Running::node(&place, "read-only", &strs(&read_only));
    let seen = good(read(&reader_url)).json()["head"]["height"].as_u64();
    assert_eq!(seen, Some(height));
    let body = r#"{"name": "Fictional Mill"}"#;
    let refused = place.run(&[
        "submit",
        "governance",
        "member.describe",
        body,
        "--url",
        &reader_url,
        "--data",
        "mill",
    ]);
    assert_eq!(refused.code, 1, "{}", refused.whole());
    assert!(refused.stderr.contains("read-only"), "{}", refused.whole());
    reader.stop();

    let tar = Command::new("tar")
        .args(page.take("tar --create"))
        .current_dir(place.path())
        .status();
    assert!(tar.expect("tar starts").success());
    let listed = Command::new("tar")
        .args(["--list", "--file", "mill-keys.tar"])
        .current_dir(place.path())
        .output();
    let listed = String::from_utf8(listed.expect("tar starts").stdout).expect("text");
    for file in [
        "mill/validator/node.key",
        "mill/validator/share-1.key",
        "mill/keys/operator.json",
    ] {
        assert!(listed.contains(file), "{listed}");
    }
    assert!(!listed.contains("engine"), "{listed}");
    drop(others);

    // On one machine: four processes, and one of their folders alone.
    let local = page.take("./stele up --validators 4");
    let ready = place.path().join("local.ready");
    let dir = place.path().join("DIR");
    let more = [
        "--listen",
        "127.0.0.1:0",
        "--data",
        text(&dir),
        "--ready-file",
        text(&ready),
    ];
    let mut four = Running::start(&place, "local", &[&strs(&local)[..], &more].concat());
    four.wait_for("of 4 validators: founded just now");
    four.stop();
    let one = page.take("stele up --data DIR/validator-1");
    let (one, _) = Running::node(&place, "alone", &strs(&one));
    one.stop();

    // What is left must have its test elsewhere.
    let tests = repository().join("crates/stele/tests");
    for line in page.left {
        let found = ELSEWHERE.iter().find(|(start, ..)| line.starts_with(start));
        let Some((_, file, test)) = found else {
            panic!("no test types this command of docs/operations.md: {line}");
        };
        let file: PathBuf = tests.join(file);
        let source = fs::read_to_string(&file).unwrap_or_default();
        assert!(
            source.contains(&format!("fn {test}(")),
            "{} has no test {test}",
            file.display()
        );
    }
}

#[test]
fn lines_are_read_as_a_shell_reads_them() {
    assert_eq!(
        words(r#"stele a --b "c d" '{"e": 1}'"#),
        ["stele", "a", "--b", "c d", r#"{"e": 1}"#]
    );
    let page = "text\n\n   ```\n   one\n   ```\n```\ntwo\nthree\n```\nmore";
    assert_eq!(fenced(page), ["one", "two", "three"]);
}
