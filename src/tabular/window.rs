//! A window onto a stream of bytes, in which a whole record lies in one piece.

use std::io::Read;

use super::MAX_RECORD_BYTES;
use super::encoding::Encoding;

/// What was read and is not yet dealt with. Never holds more than a record and a read.
pub(super) struct Window<R> {
    input: R,
    buffer: Vec<u8>,
    /// Where in the buffer the bytes begin that are not dealt with.
    begin: usize,
    ended: bool,
}

/// Where a line ends, counted from the window's beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineEnd {
    /// The text ends at `text`, the next line begins at `next`.
    At { text: usize, next: usize },
    /// The record is larger than [`MAX_RECORD_BYTES`], and no end in sight.
    TooFar,
    /// There are no further bytes.
    End,
}

/// What ends a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct LineRules {
    pub(super) encoding: Encoding,
    /// Whether a carriage return alone ends a line too.
    pub(super) returns: bool,
}

impl<R: Read> Window<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, buffer: Vec::new(), begin: 0, ended: false }
    }

    /// The bytes that are not dealt with, as far as they have been read.
    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.get(self.begin..).unwrap_or_default()
    }

    /// Passes over `count` bytes that were read, and returns where in [`Window::held`] they are.
    pub(super) fn consume(&mut self, count: usize) -> usize {
        let before = self.begin;
        self.begin = (self.begin + count).min(self.buffer.len());
        before
    }

    /// Bytes that were consumed last: valid until more is read.
    pub(super) fn held(&self, from: usize, count: usize) -> &[u8] {
        self.buffer.get(from..from + count).unwrap_or_default()
    }

    /// Reads until `count` bytes are there or the stream ends.
    pub(super) fn fill(&mut self, count: usize) -> std::io::Result<()> {
        while self.bytes().len() < count && !self.ended {
            self.read_more()?;
        }
        Ok(())
    }

    /// The end of the line that begins at `from`.
    pub(super) fn line(&mut self, from: usize, rules: LineRules) -> std::io::Result<LineEnd> {
        let mut at = from;
        loop {
            match self.find(at, rules) {
                Ok((text, next)) if next <= MAX_RECORD_BYTES => {
                    return Ok(LineEnd::At { text, next });
                }
                Ok(_) => return Ok(LineEnd::TooFar),
                Err(scanned) if scanned > MAX_RECORD_BYTES => return Ok(LineEnd::TooFar),
                Err(_) if self.ended => {
                    let text = self.bytes().len();
                    let none = text == from;
                    return Ok(if none { LineEnd::End } else { LineEnd::At { text, next: text } });
                }
                Err(scanned) => at = scanned,
            }
            self.read_more()?;
        }
    }

    /// Passes over the rest of a line, with its end. Returns how many bytes that were.
    pub(super) fn skip_line(&mut self, rules: LineRules) -> std::io::Result<u64> {
        let mut skipped = 0;
        loop {
            let (count, done) = match self.find(0, rules) {
                Ok((_, next)) => (next, true),
                Err(_) if self.ended => (self.bytes().len(), true),
                Err(scanned) => (scanned, false),
            };
            self.consume(count);
            skipped += count as u64;
            if done {
                return Ok(skipped);
            }
            self.read_more()?;
        }
    }

    /// Where the line that goes on at `at` ends and the next begins; else how far was looked.
    fn find(&self, at: usize, rules: LineRules) -> Result<(usize, usize), usize> {
        let rest = self.bytes().get(at..).unwrap_or_default();
        let Some(low) = rules.encoding.low_byte() else {
            let ends = |byte: &u8| *byte == b'\n' || (rules.returns && *byte == b'\r');
            let text = rest.iter().position(ends).map(|found| at + found);
            let text = text.ok_or(self.bytes().len())?;
            let unit = |at: usize| self.bytes().get(at).copied().map(u16::from);
            return self.behind(text, 1, unit);
        };
        let unit = |at: usize| unit_at(self.bytes(), at, low);
        let ends = |unit| unit == LINE_FEED || (rules.returns && unit == RETURN);
        let mut text = at;
        loop {
            match unit(text) {
                Some(found) if ends(found) => return self.behind(text, 2, unit),
                Some(_) => text += 2,
                None => return Err(text),
            }
        }
    }

    /// A line end is one unit wide, or two: a return and a line feed.
    fn behind(
        &self,
        text: usize,
        width: usize,
        unit: impl Fn(usize) -> Option<u16>,
    ) -> Result<(usize, usize), usize> {
        if unit(text) == Some(LINE_FEED) {
            return Ok((text, text + width));
        }
        match unit(text + width) {
            Some(LINE_FEED) => Ok((text, text + 2 * width)),
            None if !self.ended => Err(text),
            _ => Ok((text, text + width)),
        }
    }

    fn read_more(&mut self) -> std::io::Result<()> {
        self.buffer.drain(..self.begin);
        self.begin = 0;
        let filled = self.buffer.len();
        self.buffer.resize(filled + READ_BYTES, 0);
        let room = self.buffer.get_mut(filled..).unwrap_or_default();
        let read = loop {
            match self.input.read(room) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.buffer.truncate(filled + *read.as_ref().unwrap_or(&0));
        self.ended = read? == 0;
        Ok(())
    }
}

/// The unit of two bytes at an offset, if both are there.
pub(super) fn unit_at(bytes: &[u8], at: usize, low: usize) -> Option<u16> {
    let byte = |place: usize| bytes.get(at + place).copied().map(u16::from);
    Some(byte(low)? | byte(1 - low)? << 8)
}

const LINE_FEED: u16 = b'\n' as u16;
const RETURN: u16 = b'\r' as u16;

/// Bytes that are asked of the stream at once.
const READ_BYTES: usize = 64 * 1_024;
