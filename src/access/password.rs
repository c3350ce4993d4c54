//! Passwords: which are taken, and their hashes.
//!
//! Hashes are argon2id (RFC 9106) with the parameters that OWASP's password storage cheat sheet
//! names first, in PHC strings that carry their parameters: when the parameters are raised, each
//! hash is made anew at its account's next login. A check costs 19 MiB and some ten milliseconds;
//! callers bound how many run at once.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, Params, PasswordHasher, PasswordVerifier};
use ring::rand::SecureRandom;

/// A password that may be taken.
pub struct Password(String);

/// What a check of a password came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Whether it is the right one.
    pub is_right: bool,
    /// Whether its hash should be made anew, with today's parameters.
    pub is_weak: bool,
}

impl Password {
    /// Takes a new password of `account`, unless it is easily guessed.
    pub fn new(text: &str, account: &str) -> Result<Self, PasswordError> {
        if !(MIN_CHARACTERS..=MAX_CHARACTERS).contains(&text.chars().count()) {
            return Err(PasswordError::Length);
        }
        let folded = text.to_lowercase();
        let account = account.to_lowercase();
        if !account.is_empty() && folded.replace(&account, "").chars().count() < MIN_CHARACTERS / 2
        {
            return Err(PasswordError::Account);
        }
        if is_common(&folded) {
            return Err(PasswordError::Common);
        }
        Ok(Self(text.to_owned()))
    }

    /// The hash to be kept, as a PHC string. Takes 19 MiB while it runs.
    pub fn hash(&self, random: &dyn SecureRandom) -> Result<String, PasswordError> {
        hash(&self.0, random)
    }
}

/// Hashes a password that was right, because its kept hash is weak.
pub(super) fn hash(text: &str, random: &dyn SecureRandom) -> Result<String, PasswordError> {
    let mut salt = [0; SALT_BYTES];
    random.fill(&mut salt).map_err(|_| PasswordError::Machine)?;
    let hash = Argon2::default().hash_password_with_salt(text.as_bytes(), &salt);
    Ok(hash.map_err(|_| PasswordError::Machine)?.to_string())
}

/// Whether `text` is the password with this hash. Without a hash the answer is no and costs the
/// same, so that nobody learns which accounts there are.
pub(super) fn check(text: &str, kept: Option<&str>) -> Checked {
    let no = Checked { is_right: false, is_weak: false };
    // Longer ones were never taken; hashing them would let the asker choose the cost.
    let text = if text.len() > MAX_CHARACTERS * 4 { "" } else { text };
    let Ok(hash) = PasswordHash::new(kept.unwrap_or(NOBODY)) else { return no };
    let Ok(params) = Params::try_from(&hash) else { return no };
    if params.m_cost() > MOST_MEMORY_KIB {
        return no;
    }
    let is_right = Argon2::default().verify_password(text.as_bytes(), &hash).is_ok();
    let own = Params::default();
    let is_weak = params.m_cost() < own.m_cost() || params.t_cost() < own.t_cost();
    Checked { is_right: is_right && kept.is_some(), is_weak }
}

/// Whether it is made of the commonest words, digits and signs.
fn is_common(folded: &str) -> bool {
    let mut words: Vec<&str> = COMMON.split_whitespace().collect();
    words.sort_unstable_by_key(|word| std::cmp::Reverse(word.len()));
    let rest = words.into_iter().fold(folded.to_owned(), |rest, word| rest.replace(word, ""));
    let letters = |text: &str| text.chars().filter(|c| c.is_alphabetic()).count();
    letters(folded) == 0 || rest.len() < folded.len() && letters(&rest) < FEWEST_LETTERS
}

/// Why a password cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Too short or too long.
    #[error("a password has {MIN_CHARACTERS} to {MAX_CHARACTERS} characters")]
    Length,
    /// Made of the account's name.
    #[error("a password must not be made of the account's name")]
    Account,
    /// Everybody's first guess.
    #[error("this password is among the first that anybody would guess: take another")]
    Common,
    /// No randomness or no memory.
    #[error("the machine failed over the password: try again")]
    Machine,
}

/// Fewest characters.
const MIN_CHARACTERS: usize = 12;

/// Most characters.
const MAX_CHARACTERS: usize = 128;

/// Fewest letters beside common words.
const FEWEST_LETTERS: usize = 4;

/// Bytes of a salt (RFC 9106 §3.1).
const SALT_BYTES: usize = 16;

/// Most memory that a kept hash may ask for.
const MOST_MEMORY_KIB: u32 = 64 * 1024;

/// A hash of nobody's password, with today's parameters.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5J3Mgc2FsdCE$\
    c29tZSAzMiBieXRlcyB0aGF0IGFyZSBubyBoYXNoISE";

/// The commonest passwords, and what the commonest long ones are made of; in lower case. Digits
/// alone are refused without a list.
const COMMON: &str = "
    password passw0rd p@ssword p@ssw0rd pass passwort motdepasse contrasena senha mima woaini
    qwerty qwertyuiop qwertz azerty qazwsx qazwsxedc asdf asdfgh asdfghjkl zxcvbn zxcvbnm 1q2w3e
    1q2w3e4r 1q2w3e4r5t 1qaz2wsx 1qaz2wsx3edc zaq12wsx q1w2e3r4 q1w2e3r4t5 abc abcd abcdef abcdefg
    abcdefgh abcdefghi abcdefghijk abcdefghijkl a1b2c3 a1b2c3d4 aaa aaaa aaaaaa xxx xxxxxx
    admin administrator root toor guest user test tester testing temp default changeme letmein
    welcome login master hello secret access system service server oracle cisco iloveyou ilovey
    lovely loveyou princess sunshine monkey dragon football baseball basketball soccer superman
    batman pokemon naruto starwars whatever trustno freedom mustang shadow michael jennifer jordan
    ashley daniel charlie andrew thomas computer internet google samsung killer hunter ranger
    pepper ginger summer winter spring autumn flower cookie cheese banana chocolate purple orange
    nameplate handle identifier company china beijing shanghai";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guessable_passwords_are_refused() {
        let fault = |text: &str| Password::new(text, "zhang.wei").err();
        for common in [
            "password1234",
            "Password!2345",
            "passwordpassword",
            "123456789012",
            "1q2w3e4r5t6y!",
            "qwertyuiopqwerty",
            "!!!ADMIN!!!2026",
            "aaaaaaaaaaaaaaaa",
        ] {
            assert_eq!(fault(common), Some(PasswordError::Common), "{common}");
        }
        assert_eq!(fault("Zhang.Wei2026"), Some(PasswordError::Account));
        assert_eq!(fault("short"), Some(PasswordError::Length));
        assert_eq!(fault(&"x y".repeat(50)), Some(PasswordError::Length));
        for good in ["correct horse battery", "泵站的操作员喜欢喝绿茶还有花", "tz8-Qm2-vk5-Lp9"]
        {
            assert_eq!(fault(good), None, "{good}");
        }
    }

    #[test]
    fn hashes_are_checked_and_raised() {
        let random = ring::rand::SystemRandom::new();
        let password = Password::new("correct horse battery", "a").unwrap();
        let hash = password.hash(&random).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, password.hash(&random).unwrap(), "salted");
        let checked = |text, kept| {
            let checked = check(text, kept);
            (checked.is_right, checked.is_weak)
        };
        assert_eq!(checked("correct horse battery", Some(&hash)), (true, false));
        assert_eq!(checked("correct horse batterie", Some(&hash)), (false, false));
        let params = Params::new(8, 1, 1, None).unwrap();
        let weak = Argon2::new(Default::default(), Default::default(), params);
        let weak = weak.hash_password_with_salt(b"correct horse battery", &[7; 16]).unwrap();
        assert_eq!(checked("correct horse battery", Some(&weak.to_string())), (true, true));
    }

    #[test]
    fn nobody_gets_in_without_a_hash() {
        assert!(!check("correct horse battery", None).is_right);
        assert!(!check("", None).is_right);
        assert!(!check(&"x".repeat(1 << 20), None).is_right);
        // The hash of nobody must be one that is computed: else unknown accounts answer sooner.
        let nobody = PasswordHash::new(NOBODY).unwrap();
        assert_eq!(Params::try_from(&nobody).unwrap().m_cost(), Params::default().m_cost());
        for broken in ["", "plain", "$argon2id$v=19$m=4194304,t=2,p=1$bm9ib2R5J3Mgc2FsdCE$c29tZQ"] {
            assert!(!check("x", Some(broken)).is_right, "{broken}");
        }
    }
}
