//! schemathesis sends a node what the node's own OpenAPI document allows and forbids, and holds the
//! answers against the document.
//!
//! `EXAMPLES=1000` asks more of each operation, `SEED=7` other things. What is left out, and why,
//! is in `tests/foreign/schemathesis.toml`.

use std::path::Path;

use serde_json::json;

use crate::harness::{ADMIN_TOKEN, Launch, Node, decoded, output, python_program};

#[test]
fn strangers_are_answered_as_the_document_says() {
    test_api(None);
}

#[test]
fn administrators_are_answered_as_the_document_says() {
    let node = test_api(Some(ADMIN_TOKEN));
    // Had the token or its account ended on the way, 401 would be all that was tested.
    node.admin("GET", "/api/v1/tokens", "").expect(200);
}

/// Runs schemathesis against a node with some records; fails with what it prints.
fn test_api(token: Option<&str>) -> Node {
    let node = Launch::fresh().start();
    register_some(&node);
    let tokens = node.admin("GET", "/api/v1/tokens", "").expect(200);
    let foreign = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign");
    let variable = |name: &str, default: &str| std::env::var(name).unwrap_or(default.to_owned());
    let mut command = python_program("schemathesis");
    command
        .current_dir(node.launch().folder())
        .env("OWN_TOKEN", tokens["tokens"][0]["id"].as_str().expect("an id"))
        .env("OWN_ACCOUNT", tokens["tokens"][0]["account"].as_str().expect("an account"))
        .env("SCHEMATHESIS_HOOKS", foreign.join("schemathesis_hooks.py"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg("--config-file")
        .arg(foreign.join("schemathesis.toml"))
        .args(["run", &node.url("/api/v1/openapi.json"), "--no-color"])
        .args(["--max-examples", &variable("EXAMPLES", FEW_EXAMPLES)])
        .args(["--seed", &variable("SEED", "1")]);
    if let Some(token) = token {
        command.arg("--header").arg(format!("Authorization: Bearer {token}"));
    }
    let output = output(&mut command);
    let (stdout, stderr) = (decoded(&output.stdout), decoded(&output.stderr));
    assert!(output.status.success(), "{stdout}\n{stderr}");
    println!("{stdout}");
    node
}

/// Records with data of every form, so that there is something to read.
fn register_some(node: &Node) {
    let attributes = json!({"model": "P-100", "year": 2026, "on": true, "phases": [1, 2, 3]});
    let values = json!([
        {"type": "URL", "data": "https://example.com/p", "ttl": 300},
        {"type": "NOTE", "data": {"format": "base64", "value": "AP8="}, "permissions": "1100"},
        {"type": "DNS/NAPTR", "data": r#"10 100 "u" "E2U+sip" "!^.*$!sip:a@b.example!" ."#},
    ]);
    for suffix in ["SN-001", "SN-002", "SN-003"] {
        let identifier = format!("88.118.8/{suffix}");
        node.put(&identifier, &json!({"values": values, "attributes": attributes}));
    }
    node.admin("DELETE", "/api/v1/identifiers/88.118.8%2FSN-003", "");
}

/// Cases an operation gets from each way of making them up.
const FEW_EXAMPLES: &str = "20";
