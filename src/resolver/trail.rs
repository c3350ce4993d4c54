//! The trail of changes: what the ledger's entries were about, for those who may know.
//!
//! Followers see changes of what they may read; auditors those of what they may inspect. Whose a
//! thing is, is asked as of now: whoever takes a prefix over sees its past.

use std::ops::{ControlFlow, Range};

use serde_json::Value as Json;

use super::{MAX_BYTES, MAX_ROWS, Period, Resolver, pass_over, weight};
use crate::access::{Account, Action, Actor, Right};
use crate::identifier::{CanonicalKey, Prefix};
use crate::ledger::{
    BODIES, EntryKind, JOURNAL, JournalRow, Position, subject_of_node, subject_of_prefix,
};
use crate::registrant::RegistrantId;
use crate::store::{
    ColumnId, Direction, DocumentKind, PREFIXES, RECORDS, StoreError, StoredRecord, VERSIONS,
    VersionKey, find_document, key_bytes,
};

/// One entry of the ledger and what it was about.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Where the entry stands.
    pub position: Position,
    /// What kind of change it was.
    pub kind: EntryKind,
    /// The identifier, as it was registered; `prefix/88.118`, `registrant/acme` and the like for
    /// the rest.
    pub subject: String,
    /// The version that the change made.
    pub version: u64,
    /// When it was made; milliseconds since 1970.
    pub time_ms: u64,
    /// Account that made it; none for those who do not see all of the thing.
    pub actor: Option<String>,
    /// Why, in the actor's words; none as for `actor`.
    pub reason: Option<String>,
    /// Whose records' change it was, for auditors.
    pub registrant: Option<String>,
    /// What the thing became, for auditors; records are in their histories.
    pub content: Option<Json>,
}

/// A page of the trail.
#[derive(Clone, Debug, Default)]
pub struct StepsPage {
    /// The steps.
    pub steps: Vec<Step>,
    /// The last entry that was looked at; none when there was none.
    pub last: Option<Position>,
    /// Whether the page ended before the entries did.
    pub more: bool,
}

/// What an auditor wants to see; what is left out does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// Account that made the change.
    pub actor: Option<String>,
    /// Kind of change.
    pub kind: Option<EntryKind>,
    /// An identifier, or `prefix/88.118`, `registrant/acme` and the like.
    pub subject: Option<Subject>,
    /// When it was made.
    pub period: Period,
    /// Prefix that the record or prefix lies under.
    pub prefix: Option<Prefix>,
    /// Whether the newest come first.
    pub newest_first: bool,
}

/// What an entry is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A record.
    Record(CanonicalKey),
    /// Anything else, as the journal has it.
    Other(Vec<u8>),
}

impl AuditQuery {
    /// What cursors are bound to.
    pub fn text(&self) -> String {
        format!("audit {self:?}")
    }
}

impl Subject {
    /// Reads an identifier, or the name of another thing: `<kind>/<name>`.
    pub fn parse(text: &str) -> Result<Self, crate::identifier::IdentifierError> {
        if let Some(prefix) = text.strip_prefix("prefix/") {
            return Ok(Self::Other(subject_of_prefix(&Prefix::parse(prefix)?)));
        }
        let kind = text.split('/').next().unwrap_or_default();
        let kinds = DocumentKind::ALL.map(DocumentKind::as_str);
        if kinds.contains(&kind) || OTHER_KINDS.contains(&kind) {
            return Ok(Self::Other(subject_of_node(text)));
        }
        let identifier = crate::identifier::Identifier::parse(text)?;
        Ok(Self::Record(identifier.key().clone()))
    }
}

/// How much somebody is told of an entry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sight {
    Nothing,
    /// That it was.
    Change,
    /// Who and why as well.
    Whole,
}

/// Who walks the trail, and for what.
struct Walker<'a> {
    resolver: &'a Resolver,
    actor: &'a Actor,
    auditing: bool,
    query: &'a AuditQuery,
    limit: usize,
    page: StepsPage,
    rows: usize,
    /// Bytes of records and bodies that were read.
    bytes: usize,
}

impl Resolver {
    /// Up to `limit` changes behind `after` of what the actor may read or inspect, oldest first.
    /// Looks at [`MAX_ROWS`] entries at most. Blocks on the disk.
    pub fn changes(
        &self,
        actor: &Actor,
        prefix: Option<&Prefix>,
        after: Option<Position>,
        limit: usize,
    ) -> Result<StepsPage, StoreError> {
        let query = AuditQuery { prefix: prefix.cloned(), ..AuditQuery::default() };
        self.walker(actor, false, &query, limit).walk(after)
    }

    /// Up to `limit` entries behind `after`, in the query's order, about what the actor may
    /// inspect. Looks at [`MAX_ROWS`] entries at most. Blocks on the disk.
    pub fn audit(
        &self,
        actor: &Actor,
        query: &AuditQuery,
        after: Option<Position>,
        limit: usize,
    ) -> Result<StepsPage, StoreError> {
        self.walker(actor, true, query, limit).walk(after)
    }

    fn walker<'a>(
        &'a self,
        actor: &'a Actor,
        auditing: bool,
        query: &'a AuditQuery,
        limit: usize,
    ) -> Walker<'a> {
        let page = StepsPage::default();
        Walker { resolver: self, actor, auditing, query, limit, page, rows: 0, bytes: 0 }
    }
}

impl Walker<'_> {
    fn walk(mut self, after: Option<Position>) -> Result<StepsPage, StoreError> {
        let resolver = self.resolver;
        if let Some(Subject::Record(key)) = &self.query.subject {
            self.versions(key, after)?;
            return Ok(self.page);
        }
        let mut range = resolver.entries_of(self.query.period)?;
        let direction = match self.query.newest_first {
            true => Direction::Backward,
            false => Direction::Forward,
        };
        if let Some(after) = after {
            narrow(&mut range, after, direction);
        }
        resolver
            .visit_entries(range, direction, &mut |position, row| self.entry(position, &row))?;
        Ok(self.page)
    }

    /// One record's entries, by way of its versions.
    fn versions(&mut self, key: &CanonicalKey, after: Option<Position>) -> Result<(), StoreError> {
        let resolver = self.resolver;
        let newest_first = self.query.newest_first;
        let behind = |position: Position| match after {
            None => true,
            Some(after) if newest_first => position < after,
            Some(after) => position > after,
        };
        let latest = RECORDS.get(&*resolver.store, key)?.map(|stored| stored.position);
        let mut look = |position: Position| {
            if !behind(position) {
                return ControlFlow::Continue(());
            }
            match JOURNAL.get(&*resolver.store, &position) {
                Ok(Some(row)) => self.entry(position, &row),
                Ok(None) => ControlFlow::Continue(()),
                Err(error) => pass_over(&error),
            }
        };
        if newest_first && latest.is_some_and(|latest| look(latest).is_break()) {
            return Ok(());
        }
        let at = |version| key_bytes(&VersionKey { key: key.clone(), version });
        let direction = if newest_first { Direction::Backward } else { Direction::Forward };
        let mut stopped = false;
        let range = at(0)..at(u64::MAX);
        resolver.store.scan(ColumnId::Versions, range, direction, &mut |key, row| {
            let flow = match VERSIONS.decode(key, row) {
                Ok(stored) if Some(stored.position) == latest => ControlFlow::Continue(()),
                Ok(stored) => look(stored.position),
                Err(error) => pass_over(&error),
            };
            stopped = flow.is_break();
            flow
        })?;
        if let Some(latest) = latest.filter(|_| !newest_first && !stopped) {
            let _ = look(latest);
        }
        Ok(())
    }

    fn entry(&mut self, position: Position, row: &JournalRow) -> ControlFlow<()> {
        let cut_short = match () {
            () if self.rows >= MAX_ROWS => Some("entries"),
            () if self.bytes >= MAX_BYTES => Some("bytes"),
            () => None,
        };
        if self.page.steps.len() >= self.limit || cut_short.is_some() {
            if let Some(reason) = cut_short {
                metrics::counter!("nameplate_find_cut_short_total", "reason" => reason)
                    .increment(1);
            }
            self.page.more = true;
            return ControlFlow::Break(());
        }
        self.rows += 1;
        self.page.last = Some(position);
        if self.may_fit(row) {
            match self.step(position, row) {
                Ok(step) => self.page.steps.extend(step),
                Err(error) => return pass_over(&error),
            }
        }
        ControlFlow::Continue(())
    }

    /// Whether the query can want the entry, by what the entry itself says.
    fn may_fit(&self, row: &JournalRow) -> bool {
        let (query, entry) = (self.query, &row.entry);
        let subject = query.subject.as_ref().is_none_or(|wanted| match wanted {
            Subject::Record(key) => key.as_bytes() == row.subject,
            Subject::Other(subject) => *subject == row.subject,
        });
        let within = |prefix: &Prefix| match entry.kind {
            EntryKind::Put | EntryKind::Retire => {
                CanonicalKey::from_bytes(&row.subject).is_ok_and(|key| prefix.covers(&key.prefix()))
            }
            EntryKind::Prefix => prefix_of(&row.subject).is_some_and(|own| prefix.covers(&own)),
            _ => false,
        };
        subject
            && query.kind.is_none_or(|kind| kind == entry.kind)
            && query.period.contains(entry.time_ms)
            && query.prefix.as_ref().is_none_or(within)
    }

    fn step(&mut self, position: Position, row: &JournalRow) -> Result<Option<Step>, StoreError> {
        let step = match row.entry.kind {
            EntryKind::Put | EntryKind::Retire => self.record_step(position, row)?,
            _ => self.other_step(position, row)?,
        };
        let wanted = self.query.actor.as_ref();
        Ok(step.filter(|step| wanted.is_none_or(|wanted| step.actor.as_ref() == Some(wanted))))
    }

    fn record_step(
        &mut self,
        position: Position,
        row: &JournalRow,
    ) -> Result<Option<Step>, StoreError> {
        let store = &*self.resolver.store;
        let Ok(key) = CanonicalKey::from_bytes(&row.subject) else { return Ok(None) };
        let Some(latest) = RECORDS.get(store, &key)? else { return Ok(None) };
        self.bytes += weight(&latest);
        let holder = self.resolver.holder_of(&latest.record);
        let sight = self.sight_of_record(&key.prefix(), holder.as_ref());
        if sight == Sight::Nothing {
            return Ok(None);
        }
        let is_it = |stored: &StoredRecord| stored.position == position;
        let version = match Some(latest).filter(is_it) {
            Some(latest) => Some(latest),
            None => VERSIONS.get(store, &VersionKey { key, version: row.entry.version })?,
        };
        let Some(stored) = version.filter(is_it) else { return Ok(None) };
        self.bytes += weight(&stored);
        let record = stored.record;
        let whole = sight == Sight::Whole;
        let mut step = bare(position, row, record.identifier.spelling().to_owned());
        step.actor = whole.then_some(record.actor);
        step.reason = whole.then_some(record.reason);
        step.registrant = self.auditing.then_some(record.registrant);
        Ok(Some(step))
    }

    fn sight_of_record(&self, prefix: &Prefix, holder: Option<&RegistrantId>) -> Sight {
        let inspects = || self.actor.has(Right::Inspect, holder);
        let reads = || self.actor.may(Action::Read, prefix, holder);
        match self.auditing {
            true if inspects() => Sight::Whole,
            true => Sight::Nothing,
            false if reads() => Sight::Whole,
            false if inspects() => Sight::Change,
            false => Sight::Nothing,
        }
    }

    fn other_step(
        &mut self,
        position: Position,
        row: &JournalRow,
    ) -> Result<Option<Step>, StoreError> {
        let Some(stored) = BODIES.get(&*self.resolver.store, &position)? else { return Ok(None) };
        self.bytes += stored.body.len();
        let json = |text: &str| serde_json::from_str(text).unwrap_or(Json::Null);
        let (meta, body): (Json, Json) = (json(&stored.meta), json(&stored.body));
        let subject = name_of(&row.subject);
        let holders = self.resolver.holders(&subject, &body)?;
        if !holders.iter().any(|holder| self.actor.has(Right::Inspect, holder.as_ref())) {
            return Ok(None);
        }
        let text =
            |name: &str| meta.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
        let mut step = bare(position, row, subject);
        step.actor = Some(text("actor"));
        step.reason = Some(text("reason"));
        step.content = self.auditing.then_some(body);
        Ok(Some(step))
    }
}

impl Resolver {
    /// Whom a thing that is no record concerns: its holder, or the sides of it.
    fn holders(&self, subject: &str, body: &Json) -> Result<Vec<Option<RegistrantId>>, StoreError> {
        let read = |text: &str| RegistrantId::parse(text).ok();
        let text = |name: &str| body.get(name).and_then(Json::as_str);
        let member = |name: &str| text(name).and_then(read);
        let (kind, name) = subject.split_once('/').unwrap_or((subject, ""));
        Ok(match kind {
            "registrant" => vec![read(name)],
            "prefix" => {
                let prefix = Prefix::parse(name).ok();
                let stored =
                    prefix.map(|prefix| PREFIXES.get(&*self.store, &prefix)).transpose()?;
                let now = stored.flatten().and_then(|stored| stored.content.registrant);
                vec![now, member("registrant")]
            }
            "account" => vec![member("registrant")],
            "token" => {
                let account = text("account").unwrap_or_default();
                let account = find_document::<Account>(&*self.store, account)?;
                vec![account.and_then(|stored| stored.content.registrant)]
            }
            "group" => vec![member("keeper")],
            "grant" => {
                let grantee = body.pointer("/grantee/registrant").and_then(Json::as_str);
                let grantee = grantee.and_then(read).map(Some);
                [member("granter")].into_iter().chain(grantee).collect()
            }
            "transfer" => vec![member("from"), member("to")],
            "template" => vec![member("holder")],
            _ => vec![None],
        })
    }
}

fn bare(position: Position, row: &JournalRow, subject: String) -> Step {
    Step {
        position,
        kind: row.entry.kind,
        subject,
        version: row.entry.version,
        time_ms: row.entry.time_ms,
        actor: None,
        reason: None,
        registrant: None,
        content: None,
    }
}

/// The readable name of a subject that is no record.
fn name_of(subject: &[u8]) -> String {
    match prefix_of(subject) {
        Some(prefix) => format!("prefix/{prefix}"),
        None => String::from_utf8_lossy(subject.strip_prefix(b"\0").unwrap_or(subject)).into(),
    }
}

/// The prefix that an entry is about.
fn prefix_of(subject: &[u8]) -> Option<Prefix> {
    let key = CanonicalKey::from_bytes(subject).ok()?;
    let of_prefixes = key.prefix().as_str() == "0.NA";
    Prefix::parse(key.suffix()).ok().filter(|_| of_prefixes)
}

/// Leaves what lies behind `after` in the given direction.
fn narrow(range: &mut Range<Vec<u8>>, after: Position, direction: Direction) {
    let after = key_bytes(&after);
    match direction {
        Direction::Backward => range.end = after.min(range.end.clone()),
        Direction::Forward => {
            range.start = [&after[..], &[0]].concat().max(range.start.clone());
        }
    }
}

/// First parts of subjects beside those of documents.
const OTHER_KINDS: [&str; 2] = ["token", "epoch"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Asker, Role};
    use crate::record::Status;
    use crate::resolver::fixture::{Rows, START_MS};
    use std::sync::Arc;

    /// Entries: acme 1 and 2, bolt 3, the node's 4, acme's 1 again, and five about other things.
    fn rows() -> Rows {
        let mut rows = Rows::new();
        for (minute, identifier) in
            ["88.118.1/1", "88.118.1/2", "88.118.2/3", "88.118.4/4", "88.118.1/1"]
                .iter()
                .enumerate()
        {
            rows.now_ms = START_MS + minute as u64 * 60_000;
            rows.pump(identifier, "M", minute as i64, "1");
        }
        for (kind, subject, body) in [
            (EntryKind::Registrant, "registrant/acme", "{}"),
            (EntryKind::Grant, "account/bob", r#"{"registrant":"bolt"}"#),
            (EntryKind::Grant, "grant/1", r#"{"granter":"bolt","grantee":{"registrant":"acme"}}"#),
            (EntryKind::Registrant, "transfer/1", r#"{"from":"acme","to":"bolt"}"#),
            (EntryKind::Epoch, "epoch", "not even json"),
        ] {
            rows.administer(kind, subject, body);
        }
        rows
    }

    fn actor(asker: Asker) -> Arc<Actor> {
        match asker {
            Asker::Actor(actor) => actor,
            Asker::Public => panic!("an actor"),
        }
    }

    fn subjects(steps: &[Step]) -> Vec<&str> {
        steps.iter().map(|step| step.subject.as_str()).collect()
    }

    #[test]
    fn everybody_follows_what_concerns_them() {
        let rows = rows();
        let resolver = rows.resolver();
        for (role, registrant, expected) in [
            (Role::Auditor, None, 10),
            (Role::PlatformAdministrator, None, 10),
            (Role::Reviewer, None, 10),
            (Role::Operator, Some("acme"), 6),
            (Role::RegistrantAdministrator, Some("bolt"), 4),
            (Role::Application, Some("nobody"), 0),
        ] {
            let actor = actor(rows.asker(role, registrant));
            let page = resolver.changes(&actor, None, None, 100).unwrap();
            assert_eq!(page.steps.len(), expected, "{role:?} {:?}", subjects(&page.steps));
            let last = Position { log: 1, index: 9 };
            assert_eq!((page.last, page.more), (Some(last), false), "hidden entries are behind");
            assert!(page.steps.iter().all(|step| step.content.is_none()));
            let of_records = page.steps.iter().filter(|step| !step.kind.has_body());
            let told = of_records.filter(|step| step.actor.is_some()).count();
            let records = page.steps.iter().filter(|step| !step.kind.has_body()).count();
            assert_eq!(told, if role == Role::Reviewer { 0 } else { records });
        }
        let acme = actor(rows.asker(Role::Operator, Some("acme")));
        let page = resolver.changes(&acme, None, None, 100).unwrap();
        let expected = ["88.118.1/1", "88.118.1/2", "88.118.1/1"];
        assert_eq!(subjects(&page.steps)[..3], expected);
        assert_eq!([page.steps[0].version, page.steps[2].version], [1, 2]);
        let expected = ["registrant/acme", "grant/1", "transfer/1"];
        assert_eq!(subjects(&page.steps)[3..], expected);
    }

    #[test]
    fn pages_follow_each_other() {
        let under = Prefix::parse("88.118.1").unwrap();
        for prefix in [None, Some(&under)] {
            let mut rows = rows();
            let resolver = rows.resolver();
            let acme = actor(rows.asker(Role::Operator, Some("acme")));
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let page = resolver.changes(&acme, prefix, after, 1).unwrap();
                found.extend(page.steps);
                after = page.last.or(after);
                if !page.more {
                    break;
                }
            }
            assert_eq!(found.len(), if prefix.is_some() { 3 } else { 6 });
            let idle = resolver.changes(&acme, prefix, after, 1).unwrap();
            assert!(idle.steps.is_empty() && idle.last.is_none() && !idle.more);
            rows.put("88.118.1/2", Vec::new(), Status::Retired);
            let next = resolver.changes(&acme, prefix, after, 9).unwrap();
            assert_eq!(next.steps[0].kind, EntryKind::Retire);
            let future = Position { log: 7, index: u64::MAX };
            assert!(resolver.changes(&acme, prefix, Some(future), 9).unwrap().steps.is_empty());
        }
    }

    #[test]
    fn what_is_held_apart_is_followed_by_its_holder() {
        let mut rows = rows();
        rows.hold_apart("88.118.1/2", "bolt");
        let resolver = rows.resolver();
        let records = |name: &str| {
            let actor = actor(rows.asker(Role::Operator, Some(name)));
            let page = resolver.changes(&actor, None, None, 100).unwrap();
            let steps = page.steps.into_iter().filter(|step| !step.kind.has_body());
            steps.map(|step| format!("{} {}", step.subject, step.version)).collect::<Vec<_>>()
        };
        assert_eq!(records("acme"), ["88.118.1/1 1", "88.118.1/1 2"]);
        assert_eq!(records("bolt"), ["88.118.1/2 1", "88.118.2/3 1", "88.118.1/2 2"]);
    }

    #[test]
    fn auditors_search() {
        let rows = rows();
        let resolver = rows.resolver();
        let auditor = actor(rows.asker(Role::Auditor, None));
        let search = |query: &AuditQuery| {
            let mut found: Option<Vec<String>> = None;
            for limit in [1, 3, 100] {
                let (mut steps, mut after) = (Vec::new(), None);
                loop {
                    let page = resolver.audit(&auditor, query, after, limit).unwrap();
                    steps.extend(page.steps.into_iter().map(|step| {
                        assert!(step.actor.is_some());
                        format!("{} {}", step.subject, step.version)
                    }));
                    after = page.last.or(after);
                    if !page.more {
                        break;
                    }
                }
                assert!(found.is_none() || found.as_ref() == Some(&steps), "{query:?}");
                found = Some(steps);
            }
            found.unwrap()
        };
        let query = AuditQuery::default;
        let subject = |text: &str| Some(Subject::parse(text).unwrap());
        let one = AuditQuery { subject: subject("88.118.1/1"), ..query() };
        assert_eq!(search(&one), ["88.118.1/1 1", "88.118.1/1 2"]);
        let one = AuditQuery { newest_first: true, ..one };
        assert_eq!(search(&one), ["88.118.1/1 2", "88.118.1/1 1"]);
        let grant = AuditQuery { subject: subject("grant/1"), ..query() };
        assert_eq!(search(&grant), ["grant/1 1"]);
        let by_admin = AuditQuery { actor: Some("admin".into()), ..query() };
        assert_eq!(search(&by_admin).len(), 5);
        let kind = AuditQuery { kind: Some(EntryKind::Epoch), newest_first: true, ..query() };
        assert_eq!(search(&kind), ["epoch 1"]);
        let prefix = Some(Prefix::parse("88.118.2").unwrap());
        assert_eq!(search(&AuditQuery { prefix, ..query() }), ["88.118.2/3 1"]);
        let at = |minute: u64| Some(START_MS + minute * 60_000);
        let period = Period { from_ms: at(1), until_ms: at(3) };
        let expected = ["88.118.1/2 1", "88.118.2/3 1"];
        assert_eq!(search(&AuditQuery { period, ..query() }), expected);
        let bolt = actor(rows.asker(Role::RegistrantAdministrator, Some("bolt")));
        let seen = resolver.audit(&bolt, &query(), None, 100).unwrap();
        assert_eq!(subjects(&seen.steps), ["88.118.2/3", "account/bob", "grant/1", "transfer/1"]);
        assert!(seen.steps[1].content.as_ref().is_some_and(|body| body["registrant"] == "bolt"));
    }

    #[test]
    fn subjects_are_identifiers_or_names() {
        let other = |bytes: &[u8]| Ok(Subject::Other(bytes.to_vec()));
        assert_eq!(Subject::parse("prefix/88.1"), other(b"\x010.NA/88.1"));
        assert_eq!(Subject::parse("token/ab"), other(b"\0token/ab"));
        assert_eq!(Subject::parse("epoch"), other(b"\0epoch"));
        assert!(matches!(Subject::parse("88.1/x"), Ok(Subject::Record(_))));
        assert!(Subject::parse("nonsense").is_err() && Subject::parse("prefix/").is_err());
    }
}
