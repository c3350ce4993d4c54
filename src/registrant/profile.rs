//! Who a registrant is.

use serde::{Deserialize, Serialize};

use super::RegistrantId;
use crate::codes::{CodeTables, UnifiedCode};
use crate::template::Fault;

/// An enterprise that registers identifiers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Registrant {
    /// Where the registrant stands in the node's review.
    pub state: RegistrantState,
    /// Why it stands there, in the words of whoever decided so last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
    /// Legal name in Chinese.
    pub name_zh: String,
    /// Legal name in English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_en: Option<String>,
    /// Unified social credit code (GB 32100), unique on the node; none for foreign registrants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unified_code: Option<String>,
    /// Industry (GB/T 4754).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub industry: Option<String>,
    /// Region (GB/T 2260), six digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// People to turn to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<Contact>,
}

impl Registrant {
    /// A registrant that has just applied.
    pub fn applied(profile: Profile) -> Self {
        let Profile { name_zh, name_en, unified_code, industry, region, contacts } = profile;
        let (state, remark) = (RegistrantState::Applied, None);
        Self { state, remark, name_zh, name_en, unified_code, industry, region, contacts }
    }

    /// The same registrant with other data.
    pub fn with_profile(&self, profile: Profile) -> Self {
        Self { state: self.state, remark: self.remark.clone(), ..Self::applied(profile) }
    }

    /// What the registrant says of itself.
    pub fn profile(&self) -> Profile {
        let Self { name_zh, name_en, unified_code, industry, region, contacts, .. } = self.clone();
        Profile { name_zh, name_en, unified_code, industry, region, contacts }
    }

    /// The unified code that nobody else may have; a closed registrant gives its code up.
    pub fn claimed_code(&self) -> Option<&str> {
        let code = self.unified_code.as_deref();
        code.filter(|_| self.state != RegistrantState::Closed)
    }
}

/// What a registrant says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    /// Legal name in Chinese.
    #[schema(min_length = 1, max_length = 200, example = "西安泵业有限公司")]
    pub name_zh: String,
    /// Legal name in English.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 200, example = "Acme Pumps Ltd.")]
    pub name_en: Option<String>,
    /// Unified social credit code (GB 32100), unique on the node; none for foreign registrants.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "91110108MA00NP019P")]
    pub unified_code: Option<String>,
    /// Industry (GB/T 4754): section, division, group or class.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "C34")]
    pub industry: Option<String>,
    /// Region (GB/T 2260): two, four or six digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "110108")]
    pub region: Option<String>,
    /// People to turn to, at most 20.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 20)]
    pub contacts: Vec<Contact>,
}

impl Profile {
    /// The profile in the form it is kept in: codes in full, white space around texts gone. All
    /// that is wrong with it comes back at once.
    pub fn checked(mut self, tables: &CodeTables) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        check_text(&mut faults, "name_zh", &mut self.name_zh, MAX_NAME_CHARACTERS);
        if let Some(name) = &mut self.name_en {
            check_text(&mut faults, "name_en", name, MAX_NAME_CHARACTERS);
        }
        let unified = |code: &str| UnifiedCode::parse(code).map(String::from);
        check_code(&mut faults, "unified_code", &mut self.unified_code, unified);
        let industry = |code: &str| tables.industry(code).map(|found| found.code);
        check_code(&mut faults, "industry", &mut self.industry, industry);
        let region = |code: &str| tables.region(code).map(|found| found.code);
        check_code(&mut faults, "region", &mut self.region, region);
        if self.contacts.len() > MAX_CONTACTS {
            let message = format!("at most {MAX_CONTACTS} contacts");
            faults.push(Fault::new("contacts", "maximum", self.contacts.len(), message));
        }
        for (position, contact) in self.contacts.iter_mut().take(MAX_CONTACTS).enumerate() {
            contact.check(&mut faults, &format!("contacts[{position}]"));
        }
        if faults.is_empty() { Ok(self) } else { Err(faults) }
    }
}

/// Somebody to turn to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// Name.
    #[schema(min_length = 1, max_length = 100, example = "王工")]
    pub name: String,
    /// Mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 254, example = "ids@acme.example")]
    pub email: Option<String>,
    /// Telephone number: digits, spaces and `+-()`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 3, max_length = 32, example = "+86 10 5555 0100")]
    pub phone: Option<String>,
}

impl Contact {
    fn check(&mut self, faults: &mut Vec<Fault>, path: &str) {
        check_text(faults, &format!("{path}.name"), &mut self.name, MAX_CONTACT_CHARACTERS);
        if let Some(email) = &self.email {
            let parts = email.split_once('@');
            let whole = parts.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
            let odd = email.chars().any(|c| c.is_control() || c.is_whitespace());
            if !whole || odd || email.len() > MAX_EMAIL_OCTETS {
                let message = "is no mail address, such as ids@acme.example";
                faults.push(Fault::new(format!("{path}.email"), "format", email, message));
            }
        }
        if let Some(phone) = &self.phone {
            let allowed = |c: char| c.is_ascii_digit() || " +-()".contains(c);
            let enough = (3..=MAX_PHONE_OCTETS).contains(&phone.len());
            if !enough || !phone.chars().all(allowed) {
                let message = "is no telephone number: 3 to 32 digits, spaces, + - ( )";
                faults.push(Fault::new(format!("{path}.phone"), "format", phone, message));
            }
        }
    }
}

/// Where a registrant stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RegistrantState {
    /// Has applied.
    Applied,
    /// A reviewer is looking at the application.
    UnderReview,
    /// May hold prefixes and register.
    Active,
    /// May change nothing until resumed.
    Suspended,
    /// Has left; final.
    Closed,
}

impl RegistrantState {
    /// All states.
    pub const ALL: [RegistrantState; 5] = [
        RegistrantState::Applied,
        RegistrantState::UnderReview,
        RegistrantState::Active,
        RegistrantState::Suspended,
        RegistrantState::Closed,
    ];

    /// The state's word.
    pub fn as_str(self) -> &'static str {
        match self {
            RegistrantState::Applied => "applied",
            RegistrantState::UnderReview => "under-review",
            RegistrantState::Active => "active",
            RegistrantState::Suspended => "suspended",
            RegistrantState::Closed => "closed",
        }
    }
}

/// Who has a unified social credit code; a registrant that closes gives its code up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeClaim {
    /// Who has it; none when it was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registrant: Option<RegistrantId>,
}

/// Trims a text that must be there and finds what is wrong with it; `most` counts what was sent.
fn check_text(faults: &mut Vec<Fault>, path: &str, text: &mut String, most: usize) {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        faults.push(Fault::new(path, "required", "", "is needed"));
    } else if text.chars().count() > most {
        let message = format!("has more than {most} characters");
        faults.push(Fault::new(path, "maximum", trimmed, message));
    } else if trimmed.chars().any(char::is_control) {
        faults.push(Fault::new(path, "characters", trimmed, "holds control characters"));
    }
    *text = trimmed.to_owned();
}

/// Puts a code into the form it is kept in, or finds what is wrong with it.
fn check_code<E: std::fmt::Display>(
    faults: &mut Vec<Fault>,
    path: &str,
    code: &mut Option<String>,
    read: impl Fn(&str) -> Result<String, E>,
) {
    let Some(text) = code else { return };
    match read(text) {
        Ok(kept) => *text = kept,
        Err(error) => faults.push(Fault::new(path, "code", text, error)),
    }
}

/// Most characters of a legal name.
const MAX_NAME_CHARACTERS: usize = 200;

/// Most characters of a contact's name.
const MAX_CONTACT_CHARACTERS: usize = 100;

/// Most octets of a mail address (RFC 5321 §4.5.3.1.3, without its brackets).
const MAX_EMAIL_OCTETS: usize = 254;

/// Most octets of a telephone number.
const MAX_PHONE_OCTETS: usize = 32;

/// Most contacts of a registrant.
const MAX_CONTACTS: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Profile {
        let contact = Contact {
            name: "王工".into(),
            email: Some("ids@acme.example".into()),
            phone: Some("+86 10 5555 0100".into()),
        };
        Profile {
            name_zh: " 西安泵业有限公司 ".into(),
            name_en: Some("Acme Pumps Ltd.".into()),
            unified_code: Some("91110108ma00np019p".into()),
            industry: Some("C34".into()),
            region: Some("110108".into()),
            contacts: vec![contact],
        }
    }

    #[test]
    fn profiles_are_kept_in_one_form() {
        let kept = profile().checked(&CodeTables::shipped()).unwrap();
        assert_eq!(kept.name_zh, "西安泵业有限公司");
        assert_eq!(kept.unified_code.as_deref(), Some("91110108MA00NP019P"));
        assert_eq!(kept.region.as_deref(), Some("110108"));
        assert_eq!(kept.clone().checked(&CodeTables::shipped()).unwrap(), kept);
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let mut bad = profile();
        bad.name_zh = " ".into();
        bad.name_en = Some("x".repeat(201));
        bad.unified_code = Some("91110108579104047H".into());
        bad.industry = Some("Q99".into());
        bad.region = Some("999999".into());
        bad.contacts.push(Contact {
            name: "a\u{7}b".into(),
            email: Some("nobody".into()),
            phone: Some("call me".into()),
        });
        let faults = bad.checked(&CodeTables::shipped()).unwrap_err();
        let found: Vec<_> =
            faults.iter().map(|fault| (fault.path.as_str(), fault.rule.as_str())).collect();
        assert_eq!(
            found,
            [
                ("name_zh", "required"),
                ("name_en", "maximum"),
                ("unified_code", "code"),
                ("industry", "code"),
                ("region", "code"),
                ("contacts[1].name", "characters"),
                ("contacts[1].email", "format"),
                ("contacts[1].phone", "format"),
            ]
        );
    }

    #[test]
    fn contacts_are_bounded() {
        let mut many = profile();
        many.contacts = vec![many.contacts[0].clone(); MAX_CONTACTS + 1];
        let faults = many.checked(&CodeTables::shipped()).unwrap_err();
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].path, "contacts");
    }
}
