//! `nameplate find`: records by what they are.

use super::output::{Output, printable, text_of};
use super::remote::Remote;
use super::{Outcome, SUCCESS};
use crate::client::Client;
use crate::identifier::Identifier;
use crate::record::RecordDocument;

/// Find records by prefix, template, registrant, status, time and attribute
///
/// All filters must fit. A condition compares an indexed attribute: model:P-100 exactly,
/// rated_power_kw:5..10 from 5 up to but not 10, rated_power_kw:5..=10 with 10,
/// rated_power_kw:5.. without an end; it needs --template and --prefix.
#[derive(Debug, clap::Args)]
pub struct Find {
    /// Prefix, with all below it
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,
    /// Identifier of the template
    #[arg(long, value_name = "IDENTIFIER")]
    template: Option<String>,
    /// Who holds them
    #[arg(long, value_name = "NAME")]
    registrant: Option<String>,
    /// Whether they are in use
    #[arg(long, value_parser = ["active", "retired"])]
    status: Option<String>,
    /// Condition on an indexed attribute; repeat for more
    #[arg(long = "where", value_name = "CONDITION")]
    conditions: Vec<String>,
    /// Registered at this moment or later
    #[arg(long, value_name = "TIME")]
    created_from: Option<String>,
    /// Registered before this moment
    #[arg(long, value_name = "TIME")]
    created_until: Option<String>,
    /// Last changed at this moment or later
    #[arg(long, value_name = "TIME")]
    modified_from: Option<String>,
    /// Last changed before this moment
    #[arg(long, value_name = "TIME")]
    modified_until: Option<String>,
    /// What refers to this identifier; no other filter goes with it
    #[arg(long, value_name = "IDENTIFIER", conflicts_with_all = ["prefix", "template",
        "registrant", "status", "conditions", "created_from", "created_until", "modified_from",
        "modified_until"])]
    refers_to: Option<String>,
    /// Most that are shown; 0 for all
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    limit: usize,
    #[command(flatten)]
    remote: Remote,
}

impl Find {
    /// Runs the command.
    pub fn run(self, output: &Output) -> Outcome {
        let client = self.remote.client()?;
        match &self.refers_to {
            Some(target) => {
                let target = Identifier::parse(target)?;
                self.remote.block_on(self.show_referrers(&client, &target, output))??;
            }
            None => self.remote.block_on(self.show_records(&client, output))??,
        }
        Ok(SUCCESS)
    }

    async fn show_records(&self, client: &Client, output: &Output) -> anyhow::Result<()> {
        let mut filters = vec![
            ("prefix", self.prefix.clone()),
            ("template", self.template.clone()),
            ("registrant", self.registrant.clone()),
            ("status", self.status.clone()),
            ("created_from", self.created_from.clone()),
            ("created_until", self.created_until.clone()),
            ("modified_from", self.modified_from.clone()),
            ("modified_until", self.modified_until.clone()),
        ];
        filters.extend(self.conditions.iter().map(|text| ("where", Some(text.clone()))));
        let mut left = Left::new(self.limit);
        let mut after = None;
        while let Some(count) = left.page() {
            let mut filters = filters.clone();
            filters.push(("limit", Some(count.to_string())));
            filters.push(("after", after));
            let page = client.find_all(&filters).await?;
            for record in &page.records {
                show(record, output)?;
            }
            left.took(page.records.len());
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(())
    }

    async fn show_referrers(
        &self,
        client: &Client,
        target: &Identifier,
        output: &Output,
    ) -> anyhow::Result<()> {
        let mut left = Left::new(self.limit);
        let mut after = None;
        while let Some(count) = left.page() {
            let filters = [("limit", Some(count.to_string())), ("after", after)];
            let page = client.references(target, &filters).await?;
            for referrer in &page.references {
                if output.json {
                    output.json_line(referrer)?;
                } else {
                    let by = printable(&referrer.attributes.join(", "));
                    let (identifier, status) = (printable(&referrer.identifier), &referrer.status);
                    output.line(format_args!("{identifier}  {status}  by {by}"))?;
                }
            }
            left.took(page.references.len());
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(())
    }
}

/// A record on one line.
fn show(record: &RecordDocument, output: &Output) -> anyhow::Result<()> {
    if output.json {
        output.json_line(record)?;
        return Ok(());
    }
    let attributes = record.attributes.iter();
    let attributes: Vec<String> =
        attributes.map(|(name, value)| format!("{}={}", printable(name), text_of(value))).collect();
    output.line(format_args!(
        "{}  {}, version {}  {}",
        printable(&record.identifier),
        record.status.as_str(),
        record.version,
        output.dim(&attributes.join(" ")),
    ))?;
    Ok(())
}

/// How many are still to be shown.
pub(super) struct Left(Option<usize>);

impl Left {
    /// At most `limit`; 0 for all.
    pub fn new(limit: usize) -> Self {
        Self((limit > 0).then_some(limit))
    }

    /// How many to ask for next; none when enough were shown.
    pub fn page(&self) -> Option<usize> {
        match self.0 {
            Some(0) => None,
            Some(left) => Some(left.min(PAGE)),
            None => Some(PAGE),
        }
    }

    /// Takes those off that were shown.
    pub fn took(&mut self, count: usize) {
        self.0 = self.0.map(|left| left.saturating_sub(count));
    }
}

/// Asked for at once.
const PAGE: usize = 1_000;
