"""Programs of `warm` are what they would be in an interpreter of their own."""

import signal
import subprocess

import pytest
import warm


def program(code, *arguments, folder):
    return warm.Program(code, arguments, folder=folder, output=folder / "printed")


def test_a_program_has_its_own_arguments_directory_and_modules(tmp_path):
    code = (
        "import os, sys\n"
        "assert __name__ == '__main__'\n"
        "assert not [m for m in sys.modules if m.split('.')[0] in ('gapy', 'pytest')]\n"
        "print(sys.argv[1:], os.getcwd())"
    )
    printed, _ = program(code, "a", 1, folder=tmp_path).communicate()
    assert printed == f"['a', '1'] {tmp_path}\n"


def test_errors_exit_codes_and_signals(tmp_path):
    raises = program("1 / 0", folder=tmp_path)
    assert raises.wait() == 1 and "ZeroDivisionError" in raises.communicate()[0]
    assert program("raise SystemExit(2)", folder=tmp_path).wait() == 2
    killed = program("import os; os.kill(os.getpid(), 9)", folder=tmp_path)
    assert killed.wait() == -signal.SIGKILL
    sleeps = program("import time; time.sleep(600)", folder=tmp_path)
    with pytest.raises(subprocess.TimeoutExpired):
        sleeps.wait(0.1)
    assert sleeps.returncode is None
    sleeps.kill()
    assert sleeps.wait() == -signal.SIGKILL
