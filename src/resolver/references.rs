//! The reverse look-up: which identifiers refer to this one.

use std::ops::ControlFlow;

use super::{Answer, MAX_BYTES, MAX_ROWS, Resolver, pass_over, weight};
use crate::access::Asker;
use crate::identifier::CanonicalKey;
use crate::store::{
    ColumnId, Direction, RECORDS, REFERENCES, ReferenceKey, ReferringAttributes, StoreError,
};

/// An identifier that refers to another.
#[derive(Clone, Debug)]
pub struct Referrer {
    /// It, as the asker may see it.
    pub answer: Answer,
    /// The attributes by which it refers, as far as the asker may see them; never empty.
    pub attributes: Vec<String>,
}

/// A page of identifiers that refer to one, in canonical order.
#[derive(Clone, Debug, Default)]
pub struct ReferrersPage {
    /// The identifiers.
    pub referrers: Vec<Referrer>,
    /// The last that was looked at; none when all were.
    pub next: Option<CanonicalKey>,
}

impl Resolver {
    /// Up to `limit` identifiers that refer to `target` and come behind `after`; those whose
    /// referring attributes the asker may not see are left out. The target need not be this
    /// node's. Bounded as [`Resolver::find_page`] is. Blocks on the disk.
    pub fn referrers(
        &self,
        target: &CanonicalKey,
        asker: &Asker,
        after: Option<&CanonicalKey>,
        limit: usize,
    ) -> Result<ReferrersPage, StoreError> {
        let bound = |end: u8| [target.as_bytes(), &[end]].concat();
        let after = after.map(|after| [&bound(0)[..], after.as_bytes(), &[0]].concat());
        let range = after.unwrap_or_else(|| bound(0))..bound(1);
        let mut page = ReferrersPage::default();
        let (mut rows, mut bytes, mut last) = (0, 0, None);
        self.store.scan(ColumnId::References, range, Direction::Forward, &mut |key, row| {
            if page.referrers.len() >= limit || rows >= MAX_ROWS || bytes >= MAX_BYTES {
                page.next = last.take();
                return ControlFlow::Break(());
            }
            rows += 1;
            let read = REFERENCES
                .decode_key(key)
                .and_then(|found| Ok((found, REFERENCES.decode(key, row)?)));
            match read {
                Ok((ReferenceKey { source, .. }, by)) => {
                    match self.referrer(&source, &by, asker, &mut bytes) {
                        Ok(referrer) => page.referrers.extend(referrer),
                        Err(error) => _ = pass_over(&error),
                    }
                    last = Some(source);
                }
                Err(error) => _ = pass_over(&error),
            }
            ControlFlow::Continue(())
        })?;
        Ok(page)
    }

    fn referrer(
        &self,
        source: &CanonicalKey,
        by: &ReferringAttributes,
        asker: &Asker,
        bytes: &mut usize,
    ) -> Result<Option<Referrer>, StoreError> {
        let Some(stored) = RECORDS.get(&*self.store, source)? else { return Ok(None) };
        *bytes += weight(&stored);
        let Some(answer) = self.seen_by(asker, stored)? else { return Ok(None) };
        let seen = answer.view().values().filter(|value| by.0.contains(&value.index));
        let attributes: Vec<String> = seen.map(|value| value.kind.clone()).collect();
        Ok((!attributes.is_empty()).then_some(Referrer { answer, attributes }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Role;
    use crate::identifier::Identifier;
    use crate::resolver::fixture::Rows;

    #[test]
    fn referrers_are_those_whose_attribute_the_asker_may_see() {
        let mut rows = Rows::new();
        let target = "88.118/target";
        for number in 0..5 {
            let source = format!("88.118.{}/s{number}", 1 + number % 2);
            rows.pump(&source, "M", 1, "1");
            // By the model, which is everybody's to see, or the price, which is not.
            let by: &[u32] = if number < 2 { &[2000, 2002] } else { &[2002] };
            rows.refer(&source, target, by);
            rows.refer(&source, "88.118/target2", by);
        }
        rows.refer("88.118.1/gone", target, &[2000]);
        let resolver = rows.resolver();
        let key = Identifier::parse(target).unwrap().key().clone();
        let found = |asker: &Asker, limit: usize| {
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let page = resolver.referrers(&key, asker, after.as_ref(), limit).unwrap();
                found.extend(page.referrers.into_iter().map(|referrer| {
                    let suffix = referrer.answer.stored.record.identifier.suffix().to_owned();
                    format!("{suffix} {}", referrer.attributes.join("+"))
                }));
                after = page.next;
                if after.is_none() {
                    return found;
                }
            }
        };
        let acme = rows.asker(Role::Operator, Some("acme"));
        for limit in [1, 2, 9] {
            assert_eq!(found(&Asker::Public, limit), ["s0 model", "s1 model"]);
            let expected = ["s0 model+price", "s2 price", "s4 price", "s1 model"];
            assert_eq!(found(&acme, limit), expected);
        }
        let nothing = Identifier::parse("20.500/foreign").unwrap();
        let page = resolver.referrers(nothing.key(), &Asker::Public, None, 9).unwrap();
        assert!(page.referrers.is_empty() && page.next.is_none());
    }
}
