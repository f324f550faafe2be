"""Functions in fresh interpreters: their peak memory, caches and failures stay their own."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
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
