//! The bounded reader.

use super::Corrupt;

/// Reads fields from a byte slice, front to back.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader over the whole of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// How many bytes have not been read yet.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The next `count` bytes, borrowed.
    pub fn take(&mut self, count: usize, field: &'static str) -> Result<&'a [u8], Corrupt> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Corrupt::Truncated(field))?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], Corrupt> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Corrupt::Truncated(field))?;
        self.rest = rest;
        Ok(*taken)
    }

    /// An unsigned 8-bit integer.
    pub fn u8(&mut self, field: &'static str) -> Result<u8, Corrupt> {
        self.array::<1>(field).map(|[byte]| byte)
    }

    /// An unsigned 16-bit integer.
    pub fn u16(&mut self, field: &'static str) -> Result<u16, Corrupt> {
        self.array(field).map(u16::from_be_bytes)
    }

    /// An unsigned 32-bit integer.
    pub fn u32(&mut self, field: &'static str) -> Result<u32, Corrupt> {
        self.array(field).map(u32::from_be_bytes)
    }

    /// An unsigned 64-bit integer.
    pub fn u64(&mut self, field: &'static str) -> Result<u64, Corrupt> {
        self.array(field).map(u64::from_be_bytes)
    }

    /// An unsigned LEB128 integer in its shortest form, at most ten bytes.
    pub fn varint(&mut self, field: &'static str) -> Result<u64, Corrupt> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8(field)?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Corrupt::Range(field));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                let padded = byte == 0 && shift > 0;
                return if padded { Err(Corrupt::Range(field)) } else { Ok(value) };
            }
        }
        Err(Corrupt::Range(field))
    }

    /// A LEB128 count of items of at least `least` bytes each, checked against what remains.
    pub fn count(&mut self, least: usize, field: &'static str) -> Result<usize, Corrupt> {
        let count = usize::try_from(self.varint(field)?).map_err(|_| Corrupt::Range(field))?;
        if count > self.rest.len() / least.max(1) {
            return Err(Corrupt::Truncated(field));
        }
        Ok(count)
    }

    /// Bytes behind a LEB128 length: the disk form.
    pub fn short_bytes(&mut self, field: &'static str) -> Result<&'a [u8], Corrupt> {
        let count = self.count(1, field)?;
        self.take(count, field)
    }

    /// UTF-8 text behind a LEB128 length: the disk form.
    pub fn short_text(&mut self, field: &'static str) -> Result<&'a str, Corrupt> {
        std::str::from_utf8(self.short_bytes(field)?).map_err(|_| Corrupt::Utf8(field))
    }

    /// Bytes behind a 32-bit length: BYTES of the Handle wire (RFC 3652 §2.1).
    pub fn long_bytes(&mut self, field: &'static str) -> Result<&'a [u8], Corrupt> {
        let count = usize::try_from(self.u32(field)?).map_err(|_| Corrupt::Range(field))?;
        self.take(count, field)
    }

    /// UTF-8 text behind a 32-bit length: STR of the Handle wire (RFC 3652 §2.1).
    pub fn long_text(&mut self, field: &'static str) -> Result<&'a str, Corrupt> {
        std::str::from_utf8(self.long_bytes(field)?).map_err(|_| Corrupt::Utf8(field))
    }

    /// All bytes that remain.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// Refuses bytes behind the last field.
    pub fn finish(self, field: &'static str) -> Result<(), Corrupt> {
        if self.rest.is_empty() { Ok(()) } else { Err(Corrupt::Trailing(field)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_beyond_the_end_are_refused() {
        let mut reader = Reader::new(&[0, 0, 0, 9, 1]);
        assert_eq!(reader.long_bytes("data"), Err(Corrupt::Truncated("data")));
        let mut reader = Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x0f]);
        assert_eq!(reader.count(1, "list"), Err(Corrupt::Truncated("list")));
    }

    #[test]
    fn varints_have_one_spelling() {
        assert_eq!(Reader::new(&[0x80, 0x00]).varint("n"), Err(Corrupt::Range("n")));
        assert_eq!(Reader::new(&[0xff; 10]).varint("n"), Err(Corrupt::Range("n")));
        assert_eq!(Reader::new(&[0x80]).varint("n"), Err(Corrupt::Truncated("n")));
    }

    #[test]
    fn bytes_left_over_are_refused() {
        assert_eq!(Reader::new(&[1]).finish("row"), Err(Corrupt::Trailing("row")));
    }
}
