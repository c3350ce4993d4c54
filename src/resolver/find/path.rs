//! The ways to records: which rows a query looks at.

use std::ops::Range;

use super::{Bounds, Query, Resolver, WantedTemplate};
use crate::identifier::{CanonicalKey, Prefix};
use crate::registrant::RegistrantId;
use crate::resolver::Zone;
use crate::store::StoreError;

/// The rows that a query looks at, in order.
#[derive(Debug)]
pub(super) enum Path {
    /// Records in these ranges; behind them those that the registrant holds apart.
    Records { ranges: Vec<Range<Vec<u8>>>, apart: Option<RegistrantId> },
    /// An attribute's rows, prefix by prefix; attribute 0 for all records of the template.
    Index { within: Option<Prefix>, template: u32, bounds: Bounds },
    /// Entries of the journal, of which the first or the latest of each record leads to it.
    Journal { entries: Range<Vec<u8>>, first: bool },
}

impl Resolver {
    /// The way with the fewest rows, as far as one can tell without looking.
    pub(super) fn path(
        &self,
        query: &Query,
        template: Option<&WantedTemplate>,
        bounds: &[(String, Bounds)],
    ) -> Result<Path, StoreError> {
        if let Some(wanted) = template {
            let whole = Bounds { attribute: 0, from: Vec::new(), until: None };
            let bounds = bounds.first().map_or(whole, |(_, bounds)| bounds.clone());
            let (within, template) = (query.prefix.clone(), wanted.number);
            return Ok(Path::Index { within, template, bounds });
        }
        let within = query.prefix.as_ref().map_or_else(CanonicalKey::all, Prefix::covered_keys);
        if let Some(registrant) = &query.registrant {
            let ranges = territories(&self.zones(), registrant);
            let ranges = ranges.into_iter().filter_map(|range| overlap(range, &within)).collect();
            return Ok(Path::Records { ranges, apart: Some(registrant.clone()) });
        }
        let first = !query.modified.is_bounded();
        let period = if first { query.created } else { query.modified };
        if period.is_bounded() {
            return Ok(Path::Journal { entries: self.entries_of(period)?, first });
        }
        Ok(Path::Records { ranges: vec![within], apart: None })
    }
}

/// The keys under a registrant's prefixes without those under prefixes of others below them, in
/// order.
fn territories(zones: &[std::sync::Arc<Zone>], of: &RegistrantId) -> Vec<Range<Vec<u8>>> {
    let mut zones: Vec<_> = zones
        .iter()
        .map(|zone| (zone.prefix.covered_keys(), zone.allocation.registrant.as_ref() == Some(of)))
        .collect();
    zones.sort_by(|(one, _), (other, _)| one.start.cmp(&other.start));
    let mut ranges: Vec<Range<Vec<u8>>> = Vec::new();
    let mut open: Vec<(Vec<u8>, bool)> = Vec::new();
    let mut reached = Vec::new();
    let mut reach = |to: &[u8], reached: &mut Vec<u8>, own: bool| {
        if own && &reached[..] < to {
            ranges.push(std::mem::take(reached)..to.to_vec());
        }
        *reached = to.to_vec();
    };
    for (range, own) in zones {
        while let Some((end, own)) = open.pop_if(|(end, _)| *end <= range.start) {
            reach(&end, &mut reached, own);
        }
        let outer = open.last().is_some_and(|(_, own)| *own);
        reach(&range.start, &mut reached, outer);
        open.push((range.end, own));
    }
    while let Some((end, own)) = open.pop() {
        reach(&end, &mut reached, own);
    }
    ranges
}

fn overlap(range: Range<Vec<u8>>, other: &Range<Vec<u8>>) -> Option<Range<Vec<u8>>> {
    let start = range.start.max(other.start.clone());
    let end = range.end.min(other.end.clone());
    (start < end).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identifier::Identifier;
    use crate::registrant::Allocation;
    use crate::resolver::tally::Slot;
    use std::sync::Arc;

    #[test]
    fn a_territory_leaves_out_the_prefixes_of_others() {
        let acme = RegistrantId::parse("acme").unwrap();
        let zone = |prefix: &str, holder: Option<&str>| {
            let registrant = holder.map(|holder| RegistrantId::parse(holder).unwrap());
            let allocation = Allocation { registrant, ..Allocation::own() };
            Arc::new(Zone { prefix: Prefix::parse(prefix).unwrap(), allocation, slot: Slot::NODE })
        };
        let zones = [
            zone("88.118", Some("acme")),
            zone("88.118.2", Some("bolt")),
            zone("88.118.2.7", Some("acme")),
            zone("88.118.2-x", Some("bolt")),
            zone("88.118.3", None),
            zone("88.119", Some("bolt")),
            zone("88.119.1", Some("acme")),
            zone("88.12", Some("acme")),
        ];
        let ranges = territories(&zones, &acme);
        assert!(ranges.is_sorted_by(|one, next| one.end <= next.start), "{ranges:?}");
        for (text, own) in [
            ("88.118/1", true),
            ("88.118.1/1", true),
            ("88.118.2/1", false),
            ("88.118.2.1/1", false),
            ("88.118.2.7/1", true),
            ("88.118.2-x/1", false),
            ("88.118.3.1/1", false),
            ("88.118.4/1", true),
            ("88.119/1", false),
            ("88.119.1.1/1", true),
            ("88.12/1", true),
            ("88.1/1", false),
        ] {
            let key = Identifier::literal(text).unwrap().key().as_bytes().to_vec();
            let inside = ranges.iter().filter(|range| range.contains(&key)).count();
            assert_eq!(inside, usize::from(own), "{text}");
        }
    }
}
