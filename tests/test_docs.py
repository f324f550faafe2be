"""The documentation names what exists: options, functions, pages."""

import re
from pathlib import Path

import pytest

import gapy

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").glob("*.md"))
COMMANDS = ("fit", "tune", "evaluate", "md", "lammps", "learn", "inspect", "info", "demo")


def blocks(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_blocks_compile_and_name_what_gapy_has(page):
    for code in blocks(page):
        compile(code, page.name, "exec")
        for name in re.findall(r"\bgapy\.([A-Za-z_]+)\(", code):
            assert getattr(gapy, name)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert not [link for link in links if not (page.parent / link).exists()]


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert not [page.name for page in PAGES if f"- {page.name}" not in navigation]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_documented_and_every_documented_option_exists(command, cli):
    shown = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", cli(command, "--help").out)) - {"--help"}
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    (section,) = re.findall(
        rf"^## gapy {command}\n(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE
    )
    documented = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", section))
    if command in ("evaluate", "inspect"):  # "label keys as in fit"
        shown -= {option for option in shown if option.endswith("-key")}
    assert documented == shown


def test_json_keys_of_evaluate_are_documented(potential, test_frames):
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    report = gapy.evaluate(potential, test_frames).to_dict()
    assert not [key for key in report if f"`{key}`" not in page]


def test_theory_states_the_numbers_of_the_code():
    from gapy.error_bars import calibration
    from gapy.fit import sample
    from gapy.gp import inducing

    text = " ".join((ROOT / "docs" / "theory.md").read_text(encoding="utf-8").split())
    assert f"{inducing.CANDIDATE_BYTES / 1e6:.0f} MB of descriptors" in text
    assert f"At most {sample.LARGEST} training structures" in text
    assert f"the first {calibration.FIRST} inducing points" in text
    quantiles = [f"{100 * q:.0f}" for q in calibration.QUANTILES]
    assert f"{', '.join(quantiles[:-1])} and {quantiles[-1]} % quantiles" in text
    for share, least in (
        (calibration.COARSE, calibration.COARSE_LEAST),
        (calibration.QUADRATIC_COARSE, calibration.QUADRATIC_COARSE_LEAST),
        (calibration.NEAR, calibration.NEAR_LEAST),
    ):  # fmt: skip
        assert re.search(rf"leading {100 * share:.0f} %[^()]*\(at least {least}\)", text)
