//! From the values of a record to the records of its name.
//!
//! A value of type `URL` is a URI record (RFC 7553), one of type `DNS/<TYPE>` that record, and any
//! other public text a TXT record `name=value`. The TTL of a set is the least of its values'
//! (RFC 2181 §5.2).

use std::collections::HashSet;
use std::ops::Range;

use super::presentation;
use super::reply::{NameRef, Reply, Section};
use super::types::{TXT, URI};
use crate::record::{Value, View};

/// The records of one type at an identifier's name.
pub(super) struct RecordSet {
    data: Vec<u8>,
    places: Vec<Range<usize>>,
    ttl_seconds: u32,
    exceeds: bool,
    /// Malformed values that should be in the set, and the one that was too much for it.
    pub omitted: u64,
}

impl RecordSet {
    /// The records of type `kind` among what `view` shows, `now_seconds` after 1970 began. A set
    /// that exceeds `room` octets is not gathered to its end.
    ///
    /// Repeated records are left out (RFC 2181 §5). The set ends before [`MAX_SET_OCTETS`], so
    /// that it always fits a message over TCP; the whole record is to be had over HTTP.
    pub fn gather(view: View<'_>, kind: u16, now_seconds: u64, room: usize) -> Self {
        let (data, places) = (Vec::with_capacity(256), Vec::new());
        let mut set = Self { data, places, ttl_seconds: u32::MAX, exceeds: false, omitted: 0 };
        let mut size = 0;
        for value in view.values() {
            let start = set.data.len();
            match append(&mut set.data, value, kind) {
                Appended::Nothing => continue,
                Appended::Record => {}
                Appended::Malformed => {
                    set.data.truncate(start);
                    set.omitted += 1;
                    continue;
                }
            }
            size += set.data.len() - start + RECORD_OCTETS;
            set.exceeds = size > room;
            if set.exceeds {
                break;
            }
            if size > MAX_SET_OCTETS {
                set.omitted += 1;
                break;
            }
            set.places.push(start..set.data.len());
            set.ttl_seconds = set.ttl_seconds.min(value.ttl.seconds_left(now_seconds));
        }
        set
    }

    /// Whether there are no such records.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty() && !self.exceeds
    }

    /// Adds the set as the answer, or truncates the answer when the set exceeds the room.
    pub fn write(&self, reply: &mut Reply<'_>, kind: u16) {
        if self.exceeds {
            return reply.truncate();
        }
        let mut seen = HashSet::new();
        for place in &self.places {
            let data = self.data.get(place.clone()).unwrap_or_default();
            if self.places.len() == 1 || seen.insert(data) {
                let owner = NameRef::QUESTION;
                reply.record(Section::Answer, owner, kind, self.ttl_seconds, |out| {
                    out.extend_from_slice(data);
                });
            }
        }
    }
}

/// Appends the text of a TXT record, in strings of at most 255 octets (RFC 1035 §3.3.14).
pub(super) fn append_text(out: &mut Vec<u8>, name: &str, value: &str) {
    let mut room = 0;
    let mut left = name.len() + 1 + value.len();
    for mut part in [name.as_bytes(), b"=", value.as_bytes()] {
        while !part.is_empty() {
            if room == 0 {
                room = left.min(255);
                left -= room;
                out.push(room as u8);
            }
            let (now, later) = part.split_at(part.len().min(room));
            out.extend_from_slice(now);
            room -= now.len();
            part = later;
        }
    }
}

fn append(out: &mut Vec<u8>, value: &Value, kind: u16) -> Appended {
    if value.is_type("URL") {
        let target = value.plain_text().filter(|target| !target.is_empty());
        return match (kind, target) {
            (URI, Some(target)) => {
                out.extend_from_slice(&URI_PRIORITY_AND_WEIGHT);
                out.extend_from_slice(target.as_bytes());
                Appended::Record
            }
            (URI, None) => Appended::Malformed,
            _ => Appended::Nothing,
        };
    }
    if presentation::is_record(&value.kind) {
        if presentation::type_number(&value.kind) != Some(kind) {
            return Appended::Nothing;
        }
        let text = value.plain_text().ok_or(());
        return match text.and_then(|text| presentation::parse(&value.kind, text).map_err(drop)) {
            Ok(record) => {
                out.extend_from_slice(&record.octets);
                Appended::Record
            }
            Err(()) => Appended::Malformed,
        };
    }
    match value.plain_text() {
        Some(text) if kind == TXT => {
            append_text(out, &value.kind, text);
            Appended::Record
        }
        _ => Appended::Nothing,
    }
}

/// What a value has to say about a type.
enum Appended {
    /// It is not of that type.
    Nothing,
    /// A record's data was appended.
    Record,
    /// It should be a record of that type, but cannot.
    Malformed,
}

/// Most octets of one set of records in an answer.
const MAX_SET_OCTETS: usize = 32_768;

/// What a record takes in an answer beside its data: owner, type, class, TTL and length.
const RECORD_OCTETS: usize = 12;

/// Priority 10 and weight 1 of all URI records.
const URI_PRIORITY_AND_WEIGHT: [u8; 4] = [0, 10, 0, 1];
