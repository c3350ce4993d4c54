//! The DNS edge: names and identifiers, outcomes and records, UDP and TCP.
//!
//! Each prefix of the node is a zone under the apex; identifiers are names in it ([`name`]). A
//! message is read, answered and written in one place, [`Responder`], whatever carried it; what
//! memory cannot answer goes to the pool. Answers to broken messages follow RFC 8906 and RFC 9619,
//! and every cap and timeout is in [`Settings`].
//!
//! hickory supplies the codec for everything that is not the common shape: messages with unusual
//! sections, and the data of records that owners register. Its `RequestHandler` is [`Handler`], for
//! loops other than ours: the trait wants an owned request and a boxed future for each message,
//! which the batches of the UDP threads are there to avoid, and its listeners spawn a task per
//! datagram and cap nothing.

mod contents;
mod datagrams;
mod handler;
pub mod name;
pub mod presentation;
mod question;
mod reply;
mod responder;
mod server;
mod settings;
mod tally;
mod tcp;
#[cfg(test)]
mod tests;
mod types;
mod udp;
mod zone;

pub use handler::Handler;
pub use responder::{Responder, Serial};
pub use server::{Bound, Server, bind};
pub use settings::Settings;

/// Reads any octets as a message and as a name, for fuzzing: nothing may panic, and a message that
/// is an answer must not be answered.
pub fn fuzz_question(bytes: &[u8]) {
    let Ok(question) = question::read(bytes) else { return };
    let place = name::place(question.labels_from_top());
    let mut out = Vec::new();
    let limit = usize::from(reply::PLAIN_UDP_OCTETS);
    let code = hickory_proto::op::ResponseCode::NoError;
    reply::Reply::begin(&mut out, &question, limit).finish(question.header, code, false);
    assert!(out.len() <= limit && question::read(&out).is_err(), "{place:?}");
}
