"""Break the code in many places, one at a time, and report what no test notices.

    python tools/mutate.py DIRECTORY [--seed N] [--count N] [--jobs N]

Draws places of the modules below, breaks each in a copy of the checkout, and runs the unit
tests that execute its line until one fails; then those of the module's directory. DIRECTORY has
the copies, the lines that each test executes, and the results. Run again with the same
DIRECTORY, it tries the places again that no test noticed; delete it if the code has changed.
Exit code 1 if fewer than 95 % are noticed.
"""

import argparse
import collections
import glob
import json
import os
import queue
import random
import shutil
import signal
import subprocess
import sys
from multiprocessing.pool import ThreadPool

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from testing.checkout import copy
from tools import mutation_tests as tests
from tools.mutations import mutated, mutations, runs_at_import, statement_of

MODULES = (
    *("jhpatch/transaction/*.py", "jhpatch/installer/plan.py"),
    *("jhpatch/installer/distribution_plan.py", "jhpatch/deployed/kerberos/*.py"),
    *("jhpatch/kerberos/*.py", "jhpatch/nginx/*rules.py"),
)
OTHERS = ("tests/commands", "tests/test_docs.py")
"""Tests that use all modules; what a child process executes is not always measured."""
SHARE = 0.95


def draw(checkout, seed, count):
    """Return places, each line with code as likely as any other: paths and mutations."""
    lines = collections.defaultdict(list)
    for pattern in MODULES:
        for path in sorted(glob.glob(os.path.join(checkout, pattern))):
            with open(path, encoding="utf-8") as file:
                for mutation in mutations(file.read()):
                    name = os.path.relpath(path, checkout)
                    lines[name, mutation.line].append((name, mutation))
    chance = random.Random(seed)
    return [chance.choice(lines[line]) for line in chance.sample(sorted(lines), count)]


class Trial:
    """Tries places: the copies that are free, and what is known of the tests."""

    def __init__(self, directory, copies):
        self.directory, self.copies = directory, queue.Queue()
        for checkout in copies:
            self.copies.put(checkout)
        self.lines = tests.tests_of_lines(directory, copies[0])
        self.seconds = tests.seconds_of_tests(directory)

    def __call__(self, place):
        """Break a copy, run its tests, mend it; return the place with the outcome."""
        path, mutation = place
        checkout = self.copies.get()
        module = os.path.join(checkout, path)
        with open(module, encoding="utf-8") as file:
            source = file.read()
        try:
            write(module, mutated(source, mutation))
            outcomes = (self.run(checkout, *run) for run in self.runs(path, mutation, source))
            outcome = next((one for one in outcomes if one != "survived"), "survived")
        finally:
            write(module, source)
            self.copies.put(checkout)
        return path, mutation, outcome

    def runs(self, path, mutation, source):
        """Yield ``-m``, paths and names of the tests of each run: first the module's own."""
        lines = self.lines[path]
        names = lines[mutation.line] or lines[statement_of(source, mutation.line)]
        if runs_at_import(source, mutation.line):  # in the test that happens to import it first
            names = set().union(*lines.values())
        directory, module = os.path.split("tests" + path[len("jhpatch") : -len(".py")])
        own = {name for name in names if name.startswith(directory + "/test_" + module)}
        for speed, seconds in self.seconds.items():
            for part in (own, names - own):
                chosen = sorted(part & set(seconds), key=seconds.get)
                if chosen:
                    yield speed, sorted({name.partition("::")[0] for name in chosen}), chosen
        yield tests.SPEEDS[0], [directory, *OTHERS], None

    def run(self, checkout, speed, paths, names):
        """Run tests until one fails; return "survived", "timed out" or the test that failed."""
        environment, limit = dict(os.environ, PYTHONPATH=checkout), 1200
        if names is not None:
            environment[tests.TESTS] = checkout + ".json"
            with open(environment[tests.TESTS], "w", encoding="utf-8") as file:
                json.dump(names, file)
            limit = 180 + 5 * sum(self.seconds[speed][name] for name in names)
        argv = tests.command(self.directory, checkout, "-x", "-m", speed, *paths)
        with open(checkout + ".log", "w+", encoding="utf-8", errors="replace") as log:
            process = subprocess.Popen(
                argv, cwd=checkout, env=environment, stdout=log, stderr=log, start_new_session=True
            )
            try:
                code = process.wait(limit)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                return "timed out"
            log.seek(0)
            rows = [line for line in log if line.startswith(("FAILED ", "ERROR "))]
        if code in (0, 5):  # 5: no test was chosen
            return "survived"
        failed = rows[0].partition(" ")[2].partition(" - ")[0].strip() if rows else ""
        return failed or "exit code %d" % code


def write(path, source):
    """Write a module, without the bytecode of the one before: it may have its time and size."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(source)
    directory, name = os.path.split(path)
    for cached in glob.glob(os.path.join(directory, "__pycache__", name[:-2] + "*")):
        os.unlink(cached)


def outcomes_of(path):
    """Return the outcome of each place that was tried."""
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        return {(name, tuple(place)): outcome for name, place, outcome in map(json.loads, file)}


def main():
    """Report each place; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("directory")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    directory = os.path.abspath(options.directory)
    copies = [os.path.join(directory, "copy-%d" % number) for number in range(options.jobs)]
    for checkout in copies:
        shutil.rmtree(checkout, ignore_errors=True)
        copy(checkout)
    if not tests.is_measured(directory):
        tests.measure(directory, copies[0], options.jobs)
    results = os.path.join(directory, "results.jsonl")
    outcomes = outcomes_of(results)
    places = draw(copies[0], options.seed, options.count)
    left = [place for place in places if outcomes.get(place, "survived") == "survived"]
    with ThreadPool(options.jobs) as pool, open(results, "a", encoding="utf-8") as file:
        for path, mutation, outcome in pool.imap_unordered(Trial(directory, copies), left):
            outcomes[path, mutation] = outcome
            file.write(json.dumps([path, mutation, outcome]) + "\n")
            file.flush()
            change = (mutation.kind, mutation.old, mutation.new)
            print("%s:%d: %s: %s -> %s: %s" % (path, mutation.line, *change, outcome), flush=True)
    noticed = sum(outcomes[place] != "survived" for place in places)
    print("%d of %d places were noticed" % (noticed, len(places)))
    return int(noticed < SHARE * len(places))


if __name__ == "__main__":
    sys.exit(main())
