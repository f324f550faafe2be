"""gapy beside quippy, gap_fit, dscribe and LAMMPS: speed and memory in one run.

    python benchmarks/peers.py [--rows a,b,...] [--data DIR] [--json OUT.json] [--plot OUT.png]

See benchmarks/peers/README.md for the rows. Everything is measured in processes of its own with
BLAS and OpenMP on one thread; this one stays small, so that peak memory is that of the work.
`taskset -c 1 python ...` keeps all of it on one core.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from peers import processes, report
from peers.options import Options

FAMILIES = {
    # rows: the function that measures them, in this order
    "abef": "force_call.measure",
    "d": "descriptor.measure",
    "g": "threads.measure",
    "h": "scan.measure",
    "i": "startup.measure",
    "j": "two_species.measure",
    "k": "overhead.measure",
    "m": "reduced.measure",
    "c": "fit.measure",
    "l": "fit.measure_ten_times",
    "n": "front.measure",
    "o": "rivals.measure",
}


def parse() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = os.environ.get("GAPY_BENCH_DATA")
    parser.add_argument("--data", type=Path, default=Path(default) if default else None,
                        help="folder with mlearn/ and snap/; default GAPY_BENCH_DATA, else the "
                        "shipped silicon")  # fmt: skip
    parser.add_argument("--rows", default="a,b,c,d,e,f,g,h,i,j,k,l,m", help="comma-separated")
    parser.add_argument("--work", type=Path, default=Path("peers-work"),
                        help="folder for models that later runs use again")  # fmt: skip
    parser.add_argument("--repeat", type=int, default=7, help="interleaved turns of each call")
    parser.add_argument("--quick", action="store_true", help="small sizes: only shows that it runs")
    parser.add_argument("--full-fit", action="store_true", help="run gap_fit on all of the data")
    parser.add_argument("--front", action="store_true", help="add row n: many fits, minutes")
    parser.add_argument("--json", type=Path, help="also write all figures to this file")
    parser.add_argument("--read", type=Path, metavar="JSON",
                        help="start from the rows of an earlier run; those measured now replace "
                        "theirs (--rows '' measures none)")  # fmt: skip
    parser.add_argument("--plot", type=Path, help="also draw a picture (needs matplotlib)")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser.parse_args()


def wanted_rows(arguments) -> set[str]:
    """Letters of the rows asked for."""
    rows = set(arguments.rows.replace(",", "")) | ({"n"} if arguments.front else set())
    unknown = rows - set("".join(FAMILIES))
    if unknown:
        sys.exit(f"--rows: expected letters a to o, got {', '.join(sorted(unknown))}")
    return rows


def main() -> int:
    """Measure the rows and report."""
    arguments = parse()
    if arguments.child:
        return processes.child(arguments.child)
    rows = wanted_rows(arguments)
    arguments.work.mkdir(parents=True, exist_ok=True)
    options = Options(
        data=None if arguments.data is None else str(arguments.data.resolve()),
        work=str(arguments.work.resolve()),
        rows="".join(sorted(rows)),
        repeat=3 if arguments.quick else arguments.repeat,
        quick=arguments.quick,
        full_fit=arguments.full_fit,
    )
    earlier = json.loads(arguments.read.read_text()) if arguments.read else {"rows": {}}
    if rows or not arguments.read:
        record = {"machine": processes.run("machine.describe", options), "options": vars(options)}
    else:  # nothing new: what is shown was measured then
        record = earlier
    for line in report.heading(record):
        print(line, flush=True)
    figures = record["rows"] = earlier["rows"]
    for letters, function in FAMILIES.items():
        if rows & set(letters):
            print(f"measuring {', '.join(sorted(rows & set(letters)))} ...", file=sys.stderr)
            figures.update(processes.attempt(function, options, letters))
            if arguments.json:  # after every row, so that an interrupted run leaves something
                arguments.json.write_text(json.dumps(record, indent=2) + "\n")
    record["targets"] = report.targets(figures)
    for line in report.tables(record):
        print(line)
    if arguments.json:
        arguments.json.write_text(json.dumps(record, indent=2) + "\n")
    if arguments.plot:
        processes.run("picture.draw", options, record=record, path=str(arguments.plot.resolve()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
