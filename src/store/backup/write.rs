//! Writing a backup.

use std::io::Write;
use std::ops::ControlFlow;

use ring::digest::{Context, SHA256};
use zstd::bulk::Compressor;

use super::{BACKUP_FORMAT, BLOCK_BYTES, MAGIC, MAX_BLOCK_BYTES, MAX_FILES, io_failed, kind};
use super::{BackupError, BackupHeader, BackupSummary};
use crate::codec::Writer;
use crate::store::{ColumnId, Direction, Read, all_keys};

/// Writes all rows that `read`, a snapshot, shows, and the header's files. Tells `progress` the
/// rows written so far, once a block. Flushing and syncing `out` is left to the caller.
pub fn write_backup(
    read: &dyn Read,
    header: &BackupHeader,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64),
) -> Result<BackupSummary, BackupError> {
    let mut backup = Blocks::start(out)?;
    let json = serde_json::to_vec(header)
        .map_err(|error| BackupError::Io("backup header".to_owned(), error.into()))?;
    backup.block("header", Writer::default().u8(kind::HEADER).raw(&json))?;
    if header.files.len() > MAX_FILES {
        let bytes = header.files.iter().map(|(_, content)| content.len()).sum();
        return Err(BackupError::TooLarge { what: "list of files".to_owned(), bytes });
    }
    for (name, content) in &header.files {
        backup.block(name, Writer::default().u8(kind::FILE).short_text(name).raw(content))?;
    }

    let mut rows = Vec::with_capacity(ColumnId::ALL.len());
    let mut total = 0;
    for column in ColumnId::ALL {
        let count = write_column(read, column, &mut backup, &mut |more| progress(total + more))?;
        total += count;
        rows.push((column, count));
    }

    let mut end = Writer::default();
    end.u8(kind::END).varint(rows.len() as u64);
    for (column, count) in &rows {
        end.short_text(column.name()).varint(*count);
    }
    backup.block("end", &mut end)?;
    let (bytes, sha256) = backup.finish()?;
    Ok(BackupSummary { rows, bytes, sha256 })
}

fn write_column(
    read: &dyn Read,
    column: ColumnId,
    backup: &mut Blocks<'_>,
    progress: &mut dyn FnMut(u64),
) -> Result<u64, BackupError> {
    let open = || {
        let mut block = Writer::with_capacity(BLOCK_BYTES + BLOCK_BYTES / 4);
        block.u8(kind::ROWS).short_text(column.name());
        block
    };
    let mut block = open();
    let mut count = 0;
    let mut written = 0;
    let mut fault = None;
    read.scan(column, all_keys(), Direction::Forward, &mut |key, row| {
        block.short_bytes(key).short_bytes(row);
        count += 1;
        if block.as_bytes().len() < BLOCK_BYTES {
            return ControlFlow::Continue(());
        }
        if let Err(error) = backup.block(column.name(), &mut std::mem::replace(&mut block, open()))
        {
            fault = Some(error);
            return ControlFlow::Break(());
        }
        written = count;
        progress(count);
        ControlFlow::Continue(())
    })?;
    if let Some(error) = fault {
        return Err(error);
    }
    if count > written {
        backup.block(column.name(), &mut block)?;
        progress(count);
    }
    Ok(count)
}

/// The file being written.
struct Blocks<'a> {
    out: &'a mut dyn Write,
    compressor: Compressor<'static>,
    digest: Context,
    bytes: u64,
}

impl<'a> Blocks<'a> {
    fn start(out: &'a mut dyn Write) -> Result<Self, BackupError> {
        let compressor = Compressor::new(COMPRESSION_LEVEL).map_err(io_failed("compression"))?;
        let mut blocks = Self { out, compressor, digest: Context::new(&SHA256), bytes: 0 };
        let mut start = Writer::default();
        start.raw(MAGIC.as_bytes()).u32(BACKUP_FORMAT);
        blocks.write(start.as_bytes())?;
        Ok(blocks)
    }

    fn block(&mut self, what: &str, plain: &mut Writer) -> Result<(), BackupError> {
        let plain = plain.as_bytes();
        if plain.len() > MAX_BLOCK_BYTES {
            return Err(BackupError::TooLarge { what: what.to_owned(), bytes: plain.len() });
        }
        let packed = self.compressor.compress(plain).map_err(io_failed("compression"))?;
        // Both lengths are far below 2^32: the plain one is checked, the other hardly larger.
        let mut lengths = Writer::default();
        lengths.u32(packed.len() as u32).u32(plain.len() as u32);
        self.write(lengths.as_bytes())?;
        self.write(&packed)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), BackupError> {
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
        self.out.write_all(bytes).map_err(io_failed("the backup cannot be written"))
    }

    fn finish(self) -> Result<(u64, [u8; 32]), BackupError> {
        let sha256 = super::sha256(self.digest);
        self.out.write_all(&sha256).map_err(io_failed("the backup cannot be written"))?;
        Ok((self.bytes + sha256.len() as u64, sha256))
    }
}

/// Fast, and smaller than the store's own files.
const COMPRESSION_LEVEL: i32 = 3;
