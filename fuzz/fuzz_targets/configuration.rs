//! Any octets for `bodies::configuration`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rollover_fuzz::bodies::configuration(data));
