//! What the node is compared with: a bare echo, Knot with the same names, nginx with one reply.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::catalogue::{Item, ZONE};
use crate::dns_load::{Expected, Questions};
use crate::http::Connection;
use crate::process::Process;

/// A server to compare with.
pub struct Peer {
    /// The name its rows carry.
    pub name: String,
    /// The running program.
    pub process: Process,
    /// Where it answers.
    pub address: SocketAddr,
}

/// Starts this program as an echo of UDP datagrams.
pub fn start_echo(folder: &Path, core: &str) -> Result<Peer> {
    let log = folder.join("echo.log");
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("echo");
    let process = Process::start("the echo", &command, core, &log)?;
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        if let Some(address) = fs::read_to_string(&log).ok().and_then(|text| whole_line(&text)) {
            return Ok(Peer { name: "bare echo".to_owned(), process, address });
        }
        std::thread::sleep(LOOK_EVERY);
    }
    bail!("the echo does not start")
}

/// Sends every datagram back until killed; prints its address first.
pub fn echo() -> Result<()> {
    let socket = UdpSocket::bind(("127.0.0.1", 0))?;
    println!("{}", socket.local_addr()?);
    let mut buffer = [0; 4096];
    loop {
        let (length, from) = socket.recv_from(&mut buffer)?;
        // Fails when the asker is gone, which is no concern of an echo.
        let _ = socket.send_to(&buffer[..length], from);
    }
}

/// Starts knotd, if it is installed, with items 0 to `count` - 1 as a zone.
pub fn start_knot(folder: &Path, core: &str, count: u64) -> Result<Option<Peer>> {
    let Some(program) = installed("knotd") else { return Ok(None) };
    let folder = folder.join("knot");
    fs::create_dir_all(&folder)?;
    write_zone(&folder.join("zone"), count)?;
    let address = UdpSocket::bind(("127.0.0.1", 0))?.local_addr()?;
    let settings = knot_settings(&folder.display().to_string(), address);
    fs::write(folder.join("knot.conf"), settings)?;
    let mut command = Command::new(&program);
    command.arg("-c").arg(folder.join("knot.conf"));
    let mut process = Process::start("knotd", &command, core, &folder.join("log"))?;
    let question = Questions::new(std::iter::once(Item::new(0)), Expected::Records);
    let started = Instant::now();
    while started.elapsed() < KNOT_PATIENCE {
        process.check_runs()?;
        if question.ask(address, 1, PATIENCE)?.right == 1 {
            let name = version(&program, "--version", "Knot");
            return Ok(Some(Peer { name, process, address }));
        }
        std::thread::sleep(LOOK_EVERY);
    }
    bail!("knotd does not answer; {}", process.last_words())
}

/// Starts nginx, if it is installed, with one constant JSON reply.
pub fn start_nginx(folder: &Path, core: &str) -> Result<Option<Peer>> {
    let Some(program) = installed("nginx") else { return Ok(None) };
    let folder = folder.join("nginx");
    fs::create_dir_all(&folder)?;
    let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
    let settings = nginx_settings(&folder.display().to_string(), address);
    fs::write(folder.join("nginx.conf"), settings)?;
    let mut command = Command::new(&program);
    command.arg("-p").arg(&folder).arg("-c").arg(folder.join("nginx.conf"));
    command.arg("-e").arg(folder.join("error.log"));
    let mut process = Process::start("nginx", &command, core, &folder.join("log"))?;
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        process.check_runs()?;
        if Connection::open(address, PATIENCE).is_ok() {
            let name = version(&program, "-v", "nginx");
            return Ok(Some(Peer { name, process, address }));
        }
        std::thread::sleep(LOOK_EVERY);
    }
    bail!("nginx does not answer; {}", process.last_words())
}

/// The same records that the node answers with, in master-file form.
fn write_zone(path: &Path, count: u64) -> Result<()> {
    let file = File::create(path).with_context(|| format!("cannot write {path:?}"))?;
    let mut zone = BufWriter::with_capacity(1 << 20, file);
    writeln!(zone, "$ORIGIN {ZONE}\n$TTL 86400")?;
    writeln!(zone, "@ SOA ns hostmaster 1 3600 900 604800 60\n@ NS ns\nns A 127.0.0.1")?;
    let mut text = String::new();
    for number in 0..count {
        let item = Item::new(number);
        text.clear();
        let _ = writeln!(text, "{} URI 10 1 \"{}\"", item.labels().join("."), item.url());
        for (name, value) in item.attributes() {
            let _ = writeln!(text, " TXT \"{name}={value}\"");
        }
        zone.write_all(text.as_bytes())?;
    }
    zone.flush()?;
    Ok(())
}

fn knot_settings(folder: &str, address: SocketAddr) -> String {
    let (host, port, zone) = (address.ip(), address.port(), ZONE);
    format!(
        "server:\n    listen: {host}@{port}\n    rundir: {folder}\n    udp-workers: 1\n    \
         tcp-workers: 1\n    background-workers: 1\n\
         log:\n  - target: stderr\n    any: warning\n\
         database:\n    storage: {folder}\n\
         zone:\n  - domain: {zone}\n    storage: {folder}\n    file: zone\n    \
         journal-content: none\n    zonefile-sync: -1\n"
    )
}

fn nginx_settings(folder: &str, address: SocketAddr) -> String {
    let body: String =
        (0..10).map(|n| format!("\"attribute{n}\":\"about fifty octets\",")).collect();
    format!(
        "daemon off;\nmaster_process off;\nworker_processes 1;\npid {folder}/pid;\n\
         events {{ worker_connections 256; }}\n\
         http {{\n  access_log off;\n  default_type application/json;\n  \
         keepalive_requests 1000000000;\n  client_body_temp_path {folder}/body;\n  \
         proxy_temp_path {folder}/proxy;\n  fastcgi_temp_path {folder}/fastcgi;\n  \
         uwsgi_temp_path {folder}/uwsgi;\n  scgi_temp_path {folder}/scgi;\n  \
         server {{ listen {address}; location / {{ return 200 '{{{body}\"end\":0}}'; }} }}\n}}\n"
    )
}

/// Looks a program up in PATH and where Debian keeps servers.
fn installed(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// `name` with the version the program tells.
fn version(program: &Path, flag: &str, name: &str) -> String {
    let told = Command::new(program).arg(flag).output();
    let told = told.map(|told| [told.stdout, told.stderr].concat()).unwrap_or_default();
    let told = String::from_utf8_lossy(&told);
    let is_number = |word: &&str| word.contains('.') && word.starts_with(|c: char| c.is_numeric());
    let number = told.split([' ', '/', '\n']).find(is_number).unwrap_or_default();
    format!("{name} {number}").trim_end().to_owned()
}

fn whole_line(text: &str) -> Option<SocketAddr> {
    text.split_once('\n')?.0.parse().ok()
}

const PATIENCE: Duration = Duration::from_secs(5);
const KNOT_PATIENCE: Duration = Duration::from_secs(300);
const LOOK_EVERY: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http_load::Load;
    use crate::process::Cores;

    /// An empty folder for one test.
    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn knot_answers_every_question_when_it_is_installed() {
        let folder = folder("nameplate-bench-knot");
        let core = Cores::choose().unwrap().all;
        if let Some(knot) = start_knot(&folder, &core, 500).unwrap() {
            let present = Questions::new((0..500).map(Item::new), Expected::Records);
            let absent = Questions::new((0..500).map(Item::absent), Expected::Absence);
            for questions in [present, absent] {
                let outcome = questions.ask(knot.address, 1000, PATIENCE).unwrap();
                assert_eq!(outcome.first_fault, None);
                assert_eq!((outcome.right, outcome.lost), (1000, 0));
            }
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn nginx_answers_every_request_when_it_is_installed() {
        let folder = folder("nameplate-bench-nginx");
        let core = Cores::choose().unwrap().all;
        if let Some(nginx) = start_nginx(&folder, &core).unwrap() {
            let load = Load { connections: 4, requests: 100, limit: PATIENCE, status: 200 };
            let request = "GET /x HTTP/1.1\r\nhost: localhost\r\n\r\n";
            let outcome = load.run(nginx.address, &|_, out: &mut String| out.push_str(request));
            assert_eq!(outcome.unwrap().right, 100);
        }
        fs::remove_dir_all(folder).unwrap();
    }
}
