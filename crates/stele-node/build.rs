//! Tells the compiler which console to embed: the built one, or a page that says how to build it.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-env-changed=STELE_CONSOLE_DIST");
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo"));
    let built = env::var_os("STELE_CONSOLE_DIST")
        .map_or_else(|| manifest.join("../../console/dist"), PathBuf::from);
    println!(
        "cargo:rerun-if-changed={}",
        built.join("index.html").display()
    );
    let embed = if built.join("index.html").exists() {
        built
    } else {
        missing_console()
    };
    println!(
        "cargo:rustc-env=STELE_CONSOLE_EMBED={}",
        embed.canonicalize().expect("it exists").display()
    );
}

fn missing_console() -> PathBuf {
    let dir = Path::new(&env::var_os("OUT_DIR").expect("set by cargo")).join("no-console");
    fs::create_dir_all(&dir).expect("OUT_DIR is writable");
    let page = "<!doctype html><html lang=\"en\"><title>Stele</title><h1>The console is not in this build</h1>\
                <p>Start the node with <code>./stele up</code>, which builds it. The API is at <a href=\"/openapi.json\">/openapi.json</a>.</p></html>";
    fs::write(dir.join("index.html"), page).expect("OUT_DIR is writable");
    dir
}
