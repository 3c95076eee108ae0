//! The bodies of the fuzz targets over their committed seeds, and over mutations of them that are the
//! same each time. `fuzz/run.sh` looks for longer, and at what is covered.
#![allow(clippy::print_stdout, reason = "the counts are the result")]
#![allow(missing_docs, unreachable_pub, clippy::missing_docs_in_private_items, reason = "shared")]
#![allow(clippy::disallowed_methods, reason = "a test reads its seeds")]

#[path = "../fuzz/src/bodies.rs"]
mod bodies;

use std::path::Path;

/// Mutations of each target, unless `FUZZ_ROUNDS` says how many.
const ROUNDS: usize = 3000;

/// The seeds of a target, in order.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let entries = std::fs::read_dir(&directory).expect("a folder of seeds");
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{target} has no seeds");
    paths.iter().map(|path| std::fs::read(path).expect("a seed")).collect()
}

/// Numbers that look random and are the same each time (xorshift).
struct Numbers(u64);

impl Numbers {
    /// The next one below `limit`.
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap_or(0) % limit.max(1)
    }

    /// A seed with a few octets changed, taken out, doubled, or put in from another.
    fn mutate(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut data = seeds[self.below(seeds.len())].clone();
        for _ in 0..=self.below(4) {
            let (at, kind) = (self.below(data.len()), self.below(6));
            let end = (at + 1 + self.below(16)).min(data.len());
            match kind {
                _ if data.is_empty() => data.push(0),
                0 => data[at] ^= 1 << self.below(8),
                1 => data[at] = [0, 1, 0x7f, 0x80, 0xff, b'"', b'\n', b'.'][self.below(8)],
                2 => drop(data.drain(at..end)),
                3 => data = [&data[..end], &data[at..]].concat(),
                4 => data.truncate(at),
                _ => {
                    let other = &seeds[self.below(seeds.len())];
                    let from = self.below(other.len());
                    let to = (from + 1 + self.below(64)).min(other.len());
                    data = [&data[..at], &other[from..to], &data[at..]].concat();
                }
            }
        }
        data
    }
}

#[test]
fn any_octets_come_to_a_value_or_an_error() {
    let mut executions = 0;
    for (target, body) in bodies::ALL {
        let seeds = seeds(target);
        let started = std::time::Instant::now();
        let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
        seeds.iter().for_each(|seed| body(seed));
        // Slow ones, by a file system and by files that include each other.
        let slow = ["ledger_rows", "configuration"].contains(&target);
        let asked = std::env::var("FUZZ_ROUNDS").ok().and_then(|text| text.parse().ok());
        let rounds = asked.unwrap_or(ROUNDS) / if slow { 10 } else { 1 };
        for round in 0..rounds {
            let data = numbers.mutate(&seeds);
            let told = std::panic::catch_unwind(|| body(&data));
            assert!(told.is_ok(), "{target}, round {round}: {}", String::from_utf8_lossy(&data));
        }
        println!("{target}: {rounds} mutations in {:?}", started.elapsed());
        executions += seeds.len() + rounds;
    }
    println!("fuzz: {executions} executions of {} targets", bodies::ALL.len());
}
