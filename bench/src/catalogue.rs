//! Made-up equipment with the look of real catalogue data.
//!
//! Item `n` is always the same. 5,000 neighbours belong to one enterprise prefix, 10 neighbours to
//! one batch: they share model and date and differ in serial number, mass and URL, so that the data
//! compress about as well as a manufacturer's list does. An item has 150 bytes of metadata: the
//! URL and four attributes, names included; by the template it also has its kind.

use std::fmt::Write;

use serde_json::{Value as Json, json};

use crate::random::mix;

/// One piece of equipment.
pub struct Item {
    enterprise: u64,
    serial: String,
    batch: u64,
    own: u64,
}

impl Item {
    /// The item of that number.
    pub fn new(number: u64) -> Self {
        Self {
            enterprise: FIRST_ENTERPRISE + number / ENTERPRISE_ITEMS,
            serial: format!("{:04}", number % ENTERPRISE_ITEMS),
            batch: mix(number / BATCH_ITEMS),
            own: mix(number),
        }
    }

    /// An item that looks like the others and is never registered.
    pub fn absent(number: u64) -> Self {
        let mut item = Self::new(number);
        item.serial = format!("X{:07X}", item.own & 0x0fff_ffff);
        item
    }

    /// The prefix, `88.118.<number>`.
    pub fn prefix(&self) -> String {
        format!("{NODE_PREFIX}.{}", self.enterprise)
    }

    /// The suffix, `<model>-<week>-<serial>`.
    pub fn suffix(&self) -> String {
        format!("{}{}-{}-{}", self.kind().0, self.size(), self.week(), self.serial)
    }

    /// Where a scan of the label leads.
    pub fn url(&self) -> String {
        let (site, kind) = (self.firm().0, self.kind().0.to_ascii_lowercase());
        format!("https://{site}.example/{kind}{}/{}", self.size(), self.suffix())
    }

    /// Names and values of the attributes.
    pub fn attributes(&self) -> [(&'static str, String); 4] {
        let (code, kind) = self.kind();
        let (month, day) = (1 + self.batch / 37 % 12, 1 + self.batch / 449 % 28);
        [
            ("model", format!("{code}{} {kind}", self.size())),
            ("maker", self.firm().1.to_owned()),
            ("made", format!("20{}-{month:02}-{day:02}", self.year())),
            ("mass", format!("{} kg", self.mass())),
        ]
    }

    /// Code of the kind of equipment, an indexed attribute of templated records.
    pub fn kind_code(&self) -> &'static str {
        self.kind().0
    }

    /// Mass in kilograms with two decimals, an indexed attribute of templated records.
    pub fn mass(&self) -> String {
        let mass = self.size() * 100 + self.own % 97;
        format!("{}.{:02}", mass / 100, mass % 100)
    }

    /// Adds the JSON body of a registration, by the template if there is one.
    pub fn write_body(&self, template: Option<&str>, out: &mut String) {
        out.push('{');
        self.write_members(template, out);
    }

    /// Adds a line of an import with its line feed.
    pub fn write_line(&self, template: Option<&str>, out: &mut String) {
        out.push_str("{\"identifier\":\"");
        out.push_str(&self.prefix());
        out.push('/');
        out.push_str(&self.suffix());
        out.push_str("\",");
        self.write_members(template, out);
        out.push('\n');
    }

    /// Bytes of metadata: the URL, the attributes' names and their values.
    pub fn metadata_bytes(&self) -> usize {
        let attributes = self.attributes();
        let attributes = attributes.iter().map(|(name, value)| name.len() + value.len());
        self.url().len() + attributes.sum::<usize>()
    }

    /// The labels of the identifier's name below the zone of the node's prefix.
    pub fn labels(&self) -> [String; 3] {
        [self.suffix(), "_id".to_owned(), self.enterprise.to_string()]
    }

    // No text of the catalogue needs an escape in JSON. With a template the URL and the kind are
    // attributes and the mass is a number of kilograms.
    fn write_members(&self, template: Option<&str>, out: &mut String) {
        let url = self.url();
        let _ = match template {
            Some(template) => write!(
                out,
                "\"template\":\"{template}\",\"attributes\":{{\"url\":\"{url}\",\"kind\":\"{}\",",
                self.kind_code()
            ),
            None => write!(
                out,
                "\"values\":[{{\"index\":1,\"type\":\"URL\",\"data\":\"{url}\",\"ttl\":86400}}],\
                 \"attributes\":{{"
            ),
        };
        for (place, (name, value)) in self.attributes().into_iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            let value = value.strip_suffix(" kg").filter(|_| template.is_some()).unwrap_or(&value);
            let _ = write!(out, "{comma}\"{name}\":\"{value}\"");
        }
        out.push_str("}}");
    }

    fn kind(&self) -> (&'static str, &'static str) {
        KINDS[(self.batch % KINDS.len() as u64) as usize]
    }

    fn firm(&self) -> (&'static str, &'static str) {
        FIRMS[(mix(self.enterprise) % FIRMS.len() as u64) as usize]
    }

    fn size(&self) -> u64 {
        10 * (1 + self.batch / 17 % 24)
    }

    fn year(&self) -> u64 {
        18 + self.batch / 13 % 9
    }

    fn week(&self) -> String {
        format!("{}{:02}", self.year(), 1 + self.batch / 101 % 52)
    }
}

/// The prefix the measured node is responsible for.
pub const NODE_PREFIX: &str = "88.118";

/// The identifier of the template of templated records.
pub const TEMPLATE: &str = "88.118/equipment";

/// The definition of that template: of its six attributes `kind` and `mass` are indexed.
pub fn template_definition() -> Json {
    let labels = |text: &str| json!({"en": text, "zh": text});
    let kinds = KINDS.map(|(code, name)| json!({"value": code, "labels": labels(name)}));
    json!({
        "labels": {"en": "Equipment", "zh": "设备"},
        "attributes": [
            {"index": 2000, "name": "url", "type": "url", "labels": labels("page")},
            {"index": 2001, "name": "model", "type": "string", "required": true, "max_length": 64,
             "labels": labels("model")},
            {"index": 2002, "name": "maker", "type": "string", "max_length": 128,
             "labels": labels("maker")},
            {"index": 2003, "name": "kind", "type": "enumeration", "required": true,
             "indexed": true, "values": kinds, "labels": labels("kind")},
            {"index": 2004, "name": "made", "type": "date", "labels": labels("made")},
            {"index": 2005, "name": "mass", "type": "decimal", "unit": "kg", "digits": 9,
             "fraction_digits": 2, "minimum": "0.01", "indexed": true, "labels": labels("mass")},
        ],
    })
}

/// The zone of that prefix.
pub const ZONE: &str = "118.88.id.example.";

const FIRST_ENTERPRISE: u64 = 100_000;
/// Neighbours that share an enterprise prefix.
pub const ENTERPRISE_ITEMS: u64 = 5_000;
const BATCH_ITEMS: u64 = 10;

/// Codes and names of the kinds.
pub const KINDS: [(&str, &str); 12] = [
    ("SD", "servo drive, three-phase 400 V AC"),
    ("GM", "gear motor, helical, with brake"),
    ("CP", "circulation pump, cast iron, DN 65"),
    ("BV", "ball valve, stainless steel, PN 40"),
    ("PT", "pressure transmitter, 4-20 mA"),
    ("FC", "frequency converter, IP 55"),
    ("LS", "laser distance sensor, class 2"),
    ("HX", "plate heat exchanger, brazed"),
    ("RB", "roller bearing, double row, C3"),
    ("SW", "managed switch, 8 ports, DIN rail"),
    ("TR", "dry-type transformer, 10/0.4 kV"),
    ("AC", "screw compressor, oil-free"),
];

const FIRMS: [(&str, &str); 8] = [
    ("huadong-motion", "Huadong Motion Control Co., Ltd."),
    ("nordberg-pumpen", "Nordberg Pumpen GmbH & Co. KG"),
    ("jiangbei-valve", "Jiangbei Valve Works Group"),
    ("meridian-sensors", "Meridian Sensors International"),
    ("tianhe-bearing", "Tianhe Bearing Manufacturing Co."),
    ("alpenwerk", "Alpenwerk Antriebstechnik AG"),
    ("xinyuan-electric", "Xinyuan Electric Equipment Ltd."),
    ("castellane", "Ateliers Castellane et Fils SA"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn lines_are_json_with_about_150_bytes_of_metadata() {
        let mut bytes = 0;
        for number in (0..1_000_000).step_by(997) {
            let item = Item::new(number);
            let mut line = String::new();
            item.write_line(None, &mut line);
            let json: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!(json["identifier"], format!("{}/{}", item.prefix(), item.suffix()));
            assert_eq!(json["values"][0]["data"], item.url());
            assert_eq!(json["attributes"].as_object().unwrap().len(), 4);
            line.clear();
            item.write_line(Some(TEMPLATE), &mut line);
            let json: serde_json::Value = serde_json::from_str(&line).unwrap();
            let members: Vec<&String> = json.as_object().unwrap().keys().collect();
            assert_eq!(members, ["attributes", "identifier", "template"]);
            assert_eq!(json["attributes"].as_object().unwrap().len(), 6);
            assert_eq!(json["attributes"]["url"], item.url());
            assert_eq!(json["attributes"]["mass"], item.mass());
            bytes += item.metadata_bytes();
        }
        let mean = bytes / (1_000_000 / 997 + 1);
        assert!((145..=155).contains(&mean), "{mean}");
    }

    #[test]
    fn identifiers_differ_and_absent_ones_are_not_among_them() {
        let of = |item: Item| format!("{}/{}", item.prefix(), item.suffix());
        let present: HashSet<String> = (0..60_000).map(Item::new).map(of).collect();
        assert_eq!(present.len(), 60_000);
        assert!((0..60_000).map(Item::absent).map(of).all(|text| !present.contains(&text)));
    }
}
