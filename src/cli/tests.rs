//! The command line as a whole: its shape and its help.

use clap::{CommandFactory, Parser};

use super::Arguments;
use crate::config::KEYS;

#[test]
fn the_command_line_is_sound() {
    Arguments::command().debug_assert();
}

#[test]
fn help_names_every_key_of_the_configuration() {
    let mut command = Arguments::command();
    let help = command.find_subcommand_mut("serve").unwrap().render_long_help().to_string();
    for key in KEYS.iter() {
        assert!(help.contains(&format!("--{}", key.flag)), "{}", key.flag);
        assert!(help.contains(&format!("[env: {}]", key.variable)), "{}", key.variable);
    }
}

#[test]
fn help_is_as_recorded() {
    let mut root = Arguments::command();
    root.build();
    let mut pages = Vec::new();
    render(&mut root, "nameplate", &mut pages);
    assert!(pages.len() > 14);
    for (name, help) in pages {
        let path = format!("tests/snapshots/help-{}.txt", name.replace(' ', "-"));
        crate::snapshot::compare(&path, &help);
    }
}

fn render(command: &mut clap::Command, name: &str, pages: &mut Vec<(String, String)>) {
    pages.push((name.to_owned(), command.render_long_help().to_string()));
    for below in command.get_subcommands_mut().filter(|below| below.get_name() != "help") {
        let name = format!("{name} {}", below.get_name());
        render(below, &name, pages);
    }
}

#[test]
fn command_lines_of_the_readme_parse() {
    for line in LINES {
        let words = std::iter::once("nameplate").chain(line.split_ascii_whitespace());
        if let Err(error) = Arguments::try_parse_from(words) {
            panic!("{line}: {error}");
        }
    }
    for line in ["prefix apply", "prefix apply 88.1 --parent 88", "transfer offer --to a"] {
        let words = std::iter::once("nameplate").chain(line.split_ascii_whitespace());
        assert!(Arguments::try_parse_from(words).is_err(), "{line}");
    }
    for line in ["", "backup", "backup --output f --with-keys", "import", "update", "serve --htp x"]
    {
        let words = std::iter::once("nameplate").chain(line.split_ascii_whitespace());
        assert!(Arguments::try_parse_from(words).is_err(), "{line}");
    }
}

#[test]
fn broken_command_lines_about_grants_are_refused() {
    let parses = |line: &str| {
        let words = std::iter::once("nameplate").chain(line.split_ascii_whitespace());
        Arguments::try_parse_from(words).is_ok()
    };
    for line in [
        "grant add --everyone",
        "grant add --template t --identifier i --everyone",
        "grant add --template t --everyone --registrant beta",
        "grant add --template t --everyone --access own",
        "grant list --to-me --granter acme",
    ] {
        assert!(!parses(line), "{line}");
    }
}

/// Command lines that the documents show.
const LINES: &[&str] = &[
    "serve --data d --http 127.0.0.1:0 --https 127.0.0.1:0 --dns 127.0.0.1:0 --apex id.x. \
     --prefix 88.1 --prefix 88.2 --root",
    "serve --root=false --config n.toml",
    "init",
    "name 88.118.8/SN-001 --json",
    "register 88.118.8/SN-001 --url https://h/ --attribute model=P --attribute phases:=3",
    "resolve 88.118.8/SN-001 88.118.8/SN-002 --history",
    "update 88.118.8/SN-001 --set colour=red --unset old --if-version 1",
    "retire 88.118.8/SN-001",
    "register 88.118.8/SN-001 --template 88.118.8/t --template-version 2 -a model=P",
    "mint 88.118.8 --template 88.118.8/t --serial 7 -a model=P --idempotency-key k",
    "batch items.json --atomic --idempotency-key k --reason r",
    "history 88.118.8/SN-001 --restore 2",
    "template create 88.118.8/t --shipped product --publish",
    "template create 88.118.8/t --file t.json --if-version 3",
    "template publish 88.118.8/t --reason agreed",
    "template withdraw 88.118.8/t",
    "template show 88.118.8/t --template-version 1",
    "template list --prefix 88.118.8",
    "template schema 88.118.8/t",
    "template shipped product",
    "import /usr/share/misc/pci.ids /usr/share/misc/usb.ids --continue-from 7",
    "export --prefix 88.118 --output f",
    "job import f.csv --mapping m.json --template 88.118/T --dry-run --wait",
    "job export --format csv --mark --prefix 88.118",
    "job list",
    "job show 9f86d081884c7d65",
    "job pause 9f86d081884c7d65",
    "job rejects 9f86d081884c7d65 --output r.csv",
    "token create --account acme --prefix 88.118.8 --action register --action update",
    "token create --data d",
    "token list",
    "account create zhang.wei --role operator --registrant acme-pumps --password",
    "account list --registrant acme-pumps",
    "account show zhang.wei",
    "account set-role zhang.wei registrant-administrator --reason moved",
    "account disable zhang.wei",
    "account enable zhang.wei",
    "account set-password zhang.wei --own",
    "registrant apply acme --name-zh 西安泵业有限公司 --unified-code 91110108MA00NP019P \
     --industry C34 --region 110108 --contact 王工,ids@acme.example",
    "registrant list --state applied",
    "registrant update acme --name-en Acme --unset region --if-version 3",
    "registrant reject acme --reason incomplete",
    "registrant history acme",
    "prefix apply --parent 88.118 --registrant acme --identifiers 100000",
    "prefix apply 88.118.017101",
    "prefix approve 88.118.8 --valid-until 2031-01-01T00:00:00Z --writes-per-second 200",
    "prefix set 88.118.8 --identifiers none --hidden-when-suspended true",
    "prefix list --expiring-within-days 30",
    "transfer offer --to zhang --prefix 88.118.8 88.118.9/1 88.118.9/2",
    "transfer accept 00000001",
    "codes regions 北京 海淀",
    "login zhang.wei",
    "logout",
    "token revoke 0123456789abcdef",
    "grant add --template 88.118.8/T --group acme.service --attribute cost --access edit",
    "grant add --identifier 88.118.8/SN-001 --everyone --access nothing --reason recall",
    "grant list --granter acme --identifier 88.118.8/SN-001",
    "grant list --to-me",
    "grant revoke acme.i00.view.everyone",
    "group set acme.service --member beta --member gamma --if-version 2",
    "group list --keeper acme",
    "group show acme.service",
    "group remove acme.service",
    "config check n.toml",
    "check --data d",
    "backup --output f",
    "backup --data d --with-keys --output f",
    "restore f --data d --nothing-lost",
];
