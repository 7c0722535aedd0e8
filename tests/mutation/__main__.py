"""`make mutation`: makes mutants of a part's modules and lets the part's own tests look for each of them."""

import argparse
import os
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import mutants
import table
from covering import Coverage, collect, fingerprint, load
from mutants import REPOSITORY, Mutant, Part
from trial import SERVERS, Bench, Trial, import_libraries

from openmusic_local.stack import Stack
from openmusic_local.temporary import temporary_stack

FOLDER = REPOSITORY / ".mutation"
RECORDING_WITHIN = 1200.0  # seconds, for all tests of a part under coverage
PATIENCE = 5.0  # times what the tests took when they were recorded; beside it, START
START = 20.0  # seconds, for pytest and what the tests start, on a busy machine


def main() -> int:
    given = _arguments()
    seed = given.seed or secrets.token_hex(4)
    known = mutants.parts()
    chosen = [known[given.part]] if given.part else list(known.values())
    if given.draw_part:
        chosen = mutants.sample(chosen, 1, seed)
    FOLDER.mkdir(exist_ok=True)
    import_libraries()
    results = [_run(part, given, seed) for part in chosen]
    return 0 if all(results) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make mutation")
    parser.add_argument("--part", help="kit, gateway, auth, …; all of them unless given")
    parser.add_argument("--draw-part", action="store_true", help="one part, drawn by the seed")
    parser.add_argument("--module", help="one of the part's modules, e.g. songs/repository.py")
    parser.add_argument("--sample", type=int, help="so many mutants, drawn by the seed")
    parser.add_argument("--minutes", type=float, help="as many mutants as fit into this time, drawn by the seed")
    parser.add_argument("--seed", help="what decides the draw")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 2)
    return parser.parse_args()


def _run(part: Part, given: argparse.Namespace, seed: str) -> bool:
    """Whether enough of the part's mutants were noticed."""
    modules = [given.module] if given.module else list(part.modules)
    drawn = mutants.sample([each for module in modules for each in mutants.of_module(part, module)], given.sample, seed)
    print(f"{part.name}: {len(drawn)} places for a mutant, seed {seed}", flush=True)
    with ExitStack() as stack:
        benches = [
            Bench(part, FOLDER / f"{part.name}-{number}", stack.enter_context(_servers()))
            for number in range(given.workers)
        ]
        coverage = _recorded(part, benches[0])
        until = time.monotonic() + 60 * given.minutes if given.minutes else float("inf")
        results = _try_all(benches, drawn, coverage, until)
    whole = not (given.sample or given.minutes)
    return table.report(part, results, FOLDER, whole=whole, module=given.module)


@contextmanager
def _servers() -> Iterator[Stack]:
    with temporary_stack() as stack:
        stack.start_servers(*SERVERS)
        yield stack


def _recorded(part: Part, bench: Bench) -> Coverage:
    kept, now = FOLDER / f"{part.name}.coverage.json", fingerprint(part)
    coverage = load(kept, now)
    if coverage:
        return coverage
    print(f"{part.name}: recording which tests run which lines", flush=True)
    trial = bench.start(None, [], RECORDING_WITHIN)
    _wait(trial)
    log = trial.log.read_text(errors="replace")
    if trial.outcome != "survived":
        print(log[-6000:], f"{part.name}: its tests do not all succeed; those that fail are left out", sep="\n")
    times = [line.split(" ", 1) for line in (bench.recorded.parent / "seconds").read_text().splitlines()]
    coverage = collect(bench.recorded, bench.source, {test: float(seconds) for seconds, test in times})
    coverage.save(kept, now)
    return coverage


def _wait(trial: Trial) -> None:
    while trial.outcome is None:
        trial.poll()
        time.sleep(0.02)


def _try_all(benches: list[Bench], drawn: list[Mutant], coverage: Coverage, until: float) -> list[table.Result]:
    waiting = iter(drawn)
    running: dict[Bench, tuple[Mutant, Trial, float]] = {}
    results: list[table.Result] = []
    exhausted = False
    while running or not exhausted:
        for bench in benches:
            if bench not in running and not exhausted:
                mutant = next((each for each in waiting if each.code), None) if time.monotonic() < until else None
                exhausted = mutant is None
                if mutant:
                    _start(bench, mutant, coverage, running, results)
        for bench, (mutant, trial, begun) in list(running.items()):
            trial.poll()
            if trial.outcome:
                del running[bench]
                seconds = time.monotonic() - begun
                results.append(table.Result.of(mutant, trial.outcome, trial.noticed_by(), seconds))
                if trial.outcome == "survived":
                    print(f"survived after {seconds:.0f} s:\n{mutant.diff}\n", flush=True)
        time.sleep(0.02)
    return results


def _start(
    bench: Bench,
    mutant: Mutant,
    coverage: Coverage,
    running: dict[Bench, tuple[Mutant, Trial, float]],
    results: list[table.Result],
) -> None:
    tests = coverage.tests_of(mutant)
    if not tests:
        print(f"no test runs this:\n{mutant.diff}\n", flush=True)
        results.append(table.Result.of(mutant, "untested", "", 0))
        return
    limit = START + PATIENCE * sum(coverage.seconds[test] for test in tests)
    running[bench] = (mutant, bench.start(mutant, tests, limit), time.monotonic())


if __name__ == "__main__":
    sys.exit(main())
