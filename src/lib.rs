//! Nameplate: an industrial identifier resolution node.
//!
//! The rooms of the house and the rule that a room uses its own row and the rows below it are in
//! `ARCHITECTURE.md`; `tests/house.rs` holds them.

#![deny(unsafe_code)]
#![warn(missing_docs)]

pub mod access;
pub mod cli;
pub mod client;
pub mod clock;
pub mod codec;
pub mod codes;
pub mod config;
pub mod dns;
pub mod fuzzing;
pub mod http;
pub mod identifier;
pub mod jobs;
pub mod ledger;
pub mod node;
pub mod pool;
pub mod record;
pub mod registrant;
pub mod registry;
pub mod resolver;
pub mod signing;
#[cfg(test)]
mod snapshot;
pub mod store;
pub mod tabular;
pub mod telemetry;
pub mod template;
