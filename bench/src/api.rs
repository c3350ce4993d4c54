//! Single calls of the node's HTTP API, for what happens beside the measurements.

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value as Json;

use crate::catalogue::{TEMPLATE, template_definition};
use crate::http::{Connection, segment};
use crate::node::TOKEN;

/// Sends a request with a JSON body, or with none where it is null; the answer, which must say that
/// all is well.
pub fn call(node: SocketAddr, method: &str, path: &str, body: &Json) -> Result<Json> {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let head = head(method, path, "application/json", body.len() as u64);
    let mut connection = Connection::open(node, PATIENCE)?;
    connection.writer()?.write_all((head + &body).as_bytes())?;
    let text = answer(&mut connection).with_context(|| format!("{method} {path}"))?;
    // A removal says nothing.
    if text.is_empty() { Ok(Json::Null) } else { Ok(serde_json::from_slice(&text)?) }
}

/// Sends a file as the body of a PUT; gives its bytes.
pub fn put_file(node: SocketAddr, path: &str, file: &Path) -> Result<u64> {
    let mut file = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    let bytes = file.metadata()?.len();
    let mut connection = Connection::open(node, PATIENCE)?;
    let mut writer = connection.writer()?;
    writer.write_all(head("PUT", path, "application/x-ndjson", bytes).as_bytes())?;
    std::io::copy(&mut file, &mut writer).context("cannot send the file")?;
    answer(&mut connection).with_context(|| format!("PUT {path}"))?;
    Ok(bytes)
}

/// A figure of `/metrics`.
pub fn metric(node: SocketAddr, name: &str) -> Result<f64> {
    let mut connection = Connection::open(node, PATIENCE)?;
    connection.writer()?.write_all(head("GET", "/metrics", "text/plain", 0).as_bytes())?;
    let text = String::from_utf8(answer(&mut connection).context("GET /metrics")?)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|figure| figure.trim().parse().ok()).with_context(|| format!("no metric {name}"))
}

/// Makes and publishes the template of templated records.
pub fn publish_template(node: SocketAddr) -> Result<()> {
    let path = format!("/api/v1/templates/{}", segment(TEMPLATE));
    call(node, "PUT", &path, &template_definition())?;
    call(node, "POST", &format!("{path}/publish"), &Json::Null).map(drop)
}

fn head(method: &str, path: &str, content_type: &str, bytes: u64) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {TOKEN}\r\n\
         content-type: {content_type}\r\ncontent-length: {bytes}\r\n\r\n"
    )
}

fn answer(connection: &mut Connection) -> Result<Vec<u8>> {
    let head = connection.read_head()?;
    let mut body = Vec::new();
    connection.read_body(head, |piece| {
        body.extend_from_slice(piece);
        Ok(())
    })?;
    let text = String::from_utf8_lossy(&body);
    ensure!((200..300).contains(&head.status), "answered with {}: {text}", head.status);
    Ok(body)
}

/// How long one call may take.
const PATIENCE: Duration = Duration::from_secs(60);
