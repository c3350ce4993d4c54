//! Reading definitions: every fault is named at once, and a template exists only without any.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::decimal::{Decimal, MAX_DIGITS};
use super::fault::{Fault, Faults, Path};
use super::members::{Members, plain};
use super::pattern::{MAX_PATTERN_CHARACTERS, MAX_PATTERNS, Pattern};
use super::{
    Choice, DecimalBounds, Group, Item, Kind, ListBounds, MAX_ATTRIBUTES, MAX_CHOICES,
    MAX_DEFINITION_BYTES, MAX_DEPTH, MAX_GROUPS, MAX_INDEXED_CHARACTERS, MAX_LIST_ITEMS,
    MAX_STRING_CHARACTERS, Role, StringBounds, SuffixRule, Template, TemplateAttribute,
};
use crate::identifier::Identifier;
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
struct Reader<'a> {
    faults: &'a Faults,
    /// The groups as they were given.
    named: &'a Map<String, Json>,
    /// The groups read so far; none for one that is at fault.
    groups: RefCell<BTreeMap<&'a str, Option<Arc<Group>>>>,
    /// The groups that are being read, outermost first.
    open: RefCell<Vec<&'a str>>,
    patterns: Cell<usize>,
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
            let name = attribute.item.name.clone();
            if let Some(first) = names.insert(name.clone(), position) {
                let message = format!("attributes[{first}] has this name");
                self.faults.add(&place.name("name"), "unique", name, message);
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
    fn item(&self, members: &mut Members<'_>, depth: usize) -> Option<Item> {
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

    /// A type and its bounds. `depth` counts the lists and groups around it.
    fn kind(&self, members: &mut Members<'_>, depth: usize) -> Option<Kind> {
        let word = members.required_text("type", 16)?;
        Some(match word {
            "string" => self.string(members)?,
            "integer" => integer(members)?,
            "decimal" => decimal(members)?,
            "boolean" => Kind::Boolean,
            "date" => Kind::Date,
            "datetime" => Kind::Datetime,
            "time" => Kind::Time,
            "enumeration" => self.enumeration(members)?,
            "url" => Kind::Url,
            "reference" => reference(members)?,
            "file" => Kind::File,
            "list" => self.list(members, depth)?,
            "group" => self.group(members, depth)?,
            _ => {
                let message = "must be string, integer, decimal, boolean, date, datetime, time, \
                               enumeration, url, reference, file, list or group";
                members.fault("type", "enumeration", message);
                return None;
            }
        })
    }

    fn string(&self, members: &mut Members<'_>) -> Option<Kind> {
        let min_length = members.count("min_length", MAX_STRING_CHARACTERS).unwrap_or(0);
        let max_length = members.count("max_length", MAX_STRING_CHARACTERS);
        let max_length = max_length.unwrap_or(MAX_STRING_CHARACTERS);
        if min_length > max_length {
            members.fault("min_length", "maximum", "must not be above max_length");
        }
        let pattern = members.text("pattern", MAX_PATTERN_CHARACTERS);
        if pattern.is_some() {
            self.patterns.set(self.patterns.get() + 1);
            if self.patterns.get() > MAX_PATTERNS {
                members.fault("pattern", "length", format!("at most {MAX_PATTERNS} patterns"));
                return None;
            }
        }
        let pattern = pattern.map(Pattern::new).transpose();
        if let Err(reason) = &pattern {
            members.fault("pattern", "pattern", reason);
        }
        Some(Kind::String(StringBounds { min_length, max_length, pattern: pattern.ok()? }))
    }

    fn enumeration(&self, members: &mut Members<'_>) -> Option<Kind> {
        let list = members.list("values", MAX_CHOICES);
        let place = *members.place();
        let place = place.name("values");
        let mut choices = Vec::with_capacity(list.len());
        for (position, json) in list.iter().enumerate() {
            let mut members = Members::open(json, place.position(position), self.faults)?;
            let value = members.required_text("value", MAX_INDEXED_CHARACTERS);
            members.required("labels");
            let labels = members.labels("labels", MAX_LABEL_CHARACTERS);
            members.close();
            let (Some(value), Some(labels)) = (value, labels) else { continue };
            choices.push(Choice { value: value.to_owned(), labels });
        }
        choices.sort_by(|one, two| one.value.cmp(&two.value));
        for pair in choices.windows(2) {
            if let [one, two] = pair
                && one.value == two.value
            {
                self.faults.add(&place, "unique", &one.value, "the value stands there twice");
            }
        }
        Some(Kind::Enumeration(choices))
    }

    fn list(&self, members: &mut Members<'_>, depth: usize) -> Option<Kind> {
        let min_items = members.count("min_items", MAX_LIST_ITEMS).unwrap_or(0);
        let max_items = members.count("max_items", MAX_LIST_ITEMS).unwrap_or(MAX_LIST_ITEMS);
        if min_items > max_items {
            members.fault("min_items", "maximum", "must not be above max_items");
        }
        let unique_items = members.flag("unique_items");
        let json = members.required("items")?;
        if depth >= MAX_DEPTH {
            members.fault("items", "depth", too_deep());
            return None;
        }
        let place = *members.place();
        let mut inner = Members::open(json, place.name("items"), self.faults)?;
        let items = self.kind(&mut inner, depth + 1);
        inner.close();
        Some(Kind::List(Box::new(ListBounds { items: items?, min_items, max_items, unique_items })))
    }

    fn group(&self, members: &mut Members<'_>, depth: usize) -> Option<Kind> {
        let name = members.text("group", MAX_LABEL_CHARACTERS);
        let list = members.optional("attributes");
        if depth >= MAX_DEPTH {
            members.fault("type", "depth", too_deep());
            return None;
        }
        match (name, list) {
            (Some(name), None) => {
                let Some((name, _)) = self.named.get_key_value(name) else {
                    members.fault("group", "unknown", "\"groups\" has no such group");
                    return None;
                };
                if self.open.borrow().contains(&name.as_str()) {
                    members.fault("group", "cycle", "the group would hold itself");
                    return None;
                }
                let group = self.named_group(name, depth + 1)?;
                if depth + group.depth > MAX_DEPTH {
                    members.fault("group", "depth", too_deep());
                }
                Some(Kind::Group(group))
            }
            (None, Some(_)) => {
                let list = members.list("attributes", MAX_ATTRIBUTES);
                let place = *members.place();
                let items = self.items(list, place.name("attributes"), depth + 1);
                Some(Kind::Group(Arc::new(Group::new(None, items?))))
            }
            _ => {
                let message = "needs either \"group\" or \"attributes\"";
                members.fault("group", "required", message);
                None
            }
        }
    }

    /// A group that is defined for reuse; read when first met.
    fn named_group(&self, name: &'a str, depth: usize) -> Option<Arc<Group>> {
        if let Some(group) = self.groups.borrow().get(name) {
            return group.clone();
        }
        self.open.borrow_mut().push(name);
        let group = self.group_items(name, depth);
        self.open.borrow_mut().pop();
        let group = group.map(|items| Arc::new(Group::new(Some(name.to_owned()), items)));
        self.groups.borrow_mut().insert(name, group.clone());
        group
    }

    fn group_items(&self, name: &'a str, depth: usize) -> Option<Vec<Item>> {
        let root = Path::root("groups");
        let place = root.name(name);
        let right = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if name.is_empty() || name.len() > 64 || !name.chars().all(right) {
            let message = "group names are 1 to 64 letters, digits, '_' and '-'";
            self.faults.add(&place, "pattern", name, message);
        }
        let list = self.named.get(name)?;
        let Some(list) = list.as_array().filter(|list| !list.is_empty()) else {
            self.faults.add(&place, "type", plain(list), "must be a list of attributes");
            return None;
        };
        self.items(list, place, depth)
    }

    /// The members of a group; none when one is at fault.
    fn items(&self, list: &[Json], place: Path<'_>, depth: usize) -> Option<Vec<Item>> {
        let mut names = HashSet::new();
        let mut items = Vec::with_capacity(list.len());
        for (position, json) in list.iter().enumerate() {
            let place = place.position(position);
            let Some(mut members) = Members::open(json, place, self.faults) else { continue };
            let item = self.item(&mut members, depth);
            members.close();
            let Some(item) = item else { continue };
            if !names.insert(item.name.clone()) {
                let message = "another member has this name";
                self.faults.add(&place.name("name"), "unique", &item.name, message);
            }
            items.push(item);
        }
        (items.len() == list.len()).then_some(items)
    }
}

fn integer(members: &mut Members<'_>) -> Option<Kind> {
    let minimum = members.integer("minimum", i64::MIN..=i64::MAX).unwrap_or(i64::MIN);
    let maximum = members.integer("maximum", i64::MIN..=i64::MAX).unwrap_or(i64::MAX);
    if minimum > maximum {
        members.fault("minimum", "maximum", "must not be above maximum");
    }
    Some(Kind::Integer { minimum, maximum })
}

fn decimal(members: &mut Members<'_>) -> Option<Kind> {
    let unit = members.text("unit", 32).map(str::to_owned);
    let digits = members.integer("digits", 1..=MAX_DIGITS as i64);
    let digits = digits.map_or(MAX_DIGITS, |digits| digits.unsigned_abs() as usize);
    let fraction_digits = members.count("fraction_digits", MAX_DIGITS);
    let fraction_digits = fraction_digits.unwrap_or(DEFAULT_FRACTION_DIGITS.min(digits));
    if fraction_digits > digits {
        members.fault("fraction_digits", "maximum", "must not be above digits");
    }
    let mut bound = |name| {
        let text = members.text(name, 80)?;
        let bound = Decimal::parse(text);
        if bound.is_none() {
            members.fault(name, "type", "must be a decimal number as a string, such as \"0.5\"");
        }
        bound
    };
    let (minimum, maximum) = (bound("minimum"), bound("maximum"));
    if let (Some(minimum), Some(maximum)) = (&minimum, &maximum)
        && minimum.digits().compare(&maximum.digits()).is_gt()
    {
        members.fault("minimum", "maximum", "must not be above maximum");
    }
    Some(Kind::Decimal(DecimalBounds { unit, digits, fraction_digits, minimum, maximum }))
}

fn reference(members: &mut Members<'_>) -> Option<Kind> {
    let template = members.text("template", MAX_INDEXED_CHARACTERS).map(Identifier::literal);
    if let Some(Err(error)) = &template {
        members.fault("template", "type", error);
    }
    Some(Kind::Reference { template: template.transpose().ok()? })
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
                ("offset", Json::String(offset)) => offset != super::suffix::DEFAULT_OFFSET,
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

fn too_deep() -> String {
    format!("lists and groups nest deeper than {MAX_DEPTH}")
}

/// Most characters of a label.
const MAX_LABEL_CHARACTERS: usize = 128;

/// Most characters of a definition's text.
const MAX_DEFINITION_CHARACTERS: usize = 1_000;

/// Digits behind the point when the definition does not say.
const DEFAULT_FRACTION_DIGITS: usize = 6;

/// Administrators read and write, nobody else reads.
const OWNER_ONLY: Permissions = Permissions(0x0c);
