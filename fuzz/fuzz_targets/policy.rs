//! Any octets for `bodies::policy`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rollover_fuzz::bodies::policy(data));
