//! What RocksDB is told: one memory budget, durable writes, a profile for each column.
//!
//! Everything that grows with the data (blocks, indexes, filters, memtables) is charged to one
//! cache, so that memory is bounded by the settings and not by the number of identifiers.
//! Compression, filters and blocks are free to change between releases: files say how they were
//! written. The comparator is RocksDB's own and can never change.

use rocksdb::{
    BlockBasedOptions, BlockBasedTablePinningTier, Cache, ColumnFamilyDescriptor,
    DBCompressionType, DBRecoveryMode, DataBlockIndexType, LogLevel, Options, WriteBufferManager,
};

use super::{ColumnId, StoreError};

/// How much of the machine the store may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RocksSettings {
    /// Memory for blocks, indexes, filters and memtables together; bytes, 256 MiB by default.
    pub cache_bytes: u64,
    /// The part of it that memtables may take before they are written out; bytes, 128 MiB by
    /// default.
    pub write_buffer_bytes: u64,
    /// Threads for flushes and compactions; one per core by default, 2 to 8.
    pub background_jobs: usize,
}

impl Default for RocksSettings {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            cache_bytes: 256 * MIB,
            write_buffer_bytes: 128 * MIB,
            background_jobs: cores.clamp(2, 8),
        }
    }
}

impl RocksSettings {
    /// The least that works well: for tests and for tools that pass over a store once.
    pub fn small() -> Self {
        Self { cache_bytes: 8 * MIB, write_buffer_bytes: 4 * MIB, background_jobs: 2 }
    }
}

/// The options of the whole store.
pub(super) fn store_options(
    settings: &RocksSettings,
    cache: &Cache,
) -> Result<Options, StoreError> {
    // No silent resume after an I/O error: there is no typed setter, and the call returns new
    // options, so it comes first.
    let mut options = Options::default()
        .get_options_from_string("max_bgerror_resume_count=0")
        .map_err(|error| StoreError::Engine(error.into_string()))?;
    options.create_if_missing(true);
    options.create_missing_column_families(true);

    let memtables = WriteBufferManager::new_write_buffer_manager_with_cache(
        size(settings.write_buffer_bytes),
        false,
        cache.clone(),
    );
    options.set_write_buffer_manager(&memtables);
    options.set_max_open_files(-1);
    options.set_skip_stats_update_on_db_open(true);

    options.set_paranoid_checks(true);
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    options.set_track_and_verify_wals_in_manifest(true);
    options.set_recycle_log_file_num(RECYCLED_WAL_FILES);
    options.set_max_total_wal_size(WAL_BYTES);
    options.set_wal_bytes_per_sync(512 * KIB);
    options.set_bytes_per_sync(MIB);
    options.set_use_fsync(false);
    options.set_avoid_unnecessary_blocking_io(true);

    options.set_max_background_jobs(i32::try_from(settings.background_jobs).unwrap_or(8));
    options.set_max_subcompactions(2);
    options.set_auto_tuned_ratelimiter(COMPACTION_BYTES_PER_SECOND, 100_000, 10);

    options.set_log_level(LogLevel::Warn);
    options.set_max_log_file_size(size(16 * MIB));
    options.set_keep_log_file_num(10);
    Ok(options)
}

/// All columns with their options.
pub(super) fn columns(settings: &RocksSettings, cache: &Cache) -> Vec<ColumnFamilyDescriptor> {
    let describe = |id: ColumnId| {
        ColumnFamilyDescriptor::new(id.name(), column_options(profile(id), settings, cache))
    };
    ColumnId::ALL.into_iter().map(describe).collect()
}

/// How a column is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Profile {
    /// Single rows by key, present and absent alike.
    Point,
    /// Few rows, or rows read in ranges and looked up now and then.
    Range,
    /// Written once in key order, read rarely, and then because the row is known to exist.
    Append,
    /// As [`Profile::Append`], of hashes that do not compress.
    AppendHashes,
}

fn profile(id: ColumnId) -> Profile {
    match id {
        ColumnId::Records | ColumnId::Names | ColumnId::Tokens | ColumnId::Unique => Profile::Point,
        ColumnId::Meta
        | ColumnId::Prefixes
        | ColumnId::Idempotency
        | ColumnId::Documents
        | ColumnId::Counters
        | ColumnId::Indexes
        | ColumnId::References
        | ColumnId::Statistics
        | ColumnId::Jobs => Profile::Range,
        ColumnId::Versions | ColumnId::Journal | ColumnId::Bodies | ColumnId::Checkpoints => {
            Profile::Append
        }
        ColumnId::Tiles => Profile::AppendHashes,
    }
}

fn column_options(profile: Profile, settings: &RocksSettings, cache: &Cache) -> Options {
    let mut options = Options::default();
    // The shared budget bounds the sum; a column alone may fill half of it before it is written.
    options.set_write_buffer_size(size((settings.write_buffer_bytes / 2).min(64 * MIB)));
    options.set_max_write_buffer_number(4);
    options.set_level_compaction_dynamic_level_bytes(true);
    options.set_target_file_size_base(128 * MIB);
    options.set_max_bytes_for_level_base(512 * MIB);
    if profile != Profile::AppendHashes {
        // Cheap on the way down, small at the bottom, where nine in ten bytes are.
        options.set_compression_type(DBCompressionType::Lz4);
        options.set_bottommost_compression_type(DBCompressionType::Zstd);
    } else {
        options.set_compression_type(DBCompressionType::None);
    }
    if matches!(profile, Profile::Point | Profile::Range) {
        options.set_memtable_whole_key_filtering(true);
        options.set_memtable_prefix_bloom_ratio(0.02);
    }
    options.set_block_based_table_factory(&block_options(profile, cache));
    options
}

fn block_options(profile: Profile, cache: &Cache) -> BlockBasedOptions {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(cache);
    blocks.set_cache_index_and_filter_blocks(true);
    blocks.set_cache_index_and_filter_blocks_with_high_priority(true);
    match profile {
        Profile::Point | Profile::Range => {
            // Bloom where files are short-lived, ribbon (a third smaller) below.
            blocks.set_hybrid_ribbon_filter(FILTER_BITS_PER_KEY, 1);
            blocks.set_whole_key_filtering(true);
            blocks.set_unpartitioned_pinning_tier(BlockBasedTablePinningTier::All);
            blocks.set_block_size(size(8 * KIB));
        }
        Profile::Append => blocks.set_block_size(size(32 * KIB)),
        Profile::AppendHashes => blocks.set_block_size(size(16 * KIB)),
    }
    if profile == Profile::Point {
        blocks.set_data_block_index_type(DataBlockIndexType::BinaryAndHash);
        blocks.set_data_block_hash_ratio(0.75);
    }
    blocks
}

/// A number of bytes as the engine takes it.
pub(super) fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// One lookup in a hundred of an absent key reads a block.
const FILTER_BITS_PER_KEY: f64 = 10.0;

/// A sync into a file that was used before changes no metadata.
const RECYCLED_WAL_FILES: usize = 4;

/// Bounds the time of recovery; a column that rests may not keep more than this.
const WAL_BYTES: u64 = 1 << 30;

/// Most that flushes and compactions together write, so that they do not own the disk.
const COMPACTION_BYTES_PER_SECOND: i64 = 200 << 20;
