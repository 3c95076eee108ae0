//! Any octets for `bodies::trust_anchors`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rollover_fuzz::bodies::trust_anchors(data));
