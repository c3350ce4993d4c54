//! The one integration-test binary: the source tree's rules, and a real node driven from outside.

mod access;
mod corpus;
mod harness;
mod house;
mod http;
mod locks;
mod people;
