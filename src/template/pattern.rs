//! Patterns: the regular expressions that mean the same here and in JSON Schema.
//!
//! Matching takes time linear in the text. What other readers of JSON Schema take differently
//! (flags, look-around, back-references, Unicode classes) is refused.

use regex::{Regex, RegexBuilder};

/// What a whole text must match.
#[derive(Clone, Debug)]
pub struct Pattern {
    portable: String,
    regex: Regex,
}

impl Pattern {
    /// Compiles a pattern; anchors are put around it. Fails with what is wrong.
    pub fn new(source: &str) -> Result<Self, String> {
        let portable = format!("^(?:{})$", translate(source)?);
        let mut builder = RegexBuilder::new(&portable);
        builder.size_limit(MAX_COMPILED_BYTES).dfa_size_limit(MAX_COMPILED_BYTES);
        let regex = builder.nest_limit(MAX_NESTING).build();
        let regex = regex.map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => {
                format!("needs more than {MAX_COMPILED_BYTES} bytes: use smaller repetitions")
            }
            error => {
                let reason = error.to_string();
                let last = reason.lines().last().unwrap_or_default();
                last.trim_start_matches("error: ").to_owned()
            }
        })?;
        Ok(Self { portable, regex })
    }

    /// The pattern as JSON Schema has it: ECMAScript syntax, anchored.
    pub fn as_str(&self) -> &str {
        &self.portable
    }

    /// Whether the whole text matches.
    pub fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

/// The pattern in the syntax that regex, ECMAScript and others share. `\d` and `\w` become their
/// ASCII classes, because some readers take them as Unicode's.
fn translate(source: &str) -> Result<String, String> {
    let mut portable = String::with_capacity(source.len());
    let mut in_class = false;
    let mut characters = source.chars().peekable();
    while let Some(character) = characters.next() {
        let next = characters.peek().copied();
        match character {
            '\\' => {
                let escaped = characters.next().ok_or("ends with a backslash")?;
                portable.push_str(&escape(escaped, in_class)?);
                continue;
            }
            '(' if !in_class && next == Some('?') => {
                characters.next();
                if characters.next() != Some(':') {
                    return Err("of the forms (?…) only (?:…) is possible".into());
                }
                portable.push_str("(?:");
                continue;
            }
            '{' if !in_class && next == Some(',') => return Err("{,n} must be {0,n}".into()),
            '[' if in_class => return Err("a '[' inside a class must be \\[".into()),
            '&' | '~' | '-' if in_class && next == Some(character) => {
                return Err(format!("{character}{character} inside a class: escape the first"));
            }
            '[' => in_class = true,
            ']' => in_class = false,
            _ => {}
        }
        portable.push(character);
    }
    Ok(portable)
}

fn escape(character: char, in_class: bool) -> Result<String, String> {
    Ok(match character {
        'd' if in_class => "0-9".into(),
        'w' if in_class => "0-9A-Za-z_".into(),
        'd' => "[0-9]".into(),
        'w' => "[0-9A-Za-z_]".into(),
        'n' | 'r' | 't' | 'u' | 'x' => format!("\\{character}"),
        _ if character.is_ascii_punctuation() => format!("\\{character}"),
        _ => return Err(format!("\\{character} is not possible: write out the class")),
    })
}

/// Most characters of a pattern.
pub(super) const MAX_PATTERN_CHARACTERS: usize = 512;

/// Most patterns of a template; with the next limit they bound its memory.
pub(super) const MAX_PATTERNS: usize = 100;

/// Most bytes of a compiled pattern, and of what matching it keeps.
const MAX_COMPILED_BYTES: usize = 256 * 1024;

/// How deep parentheses may nest.
const MAX_NESTING: u32 = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_text_must_match() {
        let pattern = Pattern::new(r"[A-Z]{2}|\d{3}").unwrap();
        assert_eq!(pattern.as_str(), "^(?:[A-Z]{2}|[0-9]{3})$");
        assert!(pattern.matches("AB") && pattern.matches("123"));
        for wrong in ["ABC", "AB1", "1234", "１２３", "AB\n", ""] {
            assert!(!pattern.matches(wrong), "{wrong:?}");
        }
        assert!(Pattern::new(r"[\d.\-]+").unwrap().matches("1.2-3"));
        assert!(Pattern::new(r"[\u4e00-\u9fff]{1,255}").unwrap().matches("水泵"));
    }

    #[test]
    fn what_readers_take_differently_is_refused() {
        for source in [
            r"(?i)a",
            r"(?=a)",
            r"(?<n>a)",
            r"\bword",
            r"\p{Han}",
            r"(a)\1",
            r"[[:alpha:]]",
            r"[a&&b]",
            r"a{,3}",
            "a\\",
            "(",
            "[a",
            r"\s",
        ] {
            assert!(Pattern::new(source).is_err(), "{source}");
        }
    }

    #[test]
    fn patterns_are_bounded() {
        let reason = Pattern::new(r"(?:[\u4e00-\u9fff]{1,1000}){1,1000}").unwrap_err();
        assert!(reason.contains("bytes"), "{reason}");
        assert!(Pattern::new(&format!("{}{}", "(".repeat(99), ")".repeat(99))).is_err());
    }
}
