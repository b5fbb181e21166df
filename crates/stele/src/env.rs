//! Every environment variable that the command line reads. A flag goes before its variable, a variable before the default.

use std::path::PathBuf;

/// Folder in which a node keeps its files.
pub const HOME: &str = "STELE_HOME";
/// Address of the node that commands talk to.
pub const URL: &str = "STELE_URL";
/// API token of that node.
pub const TOKEN: &str = "STELE_TOKEN";
/// Folder with the data sets of scenarios.
pub const DATA: &str = "STELE_DATA";
/// Passphrase under which keys are exported and imported.
pub const PASSPHRASE: &str = "STELE_PASSPHRASE";
/// Which log lines a node writes.
pub const LOG: &str = "STELE_LOG";
/// Set to anything: no colours.
pub const NO_COLOR: &str = "NO_COLOR";
const TERM: &str = "TERM";
const USER_HOME: &str = "HOME";
const XDG_DATA_HOME: &str = "XDG_DATA_HOME";
#[cfg(test)]
const XDG_CACHE_HOME: &str = "XDG_CACHE_HOME";

/// What the reference page says of each.
#[cfg(test)]
pub const ALL: &[(&str, &str)] = &[
    (
        HOME,
        "the folder in which a node keeps its files; default `$XDG_DATA_HOME/stele/NETWORK`",
    ),
    (
        URL,
        "the node that commands talk to; default `http://127.0.0.1:4180`",
    ),
    (
        TOKEN,
        "the API token of that node, for `stele scenario run --url`; a node asks for it unless it trusts its own machine",
    ),
    (
        DATA,
        "a folder with the data sets of scenarios (`stele data list`)",
    ),
    (
        PASSPHRASE,
        "the passphrase for `stele keys export` and `stele keys import`",
    ),
    (
        LOG,
        "which log lines a node writes, such as `info` or `stele_node=debug`",
    ),
    (NO_COLOR, "set to anything but nothing: no colours"),
    (TERM, "`dumb`: no colours and no progress bars"),
    (
        XDG_DATA_HOME,
        "where data of the user lies; default `~/.local/share`",
    ),
    (
        XDG_CACHE_HOME,
        "where `stele data get` puts data sets, below `stele/data`; default `~/.cache`",
    ),
    (USER_HOME, "the user's home folder, `~` above"),
];

/// A variable's value, unless it is empty or not text.
pub fn text(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Whether the terminal can do more than print lines.
pub fn terminal_is_dumb() -> bool {
    text(TERM).is_some_and(|term| term == "dumb")
}

/// `$XDG_DATA_HOME/stele`.
pub fn user_data() -> PathBuf {
    user_folder(XDG_DATA_HOME, ".local/share").join("stele")
}

fn user_folder(variable: &str, below_home: &str) -> PathBuf {
    // The XDG base directory specification has relative paths ignored.
    let given = text(variable)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    given.unwrap_or_else(|| PathBuf::from(text(USER_HOME).unwrap_or_default()).join(below_home))
}
