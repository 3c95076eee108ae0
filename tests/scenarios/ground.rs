//! Disks that are full or read-only, under the state directory and under the mail server's files.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::lab::authority::Authority;
use crate::lab::judge::Demand;
use crate::lab::mail::{Postfix, Tls};
use crate::lab::{HOST, Lab};
use crate::stage::Stage;

/// A small disk of its own.
struct Disk {
    /// Where it is mounted.
    path: PathBuf,
}

impl Disk {
    /// A disk of this many kibibytes, for its owner alone.
    fn mount(path: PathBuf, size: u32) -> Self {
        std::fs::create_dir(&path).expect("a directory");
        let options = format!("size={size}k,mode=0700");
        mount(&["-t", "tmpfs", "-o", &options, "disk"], &path);
        Self { path }
    }

    /// Fills it to the last octet.
    fn fill(&self) {
        let filler = std::fs::File::create(self.path.join("filler")).expect("a file");
        let zeros = [0; 4096];
        while std::io::Write::write_all(&mut &filler, &zeros).is_ok() {}
        drop(filler);
    }

    /// Makes room again.
    fn clear(&self) {
        std::fs::remove_file(self.path.join("filler")).expect("the filler goes");
    }

    /// Lets nobody write to it, or everybody who may.
    fn remount(&self, how: &str) {
        mount(&["-o", &format!("remount,{how}")], &self.path);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.path).status();
    }
}

/// Mounts something.
#[track_caller]
fn mount(arguments: &[&str], path: &Path) {
    let status = Command::new("mount").args(arguments).arg(path).status();
    assert!(status.expect("mount runs").success(), "mount {arguments:?}");
}

/// The usual stage, with the state directory on a disk of its own.
fn with_state_on_a_disk() -> (Stage, Disk) {
    let lab = Lab::usual();
    let disk = Disk::mount(lab.path("state"), 2048);
    let stage = Stage::new(lab);
    stage.publish(&[stage.house.record(), stage.key_in_file()]);
    stage.acquaint("ncsc");
    (stage, disk)
}

/// The state directory has no room half-way through a change of CA: what happened, what it means and
/// what to do; nothing is done that could not be written down, and it goes on once there is room.
#[test]
fn a_full_disk_under_the_state_directory_holds_everything() {
    let (stage, disk) = with_state_on_a_disk();
    let judge = stage.judge(Demand::Any);
    stage.lab.rollover(&["--new-ca", "other"]).expect_code(0);
    let before = stage.key_in_file();
    disk.fill();
    std::thread::sleep(stage.ttl());
    let run = stage.lab.rollover(&[]).expect_code(1);
    let ledger = disk.path.join("ledger.sqlite");
    let message = format!(
        "rollover: cannot open the ledger `{}`: the disk is full\n  hint: free some space on the disk \
         of the state directory; the next pass goes on; until then rollover changes nothing, and what \
         is published and served stays as it is\n",
        ledger.display()
    );
    assert_eq!((run.out.as_str(), run.err), ("", message));
    assert_eq!(stage.key_in_file(), before, "nothing is deployed that is not on record");
    disk.clear();
    stage.lab.rollover(&["--wait"]).expect_code(0);
    stage.finish(judge).expect_clean(100);
    stage.expect_settled(&stage.other);
}

/// The file system of the state directory was remounted for reading, as after an error of the disk.
#[test]
fn a_state_directory_that_became_read_only_holds_everything() {
    let (stage, disk) = with_state_on_a_disk();
    let judge = stage.judge(Demand::Any);
    stage.lab.rollover(&["--new-ca", "other"]).expect_code(0);
    let before = stage.key_in_file();
    disk.remount("ro");
    std::thread::sleep(stage.ttl());
    let run = stage.lab.rollover(&[]).expect_code(1);
    let message = format!(
        "rollover: cannot open the ledger `{0}/ledger.sqlite`: cannot write in `{0}`: Read-only file \
         system (os error 30)\n  hint: mount the file system of the state directory for writing, or \
         set another `state-dir`; until then rollover changes nothing, and what is published and \
         served stays as it is\n",
        disk.path.display()
    );
    assert_eq!((run.out.as_str(), run.err), ("", message));
    let status = stage.lab.rollover(&["status"]).expect_code(0);
    assert!(status.out.contains("change of CA, since"), "it can still be read: {}", status.out);
    assert_eq!(stage.key_in_file(), before, "nothing is deployed that is not on record");
    disk.remount("rw");
    stage.lab.rollover(&["--wait"]).expect_code(0);
    stage.finish(judge).expect_clean(100);
    stage.expect_settled(&stage.other);
}

/// No room beside the mail server's file: the old one stays whole and in service.
#[test]
fn a_full_disk_under_the_mail_servers_files_leaves_the_old_certificate() {
    let lab = Lab::usual();
    let disk = Disk::mount(lab.path("tls"), 64);
    let bundle = disk.path.join("mail.pem");
    let (house, other) =
        (Authority::new(lab.directory(), "house"), Authority::new(lab.directory(), "other"));
    house.issue(HOST, &bundle);
    let postfix = Postfix::start(&lab, &[&bundle], Tls::Offered);
    let stage = Stage { postfix, house, other, bundle, lab };
    stage.publish(&[stage.house.record(), stage.key_in_file()]);
    stage.acquaint("ncsc");
    let judge = stage.judge(Demand::Any);
    let before = std::fs::read(&stage.bundle).expect("the file");
    disk.fill();
    let run = stage.lab.rollover(&["--renew", "--host", HOST]).expect_code(1);
    let message = format!(
        "rollover: {HOST}: the new certificate of {HOST} is not in service: cannot write `{}`: No space \
         left on device (os error 28)\n  the records fit both certificates, so mail goes on\n  hint: \
         free some space on the disk of that file; the next pass tries again\n",
        stage.bundle.display()
    );
    assert_eq!(run.err, message);
    assert!(!run.out.contains("put the former certificate back"), "it never left: {}", run.out);
    assert_eq!(std::fs::read(&stage.bundle).expect("the file"), before, "it is whole");
    let files: Vec<_> = std::fs::read_dir(&disk.path).expect("the directory").collect();
    assert_eq!(files.len(), 2, "nothing half-written stays: {files:?}");
    disk.clear();
    stage.lab.rollover(&["--wait"]).expect_code(0);
    stage.finish(judge).expect_clean(100);
    stage.expect_settled(&stage.house);
}
