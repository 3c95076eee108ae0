//! Any octets for `bodies::hook_call`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rollover_fuzz::bodies::hook_call(data));
