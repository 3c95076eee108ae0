//! Any octets for `bodies::dialogue`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rollover_fuzz::bodies::dialogue(data));
