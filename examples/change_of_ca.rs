//! A change of CA on real daemons, with a judge sending all the while; run by `change-of-ca.sh`.

#![allow(clippy::disallowed_methods, reason = "a rehearsal starts processes and waits")]
#![allow(clippy::print_stdout, reason = "a rehearsal is there to be watched")]

#[path = "../tests/lab/mod.rs"]
mod lab;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use lab::authority::{Authority, key_record};
use lab::configuration::{Configuration, quick_policy};
use lab::judge::{Demand, Judge};
use lab::mail::{Postfix, Tls};
use lab::{HOST, Lab, OWNER, PRIMARY, SECONDARY};

fn main() -> ExitCode {
    println!("Starting BIND (primary), NSD (secondary), two Unbounds and Postfix ...");
    let lab = Lab::usual();
    let house = Authority::new(lab.directory(), "house");
    let other = Authority::new(lab.directory(), "other");
    let bundle = lab.path("mail.pem");
    house.issue(HOST, &bundle);
    let postfix = Postfix::start(&lab, &[&bundle], Tls::Offered);
    lab.bind.publish(OWNER, lab.options.tlsa_ttl, &[house.record(), key_record(&bundle)]);
    let policy = quick_policy(&lab, "ncsc");
    Configuration::new(&lab)
        .own_ca("house", &house)
        .own_ca("other", &other)
        .host(
            &format!("issuer = \"house\"\npolicy = \"{}\"", policy.display()),
            &bundle,
            &postfix.reload(),
        )
        .write(&lab);
    lab.rollover(&["--wait"]).expect_code(0);
    let ttl = u64::from(lab.options.tlsa_ttl);
    std::thread::sleep(Duration::from_secs(ttl + 2));

    println!("A sender delivers to {HOST} many times a second (TTL {ttl} s, policy ncsc).");
    let judge = Judge::start(&lab, Demand::Any);
    println!("\n$ rollover --new-ca other --wait");
    let begun = Instant::now();
    let run = lab.rollover(&["--new-ca", "other", "--wait"]);
    let took = begun.elapsed();
    print!("{}{}", run.out, run.err);
    judge.go_on(Duration::from_secs(ttl + 2));
    let verdict = judge.finish();

    println!("\nPublished now, at both servers:");
    for record in lab.bind.tlsa(PRIMARY, OWNER) {
        println!("  {OWNER} TLSA {record}");
    }
    let settled = {
        let mut wanted = vec![other.record(), key_record(&bundle)];
        wanted.sort();
        [PRIMARY, SECONDARY].iter().all(|server| lab.bind.tlsa(server, OWNER) == wanted)
            && lab.presented(lab::MAIL) == key_record(&bundle)
    };
    println!(
        "\nVerdict of the sender: {} deliveries, {} failed. The change took {:.1} s, of which two \
         TTLs of {ttl} s are unavoidable.",
        verdict.attempts,
        verdict.failures,
        took.as_secs_f64()
    );
    println!("{}", idle_pass(&lab));
    let good = run.code == 0 && settled && verdict.failures == 0 && verdict.unreachable == 0;
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What a pass costs in which nothing is due, as cron makes most of them.
fn idle_pass(lab: &Lab) -> String {
    let script = "import resource,subprocess,sys,time\n\
                  begun=time.monotonic()\n\
                  subprocess.run(sys.argv[1:],check=True,stdout=subprocess.DEVNULL)\n\
                  used=resource.getrusage(resource.RUSAGE_CHILDREN)\n\
                  print(f'A pass with nothing due takes {time.monotonic()-begun:.2f} s, '\n\
                        f'{used.ru_utime+used.ru_stime:.2f} s of a processor and '\n\
                        f'{used.ru_maxrss/1024:.1f} MiB of memory.')";
    let pass = lab.tool(&[]);
    let mut command = std::process::Command::new("python3");
    command.args(["-c", script]).arg(pass.get_program()).args(pass.get_args());
    let output = command.output().expect("python3 runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}
