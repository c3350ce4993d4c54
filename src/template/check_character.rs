//! Check characters: what the last characters of a code prove about the others.
//!
//! Separators (`-._:/` and space) are skipped and letters count alike in either case, because
//! identifiers do not tell cases apart.

/// A way to compute check characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CheckCharacter {
    /// Luhn's: ISO/IEC 7812-1 annex B. Digits only; one digit.
    Mod10,
    /// ISO 7064 MOD 11-2. Digits only; a digit or `X`.
    Mod11,
    /// ISO 7064 MOD 37,36. Digits and letters; one of them.
    Mod37,
    /// ISO 7064 MOD 97-10. Digits and letters, which stand for 10 to 35; two digits.
    Mod97,
}

impl CheckCharacter {
    /// Reads the word in a coding rule.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "mod10" => Self::Mod10,
            "mod11" => Self::Mod11,
            "mod37-36" => Self::Mod37,
            "mod97" => Self::Mod97,
            _ => return None,
        })
    }

    /// How many characters are computed.
    pub fn length(self) -> usize {
        if self == Self::Mod97 { 2 } else { 1 }
    }

    /// The check characters of a text, or the first character that the algorithm does not know.
    pub fn compute(self, text: &str) -> Result<String, char> {
        let known = text.chars().filter(|&character| !is_separator(character));
        let values: Vec<u32> = known
            .map(|character| character.to_digit(self.radix()).ok_or(character))
            .collect::<Result<_, char>>()?;
        Ok(match self {
            Self::Mod10 => luhn(&values).to_string(),
            Self::Mod11 => {
                let sum = values.iter().fold(0, |sum, value| (sum + value) * 2 % 11);
                symbol((12 - sum) % 11).replace('A', "X")
            }
            Self::Mod37 => {
                let product = values.iter().fold(36, |product, value| {
                    let sum = (product + value) % 36;
                    (if sum == 0 { 36 } else { sum }) * 2 % 37
                });
                symbol((37 - product) % 36)
            }
            Self::Mod97 => {
                let rest = values.iter().fold(0, |rest, &value| {
                    let shift = if value < 10 { 10 } else { 100 };
                    (rest * shift + value) % 97
                });
                format!("{:02}", 98 - rest * 100 % 97)
            }
        })
    }

    fn radix(self) -> u32 {
        match self {
            Self::Mod10 | Self::Mod11 => 10,
            Self::Mod37 | Self::Mod97 => 36,
        }
    }
}

/// From the right, every other digit counts twice, and of that the sum of its digits.
fn luhn(values: &[u32]) -> u32 {
    let sum = values.iter().rev().enumerate().fold(0, |sum, (place, value)| {
        let weighted = if place % 2 == 0 { value * 2 } else { *value };
        sum + weighted / 10 + weighted % 10
    });
    (10 - sum % 10) % 10
}

fn symbol(value: u32) -> String {
    char::from_digit(value, 36).unwrap_or('0').to_ascii_uppercase().to_string()
}

fn is_separator(character: char) -> bool {
    matches!(character, '-' | '.' | '_' | ':' | '/' | ' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_examples() {
        // The documentation of python-stdnum, and what it says about the last one.
        for (algorithm, text, expected) in [
            ("mod10", "7894", "9"),
            ("mod10", "4992-7398-71", "6"),
            ("mod11", "0794", "0"),
            ("mod11", "079", "X"),
            ("mod37-36", "A12425GABC1234002", "M"),
            ("mod37-36", "a1-2425g-abc1234002", "M"),
            ("mod97", "99991234567890121414", "90"),
            ("mod97", "SN-AB12", "47"),
        ] {
            let algorithm = CheckCharacter::parse(algorithm).unwrap();
            assert_eq!(algorithm.compute(text).as_deref(), Ok(expected), "{algorithm:?} {text}");
            assert_eq!(algorithm.length(), expected.len());
        }
        assert_eq!(CheckCharacter::Mod10.compute("12A"), Err('A'));
        assert_eq!(CheckCharacter::Mod97.compute("泵"), Err('泵'));
        assert_eq!(CheckCharacter::parse("mod9"), None);
    }

    #[test]
    fn one_wrong_digit_shows() {
        for algorithm in ["mod10", "mod11", "mod37-36", "mod97"] {
            let algorithm = CheckCharacter::parse(algorithm).unwrap();
            let right = algorithm.compute("20260105000123");
            assert_ne!(right, algorithm.compute("20260105000124"));
            assert_ne!(right, algorithm.compute("20260105000132"));
        }
    }
}
