//! What the bytes of a table stand for.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::RowFault;

/// The encoding of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encoding {
    /// Told from the content: a byte order mark; else UTF-8 until a record is not UTF-8 but is
    /// GB18030, and GB18030 from there on. A record with a character of three bytes or more in
    /// UTF-8 settles it as UTF-8, so that one broken record does not garble all behind it.
    #[default]
    #[serde(rename = "automatic")]
    Automatic,
    /// UTF-8.
    #[serde(rename = "utf-8")]
    Utf8,
    /// GB18030-2005, of which GBK and GB2312 are parts.
    #[serde(rename = "gb18030", alias = "gbk", alias = "gb2312")]
    Gb18030,
    /// UTF-16, low byte first.
    #[serde(rename = "utf-16le")]
    Utf16Le,
    /// UTF-16, high byte first.
    #[serde(rename = "utf-16be")]
    Utf16Be,
}

impl Encoding {
    /// The encoding that a table's first bytes tell, and how many of them are its mark.
    ///
    /// The mark of another encoding than the one asked for is text, and will not decode.
    pub(super) fn begin(self, start: &[u8]) -> (Self, usize) {
        MARKS
            .into_iter()
            .find(|(marked, mark)| {
                (self == Self::Automatic || self == *marked) && start.starts_with(mark)
            })
            .map_or((self, 0), |(marked, mark)| (marked, mark.len()))
    }

    /// The text of a record. May settle an automatic encoding.
    pub(super) fn decode<'a>(&mut self, bytes: &'a [u8]) -> Result<Cow<'a, str>, RowFault> {
        let (whole, name) = match *self {
            Self::Automatic | Self::Utf8 => match std::str::from_utf8(bytes) {
                Ok(text) => {
                    if *self == Self::Automatic && text.chars().any(|c| c.len_utf8() > 2) {
                        *self = Self::Utf8;
                    }
                    return Ok(Cow::Borrowed(text));
                }
                Err(error) => {
                    let text = (*self == Self::Automatic).then(|| gb18030(bytes)).flatten();
                    if let Some(text) = text {
                        *self = Self::Gb18030;
                        return Ok(text);
                    }
                    return Err(not_utf8(error.valid_up_to() + 1));
                }
            },
            Self::Gb18030 => (gb18030(bytes), "GB18030"),
            Self::Utf16Le => (whole(encoding_rs::UTF_16LE, bytes), "UTF-16"),
            Self::Utf16Be => (whole(encoding_rs::UTF_16BE, bytes), "UTF-16"),
        };
        whole.ok_or_else(|| RowFault::new("", ENCODING, format!("not {name} throughout")))
    }

    /// The text of a record in which faults do not matter.
    pub(super) fn decode_lossy(mut self, bytes: &[u8]) -> Cow<'_, str> {
        self.decode(bytes).unwrap_or_else(|_| String::from_utf8_lossy(bytes))
    }

    /// The place of the low byte in a unit of two bytes; none where units are single bytes.
    pub(super) fn low_byte(self) -> Option<usize> {
        match self {
            Self::Automatic | Self::Utf8 | Self::Gb18030 => None,
            Self::Utf16Le => Some(0),
            Self::Utf16Be => Some(1),
        }
    }
}

fn gb18030(bytes: &[u8]) -> Option<Cow<'_, str>> {
    whole(encoding_rs::GB18030, bytes)
}

fn whole<'a>(encoding: &'static encoding_rs::Encoding, bytes: &'a [u8]) -> Option<Cow<'a, str>> {
    encoding.decode_without_bom_handling_and_without_replacement(bytes)
}

fn not_utf8(byte: usize) -> RowFault {
    RowFault::new("", ENCODING, format!("not UTF-8 at byte {byte}, and nothing else either"))
}

/// The rule that is broken by bytes that stand for nothing.
const ENCODING: &str = "encoding";

/// What programs put before text.
const MARKS: [(Encoding, &[u8]); 4] = [
    (Encoding::Utf8, b"\xef\xbb\xbf"),
    (Encoding::Gb18030, b"\x84\x31\x95\x33"),
    (Encoding::Utf16Le, b"\xff\xfe"),
    (Encoding::Utf16Be, b"\xfe\xff"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_tell_the_encoding() {
        for (asked, start, expected) in [
            (Encoding::Automatic, &b"\xef\xbb\xbfa"[..], (Encoding::Utf8, 3)),
            (Encoding::Automatic, b"\xff\xfea\0", (Encoding::Utf16Le, 2)),
            (Encoding::Automatic, b"\xfe\xff\0a", (Encoding::Utf16Be, 2)),
            (Encoding::Automatic, b"\x84\x31\x95\x33a", (Encoding::Gb18030, 4)),
            (Encoding::Automatic, b"a", (Encoding::Automatic, 0)),
            (Encoding::Gb18030, b"\xef\xbb\xbfa", (Encoding::Gb18030, 0)),
            (Encoding::Utf8, b"\xef\xbb\xbfa", (Encoding::Utf8, 3)),
        ] {
            assert_eq!(asked.begin(start), expected);
        }
    }

    #[test]
    fn automatic_is_settled_by_what_is_read() {
        let mut encoding = Encoding::Automatic;
        assert_eq!(encoding.decode("é,a".as_bytes()).unwrap(), "é,a");
        assert_eq!(encoding, Encoding::Automatic);
        assert_eq!(encoding.decode(b"\xb1\xc3,x").unwrap(), "泵,x");
        assert_eq!(encoding, Encoding::Gb18030);
        assert_eq!(encoding.decode(b"a").unwrap(), "a");
        assert_eq!(encoding.decode(b"\xff").unwrap_err().rule, "encoding");
        let mut encoding = Encoding::Automatic;
        assert_eq!(encoding.decode("泵".as_bytes()).unwrap(), "泵");
        assert_eq!(encoding, Encoding::Utf8);
        assert!(encoding.decode(b"a\xb1\xc3").unwrap_err().detail.contains("byte 2"));
        let mut encoding = Encoding::Automatic;
        assert!(encoding.decode(b"\xff").is_err());
        assert_eq!(encoding, Encoding::Automatic);
        assert_eq!(Encoding::Utf16Be.decode(b"\0a\xd8").unwrap_err().rule, "encoding");
    }

    #[test]
    fn names_are_those_people_write() {
        for (name, encoding) in [
            ("\"automatic\"", Encoding::Automatic),
            ("\"gbk\"", Encoding::Gb18030),
            ("\"utf-16le\"", Encoding::Utf16Le),
        ] {
            assert_eq!(serde_json::from_str::<Encoding>(name).unwrap(), encoding);
        }
    }
}
