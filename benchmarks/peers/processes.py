"""Functions in fresh interpreters: their peak memory, caches and failures stay their own."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from peers.options import Options

SCRIPT = Path(__file__).parents[1] / "peers.py"
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def run(function: str, options: Options, **arguments) -> dict:
    """What peers.`module.function`(options, **arguments) returns, computed in its own process."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "result.json")
        call = {
            "function": function,
            "options": asdict(options),
            "arguments": arguments,
            "out": str(out),
        }
        # Peers print on standard output as they please.
        done = subprocess.run(
            [sys.executable, str(SCRIPT), "--child", json.dumps(call)],
            env={**os.environ, **ONE_THREAD},
            stdout=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{function} ended with code {done.returncode}, see above")
        return json.loads(out.read_text())


def child(call: str) -> int:
    """The other end of `run`."""
    asked = json.loads(call)
    module, name = asked["function"].split(".")
    function = getattr(importlib.import_module(f"peers.{module}"), name)
    result = function(Options(**asked["options"]), **asked["arguments"])
    Path(asked["out"]).write_text(json.dumps(result))
    return 0


def attempt(function: str, options: Options, rows: str) -> dict:
    """Figures of some rows; a failure is written down and the run goes on."""
    try:
        return run(function, options)
    except RuntimeError as error:
        return {row: {"notes": [f"failed: {error}"]} for row in rows if row in options.rows}


def script(name: str) -> str:
    """Path of a command that a package installs: beside this interpreter, else on the path."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise ImportError(f"{name} is not installed")
    return found


def timed(command: list[str], log: Path) -> dict:
    """Wall and CPU seconds and peak GB of a program that runs in the folder of its log."""
    with open(log, "w") as out:
        began = time.perf_counter()
        running = subprocess.Popen(command, cwd=log.parent, stdout=out, stderr=out)
        _, status, usage = os.wait4(running.pid, 0)
        seconds = time.perf_counter() - began
    if status:
        raise RuntimeError(f"{Path(command[0]).name} failed, see {log}")
    return {
        "seconds": seconds,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_gb": usage.ru_maxrss * 1024 / 1e9,
    }
