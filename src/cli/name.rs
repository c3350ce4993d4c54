//! `nameplate name`: every form of an identifier.

use serde_json::{Map, Value as Json};

use super::output::Output;
use super::remote::DEFAULT_SERVER;
use super::{Outcome, SUCCESS};
use crate::config::{self, Flags};
use crate::identifier::Identifier;

/// Print every form of an identifier: canonical, DNS name, URLs
#[derive(Debug, clap::Args)]
pub struct NameForms {
    /// The identifier, in any spelling
    identifier: String,
    /// Domain below which names are [env: NAMEPLATE_APEX] [default: id.example.]
    #[arg(long, value_name = "NAME")]
    apex: Option<String>,
    /// Base of the URLs
    #[arg(long, value_name = "URL", env = "NAMEPLATE_SERVER", default_value = DEFAULT_SERVER,
        hide_env_values = true)]
    server: String,
}

impl NameForms {
    /// Runs the command.
    pub fn run(self, output: &Output) -> Outcome {
        let identifier = Identifier::parse(&self.identifier)?;
        let mut flags = Flags::default();
        flags.values.extend(self.apex.map(|apex| ("apex", vec![apex])));
        let config = config::load(&flags, &|name| std::env::var(name).ok())?;
        let forms = forms(&identifier, config.apex.as_str(), self.server.trim_end_matches('/'));
        if output.json {
            let members: Map<String, Json> = forms
                .into_iter()
                .map(|(name, form)| (name.replace(' ', "_"), form.map_or(Json::Null, Json::from)))
                .collect();
            output.json(&members)?;
            return Ok(SUCCESS);
        }
        let rows: Vec<_> = forms
            .into_iter()
            .map(|(name, form)| (name, form.unwrap_or_else(|| "none: it does not fit".into())))
            .collect();
        output.table(&rows)?;
        Ok(SUCCESS)
    }
}

/// Each form by name; none where an identifier has no such form.
fn forms(identifier: &Identifier, apex: &str, server: &str) -> Vec<(&'static str, Option<String>)> {
    let key = identifier.key();
    vec![
        ("identifier", Some(identifier.spelling().to_owned())),
        ("canonical", Some(key.text().to_owned())),
        ("prefix", Some(key.prefix().to_string())),
        ("suffix", Some(identifier.suffix().to_owned())),
        ("dns", dns_name(identifier, apex)),
        ("hdl", Some(format!("hdl:{}", identifier.url_path()))),
        ("url", Some(format!("{server}/{}", identifier.url_path()))),
        ("api", Some(format!("{server}/api/v1/identifiers/{}", identifier.path_segment()))),
    ]
}

/// The identifier's name in DNS below `apex`; none when it has none.
fn dns_name(identifier: &Identifier, apex: &str) -> Option<String> {
    let apex = crate::dns::name::Name::parse(apex).ok()?;
    crate::dns::name::name_of(identifier.key(), &apex).map(|name| name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_shown() {
        let identifier = Identifier::parse("hdl:88.118.8/sn%20001").unwrap();
        let forms = forms(&identifier, "id.example.", "http://h");
        let form = |wanted: &str| {
            let found = forms.iter().find(|(name, _)| *name == wanted);
            found.and_then(|(_, form)| form.clone()).unwrap_or_default()
        };
        assert_eq!(form("identifier"), "88.118.8/sn 001");
        assert_eq!(form("canonical"), "88.118.8/SN 001");
        assert_eq!(form("prefix"), "88.118.8");
        assert_eq!(form("suffix"), "sn 001");
        assert_eq!(form("dns"), "SN\\032001._id.8.118.88.id.example.");
        assert_eq!(form("hdl"), "hdl:88.118.8/sn%20001");
        assert_eq!(form("url"), "http://h/88.118.8/sn%20001");
        assert_eq!(form("api"), "http://h/api/v1/identifiers/88.118.8%2Fsn%20001");
    }
}
