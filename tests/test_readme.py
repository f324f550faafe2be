"""The README leads where it says. Its Python and its commands run elsewhere."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", README) + re.findall(r"`(docs/[^`]+)`", README)
    assert links
    assert not [link for link in links if "://" not in link and not (ROOT / link).exists()]


def test_it_is_one_screen_with_a_picture_and_ten_lines_of_code():
    assert len(README.splitlines()) <= 60 and README.count("![") == 1
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert len([line for line in code.splitlines() if line]) <= 12


def test_the_two_commands_are_those_that_the_extras_serve():
    assert 'pip install ".[plot]" && gapy demo' in README
    assert 'pip install ".[test]" && pytest' in README
    assert 'pip install --quiet ".[test]"' in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
