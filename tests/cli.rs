//! The command line, as a user would type it.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::harness::{Node, curl, decoded, nameplate, output, send_signal, text};

fn as_json(node: &Node, arguments: &[&str]) -> Json {
    let printed = text(&mut nameplate(node, arguments));
    serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
}

#[test]
fn an_identifier_lives_on_the_command_line() {
    let node = Node::fresh();
    let register = ["register", "88.118.8/SN-001", "--url", "https://example.com/1"];
    let attributes = ["--attribute", "model=P-100", "--attribute", "phases:=3"];
    text(&mut nameplate(&node, &[&register[..], &attributes].concat()));
    let record = as_json(&node, &["resolve", "hdl:88.118.8/sn-001", "--json"]);
    assert!(
        record.to_string().contains(r#""attributes":{"model":"P-100","phases":3}"#),
        "{record}"
    );
    let shown = text(&mut nameplate(&node, &["resolve", "88.118.8/SN-001"]));
    assert!(shown.contains("P-100") && shown.contains("https://example.com/1"), "{shown}");

    text(&mut nameplate(&node, &["update", "88.118.8/SN-001", "--set", "model=P-200"]));
    let stale = ["update", "88.118.8/SN-001", "--set", "a=b", "--if-version", "1"];
    let refused = output(&mut nameplate(&node, &stale));
    assert!(!refused.status.success() && decoded(&refused.stderr).contains("version"));
    text(&mut nameplate(&node, &["retire", "88.118.8/SN-001", "--reason", "scrapped"]));
    let gone = output(&mut nameplate(&node, &["resolve", "88.118.8/SN-001"]));
    assert_eq!(gone.status.code(), Some(4));
    let absent = output(&mut nameplate(&node, &["resolve", "88.118.8/absent"]));
    assert_eq!(absent.status.code(), Some(3));
    let history = text(&mut nameplate(&node, &["resolve", "88.118.8/SN-001", "--history"]));
    assert!(history.contains("scrapped") && history.contains('3'), "{history}");
}

#[test]
fn every_form_of_a_name_is_told_without_a_node() {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_nameplate"));
    let told = text(command.args(["name", "--json", "hdl:88.118.8/sn-001"]).env_clear());
    for form in ["88.118.8/SN-001", "sn-001._id.8.118.88.id.example.", "/88.118.8/sn-001"] {
        assert!(told.to_lowercase().contains(&form.to_lowercase()), "{form} in {told}");
    }
}

#[test]
fn a_config_is_written_and_checked() {
    let node = Node::fresh();
    text(&mut nameplate(&node, &["init", "nameplate.toml"]));
    text(&mut nameplate(&node, &["config", "check", "nameplate.toml"]));
    let again = output(&mut nameplate(&node, &["init", "nameplate.toml"]));
    assert!(!again.status.success(), "a config that exists is never overwritten");
    fs::write(node.launch().folder().join("broken.toml"), "htpp = 1\n").expect("written");
    let refused = output(&mut nameplate(&node, &["config", "check", "broken.toml"]));
    assert!(!refused.status.success() && decoded(&refused.stderr).contains("htpp"));
}

#[test]
fn real_equipment_is_imported_and_found() {
    let node = Node::fresh();
    for (list, vendors) in [("pci.ids", 100_000), ("usb.ids", 200_000)] {
        let path = format!("/usr/share/misc/{list}");
        let devices = devices(&path);
        let first = import(&node, &path);
        assert_eq!(total(&first, "failed"), 0, "{first}");
        assert_eq!(total(&first, "created"), devices.len() as u64, "{first}");
        let again = import(&node, &path);
        assert_eq!(total(&again, "created"), 0, "{again}");
        for (vendor, device, model) in devices.iter().step_by(997) {
            let identifier = format!("88.118.{}/{device:04X}", vendors + u32::from(*vendor));
            let record = curl(&[&node.api(&identifier)]).expect(200);
            assert_eq!(record["attributes"]["model"], *model, "{identifier}");
        }
    }
    let pci = curl(&[&node.api("88.118.104318/1DB4")]).expect(200);
    assert_eq!(pci["values"][0]["data"], "https://pci-ids.ucw.cz/read/PC/10de/1db4");
    assert_eq!(pci["attributes"]["vendor"], "NVIDIA Corporation");
    let usb = curl(&["-i", &node.url("/88.118.232903/0a2b")]);
    assert_eq!(usb.header("location"), Some("https://usb-ids.gowdy.us/read/UD/8087/0a2b"));
}

/// Vendor, device and model of each device in a list; the last line of a device counts.
fn devices(path: &str) -> Vec<(u16, u16, String)> {
    let list = fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}: run `make test`"));
    let mut devices = std::collections::BTreeMap::new();
    let mut vendor = None;
    for line in decoded(&list).lines() {
        let number = |text: &str| {
            let (digits, name) = text.split_at_checked(4)?;
            let name = name.strip_prefix("  ")?;
            u16::from_str_radix(digits, 16).ok().map(|number| (number, name.to_owned()))
        };
        match (line.strip_prefix('\t'), vendor) {
            (Some(rest), Some(vendor)) if !rest.starts_with('\t') => {
                let Some((device, model)) = number(rest) else { continue };
                devices.insert((vendor, device), model.trim().to_owned());
            }
            (None, _) if !line.is_empty() && !line.starts_with('#') => match number(line) {
                Some((number, _)) => vendor = Some(number),
                None => break,
            },
            _ => {}
        }
    }
    devices.into_iter().map(|((vendor, device), model)| (vendor, device, model)).collect()
}

/// Imports a file and returns the summary, the last line printed.
fn import(node: &Node, file: &str) -> Json {
    let printed = text(&mut nameplate(node, &["import", "--json", file]));
    let last = printed.lines().last().unwrap_or_default();
    let last: Json = serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {last}"));
    last["summary"].clone()
}

/// A number of the summary.
fn total(summary: &Json, verdict: &str) -> u64 {
    summary[verdict].as_u64().unwrap_or_else(|| panic!("no {verdict} in {summary}"))
}

#[test]
fn bad_lines_are_named_and_the_rest_goes_on() {
    let node = Node::fresh();
    let folder = node.launch().folder();
    let lines = "identifier,url,model\n88.118/a,https://a.example/,A\n,https://b.example/,B\n\
                 88.118/c,javascript:x,C\n88.118/d,https://d.example/,D\n";
    fs::write(folder.join("list.csv"), lines).expect("written");
    let ran = output(&mut nameplate(&node, &["import", "list.csv"]));
    assert!(!ran.status.success());
    let said = decoded(&ran.stderr) + &decoded(&ran.stdout);
    assert!(said.contains('3') && said.contains('4') && said.contains("javascript"), "{said}");
    for identifier in ["88.118/a", "88.118/d"] {
        assert_eq!(curl(&[&node.api(identifier)]).status, 200);
    }
}

#[test]
fn an_interrupted_import_can_be_run_again() {
    let node = Node::fresh();
    let line = |n: u32| json!({"identifier": format!("88.118.5/{n}"), "attributes": {"n": n}});
    let lines: String = (0..60_000).map(|n| format!("{}\n", line(n))).collect();
    fs::write(node.launch().folder().join("many.ndjson"), lines).expect("written");
    let mut command = nameplate(&node, &["import", "many.ndjson"]);
    let running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
    std::thread::sleep(Duration::from_millis(250));
    send_signal(i32::try_from(running.id()).expect("a pid"), 2);
    let ended = running.wait_with_output().expect("ends");
    let said = decoded(&ended.stderr);
    assert!(ended.status.code().is_some(), "ended by itself, not by the signal");
    if !ended.status.success() {
        assert!(said.contains("--continue-from"), "{said}");
    }
    let summary = import(&node, "many.ndjson");
    let counts = ["created", "unchanged", "failed"].map(|verdict| total(&summary, verdict));
    assert_eq!((counts[0] + counts[1], counts[2]), (60_000, 0), "{summary}");
}

#[test]
fn what_is_exported_can_be_imported_elsewhere() {
    let node = Node::fresh();
    let values = json!([
        {"index": 1, "type": "URL", "data": "https://example.com/", "ttl": 60},
        {"index": 7, "type": "BYTES", "data": {"format": "base64", "value": "AAEC/w=="}},
        {"index": 9, "type": "PRIVATE", "data": "x", "permissions": "1100"},
    ]);
    node.put("88.118.8/泵 1", &json!({"values": values, "attributes": {"n": 1, "t": "1"}}));
    text(&mut nameplate(&node, &["export", "--prefix", "88.118", "--output", "all.ndjson"]));
    let other = Node::fresh();
    let file = node.launch().folder().join("all.ndjson").display().to_string();
    let summary = import(&other, &file);
    assert_eq!((total(&summary, "created"), total(&summary, "failed")), (1, 0), "{summary}");
    let records = [&node, &other].map(|node| {
        let path = format!("/api/v1/identifiers/{}", crate::harness::segment("88.118.8/泵 1"));
        let mut record = node.admin("GET", &path, "").expect(200);
        for value in record["values"].as_array_mut().expect("a list") {
            value["timestamp"] = Json::Null;
        }
        (record["values"].clone(), record["attributes"].clone())
    });
    assert_eq!(records[0], records[1]);
}

#[test]
fn a_job_goes_on_without_its_command() {
    let node = Node::fresh();
    let folder = node.launch().folder().to_owned();
    let mut sheet = String::from("货号,型号,备注\r\n");
    (0..20_000).for_each(|number| sheet.push_str(&format!("P{number},泵{number},=1+1\r\n")));
    sheet.push_str("a b,too,many,cells\r\n");
    let (sheet, _, _) = encoding_rs::GBK.encode(&sheet);
    fs::write(folder.join("sheet.csv"), sheet).expect("written");
    let mapping = json!({"columns": {"货号": "identifier", "型号": {"attribute": "model"},
        "备注": null}, "prefix": "88.118.8"});
    fs::write(folder.join("mapping.json"), mapping.to_string()).expect("written");
    let import = ["job", "import", "sheet.csv", "--mapping", "mapping.json", "--json"];
    let job: Json = serde_json::from_str(&text(&mut nameplate(&node, &import))).expect("JSON");
    let id = job["id"].as_str().expect("a name").to_owned();
    // Its waiting fails, because a row is at fault; what it prints counts.
    let waited = output(&mut nameplate(&node, &["job", "wait", &id, "--json"]));
    assert_eq!(waited.status.code(), Some(1));
    let job: Json = serde_json::from_str(&decoded(&waited.stdout)).expect("JSON");
    assert_eq!((&job["state"], &job["tally"]["created"]), (&json!("done"), &json!(20_000)));
    let shown = text(&mut nameplate(&node, &["job", "list"]));
    assert!(shown.contains("20000 created, 1 failed"), "{shown}");
    text(&mut nameplate(&node, &["job", "rejects", &id, "--output", "bad.csv"]));
    let rejects = fs::read_to_string(folder.join("bad.csv")).expect("fetched");
    assert!(rejects.contains("20002") && rejects.contains("field-count"), "{rejects}");
    let export = ["job", "export", "--format", "csv", "--prefix", "88.118.8", "--wait", "--json"];
    let job: Json = serde_json::from_str(&text(&mut nameplate(&node, &export))).expect("JSON");
    let id = job["id"].as_str().expect("a name");
    let table = text(&mut nameplate(&node, &["job", "result", id]));
    assert_eq!(table.lines().count(), 20_001);
    assert!(table.starts_with("identifier,url,model\r\n88.118.8/P0,,泵0\r\n"), "{}", &table[..80]);
    text(&mut nameplate(&node, &["job", "remove", id]));
    let gone = output(&mut nameplate(&node, &["job", "show", id]));
    assert_eq!(gone.status.code(), Some(3));
}
