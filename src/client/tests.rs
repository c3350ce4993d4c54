//! The client against a node that is played by a few lines of hyper.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::*;

/// A server that answers every request with the same, and a client of it.
async fn answering(status: u16, body: &'static str) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = service_fn(move |request: Request<Incoming>| async move {
                request.into_body().collect().await.unwrap();
                let body = Full::new(Bytes::from_static(body.as_bytes()));
                Ok::<_, Infallible>(Response::builder().status(status).body(body).unwrap())
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer);
            tokio::spawn(connection);
        }
    });
    Client::new(&ClientOptions::new(server)).unwrap()
}

fn identifier() -> Identifier {
    Identifier::parse("88.118.8/SN-001").unwrap()
}

const RECORD: &str = r#"{"identifier":"88.118.8/SN-001","status":"active","version":3,
    "registrant":"a","created":"2026-01-01T00:00:00Z","modified":"2026-01-01T00:00:00Z",
    "ledger_index":9,"values":[],"attributes":{}}"#;

#[tokio::test]
async fn records_tombstones_and_absences_are_told_apart() {
    let client = answering(200, RECORD).await;
    // Twice, so that the second goes over the idle connection.
    for _ in 0..2 {
        let found = client.find(&identifier()).await.unwrap();
        assert!(matches!(found, Found::Record(record) if record.version == 3));
    }
    let client = answering(410, r#"{"detail":"is retired"}"#).await;
    assert!(matches!(client.find(&identifier()).await.unwrap(), Found::Retired(None)));
    let client = answering(404, r#"{"detail":"is not registered"}"#).await;
    let found = client.find(&identifier()).await.unwrap();
    assert!(matches!(found, Found::Absent(words) if words == "is not registered"));
}

#[tokio::test]
async fn refusals_carry_the_words_of_the_node() {
    let client = answering(412, r#"{"type":"urn:x","title":"T","detail":"at version 2"}"#).await;
    let error = client.retire(&identifier(), Condition::Version(1)).await.unwrap_err();
    assert_eq!((error.status(), error.to_string().as_str()), (Some(412), "at version 2"));
    let client = answering(502, "<html>bad gateway</html>").await;
    let error = client.retire(&identifier(), Condition::Always).await.unwrap_err();
    assert!(error.is_passing() && error.to_string().contains("bad gateway"));
    let client = answering(200, "not json").await;
    let error = client.find(&identifier()).await.unwrap_err();
    assert!(matches!(error, ClientError::Unreadable(_)));
}

#[tokio::test]
async fn silence_and_refused_connections_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut options = ClientOptions::new(format!("http://{}", listener.local_addr().unwrap()));
    options.timeout = Duration::from_millis(50);
    let client = Client::new(&options).unwrap();
    let error = client.find(&identifier()).await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
    drop(listener);
    let error = client.find(&identifier()).await.unwrap_err();
    assert!(error.to_string().contains("is the node running"), "{error}");
}

/// Plays an import on one connection: answers `outcomes` lines, then hangs up or ends well.
async fn play_import(stream: TcpStream, outcomes: u64) {
    let mut stream = BufReader::new(stream);
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut line = String::new();
    let mut answered = 0;
    let chunk = |text: String| format!("{:x}\r\n{text}\n\r\n", text.len() + 1);
    while answered < outcomes {
        line.clear();
        if stream.read_line(&mut line).await.unwrap() == 0 {
            return;
        }
        if line.starts_with('{') {
            answered += 1;
            let text = format!(r#"{{"line":{answered},"outcome":"created","identifier":"x"}}"#);
            stream.write_all(chunk(text).as_bytes()).await.unwrap();
        } else if line == "0\r\n" {
            let text = chunk(r#"{"summary":{"created":1,"complete":true}}"#.into());
            stream.write_all(format!("{text}0\r\n\r\n").as_bytes()).await.unwrap();
            return;
        }
    }
}

#[tokio::test]
async fn an_import_goes_on_where_a_connection_broke() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    tokio::spawn(async move {
        for outcomes in [3, 4, u64::MAX] {
            let (stream, _) = listener.accept().await.unwrap();
            counter.fetch_add(1, Ordering::SeqCst);
            play_import(stream, outcomes).await;
        }
    });
    let (sender, source) = mpsc::channel(2);
    tokio::spawn(async move {
        for number in 1..=20 {
            // Every fifth line has no registration and must not reach the node.
            let body = match number % 5 {
                0 => Err("bad".to_owned()),
                _ => Ok(Bytes::from(format!("{{\"identifier\":\"88.1/{number}\"}}"))),
            };
            sender.send(vec![ImportLine { number, end: number * 10, body }]).await.unwrap();
        }
    });
    let client = Client::new(&ClientOptions::new(server)).unwrap();
    let (mut lines, mut failed, mut broken) = (Vec::new(), Vec::new(), 0);
    let report = |event: ImportEvent<'_>| match event {
        ImportEvent::Line(ImportOutcome { number, end, verdict, .. }) => {
            assert_eq!(end, number * 10);
            lines.push(number);
            if let Verdict::Failed(reason) = verdict {
                failed.push((number, reason));
            }
        }
        ImportEvent::Interrupted(_) => broken += 1,
    };
    client.import(source, std::future::pending(), report).await.unwrap();
    assert_eq!(lines, (1..=20).collect::<Vec<_>>());
    assert_eq!(failed.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [5, 10, 15, 20]);
    assert_eq!((connections.load(Ordering::SeqCst), broken), (3, 2));
}

#[tokio::test]
async fn a_stopped_import_finishes_what_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        play_import(stream, u64::MAX).await;
    });
    // The source never ends by itself.
    let (sender, source) = mpsc::channel(2);
    let body = Ok(Bytes::from_static(b"{}"));
    sender.send(vec![ImportLine { number: 1, end: 2, body }]).await.unwrap();
    let (told, heard) = tokio::sync::oneshot::channel();
    let mut told = Some(told);
    let stop = async { heard.await.unwrap() };
    let client = Client::new(&ClientOptions::new(server)).unwrap();
    let report = |_: ImportEvent<'_>| {
        if let Some(told) = told.take() {
            told.send(()).unwrap();
        }
    };
    client.import(source, stop, report).await.unwrap();
    drop(sender);
}

#[tokio::test]
async fn an_import_that_is_refused_says_why() {
    let client = answering(401, r#"{"detail":"this token is unknown"}"#).await;
    let (sender, source) = mpsc::channel(2);
    drop(sender);
    let error = client.import(source, std::future::pending(), |_| {}).await.unwrap_err();
    assert_eq!(error.to_string(), "this token is unknown");
}
