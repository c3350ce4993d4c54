//! `nameplate codes`: regions and industries by name or code.

use serde_json::Value as Json;

use super::output::{Output, text_of};
use super::remote::Remote;
use super::{ABSENT, Outcome, SUCCESS};

/// Find codes of regions (GB/T 2260) and industries (GB/T 4754)
#[derive(Debug, clap::Args)]
pub struct Codes {
    /// Which table
    #[arg(value_parser = ["regions", "industries"], value_name = "regions|industries")]
    table: String,
    /// Beginning of a code, or words of a name
    #[arg(value_name = "TEXT")]
    text: Vec<String>,
    #[command(flatten)]
    remote: Remote,
}

impl Codes {
    /// Runs the command.
    pub fn run(self, output: &Output) -> Outcome {
        let client = self.remote.client()?;
        let text = self.text.join(" ");
        let found = self.remote.block_on(client.find_codes(&self.table, &text))??;
        if output.json {
            output.json(&found)?;
        } else if found.is_empty() {
            eprintln!("no code of {} begins with {text:?} and none is called so", self.table);
        } else {
            found.iter().try_for_each(|code| output.line(describe(code)))?;
        }
        Ok(if found.is_empty() { ABSENT } else { SUCCESS })
    }
}

/// The code, and the names of all levels down to it.
fn describe(code: &Json) -> String {
    let levels =
        ["province", "city", "county", "section", "division", "group", "class"].into_iter();
    let names = levels.filter_map(|level| code.get(level)?.get("name").map(text_of));
    let names = names.collect::<Vec<_>>().join(" / ");
    format!("{}  {names}", text_of(&code["code"]))
}
