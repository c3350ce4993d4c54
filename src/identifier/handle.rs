//! The scheme `prefix/suffix` of the Handle System (RFC 3651 §2) and the national system.
//!
//! The prefix is dot-separated non-empty arcs without `/`; the suffix is non-empty and may hold
//! anything but control characters. ASCII letters are folded to upper case in both parts; nothing
//! else is folded or normalised.

use super::key::{CanonicalKey, HANDLE};
use super::prefix::check_arcs;
use super::{IdentifierError, MAX_OCTETS};

/// The canonical key of a literal `prefix/suffix`.
pub(super) fn key(text: &str) -> Result<CanonicalKey, IdentifierError> {
    if text.len() > MAX_OCTETS {
        return Err(IdentifierError::TooLong(text.len()));
    }
    if text.chars().any(char::is_control) {
        return Err(IdentifierError::Control(text.to_owned()));
    }
    let Some((prefix, suffix)) = text.split_once('/') else {
        let encoded = text.to_ascii_lowercase().contains("%2f");
        let reason = if encoded { IdentifierError::Encoded } else { IdentifierError::NoSlash };
        return Err(reason(text.to_owned()));
    };
    check_arcs(prefix)?;
    if suffix.is_empty() {
        return Err(IdentifierError::EmptySuffix(text.to_owned()));
    }
    Ok(CanonicalKey::assemble(HANDLE, &text.to_ascii_uppercase(), prefix.len()))
}
