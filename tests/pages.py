"""README and docs as programs and commands that run as printed, for the tests of both.

The Python of a page is one program in a process of its own (see `warm`), in which nothing of gapy
is imported yet; its commands run in their order, each in such a process. Both start in a directory
with small files of the names that the pages use. What cannot run here says so and why in the page,
in an HTML comment in front of it.
"""

import re
import shutil
from pathlib import Path

import warm
from ase.build import bulk
from ase.io import write

import gapy
from gapy.descriptors import smooth_soap

ROOT = Path(__file__).parent.parent
PAGES = {p.name: p for p in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}
NOT_RUN = re.compile(
    r"<!-- not run: (.+?) -->\s*\n+(```python\n.*?```|(?:    [^\n]*\n)+)", re.DOTALL
)
PAGE_NOT_RUN = re.compile(r"<!-- commands not run: (.+?) -->")


def runnable(name: str) -> tuple[str, list[str]]:
    """(program, commands) of a page."""
    text = NOT_RUN.sub("", PAGES[name].read_text(encoding="utf-8"))
    program = "\n".join(re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL))
    commands = re.findall(r"^    (gapy .+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.M)
    return program, [] if PAGE_NOT_RUN.search(text) else commands


def write_files(folder):
    """Small files of the names that the pages use, and a model."""
    frames = [a for a in gapy.data.frames("si") if 2 <= len(a) <= 8]
    train, test = frames[::18], frames[4::40]
    for atoms in (train[-1], test[-1]):
        atoms.info["config_type"] = "liquid"
    named = {"train": train, "test": test, "pool": frames[2::40], "bulk": train[:4]}
    for name, some in {**named, "surfaces": train[4:], "new": test}.items():
        write(folder / f"{name}.xyz", some, format="extxyz")
    write(folder / "start.xyz", bulk("Si", cubic=True), format="extxyz")
    soap = smooth_soap(["Si"], r_cut=5.0, n_max=4, l_max=3)
    gp = gapy.SparseGPRegressor(soap, n_inducing=60).fit(gapy.read_structures(folder / "train.xyz"))
    gp.potential_.save(folder / "si.gapy")


def prepare_readme(folder):
    (folder / "si.gapy").unlink()  # the page makes it


def prepare_tutorial(folder):
    """Labels under the names that section 1 chooses."""
    structures = gapy.read_structures(folder / "train.xyz")
    frames = []
    for s in structures:
        atoms = s.atoms.copy()
        atoms.info["dft_energy"], atoms.arrays["dft_forces"] = s.energy, s.forces
        if s.stress is not None:
            atoms.info["dft_virial"] = -atoms.get_volume() * s.stress
        frames.append(atoms)
    write(folder / "other.xyz", frames, format="extxyz")
    (folder / "si.gapy").unlink()  # the page makes it


def prepare_active(folder):
    """The loop file that the page prints first."""
    text = PAGES["active.md"].read_text(encoding="utf-8")
    loop = re.search(r"```toml\n(directory.*?)```", text, flags=re.DOTALL)[1]
    (folder / "loop.toml").write_text(loop, encoding="utf-8")
    write(folder / "start.xyz", bulk("Cu", a=3.7, cubic=True), format="extxyz")


def prepare_lammps(folder):
    """The input file that the page prints, and the structure that it reads."""
    text = PAGES["lammps.md"].read_text(encoding="utf-8")
    commands = re.search(r"```lammps\n(.*?)```", text, flags=re.DOTALL)[1]
    (folder / "in.lammps").write_text(commands, encoding="utf-8")
    atoms = bulk("Si", cubic=True).repeat(2)
    write(folder / "si.data", atoms, format="lammps-data", masses=True, atom_style="atomic")


PREPARE = {
    "README.md": prepare_readme, "tutorial.md": prepare_tutorial, "active.md": prepare_active,
    "lammps.md": prepare_lammps,
}  # fmt: skip


def run(name, code, arguments, files, folder) -> None:
    """Run a program of a page in `folder`, a copy of `files`; it must succeed."""
    if not folder.exists():
        shutil.copytree(files, folder)
        PREPARE.get(name, lambda folder: None)(folder)
    program = warm.Program(code, arguments, folder=folder, output=folder.with_suffix(".out"))
    assert program.wait() == 0, f"{code} {' '.join(arguments)}\n{program.communicate()[0]}"
