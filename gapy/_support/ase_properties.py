"""The error bars among the properties that ASE knows, so that its calculators and files keep them.

ASE holds one global list of names, and what is not on it is lost on the way to a file. Importing
ASE takes fifty times longer than `import gapy`, so the names are added when ASE's own modules are
imported, before or after.
"""

from __future__ import annotations

import sys
import warnings

SHAPES = {
    "energy_std": (),
    "energies_std": ("natoms",),
    "forces_std": ("natoms", 3),
    "stress_std": (6,),
}
"""Shape of each, in ASE's words."""

PER_ATOM = tuple(name for name, shape in SHAPES.items() if "natoms" in shape)


def standard_deviations(atoms) -> dict:
    """The error bars that a structure carries, wherever its file format put them.

    energy_std (eV), energies_std (n,) eV, forces_std (n, 3) eV/A, stress_std (6,) eV/A^3, as many
    as there are: from the results of its calculator as long as they belong to the structure, from
    `atoms.arrays` and `atoms.info` (extended XYZ), or from the data of a database row
    (`row.toatoms(add_additional_information=True)`). A database keeps them with
    `db.write(atoms, data=gapy.standard_deviations(atoms))`.
    """
    calc = atoms.calc
    results = {}
    if calc is not None and not calc.calculation_required(atoms, []):
        results = calc.results
    places = (results, atoms.arrays, atoms.info, atoms.info.get("data", {}))
    found = {}
    for name in SHAPES:
        value = next((p[name] for p in places if p.get(name) is not None), None)
        if value is not None:
            found[name] = value.copy() if hasattr(value, "copy") else float(value)
    return found


def register() -> None:
    """Add the names to ASE: now to what is imported already, later to the rest."""
    waiting = {}
    for name, task in _TASKS.items():
        if name in sys.modules:
            _checked(task, sys.modules[name])
        else:
            waiting[name] = task
    if waiting:
        sys.meta_path.insert(0, _AfterImport(waiting))


def _add_names(calculator) -> None:
    """To `ase.calculators.calculator`, whose list every other module shares, and their shapes; and
    gapy itself among its calculators."""
    from ase import outputs

    for name, shape in SHAPES.items():
        if name not in outputs.all_outputs:
            kind = outputs.ArrayProperty if shape else outputs.ScalarProperty
            arguments = (name, float, shape) if shape else (name, float)
            outputs.all_outputs[name] = kind(*arguments)
        if name not in calculator.all_properties:
            calculator.all_properties.append(name)
    # Where `get_calculator_class("gapy")` looks, `moved.ASE` imports the class.
    calculator.special["gapy"] = "GAPCalculator"
    if "gapy" not in calculator.names:
        calculator.names.append("gapy")
        calculator.names.sort()


def _keep_columns(extxyz) -> None:
    """`ase.io.extxyz` writes the error bars; read back, columns stay in `atoms.arrays`.

    There a program without gapy finds them too, and there MD trajectories have always had them.
    """
    extxyz.all_properties = [n for n in extxyz.all_properties if n not in PER_ATOM]
    for name in SHAPES:
        names = extxyz.per_atom_properties if name in PER_ATOM else extxyz.per_config_properties
        if name not in names:
            names.append(name)


_TASKS = {"ase.calculators.calculator": _add_names, "ase.io.extxyz": _keep_columns}


def _checked(task, module) -> None:
    try:
        task(module)
    except (AttributeError, ImportError, TypeError) as error:
        warnings.warn(
            f"ASE: expected its list of properties as ASE 3.27 to 3.29 has it, got {error!r}; "
            "files will not keep the error bars: use an ASE of these versions",
            RuntimeWarning,
            stacklevel=2,
        )


class _AfterImport:
    """A finder that finds nothing by itself but has a task done after the import of a module."""

    def __init__(self, tasks: dict):
        self._tasks = tasks

    def find_spec(self, name, path=None, target=None):
        task = self._tasks.pop(name, None)
        if task is None:
            return None
        if not self._tasks:
            sys.meta_path.remove(self)
        others = (f for f in list(sys.meta_path) if f is not self and hasattr(f, "find_spec"))
        spec = next((s for f in others if (s := f.find_spec(name, path, target))), None)
        if spec is not None:
            execute = spec.loader.exec_module

            def execute_and_add(module):
                execute(module)
                _checked(task, module)

            spec.loader.exec_module = execute_and_add
        return spec
