//! Any octets for `bodies::key_file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rollover_fuzz::bodies::key_file(data));
