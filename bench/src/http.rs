//! A small blocking HTTP/1.1 client: cheap, so that the load generator's core is not the limit.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// A kept-alive connection.
pub struct Connection {
    reader: BufReader<TcpStream>,
    line: Vec<u8>,
}

/// The part of an answer's head that a load generator looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Status code.
    pub status: u16,
    length: Length,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Bytes(u64),
    Chunked,
}

impl Connection {
    /// Connects; reads and writes that take longer than `patience` fail.
    pub fn open(address: SocketAddr, patience: Duration) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, patience)
            .with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        Ok(Self { reader: BufReader::with_capacity(READ_BUFFER, stream), line: Vec::new() })
    }

    /// The connection's writing side, for a thread of its own.
    pub fn writer(&self) -> Result<TcpStream> {
        Ok(self.reader.get_ref().try_clone()?)
    }

    /// Sends a whole request and reads the whole answer; gives its status.
    pub fn exchange(&mut self, request: &[u8]) -> Result<u16> {
        self.reader.get_mut().write_all(request).context("cannot send")?;
        let head = self.read_head()?;
        self.read_body(head, |_| Ok(()))?;
        Ok(head.status)
    }

    /// Reads the head of the next answer.
    pub fn read_head(&mut self) -> Result<Head> {
        let mut fields = Fields::begin(self.read_line()?)?;
        loop {
            let line = self.read_line()?;
            if line.is_empty() {
                return fields.end();
            }
            fields.add(line)?;
        }
    }

    /// Reads the body that follows `head` and hands it over in pieces.
    pub fn read_body(
        &mut self,
        head: Head,
        mut piece: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        match head.length {
            Length::Bytes(bytes) => self.read_exactly(bytes, &mut piece),
            Length::Chunked => loop {
                let line = self.read_line()?;
                let digits = line.split(';').next().unwrap_or_default().trim();
                let bytes = u64::from_str_radix(digits, 16).context("size of a chunk")?;
                self.read_exactly(bytes, &mut piece)?;
                ensure!(self.read_line()?.is_empty(), "a chunk longer than its size");
                if bytes == 0 {
                    return Ok(());
                }
            },
        }
    }

    fn read_exactly(
        &mut self,
        mut bytes: u64,
        piece: &mut impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        while bytes > 0 {
            let buffer = self.reader.fill_buf().context("cannot receive")?;
            ensure!(!buffer.is_empty(), "the server closed the connection in a body");
            let taken = buffer.len().min(usize::try_from(bytes).unwrap_or(usize::MAX));
            piece(&buffer[..taken])?;
            self.reader.consume(taken);
            bytes -= taken as u64;
        }
        Ok(())
    }

    fn read_line(&mut self) -> Result<&str> {
        self.line.clear();
        let mut bounded = (&mut self.reader).take(MAX_LINE);
        bounded.read_until(b'\n', &mut self.line).context("cannot receive")?;
        let Some(line) = self.line.strip_suffix(b"\r\n") else {
            bail!("the server closed the connection or sent an overlong line");
        };
        Ok(std::str::from_utf8(line)?)
    }
}

/// The answer that `received` begins with: its status and its length, body included; none while
/// some of it is missing.
pub fn first_answer(received: &[u8]) -> Result<Option<(u16, usize)>> {
    let Some(head_bytes) = find(received, b"\r\n\r\n") else {
        ensure!(received.len() as u64 <= MAX_LINE, "an overlong head");
        return Ok(None);
    };
    let mut lines = std::str::from_utf8(&received[..head_bytes])?.split("\r\n");
    let mut fields = Fields::begin(lines.next().unwrap_or_default())?;
    lines.try_for_each(|line| fields.add(line))?;
    let head = fields.end()?;
    let body = &received[head_bytes + 4..];
    let body_bytes = match head.length {
        Length::Bytes(bytes) => usize::try_from(bytes)?,
        Length::Chunked => match chunks_bytes(body)? {
            Some(bytes) => bytes,
            None => return Ok(None),
        },
    };
    Ok((body.len() >= body_bytes).then_some((head.status, head_bytes + 4 + body_bytes)))
}

/// Length of a whole chunked body (RFC 9112 §7.1) at the beginning of `received`.
fn chunks_bytes(received: &[u8]) -> Result<Option<usize>> {
    let mut at = 0;
    while let Some(line) = received.get(at..).and_then(|rest| find(rest, b"\r\n")) {
        let digits = std::str::from_utf8(&received[at..at + line])?;
        let digits = digits.split(';').next().unwrap_or_default().trim();
        let bytes = usize::from_str_radix(digits, 16).context("size of a chunk")?;
        at += line + 2 + bytes + 2;
        if bytes == 0 {
            return Ok((at <= received.len()).then_some(at));
        }
    }
    Ok(None)
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// The head of an answer while it is read.
struct Fields {
    status: u16,
    length: Option<Length>,
}

impl Fields {
    fn begin(line: &str) -> Result<Self> {
        let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.with_context(|| format!("no HTTP answer: {line:?}"))?;
        // Answers without a body carry no length (RFC 9112 §6.3).
        let bodiless = matches!(status, 204 | 304);
        Ok(Self { status, length: bodiless.then_some(Length::Bytes(0)) })
    }

    fn add(&mut self, line: &str) -> Result<()> {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        if name.eq_ignore_ascii_case("content-length") {
            self.length = Some(Length::Bytes(value.trim().parse().context("content-length")?));
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            self.length = Some(Length::Chunked);
        }
        Ok(())
    }

    fn end(self) -> Result<Head> {
        let length = self.length.context("an answer of unknown length")?;
        Ok(Head { status: self.status, length })
    }
}

/// Percent-encodes an identifier as one path segment.
pub fn segment(identifier: &str) -> String {
    let mut out = String::with_capacity(identifier.len() + 8);
    for byte in identifier.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

const READ_BUFFER: usize = 64 * 1024;
const MAX_LINE: u64 = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// Answers one connection with canned bytes.
    fn serve(answer: &'static [u8]) -> Connection {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || listener.accept().unwrap().0.write_all(answer).unwrap());
        Connection::open(address, Duration::from_secs(5)).unwrap()
    }

    #[test]
    fn bodies_of_both_kinds_leave_the_next_answer_in_place() {
        let mut connection = serve(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
              3\r\nabc\r\n1;x=y\r\nd\r\n0\r\n\r\n\
              HTTP/1.1 302 Found\r\ncontent-length: 2\r\n\r\nok\
              HTTP/1.1 304 Not Modified\r\n\r\n",
        );
        let mut bodies = Vec::new();
        for status in [200, 302, 304] {
            let head = connection.read_head().unwrap();
            assert_eq!(head.status, status);
            let mut body = Vec::new();
            let take = |piece: &[u8]| {
                body.extend_from_slice(piece);
                Ok(())
            };
            connection.read_body(head, take).unwrap();
            bodies.push(body);
        }
        assert_eq!(bodies, [&b"abcd"[..], b"ok", b""]);
        assert!(connection.read_head().is_err());
    }

    #[test]
    fn an_answer_is_found_as_soon_as_it_is_whole() {
        for (text, status) in [
            (&b"HTTP/1.1 201 Created\r\ncontent-length: 3\r\n\r\nabc"[..], 201),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", 200),
            (b"HTTP/1.1 304 Not Modified\r\n\r\n", 304),
        ] {
            for end in 0..text.len() {
                assert_eq!(first_answer(&text[..end]).unwrap(), None, "{end}");
            }
            let more = [text, b"HTTP/1.1 "].concat();
            assert_eq!(first_answer(&more).unwrap(), Some((status, text.len())));
        }
        for broken in [&b"SSH-2.0-x\r\n\r\n"[..], b"HTTP/1.1 200 OK\r\n\r\n"] {
            assert!(first_answer(broken).is_err());
        }
    }

    #[test]
    fn broken_answers_are_errors() {
        for answer in [
            &b"HTTP/1.1 200 OK\r\n\r\n"[..],
            b"SSH-2.0-x\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        ] {
            let mut connection = serve(answer);
            let read =
                connection.read_head().and_then(|head| connection.read_body(head, |_| Ok(())));
            assert!(read.is_err());
        }
    }

    #[test]
    fn identifiers_become_one_segment() {
        assert_eq!(segment("88.118.8/SN-001 a"), "88.118.8%2FSN-001%20a");
    }
}
