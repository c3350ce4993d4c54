//! The items of a batch and what came of them, as JSON.

use std::collections::BTreeMap;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value as Json;
use serde_json::value::RawValue;

use super::MAX_ITEMS;
use crate::http::identifiers::mint::MintBody;
use crate::http::problem::{self, Problem, ProblemDocument};
use crate::http::{App, body};
use crate::identifier::Identifier;
use crate::record::{Draft, DraftBody, DraftValueBody, Patch, Status};
use crate::registry::{Command, Condition, Receipt};
use crate::template::{Fault, MAX_FAULTS};

/// Changes to records.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Batch, example = json!({
    "atomic": true,
    "items": [
        {"put": {"identifier": "88.118.8/SN-001", "if_absent": true,
            "attributes": {"model": "P-100"}}},
        {"patch": {"identifier": "88.118.8/SN-002", "if_match": 3,
            "attributes": {"colour": null}}},
        {"retire": {"identifier": "88.118.8/SN-003"}},
        {"mint": {"prefix": "88.118.8", "template": "88.118.8/template/product",
            "attributes": {"product_code": "P-100"}}},
    ],
}))]
pub(in crate::http) struct BatchBody {
    /// Whether all items are done or none; each for itself when left out.
    #[schema(default = false, required = false)]
    atomic: bool,
    /// 1 to 10,000 items.
    #[schema(min_items = 1, max_items = 10000, value_type = Vec<ItemBody>)]
    items: Vec<()>,
}

/// One change to a record.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = BatchItem)]
pub(in crate::http) enum ItemBody {
    /// Register an identifier or replace its record.
    Put(WriteItem),
    /// Change parts of a record.
    Patch(WriteItem),
    /// Retire an identifier.
    Retire(RetireItem),
    /// Register the next identifier by a template's coding rule.
    Mint(MintBody),
}

/// Content of a record.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BatchWrite)]
pub(in crate::http) struct WriteItem {
    /// The identifier, in any spelling.
    #[schema(example = "88.118.8/SN-001")]
    identifier: String,
    /// Only when the record is at this version.
    #[serde(default)]
    #[schema(minimum = 1)]
    if_match: Option<u64>,
    /// Only when the identifier is not registered; for `put`.
    #[serde(default)]
    if_absent: bool,
    /// As in a registration or change.
    #[serde(default)]
    values: Option<Vec<DraftValueBody>>,
    /// As in a registration or change.
    #[serde(default)]
    #[schema(value_type = Option<BTreeMap<String, serde_json::Value>>)]
    attributes: Option<BTreeMap<String, Json>>,
    /// As in a registration or change.
    #[serde(default)]
    template: Option<String>,
    /// As in a registration or change.
    #[serde(default)]
    #[schema(minimum = 1)]
    template_version: Option<u64>,
}

/// An identifier to retire.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BatchRetirement)]
pub(in crate::http) struct RetireItem {
    /// The identifier, in any spelling.
    #[schema(example = "88.118.8/SN-001")]
    identifier: String,
    /// Only when the record is at this version.
    #[serde(default)]
    #[schema(minimum = 1)]
    if_match: Option<u64>,
}

/// What came of a batch.
#[derive(Debug, Default, Serialize, utoipa::ToSchema)]
#[schema(as = BatchOutcomes)]
pub(in crate::http) struct BatchDocument {
    /// Identifiers that are new.
    created: u64,
    /// Records that were replaced or changed.
    updated: u64,
    /// Identifiers that were retired.
    retired: u64,
    /// Records that already were as asked.
    unchanged: u64,
    /// Items of which nothing was written.
    failed: u64,
    /// What came of each item, in order.
    outcomes: Vec<OutcomeDocument>,
}

/// What came of an item.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = BatchOutcome, example = json!({
    "outcome": "created", "identifier": "88.118.8/SN-001", "version": 1
}))]
struct OutcomeDocument {
    /// What came of it.
    outcome: ItemOutcome,
    /// The identifier as it is registered; left out when the item failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    identifier: Option<String>,
    /// The record's version; left out when the item failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    /// What is wrong with the item.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<ProblemDocument>,
}

/// What came of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum ItemOutcome {
    /// The identifier is new.
    Created,
    /// The record was replaced or changed.
    Updated,
    /// The identifier was retired.
    Retired,
    /// The record already was as asked.
    Unchanged,
    /// Nothing was written.
    Failed,
}

/// A batch whose items are still text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Items<'a> {
    #[serde(default)]
    pub(super) atomic: bool,
    #[serde(borrow)]
    items: Bounded<'a>,
}

/// At most [`MAX_ITEMS`] items.
struct Bounded<'a>(Vec<&'a RawValue>);

impl<'a> Items<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Result<Self, Problem> {
        let items: Self = serde_json::from_slice(body)
            .map_err(|error| Problem::new(&problem::BAD_JSON, error.to_string()))?;
        if items.len() == 0 {
            return Err(bad("items is empty: send at least one"));
        }
        Ok(items)
    }

    pub(super) fn len(&self) -> usize {
        self.items.0.len()
    }

    /// What the item at `place` asks for.
    pub(super) fn command(&self, place: usize, app: &App) -> Result<Command, Problem> {
        let text = self.items.0.get(place).map_or("", |item| item.get());
        body::parse::<ItemBody>(text.as_bytes())?.command(app)
    }

    /// What all items ask for, or everything that is wrong with their form.
    pub(super) fn commands(&self, app: &App) -> Result<Vec<Command>, Problem> {
        let (mut commands, mut faults) = (Vec::with_capacity(self.len()), Vec::new());
        for place in 0..self.len() {
            match self.command(place, app) {
                Ok(command) => commands.push(command),
                Err(fault) if faults.len() < MAX_FAULTS => {
                    let (path, rule) = (format!("items[{place}]"), fault.kind().name);
                    faults.push(Fault::new(path, rule, "", fault.detail()));
                }
                Err(_) => break,
            }
        }
        if faults.is_empty() {
            return Ok(commands);
        }
        let detail =
            format!("{} items are not what they should be: nothing was done", faults.len());
        Err(Problem::new(&problem::FAULTY, detail).with_faults(faults))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Bounded<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Gather;
        impl<'de> Visitor<'de> for Gather {
            type Value = Vec<&'de RawValue>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "a list of 1 to {MAX_ITEMS} items")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    if items.len() == MAX_ITEMS {
                        return Err(Error::custom(format_args!("more than {MAX_ITEMS} items")));
                    }
                    items.push(item);
                }
                Ok(items)
            }
        }
        deserializer.deserialize_seq(Gather).map(Bounded)
    }
}

impl ItemBody {
    fn command(self, app: &App) -> Result<Command, Problem> {
        match self {
            ItemBody::Put(item) => {
                let condition = match (item.if_match, item.if_absent) {
                    (Some(_), true) => return Err(bad("give if_match or if_absent, not both")),
                    (None, true) => Condition::Absent,
                    (version, false) => at(version),
                };
                let (identifier, body) = item.split()?;
                let draft = Draft::from_body(body)?;
                app.dns.check_values(&draft.values)?;
                Ok(Command::Put { identifier, draft, condition })
            }
            ItemBody::Patch(item) => {
                if item.if_absent {
                    return Err(bad("if_absent makes sense for put only"));
                }
                let condition = at(item.if_match);
                let (identifier, body) = item.split()?;
                let patch = Patch::from_body(body)?;
                app.dns.check_values(&patch.values)?;
                Ok(Command::Patch { identifier, patch, condition })
            }
            ItemBody::Retire(RetireItem { identifier, if_match }) => {
                let identifier = Identifier::parse(&identifier)?;
                Ok(Command::Retire { identifier, condition: at(if_match) })
            }
            ItemBody::Mint(body) => body.command(app),
        }
    }
}

impl WriteItem {
    fn split(self) -> Result<(Identifier, DraftBody), Problem> {
        let Self { identifier, values, attributes, template, template_version, .. } = self;
        let body = DraftBody { values, attributes, template, template_version };
        Ok((Identifier::parse(&identifier)?, body))
    }
}

/// Outcomes while they are gathered.
#[derive(Default)]
pub(super) struct Outcomes {
    document: BatchDocument,
    /// Faults told so far.
    faults: usize,
}

impl Outcomes {
    pub(super) fn add(&mut self, outcome: Result<Receipt, Problem>) {
        let document = match outcome {
            Ok(Receipt::Record { stored, created, changed }) => {
                let retired = stored.record.status == Status::Retired;
                let outcome = match (created, changed, retired) {
                    (_, false, _) => ItemOutcome::Unchanged,
                    (_, true, true) => ItemOutcome::Retired,
                    (true, true, false) => ItemOutcome::Created,
                    (false, true, false) => ItemOutcome::Updated,
                };
                let identifier = Some(stored.record.identifier.spelling().to_owned());
                let version = Some(stored.record.version);
                OutcomeDocument { outcome, identifier, version, problem: None }
            }
            Ok(receipt) => self.failed(crate::http::app::wrong_receipt(&receipt)),
            Err(problem) => self.failed(problem),
        };
        let counts = &mut self.document;
        let count = match document.outcome {
            ItemOutcome::Created => &mut counts.created,
            ItemOutcome::Updated => &mut counts.updated,
            ItemOutcome::Retired => &mut counts.retired,
            ItemOutcome::Unchanged => &mut counts.unchanged,
            ItemOutcome::Failed => &mut counts.failed,
        };
        *count += 1;
        counts.outcomes.push(document);
    }

    pub(super) fn into_document(self) -> BatchDocument {
        self.document
    }

    /// A failed item; when many faults were told already, only its first.
    fn failed(&mut self, problem: Problem) -> OutcomeDocument {
        let mut problem = problem.into_document();
        if self.faults + problem.faults.len() > MAX_TOLD {
            problem.faults.truncate(1);
        }
        self.faults += problem.faults.len();
        let (outcome, problem) = (ItemOutcome::Failed, Some(problem));
        OutcomeDocument { outcome, identifier: None, version: None, problem }
    }
}

fn at(version: Option<u64>) -> Condition {
    version.map_or(Condition::Always, Condition::Version)
}

fn bad(detail: &str) -> Problem {
    Problem::new(&problem::BAD_REQUEST, detail)
}

/// Faults of an answer after which only the first of each item is told.
const MAX_TOLD: usize = 10_000;
