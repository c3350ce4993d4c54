//! Reading a backup.

use std::io::{self, Read};

use ring::digest::{Context, SHA256};
use zstd::bulk::Decompressor;

use super::{BACKUP_FORMAT, MAGIC, MAX_BLOCK_BYTES, MAX_FILES, io_failed, kind};
use super::{BackupError, BackupHeader, BackupSummary};
use crate::codec::{Corrupt, Reader};
use crate::store::{ColumnId, STORE_FORMAT, StoreError};

/// Reads a backup and hands its rows to `rows`, a block at a time, in the order of columns and
/// keys. Until this returns well nothing of what was handed over may be used.
pub fn read_backup(
    input: &mut dyn Read,
    rows: TakeRows<'_>,
) -> Result<(BackupHeader, BackupSummary), BackupError> {
    let mut blocks = Blocks::start(input)?;
    let mut header: BackupHeader = match split(&blocks.next()?)? {
        (kind::HEADER, json) => {
            serde_json::from_slice(json).map_err(|_| BackupError::Damaged("header"))?
        }
        _ => return Err(BackupError::Damaged("first block")),
    };
    if header.store_format > STORE_FORMAT {
        let found = header.store_format;
        return Err(StoreError::Newer { found, known: STORE_FORMAT }.into());
    }
    let mut counts = ColumnId::ALL.map(|id| (id, 0));
    loop {
        let block = blocks.next()?;
        let (kind, content) = split(&block)?;
        let mut reader = Reader::new(content);
        match kind {
            kind::FILE if header.files.len() < MAX_FILES => {
                let name = reader.short_text("file name").map_err(damaged)?.to_owned();
                header.files.push((name, reader.rest().to_vec()));
            }
            kind::ROWS => {
                let (column, found) = read_rows(reader).map_err(damaged)?;
                for (_, count) in counts.iter_mut().filter(|(id, _)| *id == column) {
                    *count += found.len() as u64;
                }
                rows(column, &found)?;
            }
            kind::END => {
                if read_counts(reader).map_err(damaged)? != counts {
                    return Err(BackupError::Damaged("row counts"));
                }
                break;
            }
            _ => return Err(BackupError::Damaged("kind of block")),
        }
    }
    let (bytes, sha256) = blocks.finish()?;
    Ok((header, BackupSummary { rows: counts.to_vec(), bytes, sha256 }))
}

fn split(block: &[u8]) -> Result<(u8, &[u8]), BackupError> {
    block.split_first().map(|(&kind, rest)| (kind, rest)).ok_or(BackupError::Damaged("empty block"))
}

/// What the rows of a block are handed to.
pub type TakeRows<'a> =
    &'a mut (dyn FnMut(ColumnId, &[(&[u8], &[u8])]) -> Result<(), StoreError> + 'a);

type Rows<'a> = Vec<(&'a [u8], &'a [u8])>;

fn read_rows<'a>(mut reader: Reader<'a>) -> Result<(ColumnId, Rows<'a>), Corrupt> {
    let column = read_column(&mut reader)?;
    let mut rows = Vec::new();
    while reader.remaining() > 0 {
        rows.push((reader.short_bytes("key")?, reader.short_bytes("row")?));
    }
    Ok((column, rows))
}

fn read_counts(mut reader: Reader<'_>) -> Result<Vec<(ColumnId, u64)>, Corrupt> {
    let columns = reader.count(2, "columns")?;
    let mut counts = Vec::with_capacity(columns);
    for _ in 0..columns {
        counts.push((read_column(&mut reader)?, reader.varint("rows")?));
    }
    reader.finish("row counts")?;
    Ok(counts)
}

fn read_column(reader: &mut Reader<'_>) -> Result<ColumnId, Corrupt> {
    let name = reader.short_text("column")?;
    ColumnId::ALL.into_iter().find(|id| id.name() == name).ok_or(Corrupt::Range("column"))
}

fn damaged(reason: Corrupt) -> BackupError {
    match reason {
        Corrupt::Truncated(field)
        | Corrupt::Trailing(field)
        | Corrupt::Range(field)
        | Corrupt::Utf8(field)
        | Corrupt::Json(field)
        | Corrupt::Format(field) => BackupError::Damaged(field),
    }
}

/// The file being read.
struct Blocks<'a> {
    input: &'a mut dyn Read,
    decompressor: Decompressor<'static>,
    digest: Context,
    bytes: u64,
}

impl<'a> Blocks<'a> {
    fn start(input: &'a mut dyn Read) -> Result<Self, BackupError> {
        let decompressor = Decompressor::new().map_err(io_failed("compression"))?;
        let mut blocks = Self { input, decompressor, digest: Context::new(&SHA256), bytes: 0 };
        let magic = blocks.read(MAGIC.len())?;
        if magic != MAGIC.as_bytes() {
            return Err(BackupError::NotABackup);
        }
        let found = blocks.length()?;
        if found != BACKUP_FORMAT {
            return Err(BackupError::Newer { found, known: BACKUP_FORMAT });
        }
        Ok(blocks)
    }

    fn next(&mut self) -> Result<Vec<u8>, BackupError> {
        let packed = self.length()? as usize;
        let plain = self.length()? as usize;
        if plain > MAX_BLOCK_BYTES || packed > zstd::zstd_safe::compress_bound(plain) {
            return Err(BackupError::Damaged("length of a block"));
        }
        let packed = self.read(packed)?;
        let block = self.decompressor.decompress(&packed, plain);
        let block = block.map_err(|_| BackupError::Damaged("compression"))?;
        if block.len() == plain {
            Ok(block)
        } else {
            Err(BackupError::Damaged("length of a block"))
        }
    }

    fn finish(self) -> Result<(u64, [u8; 32]), BackupError> {
        let computed = super::sha256(self.digest);
        // One byte more than there should be.
        let mut rest = Vec::new();
        let limit = computed.len() as u64 + 1;
        self.input.take(limit).read_to_end(&mut rest).map_err(read_failed)?;
        match rest == computed {
            true => Ok((self.bytes + rest.len() as u64, computed)),
            false => Err(BackupError::Damaged("SHA-256")),
        }
    }

    fn length(&mut self) -> Result<u32, BackupError> {
        let bytes = self.read(4)?;
        Reader::new(&bytes).u32("length").map_err(damaged)
    }

    /// The next `count` bytes; memory is taken as they come.
    fn read(&mut self, count: usize) -> Result<Vec<u8>, BackupError> {
        let mut bytes = Vec::with_capacity(count.min(64 << 10));
        (&mut *self.input).take(count as u64).read_to_end(&mut bytes).map_err(read_failed)?;
        if bytes.len() < count {
            return Err(BackupError::Damaged("it ends too early"));
        }
        self.digest.update(&bytes);
        self.bytes += count as u64;
        Ok(bytes)
    }
}

fn read_failed(error: io::Error) -> BackupError {
    BackupError::Io("the backup cannot be read".to_owned(), error)
}
