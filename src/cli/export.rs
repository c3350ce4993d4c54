//! `nameplate export`: records as lines that `import` reads back.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::Context;
use serde_json::{Value as Json, json};

use super::output::Output;
use super::remote::Remote;
use super::{Outcome, SUCCESS};
use crate::client::Client;
use crate::record::{RecordDocument, Status, ValueDocument};

/// Write records as NDJSON that import reads back
///
/// Retired identifiers are left out and counted: importing them would register them again. Values
/// that not everybody may read are exported with a token that may read them.
#[derive(Debug, clap::Args)]
pub struct Export {
    /// Prefix, with all below it; repeatable. All of the node's when left out
    #[arg(long, value_name = "PREFIX")]
    prefix: Vec<String>,
    /// File to write; standard output when left out
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    remote: Remote,
}

/// What was exported.
#[derive(Debug, Default)]
struct Counts {
    exported: u64,
    retired: u64,
}

impl Export {
    /// Runs the command.
    pub fn run(self, output: &Output) -> Outcome {
        let client = self.remote.client()?;
        let mut counts = Counts::default();
        match &self.output {
            None => {
                let mut lines = BufWriter::new(std::io::stdout().lock());
                self.remote.block_on(self.write(&client, &mut lines, &mut counts))??;
                lines.flush()?;
            }
            Some(path) => {
                let name = path.display();
                // Appears under its name only when it is complete.
                let partial = path.with_added_extension("part");
                let file = File::create(&partial)
                    .with_context(|| format!("cannot write {}", partial.display()))?;
                let mut lines = BufWriter::new(file);
                self.remote.block_on(self.write(&client, &mut lines, &mut counts))??;
                let file = lines.into_inner().with_context(|| format!("cannot write {name}"))?;
                file.sync_all().with_context(|| format!("cannot write {name}"))?;
                std::fs::rename(&partial, path).with_context(|| format!("cannot write {name}"))?;
            }
        }
        let Counts { exported, retired } = counts;
        if output.json && self.output.is_some() {
            output.json_line(&json!({"exported": exported, "retired": retired}))?;
        } else {
            eprintln!("{exported} exported, {retired} retired left out");
        }
        Ok(SUCCESS)
    }

    async fn write(
        &self,
        client: &Client,
        lines: &mut impl Write,
        counts: &mut Counts,
    ) -> anyhow::Result<()> {
        let everything = self.prefix.is_empty().then_some(None);
        for prefix in self.prefix.iter().map(|prefix| Some(prefix.as_str())).chain(everything) {
            let mut after: Option<String> = None;
            loop {
                let page = client.list(prefix, after.as_deref(), PAGE_RECORDS).await?;
                for record in &page.records {
                    if record.status == Status::Retired {
                        counts.retired += 1;
                        continue;
                    }
                    counts.exported += 1;
                    serde_json::to_writer(&mut *lines, &registration(record))?;
                    lines.write_all(b"\n")?;
                }
                match page.next {
                    Some(next) if after.as_ref() != Some(&next) => after = Some(next),
                    _ => break,
                }
            }
        }
        Ok(())
    }
}

/// The line that registers a record as it is.
fn registration(record: &RecordDocument) -> Json {
    let values: Vec<Json> = record.values.iter().map(value).collect();
    let mut line = json!({"identifier": record.identifier});
    if !values.is_empty() {
        line["values"] = values.into();
    }
    if !record.attributes.is_empty() || record.values.is_empty() {
        line["attributes"] = json!(record.attributes);
    }
    line
}

fn value(document: &ValueDocument) -> Json {
    let ValueDocument { index, kind, data, ttl, permissions, references, .. } = document;
    let mut value = json!({"index": index, "type": kind, "data": data});
    // A moment instead of seconds cannot be registered: the default takes its place.
    if ttl.is_u64() {
        value["ttl"] = ttl.clone();
    }
    if let Some(permissions) = permissions {
        value["permissions"] = permissions.as_str().into();
    }
    if !references.is_empty() {
        value["references"] = json!(references);
    }
    value
}

/// Records asked for at once.
const PAGE_RECORDS: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identifier::Identifier;
    use crate::record::{Draft, Record, View, ViewKind};

    #[test]
    fn an_exported_line_registers_the_same_record() {
        let body = json!({
            "values": [
                {"index": 1, "type": "URL", "data": "https://h/", "ttl": 60},
                {"index": 7, "type": "KEY", "data": {"format": "hex", "value": "ff00"},
                 "permissions": "1100", "references": [{"handle": "88.1/k", "index": 300}]},
            ],
            "attributes": {"model": "P", "phases": 3, "spare": true, "list": [1, "a"]},
        });
        let draft = Draft::from_json(body.to_string().as_bytes()).unwrap();
        let values = draft.into_values(None, 1_000).unwrap();
        let record = Record {
            identifier: Identifier::parse("88.118/Ab").unwrap(),
            values: values.clone(),
            version: 1,
            status: Status::Active,
            registrant: "a".into(),
            held_apart: false,
            actor: "a".into(),
            reason: String::new(),
            created_ms: 1_000,
            modified_ms: 1_000,
        };
        let view = View { record: &record, kind: &ViewKind::Full };
        let mut line = registration(&RecordDocument::new(&view, 0));
        assert_eq!(line["identifier"], "88.118/Ab");
        line.as_object_mut().unwrap().remove("identifier");
        let again = Draft::from_json(line.to_string().as_bytes()).unwrap();
        assert_eq!(again.into_values(None, 1_000).unwrap(), values);
    }
}
