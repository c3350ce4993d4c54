//! Programs of others, and our own, as a user would run them.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value as Json;

use super::{Node, Reply};

/// A program of the system. One that is missing fails the test: `make test` installs it.
pub fn program(name: &str) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(name);
    command.env("PATH", format!("{path}:/usr/sbin:/sbin")).env("LC_ALL", "C.UTF-8");
    command
}

/// Runs a command to its end.
#[track_caller]
pub fn output(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| {
        let name = command.get_program().to_string_lossy().into_owned();
        panic!("{name}: {error}: `make test` installs what the tests need")
    })
}

/// What a command wrote to stdout; it must succeed.
#[track_caller]
pub fn text(command: &mut Command) -> String {
    let output = output(command);
    let (stdout, stderr) = (decoded(&output.stdout), decoded(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{stdout}\n{stderr}", output.status);
    stdout
}

/// Bytes as text.
pub fn decoded(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs curl and takes its answer apart.
#[track_caller]
pub fn curl(arguments: &[&str]) -> Reply {
    let output = output(program("curl").args(["-sS", "-i", "--max-time", "30"]).args(arguments));
    assert!(output.status.success(), "curl {arguments:?}: {}", decoded(&output.stderr));
    let mut rest = output.stdout.as_slice();
    loop {
        let end = rest.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
        let head = decoded(&rest[..end]);
        rest = &rest[end + 4..];
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let status = status.expect("a status");
        if status != 100 {
            return Reply { status, headers, body: rest.to_vec() };
        }
    }
}

/// Runs dig against a node.
#[track_caller]
pub fn dig(node: &Node, arguments: &[&str]) -> String {
    let port = node.dns.port().to_string();
    text(program("dig").args(["@127.0.0.1", "-p", &port, "+time=5", "+tries=1"]).args(arguments))
}

/// Runs a Python program that may import what `deploy/requirements.txt` lists; it reads JSON from
/// its argument and prints JSON.
#[track_caller]
pub fn python(source: &str, argument: &Json) -> Json {
    let printed = text(python_program("python").arg("-c").arg(source).arg(argument.to_string()));
    serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
}

/// A program of `deploy/requirements.txt`, or its `python`, from where `deploy/needs.sh tests` puts
/// them: the folder `python` of the target folder.
pub fn python_program(name: &str) -> Command {
    let target = Path::new(env!("CARGO_BIN_EXE_nameplate")).ancestors().nth(2);
    let path = target.expect("below a profile's folder").join("python/bin").join(name);
    program(&path.display().to_string())
}

/// Our own program, told of the node by the environment.
pub fn nameplate<S: AsRef<OsStr>>(node: &Node, arguments: &[S]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nameplate"));
    command
        .args(arguments)
        .current_dir(node.launch().folder())
        .env("NAMEPLATE_SERVER", node.url(""))
        .env("NAMEPLATE_TOKEN", super::ADMIN_TOKEN)
        .env_remove("NAMEPLATE_ADMIN_TOKEN");
    command
}
