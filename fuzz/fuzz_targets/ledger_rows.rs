//! Any octets for `bodies::ledger_rows`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rollover_fuzz::bodies::ledger_rows(data));
