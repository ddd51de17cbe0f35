#![no_main]

#[path = "../src/answers.rs"]
mod answers;
#[path = "../src/cuts.rs"]
mod cuts;

libfuzzer_sys::fuzz_target!(|data: &[u8]| answers::answer(data));
