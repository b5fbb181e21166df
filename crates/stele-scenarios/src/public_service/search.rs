//! The search for what must not be on the chain: through all entries of the run and their events.

use std::collections::HashMap;

use stele_core::id::{EntryId, sha256};

use super::Story;
use super::commands::Case;
use super::many::RESIDENT;
use super::wallet::{PERSONAL, Wallet};
use crate::frame::{Block, Cell, Run, ScenarioError};

fn holds(bytes: &[u8], word: &[u8]) -> bool {
    bytes
        .windows(word.len())
        .any(|window| window.eq_ignore_ascii_case(word))
}

/// A word in the forms in which it could stand somewhere: as text, in hexadecimal, and by its hash without salt.
fn forms(word: &[u8]) -> [Vec<u8>; 3] {
    [
        word.to_vec(),
        hex::encode(word).into_bytes(),
        sha256(&[word]).to_vec(),
    ]
}

pub(super) fn all(
    run: &mut Run<'_>,
    story: &mut Story,
    wallet: &Wallet,
    case: &Case,
) -> Result<(), ScenarioError> {
    run.step("search-chain", |run| {
        let mut words: Vec<(String, Vec<u8>)> = PERSONAL
            .iter()
            .chain(&[RESIDENT])
            .flat_map(|word| forms(word.as_bytes()).map(|form| ((*word).to_owned(), form)))
            .collect();
        for (name, bytes, salt) in &wallet.papers {
            words.push((format!("the hash of {name} without its salt"), sha256(&[bytes]).to_vec()));
            words.push((format!("the salt of {name}"), salt.to_vec()));
        }
        let mut sizes: HashMap<EntryId, usize> = HashMap::new();
        let (mut searched, mut known) = (0, 0);
        let commitments: Vec<_> = wallet.papers.iter().map(|(_, bytes, salt)| stele_services::commitment(salt, bytes)).collect();
        let count = story.entries.len();
        for (place, id) in story.entries.iter().enumerate() {
            run.at(place, count);
            let receipt = run.client().receipt(id).map_err(ScenarioError::client("reading a receipt"))?;
            let proven = run.verify("an entry of the run", &receipt)?.entry;
            let proven = proven.ok_or_else(|| ScenarioError::broken("a receipt of an entry", "another"))?;
            let entry = proven.entry.ok_or_else(|| ScenarioError::broken("the entry beside its receipt", "none"))?;
            let mut held = entry.bytes().to_vec();
            sizes.insert(*id, held.len());
            for event in proven.events.iter().flatten() {
                held.extend_from_slice(&event.body);
            }
            for (name, word) in &words {
                let found = holds(&held, word);
                run.check(!found, "nobody\u{2019}s personal data on the chain", || format!("{name} in entry {id}"))?;
            }
            // That the search would find something: the commitments are there.
            known += commitments.iter().filter(|one| holds(&held, one.as_bytes())).count();
            searched += held.len();
        }
        run.check(known == commitments.len(), "each commitment of the application on the chain, once", || known.to_string())?;
        let sum = |ids: &[EntryId]| ids.iter().filter_map(|id| sizes.get(id)).sum::<usize>();
        story.simple_bytes = story.simple.iter().map(|ids| sum(ids)).collect();
        story.disputed_bytes = sum(&case.entries);
        run.show(Block::Table {
            caption: "What was looked for and is not there, as text, in hexadecimal and by its hash without salt".to_owned(),
            head: vec!["Word", "Found in"],
            rows: PERSONAL.iter().chain(&[RESIDENT]).map(|word| vec![Cell::Code((*word).to_owned()), Cell::Good("no entry".to_owned())]).collect(),
        });
        let detail = format!("{count} entries and their events, {searched} bytes, hold none of {} forms of personal data; the {} commitments of the application are found.", words.len(), commitments.len());
        Ok(((), detail))
    })
}
