//! The one integration-test binary: the source tree's rules, and a real node driven from outside.

mod corpus;
mod harness;
mod house;
mod locks;
