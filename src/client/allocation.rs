//! Registrants, prefixes, transfers and codes: things that come and go as JSON.

use hyper::Method;
use serde_json::Value as Json;

use super::exchange::Ask;
use super::{Client, ClientError, Condition, encode};

/// A kind of thing under `/api/v1/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thing {
    /// Registrants, by name.
    Registrant,
    /// Prefixes, by themselves.
    Prefix,
    /// Transfers, by number.
    Transfer,
}

impl Thing {
    /// Its word in paths, also the member of lists that holds it.
    fn plural(self) -> &'static str {
        match self {
            Thing::Registrant => "registrants",
            Thing::Prefix => "prefixes",
            Thing::Transfer => "transfers",
        }
    }

    fn path(self, id: &str) -> String {
        format!("/api/v1/{}/{}", self.plural(), encode(id))
    }
}

impl Client {
    /// Applies as a registrant or for a prefix, or offers a transfer; the thing as it was made.
    pub async fn create_thing(&self, thing: Thing, body: &Json) -> Result<Json, ClientError> {
        let path = format!("/api/v1/{}", thing.plural());
        self.call(&Ask::new(Method::POST, path).json(body)).await?.accept()?.read()
    }

    /// A thing as it is.
    pub async fn read_thing(&self, thing: Thing, id: &str) -> Result<Json, ClientError> {
        self.call(&Ask::new(Method::GET, thing.path(id))).await?.accept()?.read()
    }

    /// Changes members of a thing; the thing as it is then.
    pub async fn update_thing(
        &self,
        thing: Thing,
        id: &str,
        body: &Json,
        condition: Condition,
    ) -> Result<Json, ClientError> {
        let ask = Ask::new(Method::PATCH, thing.path(id)).json(body).when(condition);
        self.call(&ask).await?.accept()?.read()
    }

    /// Takes a step with a thing; the thing as it is then.
    pub async fn step_thing(
        &self,
        thing: Thing,
        id: &str,
        step: &str,
        body: &Json,
    ) -> Result<Json, ClientError> {
        let path = format!("{}/{step}", thing.path(id));
        self.call(&Ask::new(Method::POST, path).json(body)).await?.accept()?.read()
    }

    /// All things of a kind that the asker may see and that fit the filters.
    pub async fn list_things(
        &self,
        thing: Thing,
        filters: &[(&str, String)],
    ) -> Result<Vec<Json>, ClientError> {
        let filters = filters.iter().map(|(name, value)| format!("{name}={}", encode(value)));
        let filters: Vec<_> = filters.collect();
        let path = format!("/api/v1/{}?{}", thing.plural(), filters.join("&"));
        self.all_pages(&path, thing.plural()).await
    }

    /// All versions of a thing, newest first.
    pub async fn history_of(&self, thing: Thing, id: &str) -> Result<Vec<Json>, ClientError> {
        self.all_pages(&format!("{}/history?limit=100", thing.path(id)), "entries").await
    }

    /// Regions or industries that a text fits, the likeliest first.
    pub async fn find_codes(&self, kind: &str, text: &str) -> Result<Vec<Json>, ClientError> {
        let path = format!("/api/v1/codes/{kind}?text={}", encode(text));
        let page: Json = self.call(&Ask::new(Method::GET, path)).await?.accept()?.read()?;
        Ok(items(&page, kind))
    }

    async fn all_pages(&self, path: &str, member: &str) -> Result<Vec<Json>, ClientError> {
        let (mut all, mut ask) = (Vec::new(), path.to_owned());
        for _ in 0..MAX_PAGES {
            let page: Json = self.call(&Ask::new(Method::GET, ask)).await?.accept()?.read()?;
            all.extend(items(&page, member));
            let Some(next) = page["next"].as_str() else { return Ok(all) };
            let separator = if path.ends_with('?') { "" } else { "&" };
            ask = format!("{path}{separator}after={}", encode(next));
        }
        Err(ClientError::Unreadable(format!("a list of more than {MAX_PAGES} pages")))
    }
}

fn items(page: &Json, member: &str) -> Vec<Json> {
    page[member].as_array().cloned().unwrap_or_default()
}

/// Most pages of a list: a node that repeats itself must not be asked for ever.
const MAX_PAGES: usize = 100_000;
