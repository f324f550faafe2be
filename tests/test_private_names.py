"""A name with an underscore is used by its own module only."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "gapy"
OWN = ("self", "cls", "super()")
WITHOUT_PUBLIC_NAMES = ("soap", "cache_file")
"""Of dscribe the settings of a SOAP, of numba what its compiled code is compared with."""
ROOMS = ("_jit", "_support")
METHODS_OF_NAMEDTUPLE = ("_asdict", "_fields", "_replace", "_make")


def is_private(name):
    return name.startswith("_") and not name.endswith("__") and name not in ROOMS


def private_access(source):
    """(line, text) of every private name that another module must have defined."""
    tree = ast.parse(source)
    own = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    attributes = [n for n in ast.walk(tree) if isinstance(n, ast.Attribute)]
    own |= {n.attr for n in attributes if ast.unparse(n.value) == "self"}
    own |= {n.target.id for n in ast.walk(tree)
            if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)}  # fmt: skip
    for n in attributes:
        holder = ast.unparse(n.value)
        excused = holder.split(".")[-1] in WITHOUT_PUBLIC_NAMES
        allowed = holder in OWN or excused or n.attr in own
        if is_private(n.attr) and not allowed and n.attr not in METHODS_OF_NAMEDTUPLE:
            yield n.lineno, ast.unparse(n)
    for n in ast.walk(tree):
        if isinstance(n, ast.ImportFrom):
            for name in n.names:
                if is_private(name.name):
                    yield n.lineno, f"{n.module}: {name.name}"


@pytest.mark.parametrize(
    "source, found",
    [
        ("loop._structures", 1),
        ("from gapy.a import _b", 1),
        ("class A:\n def f(self):\n  self._a = 1\n  other._a", 0),
        ("soap._r_cut; self.soap._r_cut; group._asdict(); from_this.__dict__", 0),
    ],
)
def test_it_sees_private_names(source, found):
    assert len(list(private_access(source))) == found


def test_no_module_uses_a_private_name_of_another():
    found = [
        f"{path.relative_to(PACKAGE)}:{line} {text}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for line, text in private_access(path.read_text())
    ]
    assert not found
