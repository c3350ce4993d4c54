//! Values of type `DNS/<TYPE>`: records that owners keep in presentation form.
//!
//! The text is what stands behind the type in a zone file (RFC 1035 §5.1). It is parsed when it is
//! registered, to refuse what cannot be served, and again when it is asked for. hickory's parser is
//! fed one bounded line without control characters, and a panic in it is an error like any other.

use std::panic::{AssertUnwindSafe, catch_unwind};

use hickory_proto::rr::{Name, RData, RecordType};
use hickory_proto::serialize::binary::{BinEncodable, BinEncoder, NameEncoding};

/// The data of one DNS record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordData {
    /// Type number.
    pub kind: u16,
    /// Wire form, without compression.
    pub octets: Vec<u8>,
}

/// Parses the value `text` of type `kind`, such as `DNS/MX` and `10 mail.example.com.`.
///
/// At most [`MAX_TEXT_OCTETS`] octets; names in it must end with a dot. The error is a sentence for
/// the one who registers the value.
pub fn parse(kind: &str, text: &str) -> Result<RecordData, String> {
    let Some(record_type) = record_type(kind) else {
        let known: Vec<String> = TYPES.iter().map(|known| format!("{PREFIX}{known}")).collect();
        return Err(format!("type {kind:?} cannot be kept: use one of {}", known.join(", ")));
    };
    if text.len() > MAX_TEXT_OCTETS {
        return Err(format!("{} octets of {kind}: at most {MAX_TEXT_OCTETS}", text.len()));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("{kind} {text:?} holds a control character: write it on one line"));
    }
    catch_unwind(AssertUnwindSafe(|| encode(record_type, text)))
        .unwrap_or_else(|_| Err("it cannot be read".into()))
        .map(|octets| RecordData { kind: record_type.into(), octets })
        .map_err(|reason| format!("{kind} {text:?} is not in presentation form: {reason}"))
}

/// The number of the record type that values of type `kind` carry; none when they carry none.
pub fn type_number(kind: &str) -> Option<u16> {
    record_type(kind).map(u16::from)
}

/// Whether values of type `kind` are meant to be DNS records.
pub fn is_record(kind: &str) -> bool {
    kind.get(..PREFIX.len()).is_some_and(|head| head.eq_ignore_ascii_case(PREFIX))
}

fn record_type(kind: &str) -> Option<RecordType> {
    let name = kind.get(PREFIX.len()..).filter(|_| is_record(kind))?;
    TYPES.iter().copied().find(|known| known.to_string().eq_ignore_ascii_case(name))
}

fn encode(record_type: RecordType, text: &str) -> Result<Vec<u8>, String> {
    let data = RData::try_from_str(record_type, text).map_err(|error| error.to_string())?;
    if let Some(name) = name_in(&data).filter(|name| !name.is_fqdn()) {
        return Err(format!("the name {name} must end with a dot"));
    }
    let mut octets = Vec::new();
    let mut encoder = BinEncoder::new(&mut octets);
    encoder.set_name_encoding(NameEncoding::Uncompressed);
    data.emit(&mut encoder).map_err(|error| error.to_string())?;
    Ok(octets)
}

fn name_in(data: &RData) -> Option<&Name> {
    match data {
        RData::HTTPS(record) => Some(&record.0.target_name),
        RData::MX(record) => Some(&record.exchange),
        RData::NAPTR(record) => Some(&record.replacement),
        RData::PTR(record) => Some(&record.0),
        RData::SRV(record) => Some(&record.target),
        RData::SVCB(record) => Some(&record.target_name),
        _ => None,
    }
}

/// What the type of such a value begins with.
pub const PREFIX: &str = "DNS/";

/// Most octets of such a value's text.
pub const MAX_TEXT_OCTETS: usize = 2_048;

/// The record types that identifiers may carry. CNAME, NS, SOA and the records of DNSSEC are not
/// among them: they would change what the zone is.
const TYPES: [RecordType; 13] = [
    RecordType::A,
    RecordType::AAAA,
    RecordType::CAA,
    RecordType::HTTPS,
    RecordType::MX,
    RecordType::NAPTR,
    RecordType::OPENPGPKEY,
    RecordType::PTR,
    RecordType::SRV,
    RecordType::SSHFP,
    RecordType::SVCB,
    RecordType::TLSA,
    RecordType::TXT,
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn records_are_encoded() {
        let cases: [(&str, &str, u16, &[u8]); 9] = [
            ("DNS/A", "192.0.2.1", 1, &[192, 0, 2, 1]),
            ("dns/aaaa", "2001:db8::1", 28, b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"),
            ("DNS/MX", "10 m.example.", 15, b"\0\x0a\x01m\x07example\0"),
            ("DNS/PTR", "m.example.", 12, b"\x01m\x07example\0"),
            ("DNS/SRV", "1 2 443 m.example.", 33, b"\0\x01\0\x02\x01\xbb\x01m\x07example\0"),
            ("DNS/TXT", "\"a b\" c", 16, b"\x03a b\x01c"),
            (
                "DNS/NAPTR",
                "100 10 \"U\" \"E2U+web\" \"!^.*$!https://x.example/!\" .",
                35,
                b"\0\x64\0\x0a\x01U\x07E2U+web\x19!^.*$!https://x.example/!\0",
            ),
            ("DNS/HTTPS", "1 . alpn=h2", 65, b"\0\x01\0\0\x01\0\x03\x02h2"),
            ("DNS/CAA", "0 issue \"ca.example\"", 257, b"\0\x05issueca.example"),
        ];
        for (kind, text, number, octets) in cases {
            let data = parse(kind, text).unwrap();
            assert_eq!((data.kind, data.octets.as_slice()), (number, octets), "{kind} {text}");
        }
    }

    #[test]
    fn what_cannot_be_served_is_refused() {
        for (kind, text) in [
            ("DNS/A", "192.0.2.256"),
            ("DNS/A", ""),
            ("DNS/MX", "10 relative.example"),
            ("DNS/MX", "10 m.example.\n$INCLUDE /etc/passwd"),
            ("DNS/TXT", &"x".repeat(MAX_TEXT_OCTETS + 1)),
            ("DNS/TXT", &"x".repeat(256)),
            ("DNS/CNAME", "a.example."),
            ("DNS/NS", "a.example."),
            ("DNS/SOA", "a. b. 1 2 3 4 5"),
            ("DNS/RRSIG", "x"),
            ("DNS/", "x"),
            ("URL", "x"),
        ] {
            assert!(parse(kind, text).is_err(), "{kind} {text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_encoded_or_refused(kind in 0..TYPES.len(), text in "[ -~]{0,60}") {
            if let Ok(data) = parse(&format!("{PREFIX}{}", TYPES[kind]), &text) {
                prop_assert!(data.octets.len() <= 2 * MAX_TEXT_OCTETS);
            }
        }
    }
}
