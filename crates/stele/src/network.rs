//! Network descriptors: the files that verifiers keep (docs/format.md section 8).

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::Value as Json;
use stele_core::genesis::Genesis;
use stele_core::id::NetworkId;
use stele_core::receipt::NetworkDescriptor;
use stele_core::suite::PublicKey;

use crate::failure::Failure;

const FORMAT: &str = "stele-network/1";
/// The largest descriptor read, in bytes: a genesis of 1 MiB in hexadecimal, and the rest.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Reads a descriptor file.
///
/// # Errors
/// A [`Failure`] that says what is wrong with it.
pub fn load(path: &Path) -> Result<NetworkDescriptor, Failure> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(Failure::io("read the network descriptor", path))?;
    let unusable = |reason: &str| {
        Failure::unusable(format!("{} is no network descriptor: {reason}", path.display()))
            .hint("give the `network.json` of the network's node, or what GET /v1/network of a node you trust answers")
    };
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(unusable("it is too large"));
    }
    let json: Json = serde_json::from_slice(&bytes)
        .map_err(|error| unusable("it is not JSON").because(&error))?;
    parse(&json).map_err(|reason| unusable(&reason))
}

fn parse(json: &Json) -> Result<NetworkDescriptor, String> {
    let text = |member: &str| {
        json.get(member)
            .and_then(Json::as_str)
            .ok_or_else(|| format!("`{member}` is missing or no text"))
    };
    if text("format")? != FORMAT {
        return Err(format!("its `format` is not `{FORMAT}`"));
    }
    let network: NetworkId = text("network_id")?
        .parse()
        .map_err(|_| "`network_id` is not 64 hexadecimal digits")?;
    let key = hex::decode(text("key")?).map_err(|_| "`key` is not hexadecimal")?;
    let key = PublicKey::from_cose_key(&key).map_err(|error| format!("`key` is {error}"))?;
    let descriptor = NetworkDescriptor {
        name: text("name")?.to_owned(),
        network,
        key,
    };
    if json.get("genesis").is_some() {
        let genesis = hex::decode(text("genesis")?).map_err(|_| "`genesis` is not hexadecimal")?;
        let genesis = Genesis::decode(&genesis)
            .map_err(|error| format!("`genesis` does not decode: {error}"))?;
        descriptor
            .check_genesis(&genesis)
            .map_err(|error| error.to_string())?;
    }
    Ok(descriptor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_descriptors_are_judged_as_expected() {
        let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/networks.json");
        let text = std::fs::read_to_string(vectors).expect("the vectors are in the repository");
        let rows: Vec<Json> = serde_json::from_str(&text).expect("JSON");
        assert!(rows.len() > 10);
        for row in rows {
            let result = parse(&row["descriptor"]);
            assert_eq!(
                result.is_ok(),
                row["usable"] == true,
                "{}: {result:?}",
                row["name"]
            );
        }
    }
}
