//! What a new version of a template must keep, so that values stay what they were.

use super::fault::{Fault, Faults, Path};
use super::{Group, Item, Kind, Template};

impl Template {
    /// Checks that this definition may follow a published one: no attribute is removed, renumbered,
    /// renamed or retyped, units stay, and existing attributes do not become unique or indexed,
    /// because the values of older records are in no index. Bounds may change: records keep the
    /// version they were made with.
    pub fn check_successor(&self, published: &Template) -> Result<(), Vec<Fault>> {
        let faults = Faults::default();
        let root = Path::root("attributes");
        for before in &published.attributes {
            let name = before.item.name.as_str();
            let place = root.name(name);
            let found = self.attributes.iter().find(|after| after.index == before.index);
            let Some(after) = found else {
                let message = format!(
                    "index {} is missing: attributes are disabled, never removed or renumbered",
                    before.index
                );
                faults.add(&place, "removed", before.index, message);
                continue;
            };
            if after.item.name != name {
                let message = format!("index {} must stay {name:?}", before.index);
                faults.add(&place, "renamed", &after.item.name, message);
            }
            compare(&before.item.kind, &after.item.kind, &place, &faults);
            if after.unique && !before.unique {
                let message = "cannot become unique: records may have equal values already";
                faults.add(&place, "unique", true, message);
            }
            if after.indexed && !before.indexed {
                let message = "cannot become indexed: older records would not be found";
                faults.add(&place, "indexed", true, message);
            }
        }
        let root = Path::root("groups");
        for (name, before) in &published.groups {
            if let Some(after) = self.groups.get(name) {
                compare_groups(before, after, &root.name(name), &faults);
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(faults.into_vec()) }
    }
}

fn compare(before: &Kind, after: &Kind, place: &Path<'_>, faults: &Faults) {
    match (before, after) {
        (Kind::List(before), Kind::List(after)) => {
            compare(&before.items, &after.items, &place.name("items"), faults);
        }
        (Kind::Group(before), Kind::Group(after)) => match (&before.name, &after.name) {
            (None, None) => compare_groups(before, after, place, faults),
            // Groups for reuse are compared once, by name.
            (Some(before), Some(after)) if before == after => {}
            (before, after) => {
                let name = |group: &Option<String>| group.clone().unwrap_or("inline".into());
                let message = format!("must stay the group {:?}", name(before));
                faults.add(place, "retyped", name(after), message);
            }
        },
        (Kind::Decimal(before), Kind::Decimal(after)) if before.unit != after.unit => {
            let unit = before.unit.as_deref().unwrap_or("none");
            let message = format!("the unit must stay {unit:?}");
            faults.add(place, "unit", after.unit.as_deref().unwrap_or_default(), message);
        }
        _ if before.word() != after.word() => {
            faults.add(place, "retyped", after.word(), format!("must stay {}", before.word()));
        }
        _ => {}
    }
}

fn compare_groups(before: &Group, after: &Group, place: &Path<'_>, faults: &Faults) {
    for Item { name, kind, .. } in &before.items {
        let place = place.name(name);
        match after.items.iter().find(|after| after.name == *name) {
            Some(after) => compare(kind, &after.kind, &place, faults),
            None => faults.add(&place, "removed", name, "members are never removed or renamed"),
        }
    }
}
