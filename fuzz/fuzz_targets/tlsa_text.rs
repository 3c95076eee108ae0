//! Any octets for `bodies::tlsa_text`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rollover_fuzz::bodies::tlsa_text(data));
