"""A run that is asked to stop saves its state, says so, and goes on later with the same bits."""

import json
import os
import signal
import subprocess
import sys
from io import StringIO
from types import SimpleNamespace

import pytest
from md_calculators import assert_same_run, log_columns
from test_md_kills import STEPS, run

from gapy.cli.md_progress import Progress
from gapy.cli.signals import StopRequest


@pytest.mark.parametrize("ensemble", ["nve", "nvt", "npt"])
def test_asked_to_stop(potential, tmp_path, ensemble):
    """At steps that are no multiple of the checkpoint interval."""
    run(potential, tmp_path / "whole", ensemble)
    for k, step in enumerate((7, 33)):
        asked = iter(range(STEPS))
        last = 7 if k else 0

        def stop(asked=asked, count=step - last):
            return "enough" if next(asked) == count else None

        result = run(potential, tmp_path / "parts", ensemble, restart=k > 0, stop=stop)
        assert (result.status, result.n_steps) == ("stopped", step)
        assert result.reason == f"enough at step {step}; the state is saved"
        summary = json.loads((tmp_path / "parts" / "result.json").read_text())
        assert summary["status"] == "stopped"
    run(potential, tmp_path / "parts", ensemble, restart=True)
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signals_in_the_command(cli, model_file, train_xyz, tmp_path, monkeypatch, number, code):
    import gapy.md

    real = gapy.md.run_md
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    def with_signal(*arguments, callback, **options):
        def noisy(record, frame):
            callback(record, frame)
            if record.step == 3:
                os.kill(os.getpid(), number)

        return real(*arguments, callback=noisy, **options)

    monkeypatch.setattr("gapy.md.run_md", with_signal)
    command = ("md", model_file, f"{train_xyz}@0", "-o", tmp_path / "run", "--steps", 9)
    # sigma of this model is not the matter here
    result = cli(*command, "--max-force-std", "inf")
    assert result.code == code
    assert f"stopped: {number.name} received at step 3; the state is saved" in result.out
    assert "--restart" in result.out
    assert result.err.endswith(f"{'terminated' if code == 143 else 'interrupted'}\n")
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers
    monkeypatch.setattr("gapy.md.run_md", real)
    assert cli(*command, "--max-force-std", "inf", "--restart").code == 0
    assert log_columns(tmp_path / "run" / "md.csv")["step"].tolist() == list(range(10))


def test_second_signal_acts_as_before():
    with StopRequest() as stop:
        assert stop() is None
        os.kill(os.getpid(), signal.SIGINT)
        assert stop() == "SIGINT received"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_terminated_program_says_so():
    """Outside of MD, and so in `gapy learn`, SIGTERM unwinds what is open and has a word."""
    script = (
        "import os, signal, sys, gapy.cli\n"
        "def wait(**options):\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "    finally:\n"
        "        print('closed')\n"
        "class Config:\n"
        "    directory = 'none'\n"
        "    def arguments(self):\n"
        "        return {}\n"
        "import gapy.active.config, gapy.active.run\n"
        "gapy.active.config.read_config = lambda path: Config()\n"
        "gapy.active.run.learn = wait\n"
        "sys.argv[1:] = ['learn', 'loop.toml']\n"
        "gapy.cli.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 143
    assert done.stdout == "closed\nstopped; continue with: gapy learn loop.toml --resume\n"
    assert done.stderr == "gapy: error: terminated\n"


class Terminal(StringIO):
    def isatty(self):
        return True


def play(stream, seconds_per_step, steps=1000, until=None):
    """The text of a run on a clock of its own."""
    now = [0.0]
    progress = Progress(steps, stream, clock=lambda: now[0])
    for step in range((until or steps) + 1):
        record = SimpleNamespace(
            step=step,
            time_fs=2.0 * step,
            temperature_K=300.0,
            potential_energy_eV=-1.0,
            max_force_std_eV_per_A=float("nan"),
        )
        progress(record, None)
        now[0] += seconds_per_step
    progress.close()
    return stream.getvalue()


def test_lines_of_a_log():
    text = play(StringIO(), 0.5)  # 500 s
    lines = text.splitlines()
    assert 30 < len(lines) < 80 and "\r" not in text
    assert lines[0].split()[-2:] == ["ns/day", "left"]
    assert lines[1].split()[:2] == ["0", "0.000"]
    # 2 fs in 0.5 s
    assert lines[10].split()[-2] == "0.346"
    step = int(lines[10].split()[0])
    seconds = (1000 - step) // 2
    assert lines[10].split()[-1] == f"0:{seconds // 60:02d}:{seconds % 60:02d}"
    assert lines[-1].split()[0] == "1000" and lines[-1].endswith("0:00:00")


def test_lines_of_a_long_and_of_a_short_run():
    assert 100 < len(play(StringIO(), 50.0, steps=5000).splitlines()) < 500  # three days
    short = play(StringIO(), 0.001, steps=50).splitlines()
    assert [line.split()[0] for line in short] == ["step", "0", "50"]
    stopped = play(StringIO(), 0.001, steps=50, until=20).splitlines()
    assert stopped[-1].split()[0] == "20"


def test_live_line_of_a_terminal():
    text = play(Terminal(), 0.1, steps=100)  # 10 s
    assert 30 < text.count("\r") < 60
    assert text.count("\n") < 10 and text.endswith("\n")
