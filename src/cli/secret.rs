//! Passwords: asked for on a terminal without showing them, read as a line otherwise.

use std::io::{self, BufRead, IsTerminal};

use anyhow::bail;

/// A password, after `prompt` on a terminal.
pub fn password(prompt: &str) -> anyhow::Result<String> {
    if io::stdin().is_terminal() {
        eprint!("{prompt}: ");
        return Ok(console::Term::stderr().read_secure_line()?);
    }
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let password = line.trim_end_matches(['\r', '\n']).to_owned();
    if password.is_empty() {
        bail!("no password: type it on a terminal, or pass it as a line on standard input");
    }
    Ok(password)
}

/// A new password; on a terminal it is asked for twice.
pub fn new_password() -> anyhow::Result<String> {
    let first = password("New password")?;
    if io::stdin().is_terminal() && password("Again")? != first {
        bail!("the two passwords differ: try again");
    }
    Ok(first)
}
