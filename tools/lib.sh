# What ./stele and ./test share: where built things lie, and how a missing piece is named.
# Sourced by bash scripts that set ROOT (the checkout) and `set -euo pipefail`.
# shellcheck shell=bash

# Everything built or installed goes below one folder outside the checkout, so that a fresh clone
# finds its dependencies compiled. `~` also works where HOME is not set.
CACHE="${XDG_CACHE_HOME:-${HOME:-$(cd ~ && pwd)}/.cache}/stele"
mkdir -p "$CACHE"

CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$CACHE/target}"
case "$CARGO_TARGET_DIR" in /*) ;; *) CARGO_TARGET_DIR="$PWD/$CARGO_TARGET_DIR" ;; esac
export CARGO_TARGET_DIR

# npm reads a project's .npmrc only from the folder of its package.json; these settings hold for all.
export npm_config_omit_lockfile_registry_resolved=true npm_config_fund=false npm_config_audit=false
export npm_config_update_notifier=false npm_config_prefer_offline=true
# A browser is Debian's chromium, never a download of the test tool.
export PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1

say() { printf '%s\n' "$*" >&2; }

# die MESSAGE HINT...: the way every failure for a person ends.
die() {
    say "error: $1"
    shift
    local hint
    for hint in "$@"; do say "hint: $hint"; done
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# checkout_key: a short name for this checkout, for things that belong to one clone only.
checkout_key() { printf '%s' "$ROOT" | sha256sum | cut -c1-12; }

need_rust() {
    # rustup installs here, and a shell that was open before does not have it in PATH yet.
    have cargo || PATH="$PATH:${CARGO_HOME:-${HOME:-$(cd ~ && pwd)}/.cargo}/bin"
    local wanted found
    have cargo || die "cargo, Rust's build tool, is not installed" \
        "install Rust with rustup (rustup.rs), then open a new shell and run this again"
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml")
    found=$(rustc --version | cut -d' ' -f2)
    at_least "$found" "$wanted" || die "Rust $found is too old: $wanted or later is needed" "run: rustup update stable"
    have cc || have gcc || have clang || die "no C compiler: some dependencies build C code" \
        "on Debian or Ubuntu run: apt-get install build-essential"
}

need_node() {
    { have node && have npm; } || die "Node.js with npm is not installed: the console is built with it" \
        "install Node.js 20 or later"
    local found
    found=$(node --version)
    at_least "${found#v}" 20 || die "Node.js $found is too old: 20 or later is needed" "install Node.js 20 or later"
}

# at_least FOUND WANTED: compares version numbers.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n1)" = "$2" ]; }

# sources_of PATH...: every file below the paths that a build may read.
sources_of() {
    find "$@" \( -name node_modules -o -name dist -o -name test-results -o -name playwright-report \
        -o -path '*/fuzz/target' \) -prune -o -type f "${SOURCES_TEST[@]}" -print 2>/dev/null
}
SOURCES_TEST=()

# stale STAMP PATH...: true unless the stamp names exactly these files and none of them is newer.
stale() {
    local stamp=$1
    shift
    [ -e "$stamp" ] || return 0
    [ "$(cat "$stamp")" = "$(sources_of "$@" | sort | sha256sum)" ] || return 0
    local SOURCES_TEST=(-newer "$stamp")
    [ -n "$(sources_of "$@" | head -n1)" ]
}

# stamp FILE PATH...: to be written before a build, so that a file edited while it runs counts as newer.
stamp() {
    local file=$1
    shift
    sources_of "$@" | sort | sha256sum >"$file"
}

# own_link FILE LINK: a hard link where the file system allows it, else a copy. A process that runs from the
# link keeps its file when FILE is built anew.
own_link() {
    # mv refuses two names of one file.
    [ ! "$1" -ef "$2" ] || return 0
    rm -f "$2.new"
    ln "$1" "$2.new" 2>/dev/null || cp "$1" "$2.new"
    mv -f "$2.new" "$2"
}

# quietly WORDS... -- COMMAND...: says what is done, keeps the command's output for the case that it fails.
# STELE_VERBOSE=1 shows it as it comes.
quietly() {
    local words=() log
    while [ "$1" != -- ]; do words+=("$1"); shift; done
    shift
    say "${words[*]}"
    if [ -n "${STELE_VERBOSE:-}" ]; then "$@" >&2; return; fi
    log=$(mktemp)
    if NO_COLOR=1 "$@" >"$log" 2>&1 </dev/null; then rm -f "$log"; return 0; fi
    tail -n 60 "$log" >&2
    say "(the last lines of: $*; all of it is in $log)"
    return 1
}

# node_install DIR: npm ci, once for each state of the lock file and Node version.
node_install() {
    local dir=$1 stamp="$1/node_modules/.stele-lock" key
    need_node
    [ -e "$dir/package-lock.json" ] || die "$dir/package-lock.json is missing" "run npm install there and commit it"
    key=$(node --version | cat - "$dir/package.json" "$dir/package-lock.json" | sha256sum | cut -d' ' -f1)
    [ "$(cat "$stamp" 2>/dev/null)" != "$key" ] || return 0
    quietly "Installing the packages of ${dir#"$ROOT"/} ..." -- npm ci --prefix "$dir" --no-progress || return 1
    printf '%s' "$key" >"$stamp"
}

# console_build: console/dist, which the crate stele-node embeds. Vite compiles the TypeScript verifier with it.
console_build() {
    local dir="$ROOT/console" verifier="$ROOT/sdk/typescript/src" stamp="$ROOT/console/node_modules/.stele-built"
    [ -e "$dir/package.json" ] || return 0
    if [ -e "$dir/dist/index.html" ] && ! stale "$stamp" "$dir" "$verifier"; then return 0; fi
    node_install "$dir" || return 1
    stamp "$stamp.new" "$dir" "$verifier"
    quietly "Building the console ..." -- npm run build --prefix "$dir" || return 1
    mv "$stamp.new" "$stamp"
}
