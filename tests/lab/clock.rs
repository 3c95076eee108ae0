//! A clock for one daemon, which can be set apart from everybody else's (`clock.c`).

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::daemon::run;

/// A clock.
#[derive(Debug)]
pub struct Clock {
    /// What stands between the daemon and the machine's clock.
    library: PathBuf,
    /// How far they are apart.
    file: PathBuf,
}

impl Clock {
    /// A clock that agrees with the machine's.
    pub fn new(directory: &Path) -> Self {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/clock.c");
        let (library, file) = (directory.join("clock.so"), directory.join("clock"));
        run(Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source));
        let clock = Self { library, file };
        clock.set(0);
        clock
    }

    /// Gives it to a daemon that is about to start.
    pub fn give_to(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.library).env("CLOCK_FILE", &self.file);
    }

    /// Sets it this many seconds ahead of the machine's. The file is never empty: the daemon maps it.
    pub fn set(&self, ahead: i64) {
        let file = File::options().write(true).create(true).truncate(false).open(&self.file);
        file.and_then(|mut file| file.write_all(&ahead.to_ne_bytes())).expect("the clock");
    }
}
