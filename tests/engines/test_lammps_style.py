"""What `pair_style gapy` says in an input file, read without LAMMPS."""

import pytest

from gapy.engines.lammps.style import Keywords, parse_keywords, segments
from gapy.errors import GapyError


def test_keywords_and_what_follows_them():
    text = "max_force_std 0.3 sigma 5 frame a.xyz member 2 precision single zbl 1 2"
    found, rest = parse_keywords(text.split())
    assert found == Keywords(limit=0.3, every=5, frame="a.xyz", member=2, precision="single")
    assert rest == ["zbl", "1", "2"]
    assert parse_keywords([]) == (Keywords(), [])


@pytest.mark.parametrize(
    "words, message",
    [
        ("member two", "member: expected int, got 'two'"),
        ("max_force_std", "max_force_std: expected float, got ''"),
        ("max_force_std 0", "expected sigma >= 1 and max_force_std > 0"),
        ("max_force_std 1 sigma 0", "expected sigma >= 1"),
        ("max_force_std nan", "expected sigma >= 1 and max_force_std > 0"),
        ("sigma 3", "needs the compiled pair style"),
    ],
)
def test_wrong_keywords(words, message):
    with pytest.raises(GapyError, match=message):
        parse_keywords(words.split())


def test_a_file_is_cut_at_our_lines_only():
    text = (
        "units metal  # pair_style gapy\npair_style &\n gapy max_force_std 1\n"
        "pair_coeff * * a b # model\npair_modify shift no\nrun 1\n"
    )
    parts = segments(text)
    assert [p.command for p in parts] == [
        ["pair_style", "gapy", "max_force_std", "1"], ["pair_coeff", "*", "*", "a", "b"], None,
    ]  # fmt: skip
    assert parts[0].text == "units metal  # pair_style gapy\n"
    assert parts[2].text == "pair_modify shift no\nrun 1\n"


def test_in_a_hybrid_only_the_model_line_is_ours():
    style, model = "pair_style hybrid/overlay gapy zbl 1 2", "pair_coeff * * gapy m Si"
    parts = segments(f"{style}\npair_coeff * * zbl 14 14\n{model}\n")
    assert [p.command for p in parts] == [style.split(), model.split(), None]
    assert parts[1].text == "pair_coeff * * zbl 14 14\n"


@pytest.mark.parametrize(
    "line",
    [
        "pair_style lj/cut 5", "pair_style hybrid gapy zbl 1 2", "fix s all pair 10 gapy sigma 1",
        "compute g all pair gapy",
    ],
)  # fmt: skip
def test_what_needs_the_compiled_style(line):
    with pytest.raises(GapyError, match="needs the compiled pair style"):
        segments(f"pair_style gapy\npair_coeff * * m Si\n{line}\n")


def test_a_file_without_us_is_one_piece():
    text = "pair_style lj/cut 5\npair_coeff * * 1 1\nfix s all pair 10 lj sigma 1\n"
    (part,) = segments(text)
    assert (part.text, part.command) == (text, None)
