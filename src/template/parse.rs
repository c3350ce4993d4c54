//! Reading definitions: every fault is named at once, and a template exists only without any.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::fault::{Fault, Faults, Path};
use super::members::Members;
use super::{
    Group, Item, Kind, MAX_ATTRIBUTES, MAX_DEFINITION_BYTES, MAX_GROUPS, MAX_INDEXED_CHARACTERS,
    Role, SuffixRule, Template, TemplateAttribute,
};
use crate::record::{ATTRIBUTES_FROM, Permissions, check_name};

impl Template {
    /// Reads a definition of at most [`MAX_DEFINITION_BYTES`] bytes, or names every fault.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Vec<Fault>> {
        if bytes.len() > MAX_DEFINITION_BYTES {
            let message = format!(
                "a definition of {} bytes; at most {MAX_DEFINITION_BYTES} are possible",
                bytes.len()
            );
            return Err(vec![Fault::new("", "length", "", message)]);
        }
        let json = serde_json::from_slice(bytes)
            .map_err(|error| vec![Fault::new("", "json", "", format!("no JSON: {error}"))])?;
        let faults = Faults::default();
        let template = read_template(&json, &faults);
        match template {
            Some(template) if faults.is_empty() => Ok(template),
            _ => Err(faults.into_vec()),
        }
    }
}

fn read_template(json: &Json, faults: &Faults) -> Option<Template> {
    let mut members = Members::open(json, Path::root(""), faults)?;
    members.required("labels");
    let labels = members.labels("labels", MAX_LABEL_CHARACTERS);
    let definition = members.labels("definition", MAX_DEFINITION_CHARACTERS);
    let industry = members.text("industry", 5).map(str::to_owned);
    if industry.as_deref().is_some_and(|code| !is_industry(code)) {
        let message = "must be a code of GB/T 4754: a letter, 2 to 4 digits, or both, such as C39";
        members.fault("industry", "pattern", message);
    }
    let carrier = members.flag("carrier");
    let nothing = Map::new();
    let named = match members.optional("groups") {
        None => &nothing,
        Some(Json::Object(named)) if named.len() <= MAX_GROUPS => named,
        Some(_) => {
            let message = format!("must be an object of at most {MAX_GROUPS} groups");
            members.fault("groups", "type", message);
            &nothing
        }
    };
    let reader = Reader {
        faults,
        named,
        groups: RefCell::default(),
        open: RefCell::default(),
        patterns: Cell::new(0),
    };
    for name in named.keys() {
        reader.named_group(name, 1);
    }
    let list = members.list("attributes", MAX_ATTRIBUTES);
    let attributes = reader.attributes(list);
    let suffix = members.optional("suffix");
    let suffix = suffix.and_then(|json| SuffixRule::parse(json, Path::root("suffix"), faults));
    members.close();
    let mut by_name: Vec<usize> = (0..attributes.len()).collect();
    by_name.sort_by_key(|&position| attributes[position].item.name.as_str());
    let groups = reader.groups.into_inner().into_iter();
    let groups = groups.filter_map(|(name, group)| Some((name.to_owned(), group?))).collect();
    let mut source = json.clone();
    leave_out_defaults(&mut source);
    let labels = labels?;
    Some(Template {
        labels,
        definition,
        industry,
        carrier,
        groups,
        attributes,
        by_name,
        suffix,
        source,
    })
}

/// What the parts of a definition share while they are read.
pub(super) struct Reader<'a> {
    pub faults: &'a Faults,
    /// The groups as they were given.
    pub named: &'a Map<String, Json>,
    /// The groups read so far; none for one that is at fault.
    pub groups: RefCell<BTreeMap<&'a str, Option<Arc<Group>>>>,
    /// The groups that are being read, outermost first.
    pub open: RefCell<Vec<&'a str>>,
    pub patterns: Cell<usize>,
}

impl<'a> Reader<'a> {
    fn attributes(&self, list: &'a [Json]) -> Vec<TemplateAttribute> {
        let root = Path::root("attributes");
        let (mut indexes, mut roles) = (HashSet::new(), HashSet::new());
        let mut names = HashMap::new();
        let mut attributes = Vec::with_capacity(list.len());
        for (position, json) in list.iter().enumerate() {
            let place = root.position(position);
            let Some(attribute) = self.attribute(json, place) else { continue };
            if !indexes.insert(attribute.index) {
                let message = "another attribute has this index";
                self.faults.add(&place.name("index"), "unique", attribute.index, message);
            }
            // The types of handle values, which names are, compare without regard to case.
            let folded = attribute.item.name.to_ascii_lowercase();
            if let Some(first) = names.insert(folded, position) {
                let message = format!("attributes[{first}] has this name; case does not count");
                self.faults.add(&place.name("name"), "unique", &attribute.item.name, message);
            }
            if let Some(role) = attribute.role
                && !roles.insert(role.word())
            {
                let message = "another attribute has this role";
                self.faults.add(&place.name("role"), "unique", role.word(), message);
            }
            attributes.push(attribute);
        }
        attributes
    }

    fn attribute(&self, json: &'a Json, place: Path<'_>) -> Option<TemplateAttribute> {
        let mut members = Members::open(json, place, self.faults)?;
        members.required("index");
        let index = members.integer("index", i64::from(ATTRIBUTES_FROM)..=i64::from(u32::MAX));
        let unique = members.flag("unique");
        let indexed = members.flag("indexed");
        let disabled = members.flag("disabled");
        let permissions = match members.text("view", 8) {
            None | Some("public") => Permissions::DEFAULT,
            Some("owner") => OWNER_ONLY,
            Some(_) => {
                members.fault("view", "enumeration", "must be public or owner");
                OWNER_ONLY
            }
        };
        let word = members.text("role", 32);
        let role = Role::ALL.into_iter().find(|role| Some(role.word()) == word);
        let item = self.item(&mut members, 0);
        if word.is_some() && role.is_none() {
            let words = Role::ALL.map(Role::word).join(", ");
            members.fault("role", "enumeration", format!("must be one of {words}"));
        }
        if let Some(Item { kind, .. }) = &item {
            if (unique || indexed) && !can_be_indexed(kind) {
                let flag = if unique { "unique" } else { "indexed" };
                let message = format!(
                    "only single values, and strings with a max_length of at most \
                     {MAX_INDEXED_CHARACTERS}, can be indexed or unique"
                );
                members.fault(flag, "indexed", message);
            }
            if role.is_some_and(|role| !role_fits(role, kind)) {
                let message = "times must be date or datetime, all others string or enumeration";
                members.fault("role", "type", message);
            }
        }
        members.close();
        let index = u32::try_from(index?).ok()?;
        Some(TemplateAttribute { index, item: item?, unique, indexed, disabled, permissions, role })
    }

    /// The members that attributes and members of groups share.
    pub fn item(&self, members: &mut Members<'_>, depth: usize) -> Option<Item> {
        let name = members.required_text("name", MAX_LABEL_CHARACTERS);
        if let Some(Err(error)) = name.map(check_name) {
            members.fault("name", "pattern", error);
        }
        members.required("labels");
        let labels = members.labels("labels", MAX_LABEL_CHARACTERS);
        let definition = members.labels("definition", MAX_DEFINITION_CHARACTERS);
        let required = members.flag("required");
        let kind = self.kind(members, depth);
        let name = name?.to_owned();
        Some(Item { name, labels: labels?, definition, required, kind: kind? })
    }
}

fn can_be_indexed(kind: &Kind) -> bool {
    match kind {
        Kind::String(bounds) => bounds.max_length <= MAX_INDEXED_CHARACTERS,
        kind => kind.is_ordered(),
    }
}

fn role_fits(role: Role, kind: &Kind) -> bool {
    match role {
        Role::ProductionTime | Role::ExpiryTime => matches!(kind, Kind::Date | Kind::Datetime),
        _ => matches!(kind, Kind::String(_) | Kind::Enumeration(_)),
    }
}

/// The shape of a code of GB/T 4754: a section's letter, 2 to 4 digits, or both.
fn is_industry(code: &str) -> bool {
    let digits = code.trim_start_matches(|c: char| c.is_ascii_uppercase());
    let letters = code.len() - digits.len();
    let right = digits.bytes().all(|byte| byte.is_ascii_digit());
    right
        && letters <= 1
        && match digits.len() {
            0 => letters == 1,
            length => (2..=4).contains(&length),
        }
}

/// Removes members that say what holds anyway, so that equal templates have equal JSON.
fn leave_out_defaults(json: &mut Json) {
    match json {
        Json::Array(items) => items.iter_mut().for_each(leave_out_defaults),
        Json::Object(members) => {
            members.retain(|name, member| match (name.as_str(), &*member) {
                ("view", Json::String(view)) => view != "public",
                ("reset", Json::String(reset)) => reset != "never",
                ("offset", Json::String(offset)) => offset != super::suffix_parse::DEFAULT_OFFSET,
                ("start", start) => start != 1,
                ("groups", Json::Object(groups)) => !groups.is_empty(),
                // Only flags are booleans in a definition.
                (_, member) => *member != Json::Bool(false),
            });
            members.values_mut().for_each(leave_out_defaults);
        }
        _ => {}
    }
}

/// Most characters of a label.
pub(super) const MAX_LABEL_CHARACTERS: usize = 128;

/// Most characters of a definition's text.
const MAX_DEFINITION_CHARACTERS: usize = 1_000;

/// Administrators read and write, nobody else reads.
const OWNER_ONLY: Permissions = Permissions(0x0c);
