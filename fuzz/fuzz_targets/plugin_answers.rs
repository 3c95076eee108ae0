//! Any octets for `bodies::plugin_answers`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rollover_fuzz::bodies::plugin_answers(data));
