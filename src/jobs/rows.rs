//! Records of a table on their way to the registry: parsed and planned, several at once.

use super::{ImportTask, Office};
use crate::access::Actor;
use crate::identifier::Identifier;
use crate::record::{Draft, DraftBody};
use crate::registry::{Command, Condition, Plan, RegistryError, Request};
use crate::store::StoreError;
use crate::tabular::{self, Place, RawContent, RowFault};

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
}

impl Recipe<'_> {
    /// Plans all rows that are not, on [`PLANNERS`] threads. Blocks on the disk.
    pub fn plan(&self, actor: &Actor, rows: &mut [Row]) {
        let now_ms = self.office.parts.clock.now_ms();
        let share = rows.len().div_ceil(PLANNERS).max(MIN_SHARE);
        std::thread::scope(|scope| {
            let mut shares = rows.chunks_mut(share);
            let own = shares.next();
            for others in shares {
                scope.spawn(move || self.plan_share(actor, others, now_ms));
            }
            self.plan_share(actor, own.unwrap_or_default(), now_ms);
        });
    }

    /// Plans one row as of now.
    pub fn plan_row(&self, actor: &Actor, row: &mut Row) {
        self.plan_share(actor, std::slice::from_mut(row), self.office.parts.clock.now_ms());
    }

    fn plan_share(&self, actor: &Actor, rows: &mut [Row], now_ms: u64) {
        for row in rows {
            let step = std::mem::replace(&mut row.step, Step::Fault(Vec::new()));
            let request = match step {
                Step::Raw(content) => self.request(content),
                Step::Asked(request) => Ok(request),
                done => {
                    row.step = done;
                    continue;
                }
            };
            row.step = match request {
                Ok(request) => {
                    let plan = self.office.parts.registry.plan(actor, &request, now_ms);
                    Step::Planned(request, plan)
                }
                Err(fault) => Step::Fault(vec![fault]),
            };
        }
    }

    fn request(&self, content: RawContent<'static>) -> Result<Request, RowFault> {
        let registration = self.table.registration(content)?;
        let identifier = registration.identifier.as_deref().ok_or_else(|| {
            RowFault::new("identifier", "required", "the record names no identifier")
        })?;
        let identifier = Identifier::parse(identifier)
            .map_err(|error| RowFault::new("identifier", "identifier", error.to_string()))?;
        let body = DraftBody { values: registration.values, attributes: registration.attributes };
        let refuse = |error: String| RowFault::new("", "record", error);
        let draft = Draft::from_body(body).map_err(|error| refuse(error.to_string()))?;
        self.check_dns(&draft).map_err(refuse)?;
        let command = Command::Put { identifier, draft, condition: Condition::Always };
        Ok(Request { reason: self.reason.to_owned(), ..Request::new(command) })
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

/// Threads that plan the records of one job.
const PLANNERS: usize = 2;

/// Rows for which a thread of their own is not worth it.
const MIN_SHARE: usize = 64;
