//! Temporary: a node with a small scenario, for trying the console.
#![allow(clippy::print_stdout, missing_docs)]
use std::sync::Arc;
use serde_json::{Value, json};
use stele_client::Client;
use stele_core::cbor::BodyBuilder;
use stele_core::suite::{SigningKey, Suite};
use stele_node::{ScenarioInfo, ScenarioProgress, ScenarioRunner};
use stele_node::{Node, NodeConfig};
struct Preview { dir: std::path::PathBuf }
const STEPS: [&str; 3] = ["register-parties", "record-events", "hand-over"];
impl ScenarioRunner for Preview {
    fn list(&self) -> Vec<ScenarioInfo> {
        vec![ScenarioInfo { name: "trace".into(), title: "From press to table".into(), purpose: "A fictional mill, carrier and shop.".into(), input: "generated".into(), steps: STEPS.iter().map(|s| (*s).to_owned()).collect() }]
    }
    fn run(&self, name: &str, client: Client, progress: &dyn Fn(ScenarioProgress)) -> Result<Value, String> {
        let note = |step: usize, detail: &str| progress(ScenarioProgress { step, name: STEPS[step].to_owned(), detail: detail.to_owned() });
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let stamp = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
        let key = |n: u64| { let mut seed = [n as u8; 32]; seed[..8].copy_from_slice(&stamp.to_le_bytes()); SigningKey::from_seed(Suite::Ed25519, &seed).unwrap() };
        note(0, "three parties");
        let mill = client.register_party(key(1), "organisation", Some("Olive Mill (fictional)")).map_err(|e| text(&e))?;
        let carrier = client.register_party(key(2), "organisation", Some("Meridian Freight (fictional)")).map_err(|e| text(&e))?;
        note(1, "events");
        let mut ids = Vec::new();
        for i in 0..12_u64 {
            let body = BodyBuilder::new().text("event_id", &format!("urn:example:{stamp}:{i}")).bytes("commitment", &[i as u8; 32]).text("type", "ObjectEvent").build();
            ids.push(mill.submit("trace", &[("event.record", body)]).map_err(|e| text(&e))?.entry_id);
            std::thread::sleep(std::time::Duration::from_millis(60));
        }
        note(2, "a refusal");
        let body = BodyBuilder::new().bytes("event", &[9; 32]).bytes("commitment", &[1; 32]).build();
        println!("{:?}", carrier.submit("trace", &[("event.correct", body)]));
        let dir = self.dir.join(name);
        std::fs::create_dir_all(&dir).map_err(|e| text(&e))?;
        let mut evidence = Vec::new();
        for (i, id) in ids.iter().enumerate().take(4) {
            let file = dir.join(format!("{i:02}-event.receipt"));
            std::fs::write(&file, client.receipt(id).map_err(|e| text(&e))?).map_err(|e| text(&e))?;
            evidence.push(json!({"claim": format!("Event {i} was recorded by the mill"), "receipt": file.display().to_string()}));
        }
        std::fs::write(dir.join("index.html"), "<!doctype html><title>r</title>").map_err(|e| text(&e))?;
        let steps: Vec<_> = STEPS.iter().map(|s| json!({"name": s, "ok": true, "detail": "as it should"})).collect();
        Ok(json!({"scenario": name, "ok": true, "skipped": null, "steps": steps, "figures": [{"id": "trace-events", "value": 12, "unit": "events", "goal": 10, "better": "higher", "peer": null, "note": null}], "evidence": evidence, "folder": dir.display().to_string()}))
    }
}
#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    let value = |name: &str| args.iter().position(|a| a == name).map(|i| args[i + 1].clone());
    let home = value("--data").expect("--data");
    let mut config = NodeConfig::new(&home);
    config.listen = value("--listen").unwrap_or_else(|| "127.0.0.1:0".into()).parse().unwrap();
    config.trust_loopback = !args.iter().any(|a| a == "--no-trust-loopback");
    config.network_name = "Harbour consortium (fictional)".into();
    let node = Node::start(config, Some(Arc::new(Preview { dir: std::path::Path::new(&home).join("runs") }))).await.expect("starts");
    let ready = json!({"url": node.url(), "network": node.descriptor(), "token": node.token()});
    if let Some(path) = value("--ready-file") { std::fs::write(path, ready.to_string()).unwrap(); }
    println!("{}", node.url());
    let mut stop = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap();
    stop.recv().await;
    node.shutdown().await.expect("stops");
}
