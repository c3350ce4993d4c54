//! National codes: firms (GB 32100), regions (GB/T 2260) and industries (GB/T 4754).
//!
//! A code that exists as a type is right as far as its own digits can tell. Whether a region or an
//! industry is known is a question to a [`CodeTables`], which is data: one is shipped, operators
//! may load newer ones. Where the tables come from is in `schemas/codes/README.md`.

mod industries;
mod regions;
mod rows;
mod tables;
mod unified;

pub use industries::{Industry, IndustryLevel};
pub use regions::Region;
pub use rows::{LineFault, TableError};
pub use tables::{CodeTables, Named};
pub use unified::{CodeError, OrganisationWarning, UnifiedCode};
