//! Unified social credit codes of firms and other bodies (GB 32100-2015).
//!
//! Eighteen characters: registering authority, kind of body, region (six digits), organisation
//! code (GB 11714, nine characters of which the last is a check character) and a check character
//! over all. Every change of a single character is found out, because 31 is a prime and no weight
//! is a multiple of it.

use serde::{Deserialize, Serialize};

/// A unified social credit code whose check character is right.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UnifiedCode(String);

impl UnifiedCode {
    /// Reads a code. White space around it is passed over and lower case raised.
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        let code = text.trim().to_ascii_uppercase();
        let found = code.chars().count();
        if found != LENGTH {
            return Err(CodeError::Length { code, found });
        }
        let mut sum = 0;
        for (position, character) in (1..).zip(code.chars()) {
            let (value, digit) = (value(character), character.is_ascii_digit());
            let Some(value) = value.filter(|_| digit || !REGION.contains(&position)) else {
                return Err(CodeError::Character { code, position, character });
            };
            sum += value * WEIGHTS.get(position - 1).copied().unwrap_or(0);
        }
        let expected = character((MODULUS - sum % MODULUS) % MODULUS);
        if !code.ends_with(expected) {
            return Err(CodeError::Check { code, expected });
        }
        Ok(Self(code))
    }

    /// The code, eighteen characters in upper case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The region of the registering authority: six digits of GB/T 2260, or `100000` for bodies
    /// that are registered with the state itself.
    pub fn region(&self) -> &str {
        self.0.get(2..8).unwrap_or_default()
    }

    /// The organisation code: eight characters and their check character.
    pub fn organisation(&self) -> &str {
        self.0.get(8..17).unwrap_or_default()
    }

    /// What is odd about the organisation code; nothing for most firms.
    ///
    /// Only a warning, because codes from before 2015 were not all made by the rule (GB 11714).
    pub fn organisation_warning(&self) -> Option<OrganisationWarning> {
        let weights = ORGANISATION_WEIGHTS.iter();
        let sum: u32 = self
            .organisation()
            .chars()
            .zip(weights)
            .map(|(character, weight)| character.to_digit(36).unwrap_or(0) * weight)
            .sum();
        let expected = match 11 - sum % 11 {
            10 => 'X',
            11 => '0',
            digit => char::from_digit(digit, 10).unwrap_or('0'),
        };
        let found = self.organisation().chars().last().unwrap_or_default();
        (found != expected).then_some(OrganisationWarning { found, expected })
    }
}

impl std::fmt::Display for UnifiedCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for UnifiedCode {
    type Error = CodeError;

    fn try_from(text: String) -> Result<Self, CodeError> {
        Self::parse(&text)
    }
}

impl From<UnifiedCode> for String {
    fn from(code: UnifiedCode) -> Self {
        code.0
    }
}

/// The value of a character; none outside the alphabet.
fn value(character: char) -> Option<usize> {
    ALPHABET.chars().position(|known| known == character)
}

fn character(value: usize) -> char {
    ALPHABET.chars().nth(value).unwrap_or_default()
}

/// The organisation code within a firm's code has an irregular check character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "character 17 is {found:?} where the rule of GB 11714 gives {expected:?}: old codes may be \
     irregular, so compare with the licence"
)]
pub struct OrganisationWarning {
    /// Character 17.
    pub found: char,
    /// What the rule gives.
    pub expected: char,
}

/// Why a text is no code, or a code is not in the table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// Not eighteen characters.
    #[error("{code:?} has {found} characters: a unified social credit code has {LENGTH}")]
    Length {
        /// The text.
        code: String,
        /// Its number of characters.
        found: usize,
    },
    /// A character outside the alphabet, or a letter in the region.
    #[error(
        "{code:?}: character {position} is {character:?}: digits and capital letters without \
         I, O, S, V and Z are possible, and digits alone in characters 3 to 8"
    )]
    Character {
        /// The text.
        code: String,
        /// Position, from 1.
        position: usize,
        /// The character there.
        character: char,
    },
    /// The check character does not fit the rest.
    #[error(
        "{code:?} is mistyped: character 18 would be {expected:?} if the other characters were \
         right; compare all of them with the licence"
    )]
    Check {
        /// The text.
        code: String,
        /// The check character of the rest.
        expected: char,
    },
    /// No code of a region at all.
    #[error("{0:?} is no region: two, four or six digits of GB/T 2260, such as 110108")]
    RegionShape(String),
    /// A region that the table does not have.
    #[error("region {code} is not in the table of GB/T 2260{}", within(.known))]
    UnknownRegion {
        /// The code, six digits.
        code: String,
        /// Code and name of the lowest region above it that is known.
        known: Option<String>,
    },
    /// No code of an industry at all.
    #[error(
        "{0:?} is no industry: a letter from A to T, or two to four digits, also behind their \
         letter, of GB/T 4754-2017, such as C39 or 3911"
    )]
    IndustryShape(String),
    /// An industry that the table does not have.
    #[error("industry {code} is not in the table of GB/T 4754{}", within(.known))]
    UnknownIndustry {
        /// The code without a letter in front of digits.
        code: String,
        /// Code and name of the lowest industry above it that is known.
        known: Option<String>,
    },
    /// A letter in front of a division of another section.
    #[error("{code:?}: division {division} is in section {expected}: leave the letter out")]
    Section {
        /// The text.
        code: String,
        /// The division.
        division: String,
        /// Its section.
        expected: String,
    },
}

fn within(known: &Option<String>) -> String {
    known.as_ref().map_or_else(String::new, |known| format!("; known is {known}"))
}

/// Characters of a code.
const LENGTH: usize = 18;

/// The 31 characters, each at its value.
const ALPHABET: &str = "0123456789ABCDEFGHJKLMNPQRTUWXY";

/// As many as the alphabet has characters.
const MODULUS: usize = 31;

/// Positions of the region, from 1.
const REGION: std::ops::RangeInclusive<usize> = 3..=8;

/// 3 to the power of 0 to 16, modulo 31.
const WEIGHTS: [usize; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];

/// Weights of GB 11714.
const ORGANISATION_WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RIGHT: [&str; 4] =
        ["91110108589104047H", "91350100M000100Y43", "91320200MA1K2P3X5Q", "91110108MA00NP019P"];

    #[test]
    fn weights_are_powers_of_three() {
        let mut power = 1;
        for weight in WEIGHTS {
            assert_eq!(weight, power);
            power = power * 3 % MODULUS;
        }
        assert_eq!(ALPHABET.chars().count(), MODULUS);
    }

    #[test]
    fn codes_with_the_right_check_character_are_taken() {
        for text in RIGHT {
            for spelled in [text.to_owned(), format!(" {}\n", text.to_ascii_lowercase())] {
                let code = UnifiedCode::parse(&spelled).unwrap();
                assert_eq!(code.as_str(), text);
                assert_eq!(code.organisation_warning(), None, "{text}");
            }
        }
        let code = UnifiedCode::parse(RIGHT[0]).unwrap();
        assert_eq!((code.region(), code.organisation()), ("110108", "589104047"));
        let json = serde_json::to_string(&code).unwrap();
        assert_eq!(serde_json::from_str::<UnifiedCode>(&json).unwrap(), code);
        assert!(serde_json::from_str::<UnifiedCode>("\"91110108579104047H\"").is_err());
    }

    #[test]
    fn mistakes_are_named() {
        for (text, expected) in [
            ("91110108579104047H", "character 18 would be"),
            ("911101085891040471", "'H'"),
            ("9111010858910404", "16 characters"),
            ("91110108589104047H1", "19 characters"),
            ("", "0 characters"),
            ("I1110108589104047H", "character 1 is 'I'"),
            ("9111010858O104047H", "character 11 is 'O'"),
            ("9111010858S104047H", "'S'"),
            ("9111010858V104047H", "'V'"),
            ("9111010858Z104047H", "'Z'"),
            ("91A10108589104047H", "digits alone in characters 3 to 8"),
            ("９1110108589104047H", "character 1 is '９'"),
        ] {
            let error = UnifiedCode::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn an_irregular_organisation_code_is_only_a_warning() {
        let body = "91110108589104040";
        let expected = ALPHABET.chars().find_map(|last| {
            let code = UnifiedCode::parse(&format!("{body}{last}")).ok()?;
            code.organisation_warning()
        });
        assert_eq!(expected, Some(OrganisationWarning { found: '0', expected: '7' }));
    }

    proptest! {
        #[test]
        fn every_changed_character_is_found_out(
            which in 0..RIGHT.len(), position in 0..LENGTH, to in 0..MODULUS,
        ) {
            let mut changed: Vec<char> = RIGHT[which].chars().collect();
            prop_assume!(changed[position] != character(to));
            changed[position] = character(to);
            let changed: String = changed.into_iter().collect();
            prop_assert!(UnifiedCode::parse(&changed).is_err(), "{changed}");
        }

        #[test]
        fn every_body_has_one_check_character(
            body in "[0-9A-HJ-NP-RTUWXY]{2}[0-9]{6}[0-9A-HJ-NP-RTUWXY]{9}",
        ) {
            let right = ALPHABET.chars().filter(|last| {
                UnifiedCode::parse(&format!("{body}{last}")).is_ok()
            });
            prop_assert_eq!(right.count(), 1);
        }

        #[test]
        fn any_text_is_read(text in any::<String>()) {
            let _ = UnifiedCode::parse(&text);
        }
    }
}
