//! `nameplate`: see the library's `cli`.

use std::process::ExitCode;

use clap::Parser;
use tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // The one TLS provider of the process; a second call would only return it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    ExitCode::from(nameplate::cli::Arguments::parse().run())
}

/// Planning a record makes and drops some hundred small things, on one thread and on another: with
/// it an import takes three quarters of the CPU time that it takes with the allocator of glibc.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;
