//! What each granter grants, in memory, and how it is known to be out of date.
//!
//! A granter's book holds its grants with the members of their groups. Books carry a stamp, the
//! number of the granter's generation taken before the store was read; so do remembered records of
//! which a grant shows something. A change of grants or groups begins new generations before it
//! commits, so that whoever sees the change reads the grants again, and once more before anybody
//! is told of it, so that nothing read in between stays.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::{Weighter, sync::Cache};

use crate::identifier::Identifier;
use crate::record::Record;
use crate::registrant::{
    Access, Grant, GrantSubject, Grantee, Group, RegistrantId, granter_of, granter_text, name_start,
};
use crate::store::{Read, Store, StoreError, find_document, scan_documents};

/// Books of granters.
pub(super) struct Books {
    kept: Cache<String, Kept, ByBytes, RandomState>,
    generations: Box<[AtomicU64]>,
    hasher: RandomState,
}

/// When grants were read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp {
    slot: usize,
    generation: u64,
}

/// A book, or that there is too much for one, and when that was found.
#[derive(Clone)]
struct Kept {
    stamp: Stamp,
    book: Option<Arc<Book>>,
}

impl Books {
    pub(super) fn new() -> Self {
        let hasher = RandomState::new();
        Self {
            kept: Cache::with(BOOKS, BOOKS_BYTES, ByBytes, hasher.clone(), Default::default()),
            generations: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            hasher,
        }
    }

    /// What stands for now: to be taken before anything of the granter is read.
    pub(super) fn stamp(&self, granter: Option<&RegistrantId>) -> Stamp {
        let slot = self.slot(granter_text(granter));
        let generation = self.generations.get(slot);
        Stamp { slot, generation: generation.map_or(0, |number| number.load(Ordering::SeqCst)) }
    }

    /// Whether no grant of the granter has changed since.
    pub(super) fn is_current(&self, stamp: Stamp) -> bool {
        let generation = self.generations.get(stamp.slot);
        generation.is_some_and(|number| number.load(Ordering::SeqCst) == stamp.generation)
    }

    /// What is granted on a record, if memory can tell.
    pub(super) fn find(&self, holder: Option<&RegistrantId>, of: &Record) -> Option<Granted> {
        let kept = self.kept.get(granter_text(holder))?;
        let book = kept.book.filter(|_| self.is_current(kept.stamp))?;
        Some(book.on(of))
    }

    /// What is granted on a record. Blocks on the disk.
    pub(super) fn read(
        &self,
        store: &dyn Store,
        holder: Option<&RegistrantId>,
        of: &Record,
    ) -> Result<Granted, StoreError> {
        let granter = granter_text(holder);
        let known = self.kept.get(granter).filter(|kept| self.is_current(kept.stamp));
        let book = match known {
            Some(kept) => kept.book,
            None => {
                let stamp = self.stamp(holder);
                let book = Book::read(&*store.snapshot(), &name_start(holder), BOOK_ROWS)?;
                let book = book.map(Arc::new);
                self.kept.insert(granter.to_owned(), Kept { stamp, book: book.clone() });
                book
            }
        };
        match book {
            Some(book) => Ok(book.on(of)),
            None => {
                metrics::counter!("nameplate_resolver_unkept_grants_total").increment(1);
                granted_on(&*store.snapshot(), holder, of)
            }
        }
    }

    /// Begins a new generation for a granter, by the name it has in names of grants. The node's
    /// own groups may be in everybody's grants.
    pub(super) fn forget(&self, granter: &str) {
        if granter_of(granter) == Some(None) {
            self.generations.iter().for_each(|number| {
                number.fetch_add(1, Ordering::SeqCst);
            });
        } else if let Some(number) = self.generations.get(self.slot(granter)) {
            number.fetch_add(1, Ordering::SeqCst);
        }
        self.kept.remove(granter);
    }

    fn slot(&self, granter: &str) -> usize {
        self.hasher.hash_one(granter) as usize % SLOTS
    }
}

/// What is granted on one record.
pub type Granted = Arc<[Given]>;

/// What is granted on a record by its holder: on the identifier or else, if nothing is, on its
/// template. Reads the store.
pub fn granted_on(
    read: &dyn Read,
    holder: Option<&RegistrantId>,
    of: &Record,
) -> Result<Granted, StoreError> {
    let identifier = GrantSubject::Identifier(of.identifier.key().text().to_owned());
    let template = template_of(of).map(GrantSubject::Template);
    for subject in [Some(identifier), template].into_iter().flatten() {
        let book = Book::read(read, &subject.start(holder), usize::MAX)?;
        let granted = book.unwrap_or_default().on(of);
        if !granted.is_empty() {
            return Ok(granted);
        }
    }
    Ok(Granted::default())
}

/// The grants of one granter that are in force.
#[derive(Default)]
struct Book {
    templates: HashMap<String, Granted>,
    identifiers: HashMap<String, Granted>,
    bytes: u64,
}

impl Book {
    /// Reads the grants whose names begin with `start`; none when there are more than `most` rows
    /// of grants and members.
    fn read(read: &dyn Read, start: &str, most: usize) -> Result<Option<Self>, StoreError> {
        let mut grants: Vec<Grant> = Vec::new();
        let mut rows = 0;
        scan_documents::<Grant>(read, start, None, |_, stored| {
            rows += 1;
            if !stored.content.revoked {
                grants.push(stored.content);
            }
            if rows > most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        let mut groups: HashMap<String, Arc<[RegistrantId]>> = HashMap::new();
        let (mut templates, mut identifiers) = (HashMap::new(), HashMap::new());
        let mut bytes = 0;
        for grant in grants {
            if rows > most {
                return Ok(None);
            }
            let receivers = match grant.grantee {
                Grantee::Everyone => Receivers::Everyone,
                Grantee::Registrant(id) => Receivers::One(id),
                Grantee::Group(id) => {
                    let id = id.document_id();
                    let members = match groups.get(&id) {
                        Some(members) => Arc::clone(members),
                        None => {
                            let members = members(read, &id)?;
                            rows += members.len();
                            bytes += members.len() as u64 * 32;
                            groups.insert(id, Arc::clone(&members));
                            members
                        }
                    };
                    Receivers::Members(members)
                }
            };
            let names: usize = grant.attributes.iter().map(|name| name.len() + 32).sum();
            bytes += (names + grant.subject.text().len() + 160) as u64;
            let given = Given { receivers, attributes: grant.attributes, access: grant.access };
            let (subjects, text) = match grant.subject {
                GrantSubject::Template(text) => (&mut templates, text),
                GrantSubject::Identifier(text) => (&mut identifiers, text),
            };
            subjects.entry(text).or_insert_with(Vec::new).push(given);
        }
        let shared = |subjects: HashMap<String, Vec<Given>>| {
            subjects.into_iter().map(|(text, given)| (text, given.into())).collect()
        };
        Ok(Some(Self { templates: shared(templates), identifiers: shared(identifiers), bytes }))
    }

    fn on(&self, record: &Record) -> Granted {
        let own = self.identifiers.get(record.identifier.key().text());
        let found = own.or_else(|| {
            let any = !self.templates.is_empty();
            any.then(|| template_of(record)).flatten().and_then(|text| self.templates.get(&text))
        });
        found.cloned().unwrap_or_default()
    }
}

/// A grant, as far as answers need it.
#[derive(Clone, Debug)]
pub struct Given {
    receivers: Receivers,
    /// Ascending; empty for all.
    attributes: Vec<String>,
    access: Access,
}

#[derive(Clone, Debug)]
enum Receivers {
    Everyone,
    One(RegistrantId),
    /// Ascending.
    Members(Arc<[RegistrantId]>),
}

impl Given {
    /// Whether the grant is for `registrant`; none is anybody.
    fn reaches(&self, registrant: Option<&RegistrantId>) -> bool {
        match (&self.receivers, registrant) {
            (Receivers::Everyone, _) => true,
            (_, None) => false,
            (Receivers::One(one), Some(registrant)) => one == registrant,
            (Receivers::Members(members), Some(registrant)) => {
                members.binary_search(registrant).is_ok()
            }
        }
    }
}

/// The attributes that somebody may see or edit by grants.
pub enum Allowed<'a> {
    /// All of them.
    All,
    /// These.
    Named(std::collections::HashSet<&'a str>),
}

impl<'a> Allowed<'a> {
    /// What `granted` gives `registrant`, or anybody, of at least `access`.
    pub fn of(granted: &'a [Given], registrant: Option<&RegistrantId>, access: Access) -> Self {
        let reaching =
            || granted.iter().filter(|given| given.access >= access && given.reaches(registrant));
        if reaching().any(|given| given.attributes.is_empty()) {
            return Allowed::All;
        }
        Allowed::Named(reaching().flat_map(|given| &given.attributes).map(String::as_str).collect())
    }

    /// Whether the attribute is among them.
    pub fn contains(&self, name: &str) -> bool {
        match self {
            Allowed::All => true,
            Allowed::Named(names) => names.contains(name),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        matches!(self, Allowed::Named(names) if names.is_empty())
    }
}

/// Canonical text of the record's template.
fn template_of(record: &Record) -> Option<String> {
    let (text, _) = record.template()?;
    Identifier::parse(text).ok().map(|template| template.key().text().to_owned())
}

fn members(read: &dyn Read, document_id: &str) -> Result<Arc<[RegistrantId]>, StoreError> {
    let group = find_document::<Group>(read, document_id)?;
    Ok(group.map_or_else(Vec::new, |group| group.content.members).into())
}

/// Weighs a book by the memory it takes, roughly.
#[derive(Clone)]
struct ByBytes;

impl Weighter<String, Kept> for ByBytes {
    fn weight(&self, granter: &String, kept: &Kept) -> u64 {
        granter.len() as u64 + 256 + kept.book.as_ref().map_or(0, |book| book.bytes)
    }
}

/// Books expected; more fit while they are small.
const BOOKS: usize = 64;

/// Memory of the books, roughly.
const BOOKS_BYTES: u64 = 64 << 20;

/// Most rows, grants and members of their groups, of a book; larger ones are not kept, and what
/// they hold is read for every answer.
const BOOK_ROWS: usize = 20_000;

/// Slots of generations; two granters of one slot only cost a needless read.
const SLOTS: usize = 4_096;
