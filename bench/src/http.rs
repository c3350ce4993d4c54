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
        let line = self.read_line()?;
        let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.with_context(|| format!("no HTTP answer: {line:?}"))?;
        // Answers without a body carry no length (RFC 9112 §6.3).
        let bodiless = matches!(status, 204 | 304);
        let mut length = bodiless.then_some(Length::Bytes(0));
        loop {
            let line = self.read_line()?;
            if line.is_empty() {
                let length = length.context("an answer of unknown length")?;
                return Ok(Head { status, length });
            }
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            if name.eq_ignore_ascii_case("content-length") {
                length = Some(Length::Bytes(value.trim().parse().context("content-length")?));
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                length = Some(Length::Chunked);
            }
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
