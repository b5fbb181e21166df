//! The shipped services, and service files, applications and cases made from them.

mod applications;
mod case_model;
mod chain;
mod files;
mod letters;
mod schema;
mod support;
mod timelines;
