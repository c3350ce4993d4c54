//! `nameplate`: see the library's `cli`.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // The one TLS provider of the process; a second call would only return it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    ExitCode::from(nameplate::cli::Arguments::parse().run())
}
