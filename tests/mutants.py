#!/usr/bin/env python3
"""Breaks the program on purpose, one place after the other, and expects the proof to notice.

    python3 tests/mutants.py            every mutant, in a scratch copy of the tree
    python3 tests/mutants.py NAME ...   these
    python3 tests/mutants.py --check    only whether each mutant's text is still found, once
    python3 tests/mutants.py --list     their names

A mutant is killed where the tests that it names find a stranded sender, or a rollover that does not
end. A compile error, a run that passes, and a failure of any other kind are none: it survives. The
tests are the search, drawn lives, and hand-made worlds where those hardly ever come to it.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# How long the tests of one mutant may take, in seconds, building included.
LIMIT = 600

# How far the tests look, further than in every run: lives that are drawn, and what operators change
# their minds about half-way.
SEEDS = {"ROLLOVER_SEEDS": "300"}
MINDS = {"ROLLOVER_FAULTS": "0", "ROLLOVER_CHANGES_OF_MIND": "1"}

# What a test says that killed a mutant, and what that is called in the table.
SIGNS = [
    ("a sender is stranded", "stranded"),
    ("a cache holds", "stranded"),
    ("it does not end", "endless"),
    ("does not settle", "endless"),
]

# The tests, by target and name.
WORLDS = ("adversary", "nobody_is_ever_stranded_under_")
SEARCH = ("model", "nothing_goes_wrong_")
BY_HAND = "schedules"


@dataclass(frozen=True)
class Mutant:
    """One change for the worse: which text is replaced by which, and which test has to notice."""

    name: str
    file: str
    before: str
    after: str
    test: tuple[str, str]


def model(name: str) -> tuple[str, str]:
    """The exhaustive search under one policy."""
    return (SEARCH[0], SEARCH[1] + name)


def adversary(name: str) -> tuple[str, str]:
    """Drawn lives under one policy."""
    return (WORLDS[0], WORLDS[1] + name)


def schedule(name: str) -> tuple[str, str]:
    """A world made by hand."""
    return (BY_HAND, name)


SAFETY = "src/rollover/safety.rs"
HISTORY = "src/rollover/history.rs"
SERVED = "src/rollover/served.rs"
DECIDE = "src/rollover/decide.rs"
SITUATION = "src/rollover/situation.rs"
ACT = "src/pass/act.rs"
EXACT = model("with_waits_that_are_exact")
MINDED = model("under_dane_ee")
SOMEBODY = schedule("what_somebody_put_in_place_keeps_the_records_that_fit_it")
UNSEEN = schedule("an_update_that_nobody_saw_arrive_is_waited_for")
HIDDEN = schedule("what_a_hidden_primary_held_may_still_be_on_its_way")

MUTANTS = [
    # The gates.
    Mutant("may-serve-removed", SAFETY,
           "            if chains.iter().any(stands) {",
           "            if false && chains.iter().any(stands) {",
           EXACT),
    Mutant("may-publish-removed", SAFETY,
           "            chain.fit(&rrset.records, owner.base(), now.wall) < required\n",
           "            false && chain.fit(&rrset.records, owner.base(), now.wall) < required\n",
           SOMEBODY),
    Mutant("may-publish-asks-for-any-record", SAFETY,
           "    let degree = degree(spec, state, now);\n    served(spec, state, now)\n",
           "    let degree = Fit::Any;\n    served(spec, state, now)\n",
           SOMEBODY),
    Mutant("gates-ask-for-any-record", SAFETY,
           "        false => spec.policy.fit,",
           "        false => Fit::Any,",
           adversary("rfc7671")),
    Mutant("what-was-stolen-has-to-fit-as-well-as-ever", SAFETY,
           "        true => Fit::Any,",
           "        true => spec.policy.fit,",
           schedule("a_stolen_key_does_not_hold_up_a_change_of_ca")),
    Mutant("bridge-taken-for-granted", SITUATION,
           "        chains.iter().all(fits) && strands.is_empty() && !barred\n",
           "        let _ = (chains.iter().all(fits), strands.is_empty(), barred);\n        true\n",
           EXACT),
    Mutant("restore-without-gate", DECIDE,
           "        if in_the_way.is_empty() {\n            return self.act(Action::Restore",
           "        if true {\n            return self.act(Action::Restore",
           adversary("")),
    # The waits.
    Mutant("wait-without-ttl", HISTORY,
           "timing.propagation_holdoff + caches + CACHE_GRAIN + timing.margin",
           "{ let _ = caches; timing.propagation_holdoff + CACHE_GRAIN + timing.margin }",
           EXACT),
    Mutant("wait-without-holdoff", HISTORY,
           "timing.propagation_holdoff + caches + CACHE_GRAIN + timing.margin",
           "caches + CACHE_GRAIN + timing.margin",
           EXACT),
    Mutant("wait-without-grain", HISTORY,
           "timing.propagation_holdoff + caches + CACHE_GRAIN + timing.margin",
           "{ let _ = CACHE_GRAIN; timing.propagation_holdoff + caches + timing.margin }",
           EXACT),
    Mutant("wait-without-minimum", HISTORY,
           ".max(timing.minimum_wait);",
           ";",
           EXACT),
    Mutant("update-never-under-way", HISTORY,
           "                if longest_delay <= at.elapsed_since(&sent) {",
           "                let _ = (sent, longest_delay);\n                if true {",
           HIDDEN),
    Mutant("seen-once-is-not-under-way", HISTORY,
           "Service::Ended { .. }) = (due.next_back(), self.service) {",
           "Service::Ended { .. }) = (due.next_back().filter(|_| false), self.service) {",
           schedule("an_update_that_was_sent_twice_may_arrive_twice")),
    Mutant("let-go-of-is-not-under-way", HISTORY,
           "            *sent = at;",
           "            let _ = (sent, at);",
           schedule("what_somebody_took_back_at_a_hidden_primary_")),
    Mutant("held-by-the-primary-alone-is-past", HISTORY,
           "                    && !version.is_coming\n",
           "",
           HIDDEN),
    Mutant("held-by-the-primary-alone-is-served", HISTORY,
           "shown.all(|rrset| rrset.records != held.records).then_some(held)",
           "(shown.all(|rrset| rrset.records != held.records) && false).then_some(held)",
           HIDDEN),
    Mutant("drain-of-nothing", SERVED,
           "Some(at) => now.until_elapsed(at, drain).map(Until::At),",
           "Some(at) => now.until_elapsed(at, Span::ZERO).map(Until::At),",
           EXACT),
    Mutant("time-by-the-wall-clock-alone", "src/time.rs",
           "        by_wall.min(self.uptime.saturating_sub(earlier.uptime))",
           "        by_wall",
           adversary("")),
    # What is seen, and what is not.
    Mutant("silence-is-consent", HISTORY,
           "!answers.answers.is_empty() && answers.answers.values().all("
           "|answer| answer.rrset().is_some())",
           "!answers.answers.is_empty()",
           EXACT),
    Mutant("one-server-speaks-for-all", HISTORY,
           "        answers.answers.iter().filter_map(move |(server, answer)| {\n"
           "            let rrset = answer.rrset()?;\n            let shown",
           "        answers.answers.iter().take(1).filter_map(move |(server, answer)| {\n"
           "            let rrset = answer.rrset()?;\n            let shown",
           EXACT),
    Mutant("serial-numbers-ignored", HISTORY,
           "        self.is_later(shown, other) || other.serial.is_none_or(later_copy)",
           "        let _ = (later_copy(Serial(0)), self.is_later(shown, other));\n        true",
           schedule("a_server_that_lags_comes_to_what_was_taken_back")),
    Mutant("nothing-before-the-first-look", HISTORY,
           "fits: served.clone() };\n"
           "            self.versions.push(Version::new(content, Service::Ongoing { since: at }));",
           "fits: served.clone() };\n            let _ = content;",
           schedule("what_was_there_before_the_first_look_is_waited_for")),
    Mutant("silent-listeners-ended", SERVED,
           "            } else if complete && presence.ended.is_none() {",
           "            } else if presence.ended.is_none() {",
           schedule("an_address_that_says_nothing_may_present_what_it_did")),
    Mutant("deployed-but-unseen-is-not-served", SERVED,
           "            if deployed || ids.contains(&id) {",
           "            if { let _ = deployed; ids.contains(&id) } {",
           schedule("a_chain_in_the_file_counts_as_presented_though_nobody_shows_it")),
    Mutant("settled-while-others-are-served", DECIDE,
           "        if others.is_empty() && progress.is_complete() {",
           "        if progress.is_complete() {",
           EXACT),
    # Write-ahead.
    Mutant("publication-recorded-after-the-act", ACT,
           "        self.intend(progress, &event)?;\n"
           "        let error = match self.ports.publisher",
           "        let error = match self.ports.publisher",
           UNSEEN),
    Mutant("publication-never-intended", "src/rollover/transition.rs",
           "            history.intend(expects, &change.desired, now, longest_delay);",
           "            let _ = (history, now, longest_delay);",
           UNSEEN),
    Mutant("deployment-recorded-after-the-act", ACT,
           "        let before = progress.state.clone();\n"
           "        let now = self.ports.clock.now();\n"
           "        transition::intend_deployment(&mut progress.state, bundle, now);\n"
           "        self.intend(progress, &event)?;\n",
           "        let before = progress.state.clone();\n"
           "        let now = self.ports.clock.now();\n"
           "        transition::intend_deployment(&mut progress.state, bundle, now);\n",
           schedule("a_file_that_nobody_was_told_to_read_counts_as_read")),
    # What the primary is asked for.
    Mutant("update-without-prerequisite", "src/sim/ports.rs",
           "            if world.primary.records != change.observed.records {",
           "            if false && world.primary.records != change.observed.records {",
           adversary("")),
    # The end.
    Mutant("putting-back-without-end", DECIDE,
           "        if bundle == target {\n",
           "        if false && bundle == target {\n",
           MINDED),
    Mutant("putting-in-place-without-end", DECIDE,
           "            return self.act(Action::Repeat { bundle: target, because });",
           "            let _ = because;\n"
           "            return self.act(Action::Deploy { bundle: target });",
           MINDED),
    Mutant("never-finishes", DECIDE,
           "            Publication::Done => self.finish(),\n        }\n    }\n\n"
           "    /// What follows where a rollover leads out of DANE.",
           "            Publication::Done => self.wait(vec![Reason::NoListener]),\n"
           "        }\n    }\n\n"
           "    /// What follows where a rollover leads out of DANE.",
           EXACT),
]


def unfound(mutant: Mutant) -> str | None:
    """Why a mutant cannot be made, if it cannot."""
    found = (ROOT / mutant.file).read_text().count(mutant.before)
    if found == 1:
        return None
    return f"{mutant.name}: its text is found {found} times in {mutant.file}, and not once"


def copy_tree(scratch: Path) -> None:
    """Copies what is built, and what its dependencies were built to."""
    files = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                           cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, files.split("\0")):
        if (ROOT / name).is_file():
            (scratch / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, scratch / name)
    built = ROOT / "target" / "debug"
    for part in ("deps", "build", ".fingerprint"):
        if (built / part).is_dir():
            shutil.copytree(built / part, scratch / "target" / "debug" / part, symlinks=True)


def run_tests(scratch: Path, mutant: Mutant) -> tuple[int | None, str]:
    """The exit code and the output of a mutant's tests; no code where they took too long."""
    target, names = mutant.test
    # What dies, dies early: to build fast is worth more here than to run fast.
    unoptimised = ["--config", "profile.dev.package.rollover.opt-level=0"]
    command = ["cargo", "test", "--locked", *unoptimised, "--test", target, names]
    command += ["--", "--nocapture"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ROLLOVER_")}
    environment |= MINDS if mutant.test == MINDED else SEEDS
    environment |= {"CARGO_TARGET_DIR": str(scratch / "target"), "RUST_BACKTRACE": "0",
                    "CARGO_TERM_COLOR": "never"}
    process = subprocess.Popen(command, cwd=scratch, env=environment, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               start_new_session=True)
    ran_out = threading.Event()

    def run_out() -> None:
        ran_out.set()
        os.killpg(process.pid, signal.SIGKILL)

    limit = threading.Timer(LIMIT, run_out)
    limit.start()
    output = ""
    for line in process.stdout:
        output += line
        if verdict(0, output)[0] is not None:
            # It is dead: how the other tests end does not matter.
            os.killpg(process.pid, signal.SIGKILL)
            break
    output += process.stdout.read()
    code = process.wait()
    limit.cancel()
    return None if ran_out.is_set() else code, output


def verdict(code: int | None, output: str) -> tuple[str | None, str]:
    """What killed a mutant, and its first line; or nothing, and why it lives."""
    # The first panic is what counts: others may follow from the time limit alone.
    panics = re.findall(r"thread '([^']+)'[^\n]* panicked at [^\n]*\n([^\n]*)", output)
    for test, line in panics:
        for sign, kind in SIGNS:
            if sign in line:
                return kind, f"{test}: {line}"
    if "could not compile" in output:
        first = next((line for line in output.splitlines() if line.startswith("error")), "?")
        return None, f"does not compile: {first}"
    if code is None:
        return None, f"not within {LIMIT} s"
    if code == 0:
        return None, "every test passes"
    return None, f"another failure: {panics[0][1] if panics else output.strip()[-200:]}"


def main(arguments: list[str]) -> int:
    """Runs what the arguments name."""
    if arguments == ["--list"]:
        print("\n".join(mutant.name for mutant in MUTANTS))
        return 0
    problems = list(filter(None, map(unfound, MUTANTS)))
    if problems:
        print("\n".join(problems), file=sys.stderr)
        return 1
    if arguments == ["--check"]:
        print(f"{len(MUTANTS)} mutants: the text of each is found")
        return 0
    unknown = set(arguments) - {mutant.name for mutant in MUTANTS}
    if unknown:
        print(f"there is no mutant {', '.join(sorted(unknown))}; see --list", file=sys.stderr)
        return 2
    chosen = [mutant for mutant in MUTANTS if not arguments or mutant.name in arguments]
    killed = 0
    with tempfile.TemporaryDirectory(prefix="mutants-") as directory:
        scratch = Path(directory)
        copy_tree(scratch)
        for mutant in chosen:
            file = scratch / mutant.file
            original = file.read_text()
            file.write_text(original.replace(mutant.before, mutant.after))
            began = time.monotonic()
            kind, line = verdict(*run_tests(scratch, mutant))
            file.write_text(original)
            killed += kind is not None
            took = f"{time.monotonic() - began:.0f} s"
            what = f"{mutant.test[0]}: {kind or 'SURVIVES'}"
            print(f"| {mutant.name} | {what} | {line[:150]} | {took} |", flush=True)
    print(f"killed {killed} of {len(chosen)}")
    return 0 if killed == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
