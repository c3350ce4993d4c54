//! Records of a table on their way to the registry: parsed and planned, several at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{ImportTask, Office};
use crate::access::Actor;
use crate::identifier::{CanonicalKey, Identifier, Prefix};
use crate::record::{Draft, DraftBody, Form};
use crate::registry::{Command, Condition, Outlook, Plan, RegistryError, Request};
use crate::store::StoreError;
use crate::tabular::{self, Place, RawContent, Registration, RowFault};
use crate::template::Template;

/// A record of a table.
pub(super) struct Row {
    /// Number of its first line.
    pub line: u64,
    /// Offset of its first byte.
    pub start: u64,
    /// Offset behind it.
    pub end: u64,
    /// Where the next record begins.
    pub after: Place,
    /// How far it is.
    pub step: Step,
}

/// How far a record is.
pub(super) enum Step {
    /// As it stands in the table.
    Raw(RawContent<'static>),
    /// Refused.
    Fault(Vec<RowFault>),
    /// To be planned, or planned again.
    Asked(Request),
    /// Planned.
    Planned(Request, Result<Plan, RegistryError>),
}

/// How records become requests.
pub(super) struct Recipe<'a> {
    pub office: &'a Office,
    pub task: &'a ImportTask,
    /// What the table's columns mean.
    pub table: tabular::Plan,
    pub reason: &'a str,
    /// Templates of the rows that are planned together.
    pub templates: Mutex<HashMap<CanonicalKey, Option<Arc<Template>>>>,
}

impl Recipe<'_> {
    /// Plans all rows that are not, on [`PLANNERS`] threads. Blocks on the disk.
    ///
    /// Identifiers are minted in the order of the records, by one thread.
    pub fn plan(&self, actor: &Actor, rows: &mut [Row]) {
        let now_ms = self.office.parts.clock.now_ms();
        self.templates.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let outlook = &Outlook::new(&self.office.parts.registry);
        let share = rows.len().div_ceil(PLANNERS).max(MIN_SHARE);
        std::thread::scope(|scope| {
            let mut shares = rows.chunks_mut(share);
            let own = shares.next();
            for others in shares {
                scope.spawn(move || self.plan_share(actor, others, now_ms, outlook));
            }
            self.plan_share(actor, own.unwrap_or_default(), now_ms, outlook);
        });
        for row in rows {
            self.plan_asked(actor, row, now_ms, outlook);
        }
    }

    /// Plans one row as of now.
    pub fn plan_row(&self, actor: &Actor, row: &mut Row) {
        let outlook = Outlook::new(&self.office.parts.registry);
        self.plan_asked(actor, row, self.office.parts.clock.now_ms(), &outlook);
    }

    fn plan_share(&self, actor: &Actor, rows: &mut [Row], now_ms: u64, outlook: &Outlook) {
        for row in rows {
            row.step = match row.take_step() {
                Step::Raw(content) => match self.request(content) {
                    Ok(request) => Step::Asked(request),
                    Err(fault) => Step::Fault(vec![fault]),
                },
                other => other,
            };
            if !matches!(&row.step, Step::Asked(request) if is_mint(request)) {
                self.plan_asked(actor, row, now_ms, outlook);
            }
        }
    }

    fn plan_asked(&self, actor: &Actor, row: &mut Row, now_ms: u64, outlook: &Outlook) {
        let registry = &self.office.parts.registry;
        row.step = match row.take_step() {
            Step::Asked(request) => {
                let plan = registry.plan_within(outlook, actor, &request, now_ms);
                if let (true, Ok(Plan::Change(change))) = (self.task.dry_run, &plan) {
                    registry.give_back(change);
                }
                Step::Planned(request, plan)
            }
            other => other,
        };
    }

    fn request(&self, content: RawContent<'static>) -> Result<Request, RowFault> {
        let registration = self.table.registration(content)?;
        let Registration { identifier, serial, template, values, attributes, cells } = registration;
        let template = template.or_else(|| self.task.template.clone());
        let body = DraftBody { template, template_version: None, values, attributes };
        let refuse = |error: String| RowFault::new("", "record", error);
        let mut draft = Draft::from_body(body).map_err(|error| refuse(error.to_string()))?;
        if cells {
            self.read_cells(&mut draft).map_err(|error| refuse(error.to_string()))?;
        }
        self.check_dns(&draft).map_err(refuse)?;
        let command = match identifier {
            Some(text) => {
                if serial.is_some() {
                    let detail = "a serial is for identifiers that the node mints";
                    return Err(RowFault::new("serial", "unknown", detail));
                }
                let identifier = Identifier::parse(&text).map_err(|error| {
                    RowFault::new("identifier", "identifier", error.to_string())
                })?;
                Command::Put { identifier, draft, condition: Condition::Always }
            }
            None => Command::Mint { prefix: self.mint_prefix(&draft)?, serial, draft },
        };
        Ok(Request { reason: self.reason.to_owned(), ..Request::new(command) })
    }

    /// Where identifiers are minted: under the prefix that is asked for, or the template's own.
    fn mint_prefix(&self, draft: &Draft) -> Result<Prefix, RowFault> {
        let mapped = self.task.mapping.as_ref().and_then(|mapping| mapping.prefix.as_deref());
        let asked =
            self.task.prefix.as_deref().or(mapped).and_then(|text| Prefix::parse(text).ok());
        let of_template = || draft.template.template.as_ref().map(Identifier::prefix);
        asked.or_else(of_template).ok_or_else(|| {
            let detail = "the record names no identifier, and no template by which to mint one";
            RowFault::new("identifier", "required", detail)
        })
    }

    /// Reads the cells of a sheet as the types that the template gives them.
    fn read_cells(&self, draft: &mut Draft) -> Result<(), StoreError> {
        let Some(chosen) = &draft.template.template else { return Ok(()) };
        // What is no such template is told when the record is planned.
        let Some(template) = self.template(chosen.key())? else { return Ok(()) };
        for (name, attribute) in &mut draft.attributes {
            if attribute.form == Form::Text {
                *attribute = template.coerce(name, &attribute.text);
            }
        }
        Ok(())
    }

    /// The published version of a template, read once for all rows that are planned together.
    fn template(&self, key: &CanonicalKey) -> Result<Option<Arc<Template>>, StoreError> {
        let mut templates = self.templates.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(template) = templates.get(key) {
            return Ok(template.clone());
        }
        let resolver = &self.office.parts.resolver;
        let head = resolver.template_head(key)?.map(|stored| stored.content);
        let published = head.and_then(|head| Some((head.number, head.published?)));
        let template = match published {
            Some((number, version)) => resolver.template(number, version)?,
            None => None,
        };
        if templates.len() >= MAX_TEMPLATES {
            templates.clear();
        }
        templates.insert(key.clone(), template.clone());
        Ok(template)
    }

    fn check_dns(&self, draft: &Draft) -> Result<(), String> {
        for value in &draft.values {
            if let Some((head, kind)) = value.kind.split_once('/')
                && head.eq_ignore_ascii_case("DNS")
            {
                (self.office.parts.check_dns)(kind, &value.data)?;
            }
        }
        Ok(())
    }
}

impl Row {
    /// The row's step, to be replaced by the next.
    pub fn take_step(&mut self) -> Step {
        std::mem::replace(&mut self.step, Step::Fault(Vec::new()))
    }
}

impl Step {
    /// The step before planning, for a row that is to be planned again.
    pub fn again(self) -> Self {
        match self {
            Step::Planned(request, _) => Step::Asked(request),
            other => other,
        }
    }
}

/// Why the registry refuses a record, as faults of the record.
pub(super) fn faults(error: &RegistryError) -> Vec<RowFault> {
    let rule = match error {
        RegistryError::Faulty(faults) => {
            let fault = |fault: &crate::template::Fault| {
                RowFault::new(&fault.path, &fault.rule, fault.message.clone())
            };
            return faults.iter().map(fault).collect();
        }
        RegistryError::Refused(_) => "refused",
        RegistryError::Draft(_) => "record",
        RegistryError::TooLong { .. } => "too-long",
        RegistryError::NotResponsible(_) => "prefix",
        RegistryError::Retired(_) => "retired",
        RegistryError::Taken(_) => "taken",
        RegistryError::QuotaReached { .. } => "quota",
        RegistryError::WrongState { .. } => "state",
        RegistryError::Absent(_) => "absent",
        _ => "registry",
    };
    vec![RowFault::new("", rule, error.to_string())]
}

/// Whether what is refused now may be right once the records before it are written.
pub(super) fn depends_on_others(error: &RegistryError) -> bool {
    match error {
        RegistryError::Faulty(faults) => {
            faults.iter().any(|fault| matches!(&*fault.rule, "reference" | "unique"))
        }
        RegistryError::Refused(_)
        | RegistryError::Draft(_)
        | RegistryError::TooLong { .. }
        | RegistryError::NotResponsible(_) => false,
        _ => true,
    }
}

/// Whether the node is at fault, and not the record or a row that it needs.
pub(super) fn is_of_node(error: &RegistryError) -> bool {
    match error {
        RegistryError::Store(error) => !matches!(error, StoreError::Corrupt { .. }),
        RegistryError::Ledger(_) | RegistryError::Unseeded => true,
        _ => false,
    }
}

/// Whether the request leaves the identifier to the node.
pub(super) fn is_mint(request: &Request) -> bool {
    matches!(request.command, Command::Mint { .. })
}

/// Templates remembered at once.
const MAX_TEMPLATES: usize = 64;

/// Threads that plan the records of one job.
const PLANNERS: usize = 2;

/// Rows for which a thread of their own is not worth it.
const MIN_SHARE: usize = 64;
