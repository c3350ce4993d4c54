//! Reading the statistics: by prefix and day, for those who may inspect the prefix.

use std::ops::{ControlFlow, Range};

use super::{MAX_ROWS, Resolver, Zone, pass_over};
use crate::access::{Action, Actor, Right};
use crate::identifier::Prefix;
use crate::store::{
    ColumnId, Direction, STATISTICS, StatisticsKey, StatisticsRow, StoreError, key_bytes,
};

/// A page of statistics, by prefix and then by day.
#[derive(Clone, Debug, Default)]
pub struct StatisticsPage {
    /// The rows.
    pub rows: Vec<(StatisticsKey, StatisticsRow)>,
    /// The last that was looked at; none when all were.
    pub next: Option<StatisticsKey>,
}

impl Resolver {
    /// Whether the actor may see the statistics of one of this node's prefixes.
    pub fn sees_statistics(&self, actor: &Actor, zone: &Zone) -> bool {
        let holder = zone.allocation.registrant.as_ref();
        actor.has(Right::Inspect, holder) || actor.may(Action::Read, &zone.prefix, holder)
    }

    /// Up to `limit` rows behind `after`, of the days in `days`, of the prefixes at or below
    /// `prefix` that the actor may inspect; without one those of the whole node, and first what
    /// was asked about other nodes' prefixes. Looks at [`MAX_ROWS`] rows at most. Blocks on the
    /// disk.
    pub fn statistics(
        &self,
        actor: &Actor,
        prefix: Option<&Prefix>,
        days: Range<u32>,
        after: Option<&StatisticsKey>,
        limit: usize,
    ) -> Result<StatisticsPage, StoreError> {
        let zones = self.zones();
        let seen = zones
            .iter()
            .filter(|zone| prefix.is_none_or(|prefix| prefix.covers(&zone.prefix)))
            .filter(|zone| self.sees_statistics(actor, zone))
            .map(|zone| Some(zone.prefix.clone()));
        let whole = prefix.is_none() && actor.has(Right::Inspect, None);
        let mut walk = Walk { page: StatisticsPage::default(), last: after.cloned(), looked: 0 };
        for prefix in whole.then_some(None).into_iter().chain(seen) {
            let at = |day| key_bytes(&StatisticsKey { prefix: prefix.clone(), day });
            let behind = after.map(|after| [&key_bytes(after)[..], &[0]].concat());
            let range = at(days.start).max(behind.unwrap_or_default())..at(days.end);
            if range.start < range.end && walk.prefix(self, range, limit)?.is_break() {
                return Ok(walk.page);
            }
        }
        Ok(walk.page)
    }
}

struct Walk {
    page: StatisticsPage,
    last: Option<StatisticsKey>,
    looked: usize,
}

impl Walk {
    fn prefix(
        &mut self,
        resolver: &Resolver,
        range: Range<Vec<u8>>,
        limit: usize,
    ) -> Result<ControlFlow<()>, StoreError> {
        let mut flow = ControlFlow::Continue(());
        resolver.store.scan(ColumnId::Statistics, range, Direction::Forward, &mut |key, row| {
            if self.page.rows.len() >= limit || self.looked >= MAX_ROWS {
                self.page.next = self.last.clone();
                flow = ControlFlow::Break(());
                return flow;
            }
            self.looked += 1;
            let read = STATISTICS
                .decode_key(key)
                .and_then(|found| Ok((found, STATISTICS.decode(key, row)?)));
            match read {
                Ok((key, row)) => {
                    self.last = Some(key.clone());
                    self.page.rows.push((key, row));
                }
                Err(error) => _ = pass_over(&error),
            }
            ControlFlow::Continue(())
        })?;
        Ok(flow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Asker, Role};
    use crate::resolver::fixture::Rows;

    #[test]
    fn rows_are_paged_by_prefix_and_day_for_those_who_inspect() {
        let rows = Rows::new();
        let mut changes = rows.store.begin();
        for prefix in [None, Some("88.118"), Some("88.118.1"), Some("88.118.2")] {
            for day in 10..15 {
                let prefix = prefix.map(|prefix| Prefix::parse(prefix).unwrap());
                let row = StatisticsRow { changes: u64::from(day), ..StatisticsRow::default() };
                STATISTICS.put(&mut *changes, &StatisticsKey { prefix, day }, &row);
            }
        }
        changes.commit().unwrap();
        let resolver = rows.resolver();
        let read = |role, name: Option<&str>, prefix: Option<&str>, days: Range<u32>| {
            let Asker::Actor(actor) = rows.asker(role, name) else { panic!() };
            let prefix = prefix.map(|prefix| Prefix::parse(prefix).unwrap());
            let mut all: Option<Vec<String>> = None;
            for limit in [1, 3, 100] {
                let (mut found, mut after) = (Vec::new(), None);
                loop {
                    let (prefix, days) = (prefix.as_ref(), days.clone());
                    let page =
                        resolver.statistics(&actor, prefix, days, after.as_ref(), limit).unwrap();
                    found.extend(page.rows.iter().map(|(key, row)| {
                        assert_eq!(u64::from(key.day), row.changes);
                        let prefix = key.prefix.as_ref().map_or("-", Prefix::as_str);
                        format!("{prefix} {}", key.day)
                    }));
                    after = page.next;
                    if after.is_none() {
                        break;
                    }
                }
                assert!(all.is_none() || all.as_ref() == Some(&found));
                all = Some(found);
            }
            all.unwrap()
        };
        assert_eq!(read(Role::Auditor, None, None, 0..100).len(), 20);
        let expected = ["- 12", "88.118 12", "88.118.1 12", "88.118.2 12"];
        assert_eq!(read(Role::Auditor, None, None, 12..13), expected);
        let expected = ["88.118.1 13", "88.118.1 14"];
        assert_eq!(read(Role::Operator, Some("acme"), None, 13..99), expected);
        assert_eq!(read(Role::Operator, Some("acme"), Some("88"), 13..99), expected);
        assert!(read(Role::Operator, Some("acme"), Some("88.118.2"), 0..99).is_empty());
    }
}
