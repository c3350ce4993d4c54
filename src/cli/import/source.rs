//! Reading a file into lines of an import, on a thread of its own.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::thread::JoinHandle;

use anyhow::Context;
use bytes::Bytes;
use tokio::sync::mpsc;

use super::format::{BYTE_ORDER_MARK, Format, ReadLines, Reading};
use crate::client::ImportLine;

/// A file that is being read.
pub struct Source {
    /// Its lines, in batches.
    pub lines: mpsc::Receiver<Vec<ImportLine>>,
    /// Its size, if it has one.
    pub bytes: Option<u64>,
    /// Ends with the file; says why the rest could not be read.
    pub thread: JoinHandle<anyhow::Result<()>>,
}

impl Source {
    /// Opens a file, `-` for standard input, and reads it from line `first` on.
    pub fn open(path: &Path, format: Option<Format>, first: u64) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        let (input, bytes): (Box<dyn Read + Send>, _) = if name == "-" {
            (Box::new(std::io::stdin()), None)
        } else {
            let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
            let data = file.metadata().with_context(|| format!("cannot read {name}"))?;
            (Box::new(file), data.is_file().then_some(data.len()))
        };
        let mut input = BufReader::with_capacity(BUFFER_BYTES, input);
        let start = input.fill_buf().with_context(|| format!("cannot read {name}"))?;
        let format = match format {
            Some(format) => format,
            None => Format::detect(&name, start)
                .map_err(|reason| anyhow::anyhow!("{name}: {reason}"))?,
        };
        let (sender, lines) = mpsc::channel(BATCHES_AHEAD);
        let thread = std::thread::Builder::new().name("import".into()).spawn(move || {
            let batch = Vec::new();
            let feed = Feed { lines: Lines::new(input), first, sender, batch, batch_bytes: 0 };
            feed.run(&mut *format.reader()).with_context(|| name)
        })?;
        Ok(Self { lines, bytes, thread })
    }
}

/// The reading thread's state.
struct Feed<R> {
    lines: Lines<R>,
    first: u64,
    sender: mpsc::Sender<Vec<ImportLine>>,
    batch: Vec<ImportLine>,
    batch_bytes: usize,
}

/// The other end takes no more lines.
struct Closed;

impl<R: Read> Feed<R> {
    fn run(mut self, reader: &mut dyn ReadLines) -> anyhow::Result<()> {
        let mut begun: Option<u64> = None;
        loop {
            let line = self.lines.advance()?;
            let Some(Line { number, bytes }) = line else { break };
            let reading = match bytes {
                Some(bytes) => reader.read(bytes),
                None => Reading::Fault(format!("a line of over {MAX_LINE_BYTES} bytes")),
            };
            let start = begun.take().unwrap_or(number);
            if reading == Reading::Unfinished {
                begun = Some(start);
            }
            if self.take(start, reading)?.is_err() {
                return Ok(());
            }
        }
        let reading = reader.finish();
        if self.take(begun.unwrap_or(self.lines.number), reading)?.is_ok() {
            let _ = self.send();
        }
        Ok(())
    }

    fn take(&mut self, number: u64, reading: Reading) -> anyhow::Result<Result<(), Closed>> {
        let body: Result<Bytes, String> = match reading {
            Reading::Unusable(reason) => anyhow::bail!(reason),
            Reading::Nothing | Reading::Unfinished => return Ok(self.send_if_due()),
            Reading::Registration(json) => Ok(json),
            Reading::Fault(reason) => Err(reason),
        };
        // What was read before the line to begin with is known to be there.
        if number >= self.first {
            self.batch_bytes += body.as_ref().map_or(0, Bytes::len);
            self.batch.push(ImportLine { number, end: self.lines.offset, body });
        }
        Ok(self.send_if_due())
    }

    /// Sends when there is enough, or when waiting for more input could take time.
    fn send_if_due(&mut self) -> Result<(), Closed> {
        let full = self.batch.len() >= BATCH_LINES || self.batch_bytes >= BATCH_BYTES;
        if full || self.lines.is_drained() { self.send() } else { Ok(()) }
    }

    fn send(&mut self) -> Result<(), Closed> {
        self.batch_bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        if batch.is_empty() {
            return if self.sender.is_closed() { Err(Closed) } else { Ok(()) };
        }
        self.sender.blocking_send(batch).map_err(|_| Closed)
    }
}

/// Lines of bounded length.
struct Lines<R> {
    input: BufReader<R>,
    buffer: Vec<u8>,
    /// Number of the last line, from 1.
    number: u64,
    /// Bytes up to the end of the last line.
    offset: u64,
}

/// A line without its end.
struct Line<'a> {
    number: u64,
    /// None when it is too long.
    bytes: Option<&'a [u8]>,
}

impl<R: Read> Lines<R> {
    fn new(input: BufReader<R>) -> Self {
        Self { input, buffer: Vec::new(), number: 0, offset: 0 }
    }

    /// Whether the next line needs more input than has been read.
    fn is_drained(&self) -> bool {
        !self.input.buffer().contains(&b'\n')
    }

    /// The next line; none at the end.
    fn advance(&mut self) -> std::io::Result<Option<Line<'_>>> {
        self.buffer.clear();
        let mut length = 0_u64;
        loop {
            let available = match self.input.fill_buf() {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                available => available?,
            };
            let (part, ended) = match available.iter().position(|&byte| byte == b'\n') {
                Some(at) => (available.get(..=at).unwrap_or_default(), true),
                None => (available, available.is_empty()),
            };
            let room = (MAX_LINE_BYTES + 2).saturating_sub(self.buffer.len());
            self.buffer.extend_from_slice(part.get(..room).unwrap_or(part));
            let taken = part.len();
            length += taken as u64;
            self.input.consume(taken);
            if ended {
                break;
            }
        }
        if length == 0 {
            return Ok(None);
        }
        self.number += 1;
        self.offset += length;
        let mut line = self.buffer.as_slice();
        line = line.strip_suffix(b"\n").unwrap_or(line);
        line = line.strip_suffix(b"\r").unwrap_or(line);
        if self.number == 1 {
            line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        }
        let bytes = (length <= MAX_LINE_BYTES as u64 + 2).then_some(line);
        Ok(Some(Line { number: self.number, bytes }))
    }
}

/// Most bytes of a line; what nodes take in one line of an import.
const MAX_LINE_BYTES: usize = 1 << 20;

/// Bytes that are read from a file at once.
const BUFFER_BYTES: usize = 256 * 1_024;

/// Most lines and bytes in a batch.
const BATCH_LINES: usize = 512;
const BATCH_BYTES: usize = 128 * 1_024;

/// Batches that may be read ahead.
const BATCHES_AHEAD: usize = 8;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read(name: &str, text: &[u8], first: u64) -> (Vec<ImportLine>, anyhow::Result<()>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        File::create(&path).unwrap().write_all(text).unwrap();
        let mut source = Source::open(&path, None, first).unwrap();
        assert_eq!(source.bytes, Some(text.len() as u64));
        let mut lines = Vec::new();
        while let Some(batch) = source.lines.blocking_recv() {
            lines.extend(batch);
        }
        (lines, source.thread.join().unwrap())
    }

    fn numbers(lines: &[ImportLine]) -> Vec<(u64, bool)> {
        lines.iter().map(|line| (line.number, line.body.is_ok())).collect()
    }

    #[test]
    fn lines_keep_their_numbers() {
        let text = b"\xef\xbb\xbf{\"a\":1}\r\n\r\n{\"b\":\"\xff\"}\n{\"c\":3}";
        let (lines, end) = read("x.ndjson", text, 1);
        end.unwrap();
        assert_eq!(numbers(&lines), [(1, true), (3, false), (4, true)]);
        assert_eq!(lines[0].body.as_deref(), Ok(&b"{\"a\":1}"[..]));
        assert_eq!(lines[2].end, text.len() as u64);
        let (lines, _) = read("x.ndjson", text, 4);
        assert_eq!(numbers(&lines), [(4, true)]);
    }

    #[test]
    fn records_of_several_lines_have_the_number_of_their_first() {
        let text = "\u{feff}identifier,note\r\n88.1/1,\"a\r\nb\"\r\n88.1/2,\"open\r\n";
        let (lines, end) = read("x.csv", text.as_bytes(), 1);
        end.unwrap();
        assert_eq!(numbers(&lines), [(2, true), (4, false)]);
    }

    #[test]
    fn the_header_counts_even_when_reading_begins_behind_it() {
        let (lines, _) = read("x.csv", b"identifier\n88.1/1\n88.1/2\n", 3);
        assert_eq!(numbers(&lines), [(3, true)]);
    }

    #[test]
    fn long_lines_are_reported_and_passed() {
        let mut text = b"{}\n".to_vec();
        text.resize(3 + MAX_LINE_BYTES + 3, b'x');
        text.extend_from_slice(b"\n{}\n");
        let (lines, end) = read("x.ndjson", &text, 1);
        end.unwrap();
        assert_eq!(numbers(&lines), [(1, true), (2, false), (3, true)]);
    }

    #[test]
    fn files_that_cannot_be_read_say_why() {
        let (lines, end) = read("x.csv", b"a,b\n1,2\n", 1);
        assert!(lines.is_empty());
        assert!(format!("{:#}", end.unwrap_err()).contains("no column identifier"));
        assert!(Source::open(Path::new("/nowhere/x.csv"), None, 1).is_err());
    }
}
