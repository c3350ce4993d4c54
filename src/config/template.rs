//! The configuration written out: with comments for `nameplate init`, plain for `config check`.

use super::keys::Config;

/// A file with every key, its documentation and its default, all commented out.
pub fn template() -> String {
    let mut text = String::from(
        "# Configuration of a Nameplate node. Every line is the default: uncomment what you\n\
         # change. A flag of `nameplate serve` or an environment variable wins over this file;\n\
         # `nameplate config check FILE` says what is in force.\n",
    );
    let mut section = "";
    for (key, value) in Config::default().to_toml() {
        if section != key.section {
            section = key.section;
            text += &format!("\n## {section}\n");
        }
        text += "\n";
        key.doc.iter().for_each(|line| text += &format!("# {line}\n"));
        text += &format!("# --{}, {}\n", key.flag, key.variable);
        text += &format!("#{} = {value}\n", key.name);
    }
    text
}

/// A file with every key and its value.
pub fn effective(config: &Config) -> String {
    let line = |(key, value): (&super::Key, toml::Value)| format!("{} = {value}\n", key.name);
    config.to_toml().into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::load::Given;
    use super::*;

    fn read(text: &str) -> Config {
        let mut given = Given::default();
        given.add_text(text, Path::new("n.toml")).unwrap();
        Config::from_given(&given).unwrap()
    }

    #[test]
    fn the_template_is_the_defaults() {
        let uncommented: String = template()
            .lines()
            .filter_map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with([' ', '#'])))
            .map(|line| line.to_owned() + "\n")
            .collect();
        assert_eq!(uncommented, effective(&Config::default()));
        assert_eq!(read(&uncommented), Config::default());
        assert_eq!(read(&template()), Config::default());
    }

    #[test]
    fn configurations_of_all_releases_load() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configs");
        let mut seen = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            let config = read(&text);
            assert_eq!(read(&effective(&config)), config);
            seen += 1;
        }
        assert!(seen > 0);
    }
}
