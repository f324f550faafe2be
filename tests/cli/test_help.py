"""Help ends with an example that could be typed, and shells complete commands and options."""

import os
import shlex
import subprocess
import sys

import pytest

from gapy.cli import app
from gapy.cli.example import EXAMPLES

NAMES = [command.callback.__name__ for command in app.registered_commands]


def test_every_command_has_an_example_and_no_other_has():
    assert set(EXAMPLES) == set(NAMES)


@pytest.mark.parametrize("command", NAMES)
def test_help_ends_with_an_example_whose_options_exist(command, cli):
    shown = cli(command, "--help").out.rstrip()
    help_text, example = shown.rsplit("\n", 1)
    assert help_text.endswith("Example:") and example.strip() == EXAMPLES[command]
    words = shlex.split(example)
    assert words[:2] == ["gapy", command]
    assert all(word in help_text for word in words if word.startswith("-"))


@pytest.mark.parametrize(
    ("typed", "completed"), [("gapy ev", "evaluate"), ("gapy md --max-f", "--max-force-std")]
)
def test_shells_complete(typed, completed):
    asked = {"_GAPY_COMPLETE": "complete_bash", "COMP_WORDS": typed}
    asked["COMP_CWORD"] = str(len(typed.split()) - 1)
    done = subprocess.run(
        [sys.executable, "-c", "from gapy.cli import main; main()"],
        env={**os.environ, **asked}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0 and done.stdout.split() == [completed], done.stderr
