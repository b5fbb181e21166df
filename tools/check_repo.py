#!/usr/bin/env python3
"""Checks what no compiler checks: files, lock files, licences, and the list of dependencies.

Every rule is a function that yields findings; the run prints them all and fails if there is one.
It looks at tracked and at new, not ignored files.
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILE_BYTES_MAX = 1024 * 1024
CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"
# Folders of a machine that never belong into a file others read. Written in two pieces, as this
# file is checked too.
MACHINE_PATHS = re.compile(r"(?<![\w./:-])/" + r"(?:work|root)/(?!\.\.\.)\w")
# Hosts that a package client records when it is asked to; the default registries are named by no file.
REGISTRY_HOSTS = re.compile(r"registry\.npmjs\." + r"org|files\.pythonhosted\." + r"org|static\.crates\." + r"io")


def run(*command: str) -> str:
    out = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if out.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{out.stderr}")
    return out.stdout


def files() -> list[Path]:
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    return [ROOT / name for name in listed if name and (ROOT / name).is_file()]


def check_sizes(paths):
    for path in paths:
        if path.stat().st_size > FILE_BYTES_MAX:
            yield f"{path.relative_to(ROOT)}: larger than 1 MiB"


def check_texts(paths):
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            where = f"{path.relative_to(ROOT)}:{number}"
            if MACHINE_PATHS.search(line):
                yield f"{where}: a path of one machine: {line.strip()[:100]}"
            if REGISTRY_HOSTS.search(line):
                yield f"{where}: a registry's host: {line.strip()[:100]}"
            if line.startswith(("<<<<<<< ", ">>>>>>> ")):
                yield f"{where}: a merge conflict's mark"


def check_npm_locks(paths):
    for path in paths:
        if path.name != "package-lock.json":
            continue
        for name, package in json.loads(path.read_text())["packages"].items():
            if "resolved" in package and not package.get("link"):
                yield (f"{path.relative_to(ROOT)}: {name} records where it was fetched from; put "
                       "omit-lockfile-registry-resolved=true into .npmrc and write the lock file again")
            elif name.startswith("node_modules/") and "integrity" not in package and not package.get("link"):
                yield f"{path.relative_to(ROOT)}: {name} has no integrity hash"


def check_cargo_lock(_paths):
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
    for package in lock["package"]:
        if package.get("source", CRATES_IO) != CRATES_IO:
            yield f"Cargo.lock: {package['name']} comes from {package['source']}, not from crates.io"


def licence_allowed(expression: str, allowed: set[str]) -> bool:
    """Evaluates an SPDX expression: OR needs one side, AND both, WITH belongs to its licence."""
    tokens = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))

    def either():
        result = both()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            result = both() or result
        return result

    def both():
        result = one()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            result = one() and result
        return result

    def one():
        token = tokens.pop(0)
        if token == "(":
            result = either()
            tokens.pop(0)
            return result
        if tokens and tokens[0] == "WITH":
            tokens.pop(0)
            token = f"{token} WITH {tokens.pop(0)}"
        return token in allowed

    return either()


def check_licences(_paths):
    allowed = set(tomllib.loads((ROOT / "deny.toml").read_text())["licenses"]["allow"])
    metadata = json.loads(run("cargo", "metadata", "--format-version", "1", "--locked",
                              "--filter-platform", "x86_64-unknown-linux-gnu"))
    used = {node["id"] for node in metadata["resolve"]["nodes"]}
    for package in metadata["packages"]:
        if package["id"] in used and package["source"]:
            licence = package["license"]
            if not licence or not licence_allowed(licence, allowed):
                yield f"{package['name']} {package['version']}: licence {licence!r} is not in deny.toml's list"


def check_manifests(_paths):
    """A member inherits versions and features, and uses what it asks for."""
    workspace = tomllib.loads((ROOT / "Cargo.toml").read_text())
    asked = set()
    for manifest in sorted(ROOT.glob("crates/*/Cargo.toml")):
        package = tomllib.loads(manifest.read_text())
        where = manifest.relative_to(ROOT)
        sources = "\n".join(path.read_text() for path in manifest.parent.rglob("*.rs"))
        for table in ("dependencies", "dev-dependencies", "build-dependencies"):
            for name, value in package.get(table, {}).items():
                asked.add(name)
                if not isinstance(value, dict) or not value.get("workspace"):
                    yield f"{where}: {name} does not inherit from [workspace.dependencies]"
                if not re.search(rf"\b{name.replace('-', '_')}\b", sources):
                    yield f"{where}: {name} is in [{table}] but no source file names it"
    for name in workspace["workspace"]["dependencies"]:
        if name not in asked:
            yield f"Cargo.toml: {name} is in [workspace.dependencies] but no crate asks for it"


def check_dependency_page(_paths):
    found = subprocess.run([ROOT / "tools" / "dependency_cost", "check"], capture_output=True, text=True)
    if found.returncode:
        yield from (found.stdout + found.stderr).strip().splitlines()


CHECKS = [check_sizes, check_texts, check_npm_locks, check_cargo_lock, check_licences, check_manifests,
          check_dependency_page]


def main() -> int:
    paths = files()
    findings = [finding for check in CHECKS for finding in check(paths)]
    for finding in findings:
        print(finding)
    print(f"{len(CHECKS)} rules, {len(paths)} files, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
