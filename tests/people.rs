//! `GET /{identifier}`: where people with a scanned label, and programs, end up.

use serde_json::json;

use crate::harness::{Node, curl};

#[test]
fn a_scanned_label_lands_on_the_product() {
    let node = Node::fresh();
    let url = json!({"type": "URL", "data": "https://example.com/p?x=1#y"});
    node.put("88.118.8/SN-001", &json!({"values": [url], "attributes": {"model": "P-100"}}));
    let browser = "Accept: text/html,application/xhtml+xml,*/*;q=0.8";
    for headers in [&["-H", browser][..], &[]] {
        let at = node.url("/88.118.8/sn-001");
        let reply = curl(&[headers, &[at.as_str()]].concat());
        assert_eq!(reply.status, 302, "{}", reply.text());
        assert_eq!(reply.header("location"), Some("https://example.com/p?x=1#y"));
    }
    let page = curl(&["-H", browser, &node.url("/88.118.8/SN-001?noredirect")]);
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")));
    assert!(page.text().contains("P-100") && page.text().contains("88.118.8/SN-001"));
    let record = curl(&["-H", "Accept: application/json", &node.url("/88.118.8/SN-001")]);
    assert_eq!(record.expect(200)["attributes"]["model"], "P-100");
}

#[test]
fn without_a_url_there_is_a_page() {
    let node = Node::fresh();
    node.put("88.118/x", &json!({"attributes": {"note": "<script>alert(1)</script>"}}));
    let page = curl(&["-H", "Accept: text/html", &node.url("/88.118/x")]);
    assert_eq!(page.status, 200);
    assert!(!page.text().contains("<script>alert"), "attributes are text, not markup");
    assert!(page.header("content-security-policy").is_some());
}

#[test]
fn retired_absent_and_foreign_are_told_apart() {
    let node = Node::fresh();
    node.put("88.118/old", &json!({"values": [{"type": "URL", "data": "https://h/"}]}));
    node.admin("DELETE", "/api/v1/identifiers/88.118%2Fold", "");
    for accept in ["Accept: text/html", "Accept: application/json", "Accept: */*"] {
        let at = |path: &str| curl(&["-H", accept, &node.url(path)]).status;
        assert_eq!(at("/88.118/old"), 410);
        assert_eq!(at("/88.118/absent"), 404);
        assert_eq!(at("/99.1/x"), 404);
        assert_eq!(at("/api/nothing"), 404);
    }
}
