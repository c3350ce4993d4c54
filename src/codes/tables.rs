//! The tables of codes: shipped, or the operator's own.

use std::sync::{Arc, LazyLock};

use serde::Serialize;

use super::industries::Industries;
use super::regions::Regions;
use super::{CodeError, Industry, Region, TableError};

/// Tables of regions and industries. Cheap to clone.
#[derive(Clone, Debug)]
pub struct CodeTables {
    regions: Arc<Regions>,
    industries: Arc<Industries>,
}

/// A code and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Named {
    /// The code, as long as its level has it.
    pub code: String,
    /// Its name, in Chinese; none of codes whose level is in no table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its name in English, where the table has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_en: Option<String>,
}

impl CodeTables {
    /// The tables that come with the program.
    pub fn shipped() -> Self {
        SHIPPED.clone()
    }

    /// Tables from files of the same shape as the shipped ones; a table that is not given is the
    /// shipped one. At most 16 MiB each.
    pub fn load(regions: Option<&[u8]>, industries: Option<&[u8]>) -> Result<Self, TableError> {
        let mut tables = Self::shipped();
        if let Some(bytes) = regions {
            tables.regions = Arc::new(Regions::read(bytes)?);
        }
        if let Some(bytes) = industries {
            tables.industries = Arc::new(Industries::read(bytes)?);
        }
        Ok(tables)
    }

    /// The region of a code of two, four or six digits; the shorter ones are filled with zeros.
    pub fn region(&self, code: &str) -> Result<Region, CodeError> {
        self.regions.look_up(code)
    }

    /// The industry of a code: `C`, `39`, `C39`, `391`, `3911`.
    ///
    /// A code below the levels that the table has is taken as it is if its division is known.
    pub fn industry(&self, code: &str) -> Result<Industry, CodeError> {
        self.industries.look_up(code)
    }

    /// At most `limit` regions that a text fits, the likeliest first: the beginning of a code, or
    /// words that are in the region's name or in those above it.
    pub fn find_regions(&self, text: &str, limit: usize) -> Vec<Region> {
        self.regions.find(&Wanted::new(text), limit)
    }

    /// At most `limit` industries that a text fits, the likeliest first.
    pub fn find_industries(&self, text: &str, limit: usize) -> Vec<Industry> {
        self.industries.find(&Wanted::new(text), limit)
    }
}

impl Named {
    /// The names in one text, in lower case.
    pub(super) fn words(&self) -> String {
        let names = [self.name.as_deref(), self.name_en.as_deref()];
        names.into_iter().flatten().collect::<Vec<_>>().join(" ").to_lowercase()
    }
}

/// What somebody looks for.
pub(super) struct Wanted {
    words: Vec<String>,
}

impl Wanted {
    fn new(text: &str) -> Self {
        let text: String = text.chars().take(MAX_SEARCH_CHARACTERS).collect();
        Self { words: text.to_lowercase().split_whitespace().map(str::to_owned).collect() }
    }

    /// How well a code fits, from 0 for the best; none if it does not. `codes` are its spellings,
    /// `path` are all names from the top level down, its own last.
    pub(super) fn rank(&self, codes: &[&str], path: &[&Named]) -> Option<u8> {
        let names: Vec<String> = path.iter().map(|named| named.words()).collect();
        let in_code = |word: &str| codes.iter().any(|code| starts_with(code, word));
        let fits =
            |word: &String| in_code(word) || names.iter().any(|name| name.contains(word.as_str()));
        let last = self.words.last().filter(|_| self.words.iter().all(fits))?;
        let (own, named) = (names.last()?, path.last()?);
        let exact = codes.iter().any(|code| code.eq_ignore_ascii_case(last))
            || [&named.name, &named.name_en]
                .into_iter()
                .flatten()
                .any(|name| name.to_lowercase() == *last);
        Some(match last {
            _ if exact => 0,
            last if own.starts_with(last.as_str()) || in_code(last) => 1,
            last if own.contains(last.as_str()) => 2,
            _ => 3,
        })
    }
}

fn starts_with(code: &str, word: &str) -> bool {
    code.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word))
}

static SHIPPED: LazyLock<CodeTables> = LazyLock::new(|| {
    let regions = Regions::read(include_bytes!("../../schemas/codes/gbt2260.csv"));
    let industries = Industries::read(include_bytes!("../../schemas/codes/gbt4754.csv"));
    CodeTables {
        regions: Arc::new(regions.expect("a test reads the shipped table")),
        industries: Arc::new(industries.expect("a test reads the shipped table")),
    }
});

/// Most characters of a text that is looked for.
const MAX_SEARCH_CHARACTERS: usize = 200;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn operators_may_bring_their_own() {
        let regions = "\u{feff}code;name\r\n990000;新省\r\n990100;新市\r\n";
        let tables = CodeTables::load(Some(regions.as_bytes()), None).unwrap();
        assert_eq!(tables.region("9901").unwrap().city.unwrap().name.as_deref(), Some("新市"));
        assert!(tables.region("110108").is_err());
        assert_eq!(tables.industry("C39").unwrap().code, "39");
        let (gbk, _, _) = encoding_rs::GBK.encode("code,name\n990000,新省\n");
        let tables = CodeTables::load(Some(&gbk), None).unwrap();
        assert_eq!(tables.region("99").unwrap().province.name.as_deref(), Some("新省"));
    }

    #[test]
    fn every_faulty_line_is_named() {
        let regions = "code,name,last_edition\n110000,北京市,\n1101,x,\n110101,,\n120100,天津,\n\
                       110000,again,\n130000,a,b\n140000\n";
        let error = CodeTables::load(Some(regions.as_bytes()), None).unwrap_err();
        let lines: Vec<u64> = error.faults.iter().map(|fault| fault.line).collect();
        assert_eq!(lines, [3, 4, 5, 6, 7, 8], "{error}");
        let industries = "code,level,parent,name_zh,name_en\nA,section,,农,\n01,division,A,农业,\n\
                          02,division,B,x,\n011,group,02,x,\n0111,class,011,x,\n1,class,,x,\n\
                          B,sector,,x,\n06,group,B,x,\n03,division,A,,\n";
        let error = CodeTables::load(None, Some(industries.as_bytes())).unwrap_err();
        let lines: Vec<u64> = error.faults.iter().map(|fault| fault.line).collect();
        assert_eq!(lines, [4, 5, 6, 7, 8, 9, 10], "{error}");
        assert!(error.to_string().contains("GB/T 4754: line 4: "), "{error}");
        for bytes in [&b""[..], b"name\nx\n", b"code\n", b"\xff\n"] {
            assert_eq!(CodeTables::load(Some(bytes), None).unwrap_err().faults[0].line, 1);
            assert_eq!(CodeTables::load(None, Some(bytes)).unwrap_err().faults[0].line, 1);
        }
        let large = vec![b'x'; (16 << 20) + 1];
        assert!(CodeTables::load(Some(&large), None).unwrap_err().to_string().contains("at most"));
        let many = format!("code,name\n{}", "x,y\n".repeat(1_002));
        assert_eq!(CodeTables::load(Some(many.as_bytes()), None).unwrap_err().further, 2);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn any_text_is_looked_up(text in any::<String>()) {
            let tables = CodeTables::shipped();
            let _ = (tables.region(&text), tables.industry(&text));
            prop_assert!(tables.find_regions(&text, 3).len() <= 3);
            prop_assert!(tables.find_industries(&text, 3).len() <= 3);
        }

        #[test]
        fn any_bytes_are_loaded(bytes in any::<Vec<u8>>()) {
            let _ = CodeTables::load(Some(&bytes), Some(&bytes));
        }
    }
}
