//! The registers through the registry, as the ledger drives them.

mod accreditations;
mod agreement;
mod committee;
mod credential;
mod custody_model;
mod governance;
mod identity;
mod keys_model;
mod pages;
mod registry;
mod rolls;
mod service;
mod service_model;
mod statement;
mod trace;
mod world;
