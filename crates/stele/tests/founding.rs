//! Four organisations found a network as docs/operations.md says: cards, a plan, the ceremony, four validators, a verified receipt.

mod support;

use std::path::{Path, PathBuf};

use support::running::{Running, free_addresses, text};
use support::{Place, Ran};

const NAMES: [&str; 4] = [
    "Fictional Mill",
    "Fictional Harbour",
    "Fictional Bakery",
    "Fictional Shop",
];

fn good(ran: Ran) -> Ran {
    assert_eq!(ran.code, 0, "{}", ran.whole());
    ran
}

struct Founders {
    place: Place,
    plan: PathBuf,
    fingerprint: String,
}

impl Founders {
    /// Cards and a plan.
    fn new() -> Self {
        let place = Place::new();
        let mut cards = Vec::new();
        for (name, address) in NAMES.iter().zip(free_addresses(4)) {
            let number = cards.len();
            let (data, card) = (format!("home-{number}"), format!("{number}.card"));
            let arguments = ["--name", name, "--address", &address, "--data", &data];
            good(place.run(&[&["network", "card"], &arguments[..], &["-o", &card]].concat()));
            cards.push(card);
        }
        let plan = Self::plan(&place, "Fictional Four", "founding.json", &cards);
        let fingerprint = Self::fingerprint(&place, &plan);
        Self {
            place,
            plan,
            fingerprint,
        }
    }

    fn plan(place: &Place, name: &str, file: &str, cards: &[String]) -> PathBuf {
        let mut arguments = vec!["network", "plan", "--name", name, "-o", file];
        arguments.extend(cards.iter().map(String::as_str));
        good(place.run(&arguments));
        place.path().join(file)
    }

    fn fingerprint(place: &Place, plan: &Path) -> String {
        let shown = place.run(&[
            "network",
            "new",
            "--plan",
            text(plan),
            "--data",
            "home-0",
            "--format",
            "json",
        ]);
        let shown = good(shown).json();
        assert_eq!(shown["founders"].as_array().map(Vec::len), Some(4));
        shown["fingerprint"].as_str().expect("words").to_owned()
    }

    fn home(&self, number: usize) -> PathBuf {
        self.place.path().join(format!("home-{number}"))
    }

    fn arguments<'a>(plan: &'a Path, home: &'a Path, fingerprint: &'a str) -> [&'a str; 8] {
        [
            "network",
            "new",
            "--plan",
            text(plan),
            "--data",
            text(home),
            "--fingerprint",
            fingerprint,
        ]
    }

    fn begin(&self, number: usize) -> Running {
        let home = self.home(number);
        let arguments = Self::arguments(&self.plan, &home, &self.fingerprint);
        Running::start(&self.place, &format!("founder-{number}"), &arguments)
    }
}

#[test]
fn four_organisations_found_a_network_and_one_is_killed_on_the_way() {
    let founders = Founders::new();
    let place = &founders.place;
    // Before it, nothing can be started by mistake, and a fingerprint that was not compared stops everything.
    let early = place.run(&["up", "--data", "home-0", "--listen", "127.0.0.1:0"]);
    assert_eq!(early.code, 2, "{}", early.whole());
    assert!(
        early.stderr.contains("not founded yet"),
        "{}",
        early.whole()
    );
    let home = founders.home(0);
    let wrong = place.run(&Founders::arguments(&founders.plan, &home, "0000 0000"));
    assert_eq!(wrong.code, 1, "{}", wrong.whole());

    // Three are there. One of them is killed as soon as it deals, and starts again.
    let mut running: Vec<_> = (0..3).map(|number| founders.begin(number)).collect();
    running[1].wait_for("is there");
    drop(running.remove(1));
    running.insert(1, founders.begin(1));
    running[0].wait_for("waiting for");
    assert!(
        running[0]
            .text()
            .contains("Fictional Shop (was not heard yet)"),
        "{}",
        running[0].text()
    );
    assert!(!founders.home(0).join("network.json").exists());
    // The fourth comes, and is killed when its share is on its disk, wherever it is then.
    let mut fourth = founders.begin(3);
    fourth.wait_for("this founder's share is on the disk");
    drop(fourth);
    let mut fourth = founders.begin(3);
    for founder in &mut running {
        founder.wait_done();
    }
    // The kill may have hit it after its last words to the others: then they have left, and it has nobody to wait for.
    fourth.wait_for("the network is on this founder's disk; stopping now does no harm here");
    drop(fourth);
    let descriptor = std::fs::read(home.join("network.json")).expect("a descriptor");
    for number in 0..4 {
        let home = founders.home(number);
        let other = std::fs::read(home.join("network.json")).expect("a descriptor");
        assert_eq!(other, descriptor, "one network");
        assert!(!home.join("validator/founding.secret").exists());
        assert!(home.join("validator/share-1.key").exists());
    }
    drop(running);

    let mut urls = Vec::new();
    let mut nodes = Vec::new();
    for number in 0..4 {
        let home = founders.home(number);
        let arguments = [
            "up",
            "--quiet",
            "--listen",
            "127.0.0.1:0",
            "--data",
            text(&home),
        ];
        let (node, url) = Running::node(place, &format!("node-{number}"), &arguments);
        nodes.push(node);
        urls.push(url);
    }
    let body = r#"{"name": "Fictional Shop and Sons"}"#;
    let home = founders.home(3);
    let done = good(place.run(&[
        "submit",
        "governance",
        "member.describe",
        body,
        "--format",
        "json",
        "--url",
        &urls[3],
        "--data",
        text(&home),
    ]));
    let id = done.json()["entry_id"].as_str().expect("an id").to_owned();
    let (receipt, network) = (
        place.path().join("shop.receipt"),
        founders.home(0).join("network.json"),
    );
    good(place.run(&[
        "prove",
        "entry",
        &id,
        "--url",
        &urls[3],
        "--network",
        text(&network),
        "-o",
        text(&receipt),
    ]));
    good(place.run(&["verify", text(&receipt), "--network", text(&network)]));

    // The founding cannot be held again over a network.
    let card = [
        "--name",
        "Fictional Mill",
        "--address",
        "127.0.0.1:1",
        "--data",
        "home-0",
    ];
    let again = place.run(&[&["network", "card"], &card[..]].concat());
    assert_eq!(again.code, 2, "{}", again.whole());
}

#[test]
fn a_founder_with_another_plan_is_told_from_one_that_is_away() {
    let founders = Founders::new();
    let place = &founders.place;
    let cards: Vec<_> = (0..4).map(|number| format!("{number}.card")).collect();
    let other = Founders::plan(place, "Fictional Fork", "other.json", &cards);
    let fingerprint = Founders::fingerprint(place, &other);
    assert_ne!(fingerprint, founders.fingerprint);
    let home = founders.home(1);
    let arguments = Founders::arguments(&other, &home, &fingerprint);
    let mut odd = Running::start(place, "odd", &arguments);
    let mut first = founders.begin(0);
    first.wait_for("Fictional Harbour holds another plan");
    odd.wait_for("Fictional Mill holds another plan");
    drop(odd);
    // With the right file it is welcome, and all come to a network.
    let mut running: Vec<_> = (1..4).map(|number| founders.begin(number)).collect();
    running.push(first);
    for founder in &mut running {
        founder.wait_done();
    }
    drop(running);

    // One has lost what is public; a bundle of another founder brings it back.
    let home = founders.home(3);
    for file in ["network.bundle", "network.json", "validator/seat.json"] {
        std::fs::remove_file(home.join(file)).expect("removed");
    }
    std::fs::remove_dir_all(home.join("ledger")).expect("removed");
    let bundle = founders.home(0).join("network.bundle");
    let arguments = Founders::arguments(&founders.plan, &home, &founders.fingerprint);
    let late = place.run(&[&arguments[..], &["--bundle", text(&bundle)]].concat());
    good(late);
    assert_eq!(
        std::fs::read(home.join("network.json")).expect("a file"),
        std::fs::read(founders.home(0).join("network.json")).expect("a file"),
    );
    assert!(home.join("validator/seat.json").exists());
}

#[test]
fn cards_and_plans_that_do_not_hold_are_refused_by_name() {
    let founders = Founders::new();
    let place = &founders.place;
    let card = std::fs::read_to_string(place.path().join("0.card")).expect("a card");
    let plan = std::fs::read_to_string(&founders.plan).expect("a plan");
    let renamed = card.replace("Fictional Mill", "Fictional Bank");
    place.file("renamed.card", &renamed);
    place.file("noise.card", b"\x00\xffnoise");
    place.file(
        "renamed.json",
        plan.replace("Fictional Mill", "Fictional Bank"),
    );
    place.file(
        "newer.json",
        plan.replace("\"version\": 1", "\"version\": 77"),
    );
    place.file(
        "ahead.json",
        plan.replace("\"time_ms\": 1", "\"time_ms\": 9"),
    );
    place.file("cut.json", &plan[..plan.len() / 2]);
    let make = |cards: &[&str]| {
        let arguments = ["network", "plan", "--name", "Fictional", "-o", "x.json"];
        place.run(&[&arguments[..], cards].concat())
    };
    let read = |file: &str| place.run(&["network", "new", "--plan", file, "--data", "home-0"]);
    let refused = [
        (
            make(&["renamed.card", "1.card"]),
            "the card of Fictional Bank does not hold",
        ),
        (make(&["noise.card"]), "it is no founder's card"),
        (
            make(&["0.card", "0.card"]),
            "two founders have the same node key",
        ),
        (make(&["founding.json"]), "it is no founder's card"),
        (
            read("renamed.json"),
            "the card of Fictional Bank does not hold",
        ),
        (read("newer.json"), "which this program lacks"),
        (read("ahead.json"), "after now by this machine's clock"),
        (read("cut.json"), "it is no founding plan"),
    ];
    for (ran, words) in refused {
        assert_eq!(ran.code, 2, "{}", ran.whole());
        assert!(
            ran.stderr.contains(words),
            "no `{words}` in\n{}",
            ran.whole()
        );
        assert!(ran.stderr.contains("hint:"), "{}", ran.whole());
    }
    assert!(!place.path().join("x.json").exists());
    // Somebody who is not in the plan cannot hold the founding, and a folder without a card neither.
    let address = &free_addresses(1)[0];
    let arguments = [
        "--name",
        "Fictional Bank",
        "--address",
        address,
        "--data",
        "bank",
    ];
    good(place.run(&[&["network", "card"], &arguments[..]].concat()));
    for (folder, words) in [
        ("bank", "does not hold the card of Fictional Bank"),
        ("empty", "no founder's card"),
    ] {
        let home = place.path().join(folder);
        let ran = place.run(&Founders::arguments(
            &founders.plan,
            &home,
            &founders.fingerprint,
        ));
        assert_eq!(ran.code, 2, "{}", ran.whole());
        assert!(
            ran.stderr.contains(words),
            "no `{words}` in\n{}",
            ran.whole()
        );
    }
}
