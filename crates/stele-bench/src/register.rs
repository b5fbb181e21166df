//! A register that only the benchmark links: records, and transfers among accounts.

use stele_core::cbor::Body;
use stele_registers::{CommandSpec, Context, FieldSpec, FieldType, RefusalSpec, Register, Stop};

const NO_ACCOUNT: RefusalSpec = RefusalSpec::new(
    "bench.no-account",
    "There is no such account.",
    "Open accounts before moving anything.",
);
const OVERDRAWN: RefusalSpec = RefusalSpec::new(
    "bench.overdrawn",
    "The account holds less than that.",
    "Move less.",
);

const KEY: FieldSpec = FieldSpec::required("key", FieldType::Hash, "where it is kept");

/// Records and accounts, without any authority: whoever signs may do anything.
#[derive(Debug, Clone, Copy)]
pub struct BenchRegister;

/// The state key of an account.
pub(crate) fn account_key(number: u64) -> [u8; 9] {
    let mut key = [b'a'; 9];
    key[1..].copy_from_slice(&number.to_be_bytes());
    key
}

impl Register for BenchRegister {
    fn name(&self) -> &'static str {
        "bench"
    }

    fn version(&self) -> u32 {
        1
    }

    fn commands(&self) -> &'static [CommandSpec] {
        const {
            &[
                CommandSpec {
                    name: "put",
                    doc: "Keeps a value under a key.",
                    fields: &[
                        KEY,
                        FieldSpec::required(
                            "value",
                            FieldType::Bytes { min: 0, max: 4096 },
                            "what is kept",
                        ),
                    ],
                },
                CommandSpec {
                    name: "open",
                    doc: "Opens accounts in a row, each with the same balance.",
                    fields: &[
                        FieldSpec::required("first", FieldType::Uint, "the first account's number"),
                        FieldSpec::required("count", FieldType::Uint, "how many"),
                        FieldSpec::required("balance", FieldType::Uint, "what each holds"),
                    ],
                },
                CommandSpec {
                    name: "move",
                    doc: "Moves an amount from one account to another.",
                    fields: &[
                        FieldSpec::required("from", FieldType::Uint, "the account that pays"),
                        FieldSpec::required("to", FieldType::Uint, "the account that receives"),
                        FieldSpec::required("amount", FieldType::Uint, "how much"),
                    ],
                },
            ]
        }
    }

    fn refusals(&self) -> &'static [&'static RefusalSpec] {
        &[&NO_ACCOUNT, &OVERDRAWN]
    }

    fn apply(
        &self,
        context: &mut Context<'_, '_>,
        command: &str,
        body: &mut Body<'_>,
    ) -> Result<(), Stop> {
        match command {
            "put" => {
                let key = body.bytes32("key")?;
                let value = body.bytes("value", 4096)?;
                context.put(&key, value.to_vec());
            }
            "open" => {
                let (first, count) = (body.uint("first")?, body.uint("count")?.min(100_000));
                let balance = body.uint("balance")?.to_be_bytes();
                for number in first..first.saturating_add(count) {
                    context.put(&account_key(number), balance.to_vec());
                }
            }
            _ => {
                let (from, to, amount) =
                    (body.uint("from")?, body.uint("to")?, body.uint("amount")?);
                let (from, to) = (account_key(from), account_key(to));
                let payer = balance(context, &from)?
                    .checked_sub(amount)
                    .ok_or_else(|| Stop::from(&OVERDRAWN))?;
                context.put(&from, payer.to_be_bytes().to_vec());
                let receiver = balance(context, &to)?
                    .checked_add(amount)
                    .ok_or_else(|| Stop::from(&OVERDRAWN))?;
                context.put(&to, receiver.to_be_bytes().to_vec());
            }
        }
        Ok(())
    }
}

fn balance(context: &Context<'_, '_>, key: &[u8]) -> Result<u64, Stop> {
    let stored = context
        .get(key)?
        .and_then(|stored| <[u8; 8]>::try_from(stored).ok());
    stored
        .map(u64::from_be_bytes)
        .ok_or_else(|| Stop::from(&NO_ACCOUNT))
}
