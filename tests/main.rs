//! The one integration-test binary: the source tree's rules, and a real node driven from outside.

mod access;
mod backup;
mod bad_input;
mod cli;
mod corpus;
mod dns;
mod examples;
mod faults;
mod harness;
mod house;
mod http;
mod kill;
mod knot;
mod locks;
mod people;
mod roles;
mod schemathesis;
mod service;
mod stores;
mod templates;
