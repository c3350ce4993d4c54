//! Lines of a body of any length, with bounded memory.

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Stream, StreamExt};

/// Cuts a stream of bytes into lines. Memory is bound by the longest line allowed and the
/// stream's own pieces.
pub(super) struct Lines<S> {
    stream: S,
    buffer: BytesMut,
    /// How much of the buffer is known to hold no line end.
    scanned: usize,
    most_bytes: usize,
    /// Whether the rest of a line that is too long is being passed over.
    skipping: bool,
    ended: bool,
    number: u64,
}

/// A line with its number, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) number: u64,
    /// The text without its line end; none when it is too long.
    pub(super) text: Option<Bytes>,
}

impl<S, E> Lines<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    pub(super) fn new(stream: S, most_bytes: usize) -> Self {
        Self {
            stream,
            buffer: BytesMut::new(),
            scanned: 0,
            most_bytes,
            skipping: false,
            ended: false,
            number: 0,
        }
    }

    /// The next line that is not blank; none behind the last. May be dropped while it waits.
    pub(super) async fn next(&mut self) -> Result<Option<Line>, E> {
        loop {
            while let Some(line) = self.cut() {
                if line.text.as_ref().is_none_or(|text| !text.trim_ascii().is_empty()) {
                    return Ok(Some(line));
                }
            }
            if self.ended {
                return Ok(None);
            }
            match self.stream.next().await {
                Some(piece) => self.buffer.extend_from_slice(&piece?),
                None => self.ended = true,
            }
        }
    }

    /// Takes a line off the buffer, if a whole one is there.
    fn cut(&mut self) -> Option<Line> {
        let fresh = self.buffer.get(self.scanned..).unwrap_or_default();
        let end = fresh.iter().position(|&byte| byte == b'\n').map(|at| self.scanned + at);
        let length = end.unwrap_or(self.buffer.len());
        if end.is_none() && !(self.ended && (length > 0 || self.skipping)) {
            // No end yet: keep what may still become a line.
            self.scanned = length;
            if length > self.most_bytes {
                self.buffer.clear();
                self.scanned = 0;
                self.skipping = true;
            }
            return None;
        }
        let mut text = self.buffer.split_to(length);
        if end.is_some() {
            self.buffer.advance(1);
        }
        if text.last() == Some(&b'\r') {
            text.truncate(text.len() - 1);
        }
        self.scanned = 0;
        self.number += 1;
        let too_long = std::mem::take(&mut self.skipping) || text.len() > self.most_bytes;
        Some(Line { number: self.number, text: (!too_long).then(|| text.freeze()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use proptest::prelude::*;

    fn lines_of(pieces: Vec<Vec<u8>>, most_bytes: usize) -> Vec<(u64, Option<Vec<u8>>)> {
        let pieces = pieces.into_iter().map(|piece| Ok::<_, ()>(Bytes::from(piece)));
        let mut lines = Lines::new(stream::iter(pieces), most_bytes);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut all = Vec::new();
            while let Some(line) = lines.next().await.unwrap() {
                all.push((line.number, line.text.map(|text| text.to_vec())));
            }
            all
        })
    }

    #[test]
    fn lines_are_numbered_and_blank_ones_passed_over() {
        let text = b"one\r\n\n  \ntwo\nthree is too long\nfour".to_vec();
        let expected = vec![
            (1, Some(b"one".to_vec())),
            (4, Some(b"two".to_vec())),
            (5, None),
            (6, Some(b"four".to_vec())),
        ];
        assert_eq!(lines_of(vec![text], 5), expected);
        assert_eq!(lines_of(vec![b"endless and no end".to_vec()], 5), vec![(1, None)]);
        assert_eq!(lines_of(vec![], 5), vec![]);
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(
            text in "[ab\n]{0,60}",
            cuts in prop::collection::vec(1..9usize, 60),
        ) {
            let whole = lines_of(vec![text.clone().into_bytes()], 7);
            let (mut rest, mut pieces) = (text.as_bytes(), Vec::new());
            for cut in cuts {
                let (piece, behind) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece.to_vec());
                rest = behind;
            }
            pieces.push(rest.to_vec());
            prop_assert_eq!(lines_of(pieces, 7), whole);
        }
    }
}
