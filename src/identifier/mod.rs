//! Identifiers: every spelling of one thing becomes one canonical key.
//!
//! A scheme is one file here. [`Identifier::parse`] recognises the scheme by syntax, keeps the
//! spelling it was given and derives the [`CanonicalKey`] under which everything is looked up and
//! stored. The first byte of a key names the scheme, so that keys of different schemes never meet
//! and each scheme's keys form one range of the store.

mod handle;
mod key;
mod prefix;
mod spelling;

pub use key::CanonicalKey;
pub use prefix::{Prefix, RESERVED_SEGMENTS};

/// An identifier as somebody spelled it, together with its canonical key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identifier {
    spelling: String,
    key: CanonicalKey,
}

impl Identifier {
    /// Reads any spelling: `88.118.8/SN-001`, `hdl:88.118.8/SN-001`,
    /// `https://any.host/88.118.8/SN-001`, or a proxy URL with `?identity=` or `?handle=`.
    ///
    /// Percent-encoding is decoded, once, in the URL and `hdl:` forms only; bare text is literal.
    /// Bounded to [`MAX_OCTETS`] octets after decoding.
    pub fn parse(text: &str) -> Result<Self, IdentifierError> {
        Self::literal(&spelling::strip(text)?)
    }

    /// Reads `prefix/suffix` literally, without any of the other spellings.
    pub fn literal(text: &str) -> Result<Self, IdentifierError> {
        let key = handle::key(text)?;
        Ok(Self { spelling: text.to_owned(), key })
    }

    /// The identifier as it was spelled, without scheme prefix, host or percent-encoding.
    pub fn spelling(&self) -> &str {
        &self.spelling
    }

    /// The key under which all spellings meet.
    pub fn key(&self) -> &CanonicalKey {
        &self.key
    }

    /// The delegated part, in canonical case.
    pub fn prefix(&self) -> Prefix {
        self.key.prefix()
    }

    /// The part behind the first slash, as spelled.
    pub fn suffix(&self) -> &str {
        &self.spelling[self.key.slash() + 1..]
    }

    /// The spelling as one segment of a URL path: everything but unreserved characters encoded.
    pub fn path_segment(&self) -> String {
        spelling::encode_segment(&self.spelling)
    }

    /// The spelling as the raw path of a URL: the slashes stay.
    pub fn url_path(&self) -> String {
        spelling::encode_path(&self.spelling)
    }
}

impl std::fmt::Display for Identifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.spelling)
    }
}

/// Why a text is not an identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentifierError {
    /// No slash separates prefix from suffix.
    #[error("{0:?} has no '/': an identifier is prefix/suffix, such as 88.118.8/SN-001")]
    NoSlash(String),
    /// As `NoSlash`, but the text holds `%2F`, which bare text does not decode.
    #[error("{0:?} is percent-encoded: write it plainly, or as hdl:{0}")]
    Encoded(String),
    /// The suffix is empty.
    #[error("{0:?} has nothing behind the '/': the suffix must not be empty")]
    EmptySuffix(String),
    /// The prefix is empty, or two dots meet, or it begins or ends with a dot.
    #[error("{0:?} is no prefix: dot-separated parts, none empty, such as 88.118.8")]
    EmptyArc(String),
    /// A prefix holds a slash.
    #[error("{0:?} is no prefix: it holds a '/'; give only the part before it")]
    SlashInPrefix(String),
    /// A control character (U+0000 to U+001F, U+007F to U+009F) occurs.
    #[error("{0:?} holds a control character, which identifiers must not")]
    Control(String),
    /// Longer than [`MAX_OCTETS`] octets.
    #[error("identifier of {0} octets; at most {MAX_OCTETS} are possible")]
    TooLong(usize),
    /// A percent sign is not followed by two hex digits, or the decoded octets are not UTF-8.
    #[error("{0:?} has broken percent-encoding: '%' needs two hex digits and the result UTF-8")]
    PercentEncoding(String),
    /// A URL holds no identifier.
    #[error("{0:?} is a URL without an identifier: expected https://host/prefix/suffix")]
    UrlWithoutIdentifier(String),
}

/// Most octets of an identifier, in any scheme; the limit of the Handle wire.
pub const MAX_OCTETS: usize = 2_048;

/// Most octets of an identifier that a node registers unless configured otherwise; the limit of
/// the national system's management interfaces.
pub const DEFAULT_MAX_OCTETS: usize = 255;
