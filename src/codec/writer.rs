//! The writer, the reader's twin.

/// Appends fields to a growing buffer.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// A writer with room for `capacity` bytes before it has to grow.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity) }
    }

    /// The bytes written so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes written, by value.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Raw bytes without a length.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// An unsigned 8-bit integer.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.bytes.push(value);
        self
    }

    /// An unsigned 16-bit integer.
    pub fn u16(&mut self, value: u16) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// An unsigned 32-bit integer.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// An unsigned 64-bit integer.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// An unsigned LEB128 integer in its shortest form.
    pub fn varint(&mut self, mut value: u64) -> &mut Self {
        while value >= 0x80 {
            self.bytes.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
        self
    }

    /// Bytes behind a LEB128 length: the disk form.
    pub fn short_bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.varint(bytes.len() as u64).raw(bytes)
    }

    /// Text behind a LEB128 length: the disk form.
    pub fn short_text(&mut self, text: &str) -> &mut Self {
        self.short_bytes(text.as_bytes())
    }

    /// Bytes behind a 32-bit length: BYTES of the Handle wire (RFC 3652 §2.1).
    ///
    /// Lengths above `u32::MAX` cannot occur: every caller's bytes are bounded far below.
    pub fn long_bytes(&mut self, bytes: &[u8]) -> &mut Self {
        debug_assert!(u32::try_from(bytes.len()).is_ok());
        self.u32(bytes.len() as u32).raw(bytes)
    }

    /// Text behind a 32-bit length: STR of the Handle wire (RFC 3652 §2.1).
    pub fn long_text(&mut self, text: &str) -> &mut Self {
        self.long_bytes(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Reader;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(
            n in any::<u64>(), text in ".{0,40}", bytes in any::<Vec<u8>>(),
        ) {
            let mut writer = Writer::default();
            writer.varint(n).u64(n).short_text(&text).long_bytes(&bytes);
            let mut reader = Reader::new(writer.as_bytes());
            prop_assert_eq!(reader.varint("n"), Ok(n));
            prop_assert_eq!(reader.u64("n"), Ok(n));
            prop_assert_eq!(reader.short_text("text"), Ok(text.as_str()));
            prop_assert_eq!(reader.long_bytes("bytes"), Ok(bytes.as_slice()));
            prop_assert_eq!(reader.finish("row"), Ok(()));
        }
    }
}
