//! Reading questions.
//!
//! The common shape (one question, at most an OPT record behind it) is read in place, without
//! allocating. Messages that carry other records are decoded by hickory, after their counts were
//! held against their length. Nothing is ever said to a message that is itself an answer, so that
//! two servers cannot keep each other busy.

use hickory_proto::op::{Message, OpCode, ResponseCode};

use super::name::NAME_OCTETS;
use crate::resolver::LABEL_OCTETS;

/// A message that holds one question.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    /// Header of the message.
    pub header: Header,
    /// The question section, as it came.
    pub section: &'a [u8],
    /// What type is asked for.
    pub kind: u16,
    /// In which class.
    pub class: u16,
    /// What the asker said in an OPT record.
    pub edns: Option<Edns>,
    starts: [u8; MAX_LABELS],
    count: u8,
}

impl<'a> Question<'a> {
    /// The name asked for, in wire form and in the asker's spelling.
    pub fn name(&self) -> &'a [u8] {
        self.section.get(..self.section.len().saturating_sub(4)).unwrap_or_default()
    }

    /// Labels of the name, without the root's.
    pub fn label_count(&self) -> usize {
        usize::from(self.count)
    }

    /// The labels from the right, the top-level domain first.
    pub fn labels_from_top(&self) -> impl Iterator<Item = &'a [u8]> {
        let name = self.name();
        let starts = self.starts.get(..self.label_count()).unwrap_or_default();
        starts
            .iter()
            .rev()
            .map(move |&start| {
                let (octets, rest) = name.get(start.into()..).and_then(<[u8]>::split_first)?;
                rest.get(..usize::from(*octets))
            })
            .map(Option::unwrap_or_default)
    }

    /// Where in the name its last `count` labels begin; none when it has fewer.
    pub fn tail(&self, count: usize) -> Option<usize> {
        let skipped = self.label_count().checked_sub(count)?;
        if count == 0 {
            return self.name().len().checked_sub(1);
        }
        self.starts.get(skipped).map(|&start| usize::from(start))
    }
}

/// What is kept of a message's header (RFC 1035 §4.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The asker's number.
    pub id: u16,
    /// Flags and codes.
    pub flags: u16,
}

impl Header {
    /// Reads the header of a message that is not an answer.
    pub fn read(message: &[u8]) -> Result<Self, Silence> {
        let &[id_high, id_low, flags_high, flags_low, ..] =
            message.first_chunk::<HEADER_OCTETS>().ok_or(Silence::Short)?;
        let id = u16::from_be_bytes([id_high, id_low]);
        let flags = u16::from_be_bytes([flags_high, flags_low]);
        if flags & RESPONSE == 0 { Ok(Self { id, flags }) } else { Err(Silence::Response) }
    }
}

/// What is kept of an OPT record (RFC 6891 §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edns {
    /// Octets the asker can take over UDP.
    pub payload: u16,
    /// Version of EDNS.
    pub version: u8,
    /// Whether the asker understands DNSSEC.
    pub dnssec_ok: bool,
}

/// Why a message is no question to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal<'a> {
    /// Nothing is sent back.
    Silent(Silence),
    /// A code is sent back, with the question section if there was one.
    Code {
        /// Header of the message.
        header: Header,
        /// The code.
        code: ResponseCode,
        /// The question section; empty when none could be read.
        section: &'a [u8],
    },
}

/// Why nothing is sent back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// Shorter than a header.
    Short,
    /// An answer, not a question.
    Response,
}

/// Reads a message.
pub(super) fn read(message: &[u8]) -> Result<Question<'_>, Refusal<'_>> {
    let header = Header::read(message).map_err(Refusal::Silent)?;
    let (words, body) =
        message.split_first_chunk::<HEADER_OCTETS>().ok_or(Refusal::Silent(Silence::Short))?;
    let word = |at: usize| u16::from_be_bytes([words[at], words[at + 1]]);
    let question = if word(4) == 1 { section(header, body) } else { None };
    let section = question.map_or(&[][..], |question| question.section);
    let refuse = |code| Refusal::Code { header, code, section };
    match OpCode::from_u8((header.flags >> 11) as u8 & 0x0f) {
        OpCode::Query => {}
        OpCode::Update => return Err(refuse(ResponseCode::Refused)),
        _ => return Err(refuse(ResponseCode::NotImp)),
    }
    let mut question = question.ok_or(refuse(ResponseCode::FormErr))?;
    let records = body.get(section.len()..).unwrap_or_default();
    let counts = [word(6), word(8), word(10)];
    question.edns =
        edns(message, records, counts).map_err(|Malformed| refuse(ResponseCode::FormErr))?;
    Ok(question)
}

/// Reads the question section; none when it is malformed. A name in it cannot be compressed,
/// because nothing it could point to comes before.
fn section(header: Header, body: &[u8]) -> Option<Question<'_>> {
    let mut starts = [0; MAX_LABELS];
    let mut count = 0_u8;
    let mut at = 0_usize;
    loop {
        let octets = usize::from(*body.get(at)?);
        if octets == 0 {
            break;
        }
        if octets > LABEL_OCTETS {
            return None;
        }
        *starts.get_mut(usize::from(count))? = u8::try_from(at).ok()?;
        count += 1;
        at += 1 + octets;
        if at >= NAME_OCTETS {
            return None;
        }
    }
    let (section, _) = body.split_at_checked(at + 5)?;
    let &[.., kind_high, kind_low, class_high, class_low] = section else { return None };
    Some(Question {
        header,
        section,
        kind: u16::from_be_bytes([kind_high, kind_low]),
        class: u16::from_be_bytes([class_high, class_low]),
        edns: None,
        starts,
        count,
    })
}

/// Finds the OPT record among the records behind the question.
fn edns(message: &[u8], records: &[u8], counts: [u16; 3]) -> Result<Option<Edns>, Malformed> {
    let count: usize = counts.iter().map(|&count| usize::from(count)).sum();
    match (counts, records) {
        ([0, 0, 0], []) => Ok(None),
        ([0, 0, 0], _) => Err(Malformed),
        ([0, 0, 1], [0, 0, 41, payload_high, payload_low, _, version, flags, _, rest @ ..]) => {
            check_options(rest)?;
            Ok(Some(Edns {
                payload: u16::from_be_bytes([*payload_high, *payload_low]),
                version: *version,
                dnssec_ok: flags & 0x80 != 0,
            }))
        }
        _ if count * RECORD_OCTETS > records.len() => Err(Malformed),
        _ => {
            let message = Message::from_vec(message).map_err(|_| Malformed)?;
            Ok(message.edns.map(|edns| Edns {
                payload: edns.max_payload(),
                version: edns.version(),
                dnssec_ok: edns.flags().dnssec_ok,
            }))
        }
    }
}

/// Walks over the options of an OPT record that ends the message; none of them is known here.
fn check_options(data: &[u8]) -> Result<(), Malformed> {
    let (length, mut options) = data.split_first_chunk::<2>().ok_or(Malformed)?;
    if usize::from(u16::from_be_bytes(*length)) != options.len() {
        return Err(Malformed);
    }
    while let [_, _, high, low, rest @ ..] = options {
        let octets = usize::from(u16::from_be_bytes([*high, *low]));
        options = rest.get(octets..).ok_or(Malformed)?;
    }
    if options.is_empty() { Ok(()) } else { Err(Malformed) }
}

/// The records behind the question cannot be read.
struct Malformed;

/// Octets of a message's header.
pub(super) const HEADER_OCTETS: usize = 12;

/// Fewest octets of a record: an empty name, type, class, TTL and length.
const RECORD_OCTETS: usize = 11;

/// Most labels of a name: each takes two of [`NAME_OCTETS`], the root's one.
const MAX_LABELS: usize = (NAME_OCTETS - 1) / 2;

/// The flag that marks answers.
pub(super) const RESPONSE: u16 = 0x8000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(counts: [u16; 4], flags: u16, body: &[u8]) -> Vec<u8> {
        let words = [0x1234, flags, counts[0], counts[1], counts[2], counts[3]];
        let header = words.into_iter().flat_map(u16::to_be_bytes);
        header.chain(body.iter().copied()).collect()
    }

    const QUESTION: &[u8] = b"\x01a\x02id\x00\x00\x10\x00\x01";
    const OPT: &[u8] = b"\x00\x00\x29\x10\x00\x00\x00\x80\x00\x00\x00";

    #[test]
    fn the_usual_shape_is_read() {
        let bytes = message([1, 0, 0, 1], 0x0100, &[QUESTION, OPT].concat());
        let question = read(&bytes).unwrap();
        assert_eq!(question.name(), b"\x01a\x02id\x00");
        assert_eq!((question.kind, question.class), (16, 1));
        assert_eq!(question.labels_from_top().collect::<Vec<_>>(), [&b"id"[..], b"a"]);
        assert_eq!(
            [question.tail(0), question.tail(1), question.tail(2)],
            [Some(5), Some(2), Some(0)]
        );
        assert_eq!(question.tail(3), None);
        let edns = Edns { payload: 4096, version: 0, dnssec_ok: true };
        assert_eq!(question.edns, Some(edns));
    }

    #[test]
    fn other_records_are_read_by_hickory() {
        let record = b"\xc0\x0c\x00\x10\x00\x01\x00\x00\x00\x00\x00\x02\x01x";
        let bytes = message([1, 0, 1, 1], 0, &[QUESTION, record, OPT].concat());
        assert_eq!(read(&bytes).unwrap().edns.unwrap().payload, 4096);
        let bytes = message([1, 1, 0, 0], 0, &[QUESTION, record].concat());
        assert_eq!(read(&bytes).unwrap().edns, None);
    }

    #[test]
    fn malformed_messages_are_refused() {
        let formerr = |counts, body: &[u8]| {
            let bytes = message(counts, 0, body);
            match read(&bytes) {
                Err(Refusal::Code { code, .. }) => assert_eq!(code, ResponseCode::FormErr),
                other => panic!("{counts:?} {body:?}: {other:?}"),
            }
        };
        formerr([0, 0, 0, 0], b"");
        formerr([0, 0, 0, 1], OPT);
        formerr([2, 0, 0, 0], &[QUESTION, QUESTION].concat());
        formerr([65_535; 4], b"");
        formerr([1, 65_535, 65_535, 65_535], QUESTION);
        formerr([1, 0, 0, 0], &QUESTION[..8]);
        formerr([1, 0, 0, 0], b"\xc0\x0c\x00\x10\x00\x01");
        formerr([1, 0, 0, 0], b"\x01a\xc0\x0c\x00\x10\x00\x01");
        formerr([1, 0, 0, 0], b"\x41a\x00\x00\x10\x00\x01");
        formerr([1, 0, 0, 0], &[QUESTION, b"tail"].concat());
        formerr([1, 0, 0, 1], &[QUESTION, OPT, b"tail"].concat());
        formerr([1, 0, 0, 2], &[QUESTION, OPT, OPT].concat());
        formerr([1, 0, 0, 1], &[QUESTION, &OPT[..9], b"\x00\x05\x00\x64\x00\x09x"].concat());
        let long = [b"\x3f".as_slice(), &[b'a'; 63]].concat().repeat(4);
        formerr([1, 0, 0, 0], &[&long, QUESTION].concat());
        formerr([1, 0, 0, 0], &[&b"\x01a".repeat(128), &b"\x00\x00\x10\x00\x01"[..]].concat()[..]);
    }

    #[test]
    fn the_longest_name_is_read() {
        let body = [&b"\x01a".repeat(126)[..], b"\x01b\x00\x00\x10\x00\x01"].concat();
        let bytes = message([1, 0, 0, 0], 0, &body);
        assert_eq!(read(&bytes).map(|question| question.label_count()).ok(), Some(127));
    }

    #[test]
    fn opcodes_and_answers() {
        for (flags, expected) in [
            (5 << 11, Some(ResponseCode::Refused)),
            (4 << 11, Some(ResponseCode::NotImp)),
            (1 << 11, Some(ResponseCode::NotImp)),
            (15 << 11, Some(ResponseCode::NotImp)),
            (RESPONSE, None),
            (RESPONSE | 4 << 11, None),
        ] {
            let bytes = message([1, 0, 0, 0], flags, QUESTION);
            let code = match read(&bytes) {
                Err(Refusal::Code { code, .. }) => Some(code),
                Err(Refusal::Silent(Silence::Response)) => None,
                other => panic!("{other:?}"),
            };
            assert_eq!(code, expected, "{flags:#x}");
        }
        assert_eq!(read(&[0; 11]).unwrap_err(), Refusal::Silent(Silence::Short));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = read(&bytes);
        }

        #[test]
        fn damaged_questions_are_read_without_panic(
            at in 0_usize..40, octet: u8, cut in 0_usize..40,
        ) {
            let mut bytes = message([1, 0, 0, 1], 0, &[QUESTION, OPT].concat());
            if let Some(place) = bytes.get_mut(at) {
                *place = octet;
            }
            bytes.truncate(cut.max(1));
            if let Ok(question) = read(&bytes) {
                prop_assert!(question.labels_from_top().count() == question.label_count());
            }
        }
    }
}
