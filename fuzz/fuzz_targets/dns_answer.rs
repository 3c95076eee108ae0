//! Any octets for `bodies::dns_answer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rollover_fuzz::bodies::dns_answer(data));
