//! Industries (GB/T 4754): sections, divisions, groups, classes.
//!
//! A section is a letter, a division has two digits, and each level below adds one digit to the
//! code of the level above.

use std::collections::BTreeMap;

use serde::Serialize;

use super::rows::{self, Faults, Row};
use super::tables::Wanted;
use super::{CodeError, Named, TableError};

/// An industry and those it is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "code": "34", "level": "division", "section": {"code": "C", "name": "制造业"},
    "division": {"code": "34", "name": "通用设备制造业"}
}))]
pub struct Industry {
    /// Its code: the letter of a section; digits alone below.
    pub code: String,
    /// How fine it is.
    pub level: IndustryLevel,
    /// The section (门类).
    pub section: Named,
    /// The division (大类).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub division: Option<Named>,
    /// The group (中类).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<Named>,
    /// The class (小类).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<Named>,
}

/// A level of the classification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum IndustryLevel {
    /// A letter.
    Section,
    /// Two digits.
    Division,
    /// Three digits.
    Group,
    /// Four digits.
    Class,
}

/// The table.
#[derive(Debug)]
pub(super) struct Industries {
    entries: BTreeMap<String, Entry>,
    /// The finest level of which there is an entry.
    finest: IndustryLevel,
}

#[derive(Debug)]
struct Entry {
    line: u64,
    level: IndustryLevel,
    parent: String,
    name: String,
    name_en: Option<String>,
}

impl Industry {
    /// Its names from the section down.
    fn path(&self) -> Vec<&Named> {
        let below = [self.division.as_ref(), self.group.as_ref(), self.class.as_ref()];
        std::iter::once(&self.section).chain(below.into_iter().flatten()).collect()
    }
}

impl IndustryLevel {
    /// The level of a code by its shape.
    fn of(code: &str) -> Option<Self> {
        let digits = code.bytes().all(|byte| byte.is_ascii_digit());
        match (code.len(), digits) {
            (1, false) if code.starts_with(|c| ('A'..='T').contains(&c)) => Some(Self::Section),
            (2, true) => Some(Self::Division),
            (3, true) => Some(Self::Group),
            (4, true) => Some(Self::Class),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Section => "section",
            Self::Division => "division",
            Self::Group => "group",
            Self::Class => "class",
        }
    }
}

impl Industries {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, TableError> {
        let mut faults = Faults::default();
        let entries: Vec<_> = rows::read(bytes, &COLUMNS, 4, &mut faults)
            .into_iter()
            .filter_map(|row| match Entry::read(&row) {
                Ok((code, entry)) => Some((row.line, code, entry)),
                Err(reason) => {
                    faults.add(row.line, reason);
                    None
                }
            })
            .collect();
        let entries = rows::by_code(entries, &mut faults);
        for (code, Entry { line, level, parent, .. }) in &entries {
            if *level != IndustryLevel::Section && !entries.contains_key(parent) {
                let level = level.name();
                faults.add(*line, format!("{level} {code} is in {parent}, which has no line"));
            }
        }
        let finest = entries.values().map(|entry| entry.level).max();
        if finest.is_none() && faults.is_empty() {
            faults.add(1, "there is no industry in it");
        }
        let finest = finest.unwrap_or(IndustryLevel::Section);
        faults.or("industries, GB/T 4754", Self { entries, finest })
    }

    pub(super) fn look_up(&self, text: &str) -> Result<Industry, CodeError> {
        let shape = || CodeError::IndustryShape(text.trim().to_owned());
        let spelled = text.trim().to_ascii_uppercase();
        let letters = spelled.chars().take_while(char::is_ascii_uppercase).count();
        let (letter, digits) = spelled.split_at_checked(letters).ok_or_else(shape)?;
        let code = if digits.is_empty() { letter } else { digits };
        let letter_fits = letter.is_empty() || IndustryLevel::of(letter).is_some();
        IndustryLevel::of(code).filter(|_| letter_fits).ok_or_else(shape)?;
        let industry = self.industry(code).ok_or_else(|| self.unknown(code))?;
        if !letter.is_empty() && industry.section.code != letter {
            return Err(CodeError::Section {
                code: spelled.clone(),
                division: digits.get(..2).unwrap_or_default().to_owned(),
                expected: industry.section.code,
            });
        }
        Ok(industry)
    }

    pub(super) fn find(&self, wanted: &Wanted, limit: usize) -> Vec<Industry> {
        let mut found: Vec<_> = self
            .entries
            .keys()
            .filter_map(|code| {
                let industry = self.industry(code)?;
                let with_letter = format!("{}{code}", industry.section.code);
                let rank = wanted.rank(&[code, &with_letter], &industry.path())?;
                // A section is a letter, which sorts behind digits but stands above them.
                Some((rank, industry.level, industry))
            })
            .collect();
        found.sort_by_key(|(rank, level, _)| (*rank, *level));
        found.into_iter().map(|(_, _, industry)| industry).take(limit).collect()
    }

    /// The industry of a code of the right shape, if the table has it or does not go as deep.
    fn industry(&self, code: &str) -> Option<Industry> {
        let level = IndustryLevel::of(code)?;
        let part = |length: usize| code.get(..length).filter(|_| level > IndustryLevel::Section);
        let section = match part(2) {
            Some(division) => self.entries.get(division)?.parent.as_str(),
            None => code,
        };
        let group = part(3).map(|group| self.named(group));
        let class = part(4).map(|class| self.named(class));
        Some(Industry {
            code: code.to_owned(),
            level,
            section: self.named(section)?,
            division: part(2).and_then(|division| self.named(division)),
            // A level in the table is only right if it is there.
            group: group.map_or(Some(None), |named| named.map(Some))?,
            class: class.map_or(Some(None), |named| named.map(Some))?,
        })
    }

    /// A code with its names; without any if it is finer than all of the table; none if it is not
    /// in the table.
    fn named(&self, code: &str) -> Option<Named> {
        let names = match self.entries.get(code) {
            Some(entry) => (Some(entry.name.clone()), entry.name_en.clone()),
            None if IndustryLevel::of(code)? > self.finest => (None, None),
            None => return None,
        };
        Some(Named { code: code.to_owned(), name: names.0, name_en: names.1 })
    }

    fn unknown(&self, code: &str) -> CodeError {
        let above = [code.get(..3), code.get(..2)].into_iter().flatten();
        let known = above.into_iter().find_map(|above| {
            let entry = self.entries.get(above)?;
            Some(format!("{above} {}", entry.name))
        });
        CodeError::UnknownIndustry { code: code.to_owned(), known }
    }
}

impl Entry {
    fn read(row: &Row) -> Result<(String, Self), String> {
        let (code, level, parent) = (row.cell(0), row.cell(1), row.cell(2));
        let known = IndustryLevel::of(code).filter(|known| known.name() == level);
        let known = known.ok_or_else(|| {
            format!(
                "code {code:?} of level {level:?}: a section is a letter from A to T; a division, \
                 group or class has two, three or four digits"
            )
        })?;
        let expected = match known {
            IndustryLevel::Section => parent.is_empty(),
            IndustryLevel::Division => IndustryLevel::of(parent) == Some(IndustryLevel::Section),
            IndustryLevel::Group | IndustryLevel::Class => {
                code.get(..code.len() - 1) == Some(parent)
            }
        };
        if !expected {
            return Err(format!("{level} {code} cannot be in {parent:?}, the level above it"));
        }
        let name = row.filled(3).ok_or_else(|| format!("{code} has no name"))?;
        let (parent, name_en) = (parent.to_owned(), row.filled(4));
        Ok((code.to_owned(), Self { line: row.line, level: known, parent, name, name_en }))
    }
}

const COLUMNS: [&str; 5] = ["code", "level", "parent", "name_zh", "name_en"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::CodeTables;

    /// Sections and their first and last divisions (GB/T 4754-2017).
    const SECTIONS: [(&str, u32, u32); 20] = [
        ("A", 1, 5),
        ("B", 6, 12),
        ("C", 13, 43),
        ("D", 44, 46),
        ("E", 47, 50),
        ("F", 51, 52),
        ("G", 53, 60),
        ("H", 61, 62),
        ("I", 63, 65),
        ("J", 66, 69),
        ("K", 70, 70),
        ("L", 71, 72),
        ("M", 73, 75),
        ("N", 76, 79),
        ("O", 80, 82),
        ("P", 83, 83),
        ("Q", 84, 85),
        ("R", 86, 90),
        ("S", 91, 96),
        ("T", 97, 97),
    ];

    const DEEPER: &str = "code,level,parent,name_zh,name_en\nC,section,,制造业,Manufacturing\n\
        39,division,C,计算机,Computers\n391,group,39,计算机制造,\n3911,class,391,计算机整机制造,\n";

    #[test]
    fn all_divisions_are_in_their_sections() {
        let tables = CodeTables::shipped();
        let mut next = 1;
        for (section, first, last) in SECTIONS {
            assert_eq!(first, next);
            next = last + 1;
            assert_eq!(tables.industry(section).unwrap().level, IndustryLevel::Section);
            for division in first..=last {
                let industry = tables.industry(&format!("{division:02}")).unwrap();
                assert_eq!(industry.section.code, section);
                for named in industry.path() {
                    assert!(named.name.is_some() && named.name_en.is_some(), "{named:?}");
                }
            }
        }
        assert_eq!(next, 98);
    }

    #[test]
    fn codes_are_read_in_all_their_forms() {
        let tables = CodeTables::shipped();
        for (text, code) in [("C", "C"), ("c39", "39"), ("39", "39"), (" C3911 ", "3911")] {
            let industry = tables.industry(text).unwrap();
            assert_eq!((industry.code.as_str(), industry.section.code.as_str()), (code, "C"));
        }
        let class = tables.industry("3911").unwrap();
        assert_eq!(class.level, IndustryLevel::Class);
        assert_eq!(
            class.division.unwrap().name.as_deref(),
            Some("计算机、通信和其他电子设备制造业")
        );
        assert_eq!(class.group.unwrap(), Named { code: "391".into(), name: None, name_en: None });
    }

    #[test]
    fn what_is_no_industry_is_refused() {
        let tables = CodeTables::shipped();
        for (text, expected) in [
            ("", "no industry"),
            ("U", "no industry"),
            ("3", "no industry"),
            ("C3", "no industry"),
            ("CC39", "no industry"),
            ("39111", "no industry"),
            ("39C", "no industry"),
            ("３９", "no industry"),
            ("00", "industry 00 is not in the table"),
            ("9811", "industry 9811 is not in the table"),
            ("A39", "division 39 is in section C"),
        ] {
            let error = tables.industry(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_table_with_classes_knows_all_of_them() {
        let tables = CodeTables::load(None, Some(DEEPER.as_bytes())).unwrap();
        let class = tables.industry("C3911").unwrap();
        assert_eq!(class.class.unwrap().name.as_deref(), Some("计算机整机制造"));
        assert_eq!(class.group.unwrap().name.as_deref(), Some("计算机制造"));
        for (code, expected) in [("3912", "known is 391 计算机制造"), ("392", "known is 39")] {
            let error = tables.industry(code).unwrap_err().to_string();
            assert!(error.contains(expected), "{code}: {error}");
        }
    }

    #[test]
    fn people_find_industries() {
        let tables = CodeTables::shipped();
        let first = |text: &str| {
            tables.find_industries(text, 3).first().map(|industry| industry.code.clone())
        };
        for (text, expected) in [
            ("汽车", Some("36")),
            ("mining", Some("B")),
            ("制造业", Some("C")),
            ("c39", Some("39")),
            ("36", Some("36")),
            ("c", Some("C")),
            ("computers manufacture", Some("39")),
            ("nothing of the kind", None),
        ] {
            assert_eq!(first(text).as_deref(), expected, "{text}");
        }
    }
}
