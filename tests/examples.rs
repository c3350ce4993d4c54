//! The shell examples of the documentation, run against a real node.
//!
//! The lines of a fence whose language is `sh` are run, and nothing may fail. In a fence `console`
//! the lines behind `$ ` are run (a `\` at the end goes on in the next line), and what they print
//! has to be what is shown below them; `…` stands for anything. Other fences are not run. The
//! examples of a document share a shell. The node is one that `deploy/run.sh` started, as
//! `make run` does, and its addresses stand in for the default ones.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::harness::{free_port, output, program, send_signal, wait_until};

#[test]
fn examples_do_what_they_say() {
    let example = Example::start();
    let printed = example.printed_commands();
    assert!(printed.contains("curl") && printed.contains("register"), "{printed}");
    // How the story of the enterprise ends: its partner sees the price, nobody else does.
    let told = "| unit_price 5680\n";
    assert!(example.log().contains(told), "the story ends otherwise:\n{}", example.log());
    example.run("deploy/run.sh", vec![Step { line: 0, commands: printed, shown: None }]);
    let mut count = 0;
    for document in DOCUMENTS {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
        let text = fs::read_to_string(&path).expect("readable");
        let steps = steps(&example.with_its_addresses(&text));
        count += steps.len();
        example.run(document, steps);
    }
    assert!(count >= 8, "only {count} examples were found in {DOCUMENTS:?}");
}

#[test]
fn examples_are_found_and_judged() {
    let text = "\
        ```sh\nexport A=1\necho $A\n```\n\
        ```json\n{}\n```\n\
        ```console\n$ echo a \\\n  b\na b\n$ true\n$ seq 3\n1\n…\n```\n";
    let found: Vec<_> = steps(text).into_iter().map(|s| (s.line, s.commands, s.shown)).collect();
    let step = |line, commands: &str, shown: Option<&str>| {
        (line, commands.to_owned(), shown.map(str::to_owned))
    };
    let wanted = [
        step(2, "export A=1\necho $A\n", None),
        step(9, "echo a \\\n  b\n", Some("a b\n")),
        step(12, "true\n", Some("")),
        step(13, "seq 3\n", Some("1\n…\n")),
    ];
    assert_eq!(found, wanted);
    for (shown, printed, alike) in [
        ("", "", true),
        ("", "x\n", false),
        ("1\n…\n", "1\n2\n3\n", true),
        ("1\n…\n", "2\n1\n", false),
        ("a…c.\n", "abbc.\n", true),
        ("a…c.\n", "abbc+\n", false),
        ("a\nb\n", "a\r\nb\r\n", true),
        ("a\n", "a\nb\n", false),
    ] {
        assert_eq!(is_shown(shown, printed), alike, "{shown:?} {printed:?}");
    }
}

/// What is run at once, and what it has to print.
struct Step {
    /// Where it is in its document, from 1.
    line: usize,
    commands: String,
    /// None: anything.
    shown: Option<String>,
}

/// The examples of a document.
fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let (mut language, mut continues) = (None, false);
    for (at, line) in text.lines().enumerate() {
        if let Some(opened) = line.strip_prefix("```") {
            language = language.is_none().then_some(opened);
            if language == Some("sh") {
                steps.push(Step { line: at + 2, commands: String::new(), shown: None });
            }
            continue;
        }
        let command = match language {
            Some("sh") => Some(line),
            Some("console") if continues => Some(line),
            Some("console") => line.strip_prefix("$ "),
            _ => continue,
        };
        if language == Some("console") && !continues && command.is_some() {
            let shown = Some(String::new());
            steps.push(Step { line: at + 1, commands: String::new(), shown });
        }
        let step = steps.last_mut().unwrap_or_else(|| panic!("line {}: no command", at + 1));
        let part = match command {
            Some(_) => &mut step.commands,
            None => step.shown.as_mut().expect("a console's step"),
        };
        part.push_str(command.unwrap_or(line));
        part.push('\n');
        continues = command.is_some_and(|command| command.ends_with('\\'));
    }
    steps
}

/// Whether that was printed which is shown; HTTP ends its lines with a carriage return, too.
fn is_shown(shown: &str, printed: &str) -> bool {
    let parts: Vec<String> = shown.trim_end().split('…').map(regex::escape).collect();
    let pattern = regex::Regex::new(&format!("(?s)^{}$", parts.join(".*")));
    pattern.expect("a pattern").is_match(printed.replace('\r', "").trim_end())
}

/// What `make run` starts, in a folder of its own; stopped when dropped.
struct Example {
    folder: TempDir,
    script: Child,
    http: String,
    dns_port: String,
}

impl Example {
    fn start() -> Self {
        let folder = TempDir::with_prefix("nameplate-examples-").expect("a temporary folder");
        let (http, dns_port) = (format!("127.0.0.1:{}", free_port()), free_port().to_string());
        let bin = folder.path().join("bin");
        fs::create_dir(&bin).expect("made");
        let nameplate = bin.join("nameplate");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_nameplate"), &nameplate).expect("a link");
        let log = File::create(folder.path().join("log")).expect("a file");
        let script = program(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/run.sh"))
            .arg(&nameplate)
            .current_dir(folder.path())
            .env("HTTP", &http)
            .env("DNS", format!("127.0.0.1:{dns_port}"))
            .env_remove("DATA")
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn()
            .expect("bash");
        let mut example = Self { folder, script, http, dns_port };
        wait_until(Duration::from_secs(120), "what `make run` starts", || {
            let ended = example.script.try_wait().expect("a process");
            assert!(ended.is_none(), "deploy/run.sh ended:\n{}", example.log());
            example.log().contains(LOG_BEGINS)
        });
        example
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The commands it suggests: what it prints indented.
    fn printed_commands(&self) -> String {
        let log = self.log();
        let before = log.split(LOG_BEGINS).next().unwrap_or_default();
        let commands = before.lines().filter_map(|line| line.strip_prefix("  "));
        commands.map(|line| format!("{line}\n")).collect()
    }

    fn with_its_addresses(&self, text: &str) -> String {
        text.replace("localhost:8080", &self.http)
            .replace("127.0.0.1:8080", &self.http)
            .replace("127.0.0.1 -p 5300", &format!("127.0.0.1 -p {}", self.dns_port))
    }

    /// Runs the steps in one shell.
    fn run(&self, document: &str, steps: Vec<Step>) {
        let folder = self.folder.path();
        let mut script = String::from("set -e -o pipefail\n");
        for (number, step) in steps.iter().enumerate() {
            script += &format!("{{\n{}}} >printed.{number} 2>&1\n", step.commands);
        }
        // The step that fails is the last one that has printed into a file.
        script += &format!(": >printed.{}\n", steps.len());
        let path = std::env::var("PATH").unwrap_or_default();
        let mut shell = program("timeout");
        shell
            .args([SHELL_SECONDS, "bash", "-c", &script])
            .current_dir(folder)
            .env("PATH", format!("{}:{path}", folder.join("bin").display()))
            .env("NAMEPLATE_SERVER", format!("http://{}", self.http))
            .env_remove("NAMEPLATE_TOKEN")
            .stdin(Stdio::null());
        let verdict = output(&mut shell);
        let printed = |number: usize| {
            let path = folder.join(format!("printed.{number}"));
            let printed = fs::read(&path).ok()?;
            fs::remove_file(path).expect("removed");
            Some(String::from_utf8_lossy(&printed).into_owned())
        };
        let all: Vec<String> = (0..=steps.len()).map_while(printed).collect();
        for (number, step) in steps.iter().enumerate() {
            let place = format!("{document}:{}:\n{}", step.line, step.commands);
            let printed = all.get(number).unwrap_or_else(|| panic!("{place}{verdict:?}"));
            assert!(number + 1 < all.len(), "{place}failed, {}:\n{printed}", verdict.status);
            let shown = step.shown.as_deref().unwrap_or("…");
            assert!(is_shown(shown, printed), "{place}printed:\n{printed}\nshown is:\n{shown}");
        }
        assert!(verdict.status.success(), "{document}: {verdict:?}");
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        // It stops its node when it is told to end.
        if let Ok(None) = self.script.try_wait() {
            send_signal(self.script.id().cast_signed(), 15);
        }
        let _ = self.script.wait();
    }
}

/// What is looked through for examples.
const DOCUMENTS: [&str; 6] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "deploy/README.md",
    "bench/README.md",
];

/// What deploy/run.sh says when all is done.
const LOG_BEGINS: &str = "The node's log follows";

/// The time that the examples of one document may take.
const SHELL_SECONDS: &str = "120";
