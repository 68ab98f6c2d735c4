#![no_main]

use libfuzzer_sys::fuzz_target;

#[global_allocator]
static COUNTING: ws_fuzz_targets::Counting = ws_fuzz_targets::Counting;

fuzz_target!(|data: &[u8]| ws_fuzz_targets::header::run(data));
