//! Writing answers.
//!
//! Every record of an answer belongs to the name asked for, to the zone that name is in, or to one
//! of its name servers, so names are compressed by pointing into the question; the writer needs no
//! table of names and allocates nothing. hickory's encoder, made for any message, does: it is left
//! with the data of records that owners registered (`presentation`).

use hickory_proto::op::ResponseCode;

use super::question::{HEADER_OCTETS, Header, Question, RESPONSE};
use super::types::CLASS_IN;

/// An answer in the making.
pub(super) struct Reply<'a> {
    out: &'a mut Vec<u8>,
    limit: usize,
    records_at: usize,
    opt: Option<Opt>,
    /// Why the answer is as it is (RFC 8914), when that is not plain.
    explanation: Option<u16>,
    counts: [u16; 3],
    full: bool,
    truncated: bool,
}

impl<'a> Reply<'a> {
    /// Starts the answer to `question` in `out`, which is cleared; it takes `limit` octets at most.
    pub fn begin(out: &'a mut Vec<u8>, question: &Question<'_>, limit: usize) -> Self {
        out.clear();
        out.extend_from_slice(&[0; HEADER_OCTETS]);
        out.extend_from_slice(question.section);
        let opt = question.edns.map(|edns| Opt { dnssec_ok: edns.dnssec_ok });
        let limit = limit - if opt.is_some() { OPT_OCTETS } else { 0 };
        let records_at = out.len();
        let (counts, full, truncated) = ([0; 3], false, false);
        Self { out, limit, records_at, opt, explanation: None, counts, full, truncated }
    }

    /// Tells those who understand EDNS why the answer is as it is (RFC 8914).
    pub fn explain(&mut self, code: u16) {
        if self.opt.is_some() && self.explanation.is_none() {
            self.explanation = Some(code);
            self.limit -= EXPLANATION_OCTETS;
        }
    }

    /// Adds a record in class IN; `write` appends its data.
    ///
    /// When an answer or authority record does not fit, all records are taken back and the answer
    /// is truncated (RFC 2181 §9), as Knot does it; additional records are left out.
    pub fn record(
        &mut self,
        section: Section,
        owner: NameRef<'_>,
        kind: u16,
        ttl_seconds: u32,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        if self.full {
            return;
        }
        let before = self.out.len();
        owner.write(self.out);
        self.out.extend_from_slice(&kind.to_be_bytes());
        self.out.extend_from_slice(&CLASS_IN.to_be_bytes());
        self.out.extend_from_slice(&ttl_seconds.min(MAX_TTL_SECONDS).to_be_bytes());
        let length_at = self.out.len();
        self.out.extend_from_slice(&[0; 2]);
        write(self.out);
        let octets = u16::try_from(self.out.len() - length_at - 2);
        match octets {
            Ok(octets) if self.out.len() <= self.limit => {
                self.patch(length_at, octets);
                self.counts[section as usize] += 1;
            }
            _ => self.overflow(section, before),
        }
    }

    /// Octets that still fit.
    pub fn room(&self) -> usize {
        self.limit.saturating_sub(self.out.len())
    }

    /// Takes all records back and tells the asker to come again over TCP.
    pub fn truncate(&mut self) {
        self.full = true;
        self.truncated = true;
        self.counts = [0; 3];
        self.out.truncate(self.records_at);
    }

    /// Ends the answer; true when it was truncated.
    pub fn finish(mut self, header: Header, code: ResponseCode, authoritative: bool) -> bool {
        let mut additional = self.counts[Section::Additional as usize];
        if let Some(opt) = self.opt.take() {
            opt.write(self.out, code, self.explanation);
            additional += 1;
        }
        let mut flags = RESPONSE | header.flags & KEPT_FLAGS | u16::from(code.low());
        flags |= if authoritative { AUTHORITATIVE } else { 0 };
        flags |= if self.truncated { TRUNCATED } else { 0 };
        let [answers, authority, _] = self.counts;
        for (place, word) in
            [header.id, flags, 1, answers, authority, additional].iter().enumerate()
        {
            self.patch(2 * place, *word);
        }
        self.truncated
    }

    fn overflow(&mut self, section: Section, before: usize) {
        self.full = true;
        self.out.truncate(before);
        if section != Section::Additional {
            self.truncate();
        }
    }

    fn patch(&mut self, at: usize, word: u16) {
        if let Some(place) = self.out.get_mut(at..at + 2) {
            place.copy_from_slice(&word.to_be_bytes());
        }
    }
}

/// Part of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    /// What was asked for.
    Answer,
    /// Who is responsible.
    Authority,
    /// What may be asked for next.
    Additional,
}

/// A name in an answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum NameRef<'a> {
    /// The end of the name asked for, from this octet of it on.
    Tail(usize),
    /// One label in front of such an end.
    Below(&'a [u8], usize),
    /// A name in wire form.
    Whole(&'a [u8]),
}

impl NameRef<'_> {
    /// The name asked for.
    pub const QUESTION: NameRef<'static> = NameRef::Tail(0);

    /// Appends the name.
    pub fn write(self, out: &mut Vec<u8>) {
        match self {
            NameRef::Tail(offset) => {
                // An offset within a name and its header is far below the pointer's 14 bits.
                let pointer = 0xc000 | (HEADER_OCTETS + offset) as u16;
                out.extend_from_slice(&pointer.to_be_bytes());
            }
            NameRef::Below(label, offset) => {
                out.push(label.len() as u8);
                out.extend_from_slice(label);
                NameRef::Tail(offset).write(out);
            }
            NameRef::Whole(wire) => out.extend_from_slice(wire),
        }
    }
}

/// Writes an answer that is nothing but a code: to malformed and unwanted messages.
pub(super) fn write_code(out: &mut Vec<u8>, header: Header, code: ResponseCode, section: &[u8]) {
    out.clear();
    let flags = RESPONSE | header.flags & KEPT_FLAGS | u16::from(code.low());
    let questions = u16::from(!section.is_empty());
    for word in [header.id, flags, questions, 0, 0, 0] {
        out.extend_from_slice(&word.to_be_bytes());
    }
    out.extend_from_slice(section);
}

/// The OPT record of an answer.
struct Opt {
    dnssec_ok: bool,
}

impl Opt {
    /// Appends the record: owner, type, our UDP size, code's upper bits, version 0, flags, and as
    /// data the explanation if there is one (RFC 8914 §2).
    fn write(self, out: &mut Vec<u8>, code: ResponseCode, explanation: Option<u16>) {
        let [high, low] = UDP_OCTETS.to_be_bytes();
        let flags = if self.dnssec_ok { 0x80 } else { 0 };
        out.extend_from_slice(&[0, 0, 41, high, low, code.high(), 0, flags, 0, 0]);
        match explanation {
            None => out.push(0),
            Some(info) => {
                let [high, low] = info.to_be_bytes();
                out.extend_from_slice(&[6, 0, 15, 0, 2, high, low]);
            }
        }
    }
}

/// Most octets of an answer over UDP: what passes every path unfragmented (RFC 9715).
pub(super) const UDP_OCTETS: u16 = 1_232;

/// Most octets over UDP for those who do not say more (RFC 1035 §4.2.1).
pub(super) const PLAIN_UDP_OCTETS: u16 = 512;

/// Octets of our OPT record.
const OPT_OCTETS: usize = 11;

/// Octets that an explanation adds to it: option code, length, info code (RFC 8914 §2).
const EXPLANATION_OCTETS: usize = 6;

/// Flags of the question that come back: its opcode and RD.
const KEPT_FLAGS: u16 = 0x7900;

const AUTHORITATIVE: u16 = 0x0400;
const TRUNCATED: u16 = 0x0200;

/// Longest TTL (RFC 2181 §8).
const MAX_TTL_SECONDS: u32 = i32::MAX as u32;
