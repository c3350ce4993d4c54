//! Typed attributes, as they are given and kept.

use serde_json::Value as Json;

use super::Form;
use crate::codec::canonical_json;

/// An attribute's content: the text that is stored and the JSON type it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// JSON type.
    pub form: Form,
    /// Stored text.
    pub text: String,
}

impl Attribute {
    /// Reads an attribute from JSON.
    ///
    /// Numbers with a fraction or exponent are refused, because readers round them differently:
    /// decimals travel as strings.
    pub fn from_json(json: &Json) -> Result<Self, AttributeError> {
        check_numbers(json)?;
        Ok(match json {
            Json::String(text) => Self { form: Form::Text, text: text.clone() },
            Json::Number(number) => Self { form: Form::Integer, text: number.to_string() },
            Json::Bool(truth) => Self { form: Form::Boolean, text: truth.to_string() },
            Json::Array(_) | Json::Object(_) => {
                Self { form: Form::Json, text: canonical_json(json) }
            }
            Json::Null => return Err(AttributeError::Null),
        })
    }

    /// The attribute as JSON. Text that does not have the form's shape comes back as a string.
    pub fn to_json(form: Form, text: &str) -> Json {
        let parsed = match form {
            Form::Text => None,
            Form::Integer | Form::Boolean | Form::Json => serde_json::from_str(text).ok(),
        };
        parsed.unwrap_or_else(|| Json::String(text.to_owned()))
    }
}

/// Refuses names that no protocol could carry as `name=value`.
pub fn check_name(name: &str) -> Result<(), AttributeError> {
    let forbidden = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '=' | '/' | '"');
    let reserved = name.get(..3).is_some_and(|head| head.eq_ignore_ascii_case("HS_"));
    if name.is_empty() || name.len() > MAX_NAME_OCTETS || reserved || name.contains(forbidden) {
        return Err(AttributeError::Name(name.to_owned()));
    }
    Ok(())
}

fn check_numbers(json: &Json) -> Result<(), AttributeError> {
    match json {
        Json::Number(number) if number.is_f64() => Err(AttributeError::Decimal(number.to_string())),
        Json::Array(items) => items.iter().try_for_each(check_numbers),
        Json::Object(members) => members.values().try_for_each(check_numbers),
        _ => Ok(()),
    }
}

/// Why an attribute was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttributeError {
    /// The name is empty, too long, begins with `HS_` or holds a forbidden character.
    #[error(
        "{0:?} is no attribute name: 1 to {MAX_NAME_OCTETS} octets without white space, control \
         characters, '=', '/' or '\"', not beginning with HS_"
    )]
    Name(String),
    /// A number with fraction or exponent.
    #[error("{0} has a fraction or exponent or is too large: give decimals as a string, \"{0}\"")]
    Decimal(String),
    /// `null` where a value is needed.
    #[error("null is no value: leave the attribute out, or PATCH it with null to remove it")]
    Null,
}

/// Most octets of an attribute's name.
pub const MAX_NAME_OCTETS: usize = 64;
