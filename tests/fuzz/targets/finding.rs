#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nameplate::fuzzing::finding(bytes));
