//! `nameplate resolve`: the records of identifiers.

use serde_json::Value as Json;

use super::output::{Output, text_of};
use super::remote::Remote;
use super::{ABSENT, FAILED, Outcome, RETIRED, SUCCESS};
use crate::client::{Client, Resolved, ResolvedOutcome};
use crate::identifier::Identifier;
use crate::record::RecordDocument;

/// Show the records of identifiers
///
/// Exits with 3 when one is not registered, else with 4 when one is retired.
#[derive(Debug, clap::Args)]
pub struct Resolve {
    /// All versions, newest first
    #[arg(long)]
    history: bool,
    /// The identifiers, in any spelling
    #[arg(required = true, value_name = "IDENTIFIER")]
    identifiers: Vec<String>,
    #[command(flatten)]
    remote: Remote,
}

impl Resolve {
    /// Runs the command.
    pub fn run(self, output: &Output) -> Outcome {
        let client = self.remote.client()?;
        if self.history {
            return self.remote.block_on(self.show_histories(&client, output))?;
        }
        let results = self.remote.block_on(client.resolve_many(&self.identifiers))??;
        match results.as_slice() {
            [Resolved { record: Some(record), .. }] => output.record(record)?,
            [result] if output.json => output.json(result)?,
            results if output.json => output.json(&results)?,
            results => results.iter().try_for_each(|result| show(result, output))?,
        }
        Ok(exit_code(&results))
    }

    async fn show_histories(&self, client: &Client, output: &Output) -> Outcome {
        let mut code = SUCCESS;
        for text in &self.identifiers {
            let identifier = Identifier::parse(text)?;
            let versions = client.history(&identifier).await?;
            if versions.is_empty() {
                code = ABSENT;
                eprintln!("{identifier}: never registered");
            }
            for version in &versions {
                show_version(version, output)?;
            }
        }
        Ok(code)
    }
}

fn show(result: &Resolved, output: &Output) -> anyhow::Result<()> {
    let Resolved { identifier, outcome, record, problem } = result;
    if let Some(record) = record {
        output.record(record)?;
        return Ok(());
    }
    match (outcome, problem) {
        (_, Some(problem)) => eprintln!("{identifier}: {problem}"),
        (ResolvedOutcome::NotResponsible, None) => {
            eprintln!("{identifier}: its prefix is served by another node");
        }
        (ResolvedOutcome::Withheld, None) => {
            eprintln!("{identifier}: its prefix is suspended and its records are hidden");
        }
        (_, None) => eprintln!("{identifier}: not registered"),
    }
    Ok(())
}

/// Prints a version of a record and what changed with it.
pub(super) fn show_version(version: &Json, output: &Output) -> anyhow::Result<()> {
    if output.json {
        output.json_line(version)?;
        return Ok(());
    }
    let record: RecordDocument = serde_json::from_value(version.clone())?;
    let said = [("actor", &version["actor"]), ("reason", &version["reason"])]
        .into_iter()
        .filter(|(_, value)| value.as_str().is_some_and(|text| !text.is_empty()))
        .map(|(name, value)| (name, text_of(value)));
    let changes = ["added", "changed", "removed"].into_iter().filter_map(|name| {
        let places = version["changes"][name].as_array()?;
        let places: Vec<String> = places.iter().map(text_of).collect();
        Some((name, places.join(", ")))
    });
    let more = said.chain(changes).collect();
    output.record_and(&record, more)?;
    Ok(())
}

fn exit_code(results: &[Resolved]) -> u8 {
    let any = |wanted| results.iter().any(|result| result.outcome == wanted);
    if any(ResolvedOutcome::Failed) {
        FAILED
    } else if [ResolvedOutcome::Absent, ResolvedOutcome::Withheld, ResolvedOutcome::NotResponsible]
        .into_iter()
        .any(any)
    {
        ABSENT
    } else if any(ResolvedOutcome::Retired) {
        RETIRED
    } else {
        SUCCESS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_outcome_is_the_exit_code() {
        let code = |outcomes: &[ResolvedOutcome]| {
            let result = |&outcome| Resolved {
                identifier: "88.1/x".into(),
                outcome,
                record: None,
                problem: None,
            };
            exit_code(&outcomes.iter().map(result).collect::<Vec<_>>())
        };
        use ResolvedOutcome::*;
        assert_eq!(code(&[Record, Record]), SUCCESS);
        assert_eq!(code(&[Record, Retired]), RETIRED);
        assert_eq!(code(&[Absent, Retired]), ABSENT);
        assert_eq!(code(&[NotResponsible]), ABSENT);
        assert_eq!(code(&[Withheld, Retired]), ABSENT);
        assert_eq!(code(&[Failed, Absent]), FAILED);
    }
}
