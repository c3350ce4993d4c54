//! The import: one stream of lines up, one stream of outcomes down.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value as Json;

use crate::catalogue::{Item, TEMPLATE};
use crate::http::Connection;
use crate::node::TOKEN;

/// What an import came to.
pub struct Imported {
    /// From the first byte sent to the last acknowledgement read.
    pub elapsed: Duration,
    /// Bytes of the lines sent.
    pub sent_bytes: u64,
    /// The node's summary.
    pub summary: String,
}

/// Imports items 0 to `count` - 1 into an empty node and fails unless every one was registered.
pub fn run(http: SocketAddr, count: u64) -> Result<Imported> {
    let mut connection = Connection::open(http, PATIENCE)?;
    let writer = connection.writer()?;
    let started = Instant::now();
    let (sent, read) = std::thread::scope(|scope| {
        let sender = scope.spawn(|| send(writer, count));
        let read = read_outcomes(&mut connection);
        if read.is_err() {
            // Ends a sender that waits for a node that no longer reads.
            let _ = connection.writer().map(|stream| stream.shutdown(std::net::Shutdown::Both));
        }
        (sender.join().expect("the sender panicked"), read)
    });
    let elapsed = started.elapsed();
    let outcomes = read?;
    let sent_bytes = sent?;
    ensure!(
        outcomes.lines == count && outcomes.faults == 0,
        "of {count} identifiers {} were answered, {} of them with a fault: {}",
        outcomes.lines,
        outcomes.faults,
        outcomes.first_fault.unwrap_or_default()
    );
    let summary = outcomes.summary.context("the import ended without a summary")?;
    Ok(Imported { elapsed, sent_bytes, summary })
}

/// Writes items 0 to `count` - 1 as templated records into a file, one JSON object per line; gives
/// its bytes. The same count gives the same file.
pub fn write_file(path: &Path, count: u64) -> Result<u64> {
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut file = BufWriter::with_capacity(CHUNK_BYTES, file);
    let (mut line, mut written) = (String::new(), 0);
    for number in 0..count {
        line.clear();
        Item::new(number).write_line(Some(TEMPLATE), &mut line);
        file.write_all(line.as_bytes())?;
        written += line.len() as u64;
    }
    file.flush()?;
    Ok(written)
}

fn send(mut stream: TcpStream, count: u64) -> Result<u64> {
    let head = format!(
        "POST /api/v1/imports HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {TOKEN}\r\n\
         content-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    let (mut lines, mut framed, mut sent) = (String::new(), Vec::new(), 0);
    for number in 0..count {
        Item::new(number).write_line(None, &mut lines);
        if lines.len() >= CHUNK_BYTES || number + 1 == count {
            framed.clear();
            write!(framed, "{:x}\r\n{lines}\r\n", lines.len())?;
            stream.write_all(&framed).context("cannot send the import")?;
            sent += lines.len() as u64;
            lines.clear();
        }
    }
    stream.write_all(b"0\r\n\r\n")?;
    Ok(sent)
}

fn read_outcomes(connection: &mut Connection) -> Result<Outcomes> {
    let head = connection.read_head()?;
    let (mut outcomes, mut rest) = (Outcomes::default(), Vec::new());
    connection.read_body(head, |piece| {
        rest.extend_from_slice(piece);
        let complete = match head.status {
            200 => rest.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1),
            _ => 0,
        };
        for line in rest[..complete].split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            outcomes.add(line);
        }
        rest.drain(..complete);
        Ok(())
    })?;
    let problem = String::from_utf8_lossy(&rest);
    ensure!(head.status == 200, "the import was answered with {}: {problem}", head.status);
    Ok(outcomes)
}

/// The lines of an import's answer.
#[derive(Default)]
struct Outcomes {
    lines: u64,
    faults: u64,
    first_fault: Option<String>,
    summary: Option<String>,
}

impl Outcomes {
    /// Counts a line. Text is searched, not parsed: on two cores the generator's work would
    /// slow the node down.
    fn add(&mut self, line: &[u8]) {
        if line.starts_with(b"{\"summary\"") {
            let json: Option<Json> = serde_json::from_slice(line).ok();
            self.summary = json.map(|json| json["summary"].to_string());
            return;
        }
        self.lines += 1;
        if !contains(line, b"\"created\"") {
            self.faults += 1;
            let text = || String::from_utf8_lossy(line).into_owned();
            self.first_fault.get_or_insert_with(text);
        }
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

const CHUNK_BYTES: usize = 64 * 1024;

/// How long the node may take to read or write anything.
const PATIENCE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_has_a_line_for_every_record_and_is_always_the_same() {
        let path = std::env::temp_dir().join(format!("nameplate-lines-{}", std::process::id()));
        let written: Vec<(u64, String)> = (0..2)
            .map(|_| (write_file(&path, 2_000).unwrap(), std::fs::read_to_string(&path).unwrap()))
            .collect();
        std::fs::remove_file(path).unwrap();
        let (bytes, text) = &written[0];
        assert_eq!((*bytes, text.lines().count()), (text.len() as u64, 2_000));
        assert!(text.ends_with('\n') && written[0] == written[1]);
    }

    #[test]
    fn outcome_lines_are_judged() {
        let mut outcomes = Outcomes::default();
        outcomes.add(br#"{"line":1,"identifier":"88.118/1","outcome":"created"}"#);
        outcomes.add(br#"{"line":2,"identifier":"88.118/","error":"empty suffix"}"#);
        outcomes.add(br#"{"summary":{"created":1,"failed":1}}"#);
        assert_eq!((outcomes.lines, outcomes.faults), (2, 1));
        assert!(outcomes.first_fault.unwrap().contains("empty suffix"));
        assert_eq!(outcomes.summary.unwrap(), r#"{"created":1,"failed":1}"#);
    }
}
