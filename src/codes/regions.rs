//! Administrative divisions (GB/T 2260): province, city, county, two digits each.

use std::collections::BTreeMap;

use serde::Serialize;

use super::rows::{self, Faults, Row};
use super::tables::Wanted;
use super::{CodeError, Named, TableError};

/// A region and those it is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "code": "610100", "province": {"code": "610000", "name": "陕西省"},
    "city": {"code": "610100", "name": "西安市"}
}))]
pub struct Region {
    /// Its code, six digits.
    pub code: String,
    /// The province, autonomous region or municipality.
    pub province: Named,
    /// The city or prefecture; none of a province, or where the table has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<Named>,
    /// The county or district; none of what is above counties.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub county: Option<Named>,
    /// Year of the last edition that has the code, if it is withdrawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_edition: Option<u16>,
}

/// The table.
#[derive(Debug)]
pub(super) struct Regions(BTreeMap<String, Entry>);

#[derive(Debug)]
struct Entry {
    name: String,
    name_en: Option<String>,
    last_edition: Option<u16>,
}

impl Region {
    /// Its names from the province down.
    fn path(&self) -> Vec<&Named> {
        [Some(&self.province), self.city.as_ref(), self.county.as_ref()]
            .into_iter()
            .flatten()
            .collect()
    }
}

impl Regions {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, TableError> {
        let mut faults = Faults::default();
        let mut lines = BTreeMap::new();
        let entries: Vec<_> = rows::read(bytes, &COLUMNS, 2, &mut faults)
            .into_iter()
            .filter_map(|row| match Entry::read(&row) {
                Ok((code, entry)) => {
                    lines.entry(code.clone()).or_insert(row.line);
                    Some((row.line, code, entry))
                }
                Err(reason) => {
                    faults.add(row.line, reason);
                    None
                }
            })
            .collect();
        let table = rows::by_code(entries, &mut faults);
        for (code, line) in lines {
            let province = filled(code.get(..2).unwrap_or_default());
            if !table.contains_key(&province) {
                faults.add(line, format!("{code} is in province {province}, which has no line"));
            }
        }
        if table.is_empty() && faults.is_empty() {
            faults.add(1, "there is no region in it");
        }
        faults.or("regions, GB/T 2260", Self(table))
    }

    pub(super) fn look_up(&self, text: &str) -> Result<Region, CodeError> {
        let text = text.trim();
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || !matches!(text.len(), 2 | 4 | 6) {
            return Err(CodeError::RegionShape(text.to_owned()));
        }
        let code = filled(text);
        self.region(&code).ok_or_else(|| {
            let above = [code.get(..4), code.get(..2)].into_iter().flatten().map(filled);
            let known = above.into_iter().find_map(|above| {
                let entry = self.0.get(&above)?;
                Some(format!("{above} {}", entry.name))
            });
            CodeError::UnknownRegion { code: code.clone(), known }
        })
    }

    pub(super) fn find(&self, wanted: &Wanted, limit: usize) -> Vec<Region> {
        let mut found: Vec<_> = self
            .0
            .keys()
            .filter_map(|code| {
                let region = self.region(code)?;
                let rank = wanted.rank(&[code], &region.path())?;
                Some((rank, region.last_edition.is_some(), region))
            })
            .collect();
        // Sorting is stable, so codes stay in their order within a rank.
        found.sort_by_key(|(rank, withdrawn, _)| (*rank, *withdrawn));
        found.into_iter().map(|(_, _, region)| region).take(limit).collect()
    }

    fn region(&self, code: &str) -> Option<Region> {
        let own = self.0.get(code)?;
        let (province, city) = (filled(code.get(..2)?), filled(code.get(..4)?));
        let named = |code: String| {
            let Entry { name, name_en, .. } = self.0.get(&code)?;
            Some(Named { code, name: Some(name.clone()), name_en: name_en.clone() })
        };
        Some(Region {
            code: code.to_owned(),
            city: if city == province { None } else { named(city.clone()) },
            county: if code == city { None } else { named(code.to_owned()) },
            province: named(province)?,
            last_edition: own.last_edition,
        })
    }
}

impl Entry {
    fn read(row: &Row) -> Result<(String, Self), String> {
        let (code, year) = (row.cell(0), row.cell(3));
        if code.len() != 6 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!("code {code:?} is not six digits"));
        }
        let name = row.filled(1).ok_or_else(|| format!("{code} has no name"))?;
        let last_edition = match year {
            "" => None,
            year => match year.parse() {
                Ok(year @ 1980..=2100) => Some(year),
                _ => return Err(format!("last edition {year:?} is not a year")),
            },
        };
        Ok((code.to_owned(), Self { name, name_en: row.filled(2), last_edition }))
    }
}

/// A code of six digits from its first ones.
fn filled(digits: &str) -> String {
    format!("{digits:0<6}")
}

const COLUMNS: [&str; 4] = ["code", "name", "name_en", "last_edition"];

#[cfg(test)]
mod tests {
    use crate::codes::CodeTables;

    fn names(code: &str) -> Vec<String> {
        let region = CodeTables::shipped().region(code).unwrap();
        region.path().into_iter().filter_map(|named| named.name.clone()).collect()
    }

    #[test]
    fn regions_know_what_they_are_in() {
        for (code, expected) in [
            ("110108", vec!["北京市", "市辖区", "海淀区"]),
            ("1101", vec!["北京市", "市辖区"]),
            ("11", vec!["北京市"]),
            (" 110000 ", vec!["北京市"]),
            ("320200", vec!["江苏省", "无锡市"]),
            ("350100", vec!["福建省", "福州市"]),
            ("441900", vec!["广东省", "东莞市"]),
            ("419001", vec!["河南省", "省直辖县级行政区划", "济源市"]),
            ("71", vec!["台湾省"]),
            ("810000", vec!["香港特别行政区"]),
            ("820000", vec!["澳门特别行政区"]),
        ] {
            assert_eq!(names(code), expected, "{code}");
        }
        let tables = CodeTables::shipped();
        assert_eq!(tables.region("11").unwrap().province.name_en.as_deref(), Some("Beijing"));
        assert_eq!(tables.region("110103").unwrap().last_edition, Some(2009));
        assert_eq!(tables.region("110101").unwrap().last_edition, None);
    }

    #[test]
    fn all_provinces_of_the_standard_are_there() {
        let tables = CodeTables::shipped();
        let known: Vec<u32> =
            (10..100).filter(|code| tables.region(&code.to_string()).is_ok()).collect();
        let ranges = [11..=15, 21..=23, 31..=37, 41..=46, 50..=54, 61..=65, 71..=71, 81..=82];
        assert_eq!(known, ranges.into_iter().flatten().collect::<Vec<_>>());
    }

    #[test]
    fn what_is_no_region_is_refused() {
        let tables = CodeTables::shipped();
        for (code, expected) in [
            ("", "no region: two, four or six digits"),
            ("1", "no region"),
            ("11010", "no region"),
            ("1101080", "no region"),
            ("11010a", "no region"),
            ("１１", "no region"),
            ("990000", "990000 is not in the table of GB/T 2260"),
            ("110199", "known is 110100 市辖区"),
            ("119900", "known is 110000 北京市"),
        ] {
            let error = tables.region(code).unwrap_err().to_string();
            assert!(error.contains(expected), "{code}: {error}");
        }
    }

    #[test]
    fn people_find_regions() {
        let tables = CodeTables::shipped();
        let first = |text: &str| {
            let found = tables.find_regions(text, 5);
            assert!(found.len() <= 5);
            found.first().map(|region| region.code.clone())
        };
        for (text, expected) in [
            ("海淀", Some("110108")),
            ("北京 朝阳区", Some("110105")),
            ("江苏", Some("320000")),
            ("beijing", Some("110000")),
            ("Guang", Some("440000")),
            ("3202", Some("320200")),
            ("东城区", Some("110101")),
            ("海淀 江苏", None),
            ("", None),
        ] {
            assert_eq!(first(text).as_deref(), expected, "{text}");
        }
        let withdrawn = tables.find_regions("吴江", 5);
        assert_eq!(withdrawn[0].code, "320509", "codes in force come first");
        assert!(withdrawn.iter().any(|region| region.code == "320584"));
    }
}
