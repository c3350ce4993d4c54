//! Grants and groups.

use hyper::Method;
use serde_json::{Value as Json, json};

use super::exchange::Ask;
use super::{Client, ClientError, Condition, encode};

impl Client {
    /// Gives a grant, or changes the attributes of one. `body` is a grant.
    pub async fn give_grant(&self, body: &Json) -> Result<Json, ClientError> {
        self.call(&Ask::new(Method::POST, GRANTS.into()).json(body)).await?.accept()?.read()
    }

    /// All grants that match; the pairs are members of the query.
    pub async fn grants(&self, query: &[(&str, &str)]) -> Result<Vec<Json>, ClientError> {
        self.pages(GRANTS, "grants", query).await
    }

    /// Takes a grant back.
    pub async fn revoke_grant(&self, id: &str) -> Result<(), ClientError> {
        let path = format!("{GRANTS}/{}", plain(id));
        self.call(&Ask::new(Method::DELETE, path)).await?.accept().map(drop)
    }

    /// Makes a group or replaces its members.
    pub async fn put_group(
        &self,
        id: &str,
        members: &[String],
        condition: Condition,
    ) -> Result<Json, ClientError> {
        let path = format!("{GROUPS}/{}", plain(id));
        let ask = Ask::new(Method::PUT, path).json(&json!({ "members": members })).when(condition);
        self.call(&ask).await?.accept()?.read()
    }

    /// A group.
    pub async fn group(&self, id: &str) -> Result<Json, ClientError> {
        let path = format!("{GROUPS}/{}", plain(id));
        self.call(&Ask::new(Method::GET, path)).await?.accept()?.read()
    }

    /// All groups of a keeper, or of the asker.
    pub async fn groups(&self, keeper: Option<&str>) -> Result<Vec<Json>, ClientError> {
        let query: Vec<_> = keeper.map(|keeper| ("keeper", keeper)).into_iter().collect();
        self.pages(GROUPS, "groups", &query).await
    }

    /// Removes a group that no grant names.
    pub async fn remove_group(&self, id: &str) -> Result<(), ClientError> {
        let path = format!("{GROUPS}/{}", plain(id));
        self.call(&Ask::new(Method::DELETE, path)).await?.accept().map(drop)
    }

    /// Everything in a list, page by page.
    async fn pages(
        &self,
        path: &str,
        things: &str,
        query: &[(&str, &str)],
    ) -> Result<Vec<Json>, ClientError> {
        let filter: String =
            query.iter().map(|(name, value)| format!("&{name}={}", encode(value))).collect();
        let (mut found, mut after) = (Vec::new(), String::new());
        loop {
            let path = format!("{path}?limit=1000{filter}{after}");
            let mut page: Json = self.call(&Ask::new(Method::GET, path)).await?.accept()?.read()?;
            if let Json::Array(more) = page[things].take() {
                found.extend(more);
            }
            let Some(next) = page["next"].as_str() else { return Ok(found) };
            let next = format!("&after={}", encode(next));
            if next == after {
                return Ok(found);
            }
            after = next;
        }
    }
}

/// A name in a path: everything that names of grants and groups cannot hold is encoded.
fn plain(id: &str) -> impl std::fmt::Display {
    const NAME: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_');
    percent_encoding::utf8_percent_encode(id, NAME)
}

const GRANTS: &str = "/api/v1/grants";
const GROUPS: &str = "/api/v1/groups";
