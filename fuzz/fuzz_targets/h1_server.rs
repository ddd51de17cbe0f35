#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| topdog_gateway::h1_server(data));
