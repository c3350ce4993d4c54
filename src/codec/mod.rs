//! Bounded reading and writing of binary forms, shared by the disk format and the Handle wire.
//!
//! Both directions use big-endian integers. A [`Reader`] never reads past its slice, never
//! allocates by a length it has not checked against the bytes that remain, and reports the reason
//! for every refusal as a [`Corrupt`]. Bytes from disk and bytes from a peer are trusted alike:
//! not at all.

mod canonical_json;
mod reader;
mod writer;

pub use canonical_json::{canonical_json, write_canonical_text};
pub use reader::Reader;
pub use writer::Writer;

/// Why bytes could not be decoded; carries the name of the field at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Corrupt {
    /// A field names a length or count that does not fit in the bytes that remain.
    #[error("{0}: more bytes announced than present")]
    Truncated(&'static str),
    /// Bytes remain behind the last field.
    #[error("{0}: bytes left over behind the end")]
    Trailing(&'static str),
    /// A field holds a value outside its range.
    #[error("{0}: value out of range")]
    Range(&'static str),
    /// A text field is not UTF-8.
    #[error("{0}: not UTF-8")]
    Utf8(&'static str),
    /// A field is not the JSON it should be.
    #[error("{0}: not the JSON it should be")]
    Json(&'static str),
    /// The format number is newer than this program knows.
    #[error("{0}: format not known to this program")]
    Format(&'static str),
}
