//! Runs the ledger benchmark by itself, without the rest of the program: `bench_ledger [DIR]`.
use stele_bench::ledger::{Options, probe, run};

#[allow(clippy::print_stdout)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments: Vec<String> = std::env::args().collect();
    if arguments
        .get(1)
        .is_some_and(|argument| argument == "--probe")
    {
        println!("{}", serde_json::to_string(&probe(arguments[2].as_ref())?)?);
        return Ok(());
    }
    let quick = arguments
        .iter()
        .position(|argument| argument == "--quick")
        .map(|at| arguments.remove(at))
        .is_some();
    let dir = arguments
        .get(1)
        .cloned()
        .unwrap_or_else(|| std::env::temp_dir().display().to_string());
    let mut options = if quick {
        Options::quick(dir)
    } else {
        Options::full(dir)
    };
    options.probe_command = Some(vec![arguments[0].clone(), "--probe".to_owned()]);
    let report = run(&options, &|step, done, all| {
        eprintln!("{step} {done}/{all}")
    })?;
    println!("{}", report.to_markdown());
    Ok(())
}
