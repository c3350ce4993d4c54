//! Imports, whole and while they go on.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn imports_tell_of_each_line() {
    let node = Node::with(Settings { import_chunk_lines: 2, ..Settings::default() });
    let text = r#"{"identifier":"88.118/1","attributes":{"n":"1"}}

{"identifier":"88.118/1","attributes":{"n":"1"}}
{"identifier":"88.118/1","attributes":{"n":"2"}}
{"identifier":"88.118/2","nonsense":1}
{"identifier":"99.1/2","attributes":{}}
not json"#;
    let ndjson = ("content-type", "application/x-ndjson");
    let body = Some(Json::String(text.into()));
    let reply = node.ask("POST /api/v1/imports", &[ndjson], body.clone()).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    let lines: Vec<Json> =
        reply.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> = lines[..6].iter().map(|line| (&line["line"], &line["outcome"])).collect();
    let expected = [
        (json!(1), json!("created")),
        (json!(3), json!("unchanged")),
        (json!(4), json!("updated")),
        (json!(5), json!("failed")),
        (json!(6), json!("failed")),
        (json!(7), json!("failed")),
    ];
    assert_eq!(told, expected.iter().map(|(line, told)| (line, told)).collect::<Vec<_>>());
    assert_eq!(
        lines[6]["summary"],
        json!({"created": 1, "updated": 1, "unchanged": 1, "failed": 3, "complete": true})
    );
    let faults = node.ask("POST /api/v1/imports?outcomes=failed", &[ndjson], body).await;
    assert_eq!(faults.text().lines().count(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_imports_are_bounded() {
    let node = Node::new();
    let send = async |body: Vec<u8>| {
        let request = Request::post("/api/v1/imports")
            .header("authorization", format!("Bearer {ADMIN}"))
            .header("content-type", "application/x-ndjson")
            .header("content-encoding", "gzip")
            .body(Body::from(body))
            .unwrap();
        let reply = node.send(request).await;
        let last = reply.text().lines().last().unwrap_or_default().to_owned();
        serde_json::from_str::<Json>(&last).unwrap()["summary"].clone()
    };
    let small = send(gzip(b"{\"identifier\":\"88.118/1\",\"attributes\":{}}\n")).await;
    assert_eq!((&small["created"], &small["complete"]), (&json!(1), &json!(true)));
    let bomb = send(gzip(&b"\n".repeat(64 << 20))).await;
    assert_eq!(bomb["problem"]["status"], 413, "{bomb}");
    let bomb = send(gzip(&b"x".repeat(64 << 20))).await;
    assert_eq!(bomb["problem"]["status"], 413, "{bomb}");
    let broken = send(b"no gzip at all".to_vec()).await;
    assert_eq!(broken["problem"]["status"], 400, "{broken}");
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let mut child = Command::new("gzip")
        .arg("-1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let plain = plain.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&plain).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output.stdout
}

#[tokio::test(flavor = "multi_thread")]
async fn outcomes_come_while_lines_go() {
    let (node, settings) = (Node::new(), Settings::default());
    let server = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let server = server.serve(node.router.clone(), &settings);
    let mut stream = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    let head = format!(
        "POST /api/v1/imports HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN}\r\n\
         Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut seen, mut piece) = (String::new(), [0; 4_096]);
    for number in 1..=3 {
        let line = format!("{{\"identifier\":\"88.118/{number}\",\"attributes\":{{}}}}\n");
        let chunk = format!("{:x}\r\n{line}\r\n", line.len());
        stream.write_all(chunk.as_bytes()).await.unwrap();
        while !seen.contains(&format!("\"line\":{number},\"outcome\":\"created\"")) {
            let count = stream.read(&mut piece).await.unwrap();
            assert_ne!(count, 0, "{seen}");
            seen.push_str(&String::from_utf8_lossy(&piece[..count]));
        }
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    while !seen.contains("\"complete\":true") {
        let count = stream.read(&mut piece).await.unwrap();
        assert_ne!(count, 0, "{seen}");
        seen.push_str(&String::from_utf8_lossy(&piece[..count]));
    }
    drop(stream);
    server.stop(std::time::Duration::from_secs(5)).await;
}
