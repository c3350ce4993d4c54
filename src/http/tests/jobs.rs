//! Jobs through the routes.

use super::*;

const JOBS: &str = "/api/v1/jobs";

impl Node {
    async fn job(&self, body: Json) -> String {
        let reply = self.ask(&format!("POST {JOBS}"), &[], Some(body)).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
        let id = reply.json()["id"].as_str().unwrap().to_owned();
        assert_eq!(reply.header("location"), format!("{JOBS}/{id}"));
        id
    }

    async fn send_table(&self, id: &str, table: &str, range: Option<&str>) -> Reply {
        let mut headers = vec![("content-type", "application/octet-stream")];
        headers.extend(range.map(|range| ("content-range", range)));
        self.ask(&format!("PUT {JOBS}/{id}/data"), &headers, Some(table.into())).await
    }

    async fn end_of(&self, id: &str) -> Json {
        for _ in 0..3_000 {
            let job = self.ask(&format!("GET {JOBS}/{id}"), &[], None).await.json();
            if matches!(job["state"].as_str(), Some("done" | "failed" | "paused")) {
                return job;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        panic!("the job does not end");
    }
}

#[tokio::test]
async fn a_table_is_sent_in_parts_and_its_faults_are_fetched() {
    let node = Node::new();
    let id = node.job(json!({"kind": "import", "format": "csv", "reason": "初始化"})).await;
    let table = "identifier,url,model\r\n88.118/1,https://h/1,=A1\r\n88.118/2,x,y,z\r\n";
    let total = table.len();
    let (first, rest) = table.split_at(30);
    let reply = node.send_table(&id, first, Some(&format!("bytes 0-29/{total}"))).await;
    assert_eq!((reply.status, &reply.json()["uploaded_bytes"]), (StatusCode::OK, &json!(30)));
    assert_eq!(reply.json()["state"], "waiting-for-data");
    let reply = node.send_table(&id, rest, Some(&format!("bytes 20-{}/{total}", total - 11))).await;
    assert_eq!(reply.problem(), "wrong-state");
    assert!(reply.text().contains("begin at 30"), "{}", reply.text());
    let short = node.send_table(&id, "abc", Some(&format!("bytes 30-39/{total}"))).await;
    assert_eq!(short.problem(), "bad-request");
    let id = {
        // What came is kept, right or wrong; a table can be sent again from its beginning.
        let kept = node.ask(&format!("GET {JOBS}/{id}"), &[], None).await.json();
        assert_eq!(kept["uploaded_bytes"], 33);
        node.send_table(&id, table, None).await;
        id
    };
    let job = node.end_of(&id).await;
    assert_eq!(job["tally"]["created"], 1, "{job}");
    assert_eq!((&job["tally"]["failed"], &job["rows"]), (&json!(1), &json!(2)));
    assert_eq!(job["done_bytes"], total);
    let rejects = node.ask(&format!("GET {JOBS}/{id}/rejects"), &[], None).await;
    assert_eq!(rejects.header("content-type"), "text/csv");
    assert!(rejects.text().contains("field-count"), "{}", rejects.text());
    let history = node.ask("GET /api/v1/identifiers/88.118%2F1/history", &[], None).await.json();
    assert_eq!(history["versions"][0]["reason"], "初始化");
    let again = node.send_table(&id, table, None).await;
    assert_eq!(again.problem(), "wrong-state");

    let export = node.ask("GET /api/v1/exports?prefix=88.118&format=csv", &[], None).await;
    assert_eq!(export.text(), "identifier,url,model\r\n88.118/1,https://h/1,'=A1\r\n");
    let export = node.ask("GET /api/v1/exports", &[], None).await;
    assert_eq!(export.header("content-type"), "application/x-ndjson");
    assert!(export.text().starts_with("{\"attributes\":{\"model\":\"=A1\"}"), "{}", export.text());
}

#[tokio::test]
async fn jobs_are_listed_turned_and_removed() {
    let node = Node::new();
    let id = node.job(json!({"kind": "import", "format": "ndjson"})).await;
    let export = node.job(json!({"kind": "export", "format": "ndjson"})).await;
    assert_eq!(node.end_of(&export).await["state"], "done");
    let page = node.ask(&format!("GET {JOBS}?limit=1"), &[], None).await.json();
    assert_eq!(page["jobs"].as_array().unwrap().len(), 1);
    let next = page["next"].as_str().unwrap();
    let page = node.ask(&format!("GET {JOBS}?after={next}"), &[], None).await.json();
    assert_eq!(page["jobs"].as_array().unwrap().len(), 1);
    assert!(page.get("next").is_none());
    let turn = async |verb: &str| node.ask(&format!("POST {JOBS}/{id}/{verb}"), &[], None).await;
    assert_eq!(turn("pause").await.problem(), "wrong-state");
    assert_eq!(turn("resume").await.problem(), "wrong-state");
    let remove = format!("DELETE {JOBS}/{id}");
    assert_eq!(node.ask(&remove, &[], None).await.problem(), "wrong-state");
    assert_eq!(turn("cancel").await.json()["state"], "cancelled");
    assert_eq!(node.ask(&remove, &[], None).await.status, 204);
    assert_eq!(node.ask(&remove, &[], None).await.problem(), "not-found");
    let result = node.ask(&format!("GET {JOBS}/{export}/result"), &[], None).await;
    assert_eq!((result.status, result.text()), (StatusCode::OK, String::new()));
    let rejects = node.ask(&format!("GET {JOBS}/{export}/rejects"), &[], None).await;
    assert_eq!(rejects.problem(), "wrong-state");
}

#[tokio::test]
async fn bad_jobs_are_refused() {
    let node = Node::new();
    let post = format!("POST {JOBS}");
    for (body, problem) in [
        (json!({"kind": "import"}), "bad-json"),
        (json!({"kind": "import", "format": "xlsx"}), "bad-json"),
        (json!({"kind": "import", "format": "csv", "columns": {}}), "bad-json"),
        (json!({"kind": "import", "format": "csv", "mapping": {"column": {}}}), "bad-json"),
        (json!({"kind": "import", "format": "csv", "mapping": []}), "bad-json"),
        (json!({"kind": "import", "format": "ndjson", "mapping": {}}), "faulty"),
        (json!({"kind": "import", "format": "csv", "template": "x"}), "faulty"),
        (json!({"kind": "import", "format": "csv", "prefix": "88/1"}), "faulty"),
        (json!({"kind": "export", "format": "csv", "reason": "a\u{7}b"}), "bad-request"),
        (json!("nothing"), "bad-json"),
    ] {
        let reply = node.ask(&post, &[], Some(body.clone())).await;
        assert_eq!(reply.problem(), problem, "{body}");
    }
    let anybody = node.ask_as_anybody(&format!("GET {JOBS}"), &[], None).await;
    assert_eq!(anybody.problem(), "unauthenticated");
    let anybody = node.ask_as_anybody("GET /api/v1/exports", &[], None).await;
    assert_eq!(anybody.problem(), "unauthenticated");
    for line in ["GET /api/v1/jobs/x", "POST /api/v1/jobs/0123456789abcdef/pause"] {
        assert_eq!(node.ask(line, &[], None).await.problem(), "not-found", "{line}");
    }
    let id = node.job(json!({"kind": "import", "format": "csv"})).await;
    let typed = [("content-type", "image/png")];
    let put = format!("PUT {JOBS}/{id}/data");
    assert_eq!(node.ask(&put, &typed, Some("x".into())).await.problem(), "bad-media-type");
    let large = node.send_table(&id, &" ".repeat(2 << 20), None).await;
    assert_eq!(large.problem(), "body-too-large");
    let ranged = node.send_table(&id, "x", Some("bytes 5-1/9")).await;
    assert_eq!(ranged.problem(), "bad-request");
    let query = node.ask("GET /api/v1/exports?format=xml", &[], None).await;
    assert_eq!(query.problem(), "bad-request");
    let query = node.ask("GET /api/v1/exports?prefix=88/1", &[], None).await;
    assert_eq!(query.problem(), "bad-request");
}
