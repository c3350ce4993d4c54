//! Templates, minting, batches and history.

use hyper::{Method, StatusCode};
use serde_json::{Value as Json, json};

use super::exchange::{Ask, Reply};
use super::{
    Client, ClientError, Condition, IDEMPOTENCY_KEY, IDENTIFIERS, Written, encode, path_of,
};
use crate::identifier::Identifier;

impl Client {
    /// Makes a template, or the draft of its next version, or changes that draft.
    pub async fn draft_template(
        &self,
        identifier: &Identifier,
        definition: &Json,
        condition: Condition,
    ) -> Result<Json, ClientError> {
        let ask = Ask::new(Method::PUT, template(identifier)).json(definition).when(condition);
        self.call(&ask).await?.accept()?.read()
    }

    /// Makes the draft the version that new records follow.
    pub async fn publish_template(&self, identifier: &Identifier) -> Result<Json, ClientError> {
        self.read_json(Ask::new(Method::POST, format!("{}/publish", template(identifier)))).await
    }

    /// Lets no new records follow a template.
    pub async fn withdraw_template(&self, identifier: &Identifier) -> Result<Json, ClientError> {
        self.read_json(Ask::new(Method::POST, format!("{}/withdraw", template(identifier)))).await
    }

    /// A template, or one of its versions.
    pub async fn template(
        &self,
        identifier: &Identifier,
        version: Option<u64>,
    ) -> Result<Json, ClientError> {
        let version = version.map(|version| format!("/versions/{version}")).unwrap_or_default();
        self.read_json(Ask::new(Method::GET, template(identifier) + &version)).await
    }

    /// The JSON Schema of records that follow a template.
    pub async fn template_schema(
        &self,
        identifier: &Identifier,
        version: Option<u64>,
    ) -> Result<Json, ClientError> {
        let query = version.map(|version| format!("?version={version}")).unwrap_or_default();
        let path = format!("{}/schema{query}", template(identifier));
        self.read_json(Ask::new(Method::GET, path)).await
    }

    /// All templates, or those under a prefix, without their definitions.
    pub async fn templates(&self, prefix: Option<&str>) -> Result<Vec<Json>, ClientError> {
        let prefix = prefix.map(|prefix| format!("&prefix={}", encode(prefix))).unwrap_or_default();
        let (mut templates, mut after) = (Vec::new(), String::new());
        loop {
            let path = format!("{TEMPLATES}?limit=1000{prefix}{after}");
            let mut page = self.read_json(Ask::new(Method::GET, path)).await?;
            if let Json::Array(found) = page["templates"].take() {
                templates.extend(found);
            }
            let Some(next) = page["next"].as_str() else { return Ok(templates) };
            let next = format!("&after={}", encode(next));
            if next == after {
                return Ok(templates);
            }
            after = next;
        }
    }

    /// The templates that come with the program, or the definition of one of them.
    pub async fn shipped_templates(&self, name: Option<&str>) -> Result<Json, ClientError> {
        let name = name.map(|name| format!("/{}", encode(name))).unwrap_or_default();
        self.read_json(Ask::new(Method::GET, format!("{TEMPLATES}/shipped{name}"))).await
    }

    /// Registers the next identifier by a template's coding rule. `body` is a minting.
    pub async fn mint(
        &self,
        body: &Json,
        idempotency_key: Option<&str>,
    ) -> Result<Written, ClientError> {
        let ask = Ask::new(Method::POST, IDENTIFIERS.into()).json(body);
        self.write(keyed(ask, idempotency_key)?).await
    }

    /// Changes many records. `body` is a batch.
    pub async fn batch(
        &self,
        body: &Json,
        idempotency_key: Option<&str>,
    ) -> Result<Json, ClientError> {
        let ask = Ask::new(Method::POST, "/api/v1/batches".into()).json(body);
        self.read_json(keyed(ask, idempotency_key)?).await
    }

    /// Makes an earlier version of a record its next one.
    pub async fn restore(
        &self,
        identifier: &Identifier,
        version: u64,
    ) -> Result<Written, ClientError> {
        let path = format!("{}/restore", path_of(identifier));
        self.write(Ask::new(Method::POST, path).json(&json!({ "version": version }))).await
    }

    /// All versions of a record, newest first; empty when it was never registered.
    pub async fn history(&self, identifier: &Identifier) -> Result<Vec<Json>, ClientError> {
        let path = format!("{}/history", path_of(identifier));
        let mut versions = Vec::new();
        let mut before: Option<u64> = None;
        loop {
            let query = before.map(|version| format!("?before={version}")).unwrap_or_default();
            let reply = self.call(&Ask::new(Method::GET, path.clone() + &query)).await?;
            if reply.status == StatusCode::NOT_FOUND {
                return Ok(versions);
            }
            let page: super::History = reply.accept()?.read()?;
            versions.extend(page.versions);
            match page.next {
                Some(next) if before.is_none_or(|before| next < before) => before = Some(next),
                _ => return Ok(versions),
            }
        }
    }

    async fn read_json(&self, ask: Ask) -> Result<Json, ClientError> {
        self.call(&ask).await.and_then(Reply::accept)?.read()
    }
}

fn keyed(ask: Ask, key: Option<&str>) -> Result<Ask, ClientError> {
    match key {
        Some(key) => ask.header(IDEMPOTENCY_KEY, key),
        None => Ok(ask),
    }
}

fn template(identifier: &Identifier) -> String {
    format!("{TEMPLATES}/{}", identifier.path_segment())
}

const TEMPLATES: &str = "/api/v1/templates";
