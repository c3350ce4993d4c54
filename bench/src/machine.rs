//! What the measurements were made on, without names of machines, people or places.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Describes processor, memory, kernel, the file system that holds `folder`, and how busy the
/// machine is with other things, as a list.
pub fn describe(folder: &Path) -> Vec<String> {
    let cpus = read("/proc/cpuinfo");
    let count = cpus.lines().filter(|line| line.starts_with("processor")).count();
    let model = value_of(&cpus, "model name").unwrap_or("unknown processor");
    let memory = read("/proc/meminfo");
    let memory = value_of(&memory, "MemTotal").and_then(|text| text.split(' ').next());
    let gib = memory.and_then(|kib| kib.parse::<f64>().ok()).unwrap_or_default() / 1024.0 / 1024.0;
    vec![
        format!("{count} × {model}, {gib:.0} GiB of memory"),
        // The version without what a distributor adds to it.
        format!(
            "Linux {}",
            read("/proc/sys/kernel/osrelease").trim().split('-').next().unwrap_or("")
        ),
        format!("store on {}", file_system(&read("/proc/mounts"), folder)),
        format!(
            "load average of the last minute before the run: {}",
            read("/proc/loadavg").split(' ').next().unwrap_or_default()
        ),
    ]
}

/// The commit of the sources, with a mark when they have been changed since.
pub fn commit() -> String {
    let git = |arguments: &[&str]| {
        let told = Command::new("git").args(arguments).output().ok()?;
        told.status.success().then(|| String::from_utf8_lossy(&told.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else {
        return "unknown commit".to_owned();
    };
    let changes = git(&["status", "--porcelain", "--untracked-files=no", ":!bench/results.md"]);
    match changes.as_deref() {
        Some("") => commit,
        _ => format!("{commit} with changes"),
    }
}

/// Type of the file system with the longest mount point above `folder`.
fn file_system(mounts: &str, folder: &Path) -> String {
    let mount = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (point, kind) = (fields.next()?, fields.next()?);
        folder.starts_with(point).then_some((point.len(), kind))
    });
    mount.max_by_key(|(length, _)| *length).map_or("an unknown file system", |m| m.1).to_owned()
}

fn value_of<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    fields.find(|(field, _)| field.trim() == name).map(|(_, value)| value.trim())
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_files_are_described() {
        let mounts = "a / ext4 rw 0 0\nb /data xfs rw 0 0\nc /data2 btrfs rw 0 0\n";
        assert_eq!(file_system(mounts, Path::new("/data/store")), "xfs");
        assert_eq!(file_system(mounts, Path::new("/var")), "ext4");
        let lines = describe(Path::new("/"));
        assert!(lines[0].contains(" × ") && lines[1].starts_with("Linux "), "{lines:?}");
    }
}
