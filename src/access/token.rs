//! Tokens and their rows.

use crate::codec::{Corrupt, Reader, Writer};
use crate::identifier::Prefix;
use crate::store::{Column, ColumnId, Key, Row};

/// What a token allows, as stored under the digest of its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Public name, for lists and revoking: 16 hex digits.
    pub id: String,
    /// Account that acts through the token.
    pub account: String,
    /// Of sessions, what makes them end early; none for tokens that were made to be kept.
    pub session: Option<Session>,
    /// What may be done.
    pub actions: Actions,
    /// Where; none is everywhere.
    pub prefixes: Option<Vec<Prefix>>,
    /// When it was made; milliseconds since 1970.
    pub created_ms: u64,
    /// When it ends; milliseconds since 1970, none for never.
    pub expires_ms: Option<u64>,
    /// Whether it was revoked.
    pub revoked: bool,
    /// 1 when made, 2 when revoked.
    pub version: u64,
}

/// What makes a session end before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// The account's number of sessions when it began (`Account::sessions`); over at another.
    pub number: u64,
    /// How long it may be unused, in milliseconds.
    pub idle_ms: u64,
}

impl Token {
    /// Whether the token counts at `now_ms`.
    pub fn is_valid(&self, now_ms: u64) -> bool {
        !self.revoked && self.expires_ms.is_none_or(|end| now_ms < end)
    }

    /// Whether the token administers the whole node.
    pub(super) fn is_unbounded(&self) -> bool {
        self.actions.contains(Action::Administer) && self.prefixes.is_none()
    }

    /// Whether the token's scope covers `prefix`.
    pub fn covers(&self, prefix: &Prefix) -> bool {
        let Some(prefixes) = &self.prefixes else { return true };
        prefixes.iter().any(|own| own.covers(prefix))
    }
}

/// A token to be made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// The secret; handed to its holder once and never stored.
    pub secret: String,
    /// Account that will act through it.
    pub account: String,
    /// What may be done.
    pub actions: Actions,
    /// Where; none is everywhere.
    pub prefixes: Option<Vec<Prefix>>,
    /// When it ends.
    pub expires_ms: Option<u64>,
}

/// A secret for a new token, of 256 random bits: `npt_` and 43 characters.
pub fn fresh_secret(
    random: &dyn ring::rand::SecureRandom,
) -> Result<String, ring::error::Unspecified> {
    Ok(format!("npt_{}", fresh_text(random)?))
}

/// A secret for a new session, of 256 random bits: `nps_` and 43 characters.
pub fn fresh_session_secret(
    random: &dyn ring::rand::SecureRandom,
) -> Result<String, ring::error::Unspecified> {
    Ok(format!("nps_{}", fresh_text(random)?))
}

fn fresh_text(random: &dyn ring::rand::SecureRandom) -> Result<String, ring::error::Unspecified> {
    let mut bytes = [0; 32];
    random.fill(&mut bytes)?;
    Ok(data_encoding::BASE64URL_NOPAD.encode(&bytes))
}

/// Something that can be done under a prefix.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Read values that not everybody may read.
    Read = 0,
    /// Register identifiers.
    Register = 1,
    /// Change records.
    Update = 2,
    /// Retire identifiers.
    Retire = 3,
    /// Make and revoke tokens, back up; counts for tokens without a prefix scope only.
    Administer = 4,
}

impl Action {
    /// All actions.
    pub const ALL: [Action; 5] =
        [Action::Read, Action::Register, Action::Update, Action::Retire, Action::Administer];

    /// The action's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Read => "read",
            Action::Register => "register",
            Action::Update => "update",
            Action::Retire => "retire",
            Action::Administer => "administer",
        }
    }

    fn bit(self) -> u8 {
        1 << (self as u8)
    }
}

/// A set of actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actions(u8);

impl Actions {
    /// Every action.
    pub fn all() -> Self {
        Action::ALL.into_iter().collect()
    }

    /// Whether `action` is in the set.
    pub fn contains(self, action: Action) -> bool {
        self.0 & action.bit() != 0
    }

    /// Whether every action of `other` is in the set.
    pub fn covers(self, other: Actions) -> bool {
        self.0 & other.0 == other.0
    }

    /// The actions in the set.
    pub fn iter(self) -> impl Iterator<Item = Action> {
        Action::ALL.into_iter().filter(move |&action| self.contains(action))
    }
}

impl FromIterator<Action> for Actions {
    fn from_iter<I: IntoIterator<Item = Action>>(actions: I) -> Self {
        Self(actions.into_iter().fold(0, |bits, action| bits | action.bit()))
    }
}

/// SHA-256 of a token's secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// The digest of `secret`. Finding a row by digest leaks no timing about the secret.
    pub fn of(secret: &str) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, secret.as_bytes());
        Self(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }

    /// The public name of the token with this digest: its first eight bytes in hex.
    pub fn id(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.0[..8])
    }
}

impl Key for TokenDigest {
    fn write_key(&self, writer: &mut Writer) {
        writer.raw(&self.0);
    }

    fn read_key(bytes: &[u8]) -> Result<Self, Corrupt> {
        bytes.try_into().map(Self).map_err(|_| Corrupt::Range("token digest"))
    }
}

impl Row for Token {
    fn write_row(&self, writer: &mut Writer) {
        writer.u8(TOKEN_FORMAT).varint(self.version).u8(u8::from(self.revoked)).u8(self.actions.0);
        writer.short_text(&self.id).short_text(&self.account);
        writer.varint(self.created_ms).varint(self.expires_ms.map_or(0, |end| end.max(1)));
        let everywhere = self.prefixes.is_none();
        let prefixes = self.prefixes.as_deref().unwrap_or_default();
        writer.u8(u8::from(everywhere)).varint(prefixes.len() as u64);
        for prefix in prefixes {
            writer.short_text(prefix.as_str());
        }
        writer.u8(u8::from(self.session.is_some()));
        if let Some(session) = self.session {
            writer.varint(session.number).varint(session.idle_ms);
        }
    }

    fn read_row(reader: &mut Reader<'_>) -> Result<Self, Corrupt> {
        let format = reader.u8("token format")?;
        if !(FIRST_TOKEN_FORMAT..=TOKEN_FORMAT).contains(&format) {
            return Err(Corrupt::Format("token format"));
        }
        let version = reader.varint("version")?;
        let revoked = reader.u8("revoked")? != 0;
        let actions = Actions(reader.u8("actions")?);
        let id = reader.short_text("id")?.to_owned();
        let account = reader.short_text("account")?.to_owned();
        let created_ms = reader.varint("created")?;
        let expires_ms = Some(reader.varint("expires")?).filter(|&end| end > 0);
        let everywhere = reader.u8("everywhere")? != 0;
        let count = reader.count(2, "prefixes")?;
        let mut prefixes = Vec::with_capacity(count);
        for _ in 0..count {
            let prefix = Prefix::parse(reader.short_text("prefix")?);
            prefixes.push(prefix.map_err(|_| Corrupt::Range("prefix"))?);
        }
        let prefixes = if everywhere { None } else { Some(prefixes) };
        // Format 1 had no sessions.
        let session = match format > FIRST_TOKEN_FORMAT && reader.u8("session")? != 0 {
            true => {
                let number = reader.varint("session's number")?;
                Some(Session { number, idle_ms: reader.varint("idle time")? })
            }
            false => None,
        };
        Ok(Self {
            id,
            account,
            session,
            actions,
            prefixes,
            created_ms,
            expires_ms,
            revoked,
            version,
        })
    }
}

/// Digest of the secret -> token.
pub const TOKENS: Column<TokenDigest, Token> = Column::new(ColumnId::Tokens);

/// Number of the token's disk format.
const TOKEN_FORMAT: u8 = 2;

/// The oldest that is read.
const FIRST_TOKEN_FORMAT: u8 = 1;
