//! Who may do what: tokens from their making to their end.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value as Json, json};

use crate::harness::{ADMIN_TOKEN, Launch, Node, Reply, exchange, nameplate, segment, text};

fn as_holder(node: &Node, secret: &str, method: &str, path: &str, body: &str) -> Reply {
    let bearer = format!("Bearer {secret}");
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    exchange(node.http, method, path, &headers, body.as_bytes()).expect("a reply")
}

fn make_token(node: &Node, arguments: &[&str]) -> Json {
    let all = [&["token", "create", "--json"], arguments].concat();
    serde_json::from_str(&text(&mut nameplate(node, &all))).expect("JSON")
}

const PASSWORD: &str = "correct horse battery";

const BODY: &str = r#"{"attributes":{"a":"b"}}"#;

#[test]
fn writing_needs_a_token_with_the_right_scope() {
    let node = Node::fresh();
    let at = |identifier: &str| format!("/api/v1/identifiers/{}", segment(identifier));
    let kind = [("Content-Type", "application/json")];
    let nobody = exchange(node.http, "PUT", &at("88.118.8/x"), &kind, BODY.as_bytes());
    let nobody = nobody.expect("a reply");
    nobody.problem(401);
    assert!(nobody.header("www-authenticate").is_some());
    as_holder(&node, "wrong", "PUT", &at("88.118.8/x"), BODY).problem(401);

    let token =
        make_token(&node, &["--account", "acme", "--prefix", "88.118.8", "--action", "register"]);
    let secret = token["secret"].as_str().expect("a secret");
    let made = as_holder(&node, secret, "PUT", &at("88.118.8/x"), BODY).expect(201);
    assert_eq!(made["registrant"], "acme");
    as_holder(&node, secret, "PUT", &at("88.118.80/x"), BODY).problem(403);
    as_holder(&node, secret, "PUT", &at("88.118/x"), BODY).problem(403);
    as_holder(&node, secret, "DELETE", &at("88.118.8/x"), "").problem(403);
    as_holder(&node, secret, "GET", "/api/v1/tokens", "").problem(403);

    let listed = text(&mut nameplate(&node, &["token", "list", "--json"]));
    assert!(listed.contains("acme") && !listed.contains(secret) && !listed.contains(ADMIN_TOKEN));
    let id = token["id"].as_str().expect("an id");
    text(&mut nameplate(&node, &["token", "revoke", id]));
    as_holder(&node, secret, "PUT", &at("88.118.8/y"), BODY).problem(401);
}

/// A command with a line on its standard input.
fn with_line(command: &mut Command, line: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("runs");
    let mut input = child.stdin.take().expect("a pipe");
    writeln!(input, "{line}").expect("written");
    drop(input);
    let output = child.wait_with_output().expect("ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn people_log_in_on_the_command_line() {
    let node = Node::fresh();
    let create = ["account", "create", "zhang.wei", "--role", "operator", "--password"];
    with_line(&mut nameplate(&node, &create), PASSWORD);
    let secret = with_line(&mut nameplate(&node, &["login", "zhang.wei"]), PASSWORD);
    let put = as_holder(&node, &secret, "PUT", "/api/v1/identifiers/88.118%2Fx", BODY);
    assert_eq!(put.expect(201)["registrant"], "zhang.wei");
    let list = text(&mut nameplate(&node, &["account", "list"]));
    assert!(
        list.contains("zhang.wei  operator ") && list.contains("admin      platform-admin"),
        "{list}"
    );
    let shown =
        text(nameplate(&node, &["account", "show", "zhang.wei"]).env("NAMEPLATE_TOKEN", &secret));
    assert!(shown.contains("operator"), "{shown}");
    text(nameplate(&node, &["logout"]).env("NAMEPLATE_TOKEN", &secret));
    as_holder(&node, &secret, "GET", "/api/v1/tokens", "").problem(401);
    let data = node.data();
    let (launch, status) = node.terminate();
    assert!(
        status.success() && !launch.log().contains(PASSWORD) && !launch.log().contains(&secret)
    );
    for secret in [PASSWORD, secret.as_str()] {
        let found = Command::new("grep").args(["-rlaF", "--", secret]).arg(&data).output();
        assert_eq!(String::from_utf8_lossy(&found.expect("grep runs").stdout), "", "in a file");
    }
}

#[test]
fn secrets_are_in_no_file_and_no_log() {
    let node = Node::fresh();
    let token = make_token(&node, &["--account", "acme", "--prefix", "88.118"]);
    let secret = token["secret"].as_str().expect("a secret").to_owned();
    as_holder(&node, &secret, "PUT", "/api/v1/identifiers/88.118%2Fx", BODY);
    let (launch, status) = node.terminate();
    assert!(status.success());
    assert!(!launch.log().contains(&secret) && !launch.log().contains(ADMIN_TOKEN));
    for secret in [secret.as_str(), ADMIN_TOKEN] {
        let found = Command::new("grep").args(["-rlaF", "--", secret]).arg(launch.data()).output();
        let found = found.expect("grep runs");
        assert_eq!(String::from_utf8_lossy(&found.stdout), "", "a secret is in a file");
    }
}

#[test]
fn the_first_start_shows_a_token_once() {
    let node = Launch::fresh().without_token().start();
    let log = node.launch().log();
    let words = log.split(|c: char| c.is_whitespace() || matches!(c, '"' | '=' | ':' | ','));
    let opens = |word: &str| as_holder(&node, word, "GET", "/api/v1/tokens", "").status == 200;
    let mut candidates = words.filter(|word| word.len() >= 22 && word.is_ascii());
    let secret = candidates.find(|word| opens(word)).expect("a token in the log").to_owned();
    let (launch, _) = node.terminate();
    let before = launch.log().len();
    let node = launch.start();
    assert!(!node.launch().log()[before..].contains(&secret), "shown a second time");
    assert_eq!(as_holder(&node, &secret, "GET", "/api/v1/tokens", "").status, 200);
}

#[test]
fn a_lost_token_is_replaced_on_the_stopped_node() {
    let node = Node::fresh();
    let data = node.data().display().to_string();
    let running = nameplate(&node, &["token", "create", "--data", &data]).output().expect("runs");
    assert!(!running.status.success(), "the node is running");
    let (launch, _) = node.terminate();
    let mut command = Command::new(env!("CARGO_BIN_EXE_nameplate"));
    let made = text(command.args(["token", "create", "--json", "--data", &data]));
    let made: Json = serde_json::from_str(&made).expect("JSON");
    let secret = made["secret"].as_str().expect("a secret");
    let node = launch.start();
    let put = as_holder(&node, secret, "PUT", "/api/v1/identifiers/88.118%2Fx", BODY);
    assert_eq!(put.expect(201)["version"], json!(1));
}
