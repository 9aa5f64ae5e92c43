#!/usr/bin/env python3
"""Checks the models with spin: what is faithful holds, and each broken rule has a counter-example (README.md)."""

import argparse
import concurrent.futures
import dataclasses
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
CC = ["cc", "-O2", "-w", "-DSAFETY", "-DCOLLAPSE", "-DMEMLIM=1900"]
PAN = ["./pan", "-m1000000"]
SECONDS = 200  # for one search

# What pan says of a violation, and the macro that leaves out the other properties.
PROPERTIES = {
    "never lost": ("!(lost)", "ONLY_LOST"),
    "never resurrected": ("!(resurrected)", "ONLY_RESURRECTED"),
    "equal": ("!(unequal)", "ONLY_UNEQUAL"),
    "done means copied": ("!(done_without_copy)", None),
}
# Processes that end, each where the macro is defined. (The others wait for more to do, for ever.)
ENDING = {
    "sync.pml": {"init": "", "Writer": "", "Backfill": "RUNS", "AntiEntropy": "ANTI_ENTROPY", "Outsider": "ANTI_ENTROPY"},
    "barrier.pml": {"init": "", "Replica": "", "Request": "", "Backfill": ""},
}


@dataclasses.dataclass(frozen=True)
class Check:
    name: str
    model: str
    macros: tuple
    states: int = 0  # faithful: at least so many; 0 = a mutation
    broken: str = ""  # a mutation: the property


OUTBOX = "RECONCILERS=1"
TWO = "RECONCILERS=2 FLAKY=1"
COPY = "RUNS=1 RECONCILERS=0 FLAKY=0"
RUNS = "RUNS=2 WRITERS=1 RECONCILERS=0 FLAKY=0"
UNORDERED = "RUNS=1 UNORDERED RECONCILERS=0 FLAKY=0"
STRANGER = "STRANGER WRITERS=2 RECONCILERS=1 FLAKY=1"
SCAN = "ANTI_ENTROPY WRITERS=1 RECONCILERS=1 FLAKY=0"
CLUSTER_OUTBOX = "CLUSTER RECONCILERS=1 FLAKY=1"
CLUSTER_COPY = "CLUSTER RUNS=1 WRITERS=1 RECONCILERS=0 FLAKY=0"
CLUSTER_UNORDERED = CLUSTER_COPY + " UNORDERED"
BARRIER = "REPLICAS=1 TURNS=3"

FAITHFUL = [
    ("writers", "sync", "WRITERS=3 RECONCILERS=1 FLAKY=1", 19_000_000),
    ("copy-two-ids", "sync", COPY + " IDS=2", 19_000_000),
    ("barrier-two-replicas", "barrier", "REPLICAS=2 TURNS=1 REQUESTS=1 SWEEPS=1", 6_000_000),
    ("cluster-outbox", "sync", CLUSTER_OUTBOX, 5_000_000),
    ("outbox-two-ids", "sync", OUTBOX + " IDS=2", 4_000_000),
    ("copy-two-runs", "sync", RUNS, 3_500_000),
    ("copy", "sync", COPY, 3_000_000),
    ("two-reconcilers", "sync", TWO, 3_000_000),
    ("copy-unordered", "sync", UNORDERED, 2_300_000),
    ("outbox", "sync", OUTBOX, 1_700_000),
    ("copy-and-outbox", "sync", "RUNS=1 WRITERS=1 RECONCILERS=1", 800_000),
    ("cluster-copy", "sync", CLUSTER_COPY, 600_000),
    ("anti-entropy", "sync", SCAN, 600_000),
    ("stranger", "sync", STRANGER, 1_000_000),
    ("barrier", "barrier", BARRIER, 500_000),
    ("cluster-unordered", "sync", CLUSTER_UNORDERED, 450_000),
    # Rules that are a second lock on the same door: without them the others hold (README.md).
    ("spare-epoch-on-leaving", "barrier", BARRIER + " NO_EPOCH_ON_LEAVING", 500_000),
    ("spare-epoch-of-the-dead", "barrier", BARRIER + " NO_EPOCH_OF_THE_DEAD", 500_000),
]

LOST, RESURRECTED, EQUAL, DONE = PROPERTIES
MUTATIONS = [
    ("sync", OUTBOX, "NO_CHECK", LOST),
    ("sync", OUTBOX, "TORN", EQUAL),
    ("sync", OUTBOX, "RETIRE_ALL", LOST),
    ("sync", OUTBOX, "DROP_ENTRY", LOST),
    ("sync", OUTBOX, "RETRY_AT_ONCE", LOST),
    ("sync", OUTBOX, "NO_LOCK", EQUAL),
    ("sync", OUTBOX, "ENTRY_LATER", LOST),
    ("sync", OUTBOX, "LATE_DEADLINE", LOST),
    ("sync", OUTBOX, "NO_PROBE", LOST),
    ("sync", OUTBOX, "ONE_OWNER_A_PROCESS", LOST),
    ("sync", OUTBOX, "RETIRE_LOOKS_BEFORE_LOCK", LOST),
    ("sync", STRANGER, "CLAIMS_ANOTHERS", LOST),
    ("sync", TWO, "NO_CLAIM", RESURRECTED),
    ("sync", TWO, "LOOK_BEFORE_LOCK", RESURRECTED),
    ("sync", "WRITERS=3 RECONCILERS=0 FLAKY=0", "WRITE_ABSENT", RESURRECTED),
    ("sync", COPY, "ABA", EQUAL),
    ("sync", COPY, "NO_CHECK", LOST),
    ("sync", COPY, "TORN", EQUAL),
    ("sync", COPY, "NO_SWEEP", RESURRECTED),
    ("sync", COPY, "NO_REVERSE_SWEEP", RESURRECTED),
    ("sync", COPY, "NO_WAIT", LOST),
    ("sync", COPY, "NO_PROBE_BY_COPY", LOST),
    ("sync", COPY, "CLEAN_RELEASE_ALWAYS", LOST),
    ("sync", COPY, "TAKER_DOES_NOT_WAIT", LOST),
    ("sync", COPY, "TAKER_WAITS_NO_DEADLINE", LOST),
    ("sync", COPY, "TAKER_DOES_NOT_PROBE", LOST),
    ("sync", COPY, "PROBE_BEFORE_DEADLINES", LOST),
    ("sync", COPY, "WAIT_ONLY_IN_COPY", LOST),
    ("sync", COPY, "WAIT_BEFORE_WRITES_ONLY", LOST),
    ("sync", COPY, "DEBT_FORGOTTEN_BY_SECOND_TAKER", LOST),
    ("sync", RUNS, "LEASE_LOOKS_BEFORE_LOCK", RESURRECTED),
    ("sync", RUNS, "NO_FENCE", RESURRECTED),
    ("sync", RUNS, "DONE_UNFENCED", RESURRECTED),
    ("sync", RUNS, "DEADLINE_BEYOND_LEASE", RESURRECTED),
    ("sync", UNORDERED, "UNORDERED_RESUMES", LOST),
    ("sync", SCAN, "NO_SCAN", LOST),
    ("sync", SCAN, "SCAN_WRITES", RESURRECTED),
    ("sync", SCAN.replace("WRITERS=1", "WRITERS=2"), "SCAN_MERGES", EQUAL),
    ("sync", CLUSTER_OUTBOX, "TWO_TRANSACTIONS", EQUAL),
    ("sync", CLUSTER_OUTBOX, "NO_BOOKMARK", EQUAL),
    ("sync", CLUSTER_COPY, "PLAIN_CHECK", EQUAL),
    ("sync", CLUSTER_COPY, "STALE_SWEEP", EQUAL),
    ("sync", CLUSTER_COPY, "BOOKMARK_OF_THE_TAKING", EQUAL),
    ("sync", CLUSTER_UNORDERED, "SCAN_WITHOUT_BOOKMARK", LOST),
    ("barrier", BARRIER, "NO_END_BARRIER", DONE),
    ("barrier", BARRIER, "EPOCH_NOT_COMPARED", DONE),
    ("barrier", BARRIER, "NO_BURIAL", DONE),
    ("barrier", BARRIER, "REPORT_BEFORE_DRAIN", DONE),
    ("barrier", BARRIER, "EXIT_BEFORE_DRAIN", DONE),
    ("barrier", BARRIER, "GATE_BEFORE_REPORT", DONE),
    ("barrier", BARRIER, "ENTER_IN_TWO", DONE),
    ("barrier", BARRIER, "NO_EPOCH_ON_ENTRY", DONE),
    ("barrier", BARRIER, "NO_EPOCH_AT_ALL", DONE),
    ("barrier", BARRIER, "STALE_BEAT", DONE),
]


def all_checks():
    for name, model, macros, states in FAITHFUL:
        yield Check(name, f"{model}.pml", (*macros.split(), "FAITHFUL"), states=states)
    names = [mutation for _, _, mutation, _ in MUTATIONS]
    for model, macros, mutation, broken in MUTATIONS:
        only = PROPERTIES[broken][1]
        name = mutation
        if names.count(mutation) > 1:
            name += "-by-copy" if macros == COPY else "-by-outbox"
        yield Check(name, f"{model}.pml", (*macros.split(), mutation, *([only] if only else [])), broken=broken)


class Surprise(Exception):
    pass


def searched(output):
    """States stored, where the whole space was searched."""
    for trouble in ("Search not completed", "max search depth too small", "out of memory", "MEMLIM", "truncated"):
        if trouble in output:
            raise Surprise(f"the search is not complete: {trouble}")
    if not re.search(r"^Full statespace search for:", output, re.M):
        raise Surprise("not a full search")
    if not re.search(r"^\s+invalid end states\s+\+", output, re.M):
        raise Surprise("invalid end states were not looked for")
    found = re.search(r"^\s*(\d+) states, stored", output, re.M)
    if not found:
        raise Surprise("no count of states")
    return int(found[1])


def never_ended(check, output):
    """Processes that should end, and did not in any run."""
    macros = {macro.split("=")[0] for macro in check.macros}
    ending = {name for name, macro in ENDING[check.model].items() if not macro or macro in macros}
    sections = re.findall(r"^unreached in (?:proctype )?(\S+)\n((?:\t.*\n)*)", output, re.M)
    if ending - {name for name, _ in sections}:
        raise Surprise("pan does not say what it reached")
    return {name for name, body in sections if '"-end-"' in body} & ending


def judge(check, output):
    """States stored. Raises Surprise."""
    errors = re.findall(r"errors: (\d+)", output)
    violations = re.findall(r"^pan:\d+: (.*?) \(at depth \d+\)", output, re.M)
    if len(errors) != 1:
        raise Surprise("pan did not come to an end")
    if not check.broken:
        if errors[0] != "0" or violations:
            raise Surprise(f"a counter-example: {'; '.join(violations)}")
        states = searched(output)
        if states < check.states:
            raise Surprise(f"{states} states, fewer than {check.states}: the model has lost something")
        if missing := never_ended(check, output):
            raise Surprise(f"never reached its end: {', '.join(sorted(missing))}")
        return states
    if errors[0] == "0":
        raise Surprise(f"no counter-example to '{check.broken}': the rule it breaks is not needed, or not in the model")
    kinds = [re.sub(r"\s+", " ", violation) for violation in violations]
    if kinds != [f"assertion violated {PROPERTIES[check.broken][0]}"]:
        raise Surprise(f"not a counter-example to '{check.broken}': {'; '.join(kinds) or 'errors without a word'}")
    return int(re.search(r"^\s*(\d+) states, stored", output, re.M)[1])


class Runner:
    def __init__(self):
        self.stop = threading.Event()
        self.running = set()
        self.lock = threading.Lock()

    def call(self, command, cwd, seconds):
        with self.lock:
            if self.stop.is_set():
                raise InterruptedError
            process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                       start_new_session=True)
            self.running.add(process)
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise Surprise(f"{command[0]} took more than {seconds} s") from None
        finally:
            with self.lock:
                self.running.discard(process)
        if self.stop.is_set():
            raise InterruptedError
        return process.returncode, output

    def end(self):
        with self.lock:
            self.stop.set()
            for process in self.running:
                os.killpg(process.pid, signal.SIGKILL)

    def run(self, check):
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="crossover-model-") as folder:
            code, output = self.call(spin(check), folder, 60)
            if code != 0 or not (Path(folder) / "pan.c").exists() or "rror" in output:
                raise Surprise(f"spin refuses the model:\n{output}")
            code, output = self.call([*CC, "-o", "pan", "pan.c"], folder, 120)
            if code != 0:
                raise Surprise(f"the compiler refuses pan.c:\n{output}")
            _, output = self.call(PAN, folder, SECONDS)
            return judge(check, output), time.monotonic() - started


def spin(check, *options):
    return ["spin", *(options or ["-a"]), *[f"-D{macro}" for macro in check.macros], str(HERE / check.model)]


def how_to_see(check):
    # The trail lies beside where spin ran, under the model's name.
    first = (f"cd $(mktemp -d) && cp {HERE}/*.pml . && {shlex.join(spin(check)).replace(str(HERE) + '/', '')} && "
             f"{shlex.join([*CC, '-DREACH', '-o', 'pan', 'pan.c'])} && {shlex.join(PAN)}")
    return (f"  reproduce: {first}\n"
            f"  a shorter trail: ./pan -i -m20000\n"
            f"  see the trail: {shlex.join(spin(check, '-t', '-p', '-g', '-l')).replace(str(HERE) + '/', '')}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", metavar="NAME", action="append", help="this check, or all whose name begins with it")
    parser.add_argument("--list", action="store_true", help="name the checks")
    parser.add_argument("--jobs", type=int, default=2, help="at once (default 2); each takes up to 2 GB")
    options = parser.parse_args()
    checks = list(all_checks())
    if options.only:
        exact = [check for check in checks if check.name in options.only]
        checks = exact or [check for check in checks if check.name.startswith(tuple(options.only))]
        if not checks:
            parser.error("no such check; --list names them")
    if options.list:
        for check in checks:
            print(f"{check.name:32} {check.broken or 'holds':18} {check.model} {' '.join(check.macros)}")
        return 0

    runner = Runner()
    started = time.monotonic()
    surprised = False
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        pending = {pool.submit(runner.run, check): check for check in checks}
        try:
            for future in concurrent.futures.as_completed(pending):
                check = pending[future]
                try:
                    states, seconds = future.result()
                except Surprise as surprise:
                    print(f"FAILED {check.name}: {surprise}\n{how_to_see(check)}", flush=True)
                    surprised = True
                    break
                said = f"breaks '{check.broken}'" if check.broken else "holds"
                print(f"ok  {check.name:32} {said:28} {states:>10,} states {seconds:6.1f} s", flush=True)
        finally:
            runner.end()
            pool.shutdown(wait=False, cancel_futures=True)
    if surprised:
        return 1
    print(f"{len(checks)} checks in {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
