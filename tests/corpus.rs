//! The fuzz corpus, replayed with the stable compiler.

use std::fs;
use std::path::Path;

use nameplate::fuzzing::TARGETS;

#[test]
fn the_corpus_replays() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).expect("a manifest");
    for &(name, target) in TARGETS {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "no [[bin]] for {name}");
        let files = fs::read_dir(fuzz.join("corpus").join(name));
        let files = files.unwrap_or_else(|error| panic!("corpus of {name}: {error}"));
        let mut count = 0;
        for file in files.flatten() {
            let bytes = fs::read(file.path()).expect("readable");
            println!("{name}: {}", file.path().display());
            target(&bytes);
            count += 1;
        }
        assert!(count > 0, "the corpus of {name} is empty");
    }
}

#[test]
fn every_target_is_a_hook() {
    let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/targets");
    for file in fs::read_dir(targets).expect("a folder").flatten() {
        let path = file.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        assert!(TARGETS.iter().any(|(target, _)| *target == name), "{name} is not in TARGETS");
    }
}
