"""End-to-end jobs, ours and the peers' side by side: `.venv/bin/python benchmarks/jobs.py joint [--quick]`.

    jobs.py joint-real                          50 real gVCFs
    jobs.py joint-made --samples 250            made gVCFs of 2 Mb; --cohort DIR takes a cohort that exists
    jobs.py joint-n-plus-1 --samples 1000       10 more samples onto a store
    jobs.py joint                               all of the noun, as its plan says
    jobs.py all --quick                         all nouns on little data: minutes, and nothing is recorded

Every engine is warmed up once; then the engines take turns, repeat by repeat. One JSON line for each timed process goes
to benchmarks/results/<job>.jsonl; `report.py` makes RESULTS.md of them. What an engine wrote is counted and compared
with what is known of the input; a wrong count ends the run. With --cold each turn is taken a second time with the input
dropped from the page cache and no compiled kernels. One table, the engines side by side, is printed at the end. Scratch
lies in a temporary folder that is removed. Jobs come from the modules jobs_<noun>.py: see registry.py.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import report
from benchmarks.registry import JOBS, discover
from benchmarks.turns import Bench

LIMIT_S, QUICK_LIMIT_S = 1200.0, 240.0


def main(words: list[str] | None = None) -> None:
    discover()
    wish = _parser().parse_args(words)
    scratch = Path(tempfile.mkdtemp(prefix="cohelix-bench-", dir=wish.scratch))
    results = None if wish.quick else wish.results
    limit = wish.limit or (QUICK_LIMIT_S if wish.quick else LIMIT_S)
    repeats = wish.repeats or (1 if wish.quick else 3)
    bench = Bench(scratch, results, repeats, not (wish.quick or wish.no_warm_up), limit, wish.note, wish.cold)
    try:
        plans = [job.name for job in JOBS.values() if not job.title]
        for name in plans if wish.job == "all" else [wish.job]:
            JOBS[name].run(wish, bench)
        if results is not None:
            report.write(results)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        print(report.side_by_side(bench.lines))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", choices=[*JOBS, "all"], metavar="JOB", help=", ".join([*JOBS, "all"]))
    parser.add_argument("--engines", help="comma-separated; default: all that the job has")
    parser.add_argument("--samples", type=int, default=50)
    parser.add_argument("--repeats", type=int, help="default: 3, with --quick 1")
    parser.add_argument("--quick", action="store_true", help="one repeat on little data, printed and not recorded")
    parser.add_argument("--cold", action="store_true", help="take each turn warm and cold")
    parser.add_argument(
        "--cohort", type=Path, help="a folder of `cohelix simulate gvcfs`, with as many samples or more"
    )
    parser.add_argument("--region", help="that of the made cohort; default: 2 Mb of chr22")
    parser.add_argument("--set", action="append", default=[], help="a setting of the made cohort, kept on its lines")
    parser.add_argument("--no-warm-up", action="store_true", help="kernels are compiled, and no peer is compared")
    parser.add_argument("--limit", type=float, help="seconds after which a process is stopped")
    parser.add_argument("--note", default="", help="a remark for every line of this run")
    parser.add_argument("--results", type=Path, default=Path(__file__).resolve().parent / "results")
    parser.add_argument("--scratch", type=Path, help="where temporary files go; default: TMPDIR")
    return parser


if __name__ == "__main__":
    main()
