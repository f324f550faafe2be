"""Baselines of whole structures that styles of LAMMPS' own add, so that pair style gapy need not.

`pair_style gapy without coulomb` leaves fixed charges to a `kspace_style`: Gaussian charges of one
width w are what an Ewald sum does in reciprocal space at g_ewald = 1/(2 w), self energy and all,
with nothing left for real space. `without dispersion` leaves D3(BJ) to `pair_style dispersion/d3`.
docs/lammps.md has the numbers to which they agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from ase.units import Bohr

from gapy.baselines import Baseline, Coulomb, Dispersion
from gapy.baselines.dispersion import COUNTED, PAIRS
from gapy.engines.lammps.style import NEEDS_PLUGIN
from gapy.errors import GapyError
from gapy.model.potential import Potential

KINDS = (Coulomb.kind, Dispersion.kind)
KSPACE_ACCURACY = 1e-6
"""In the lines for the input file; forces then agree within 1e-5 eV/A."""
COARSEST = 1e-5
"""Accuracy of a kspace style, relative as in its line, that is still taken."""
NEUTRAL = 1e-8
"""Mean charge, e, as in the baseline."""
CHARGE_TOLERANCE = 1e-6
"""Of charges in LAMMPS, e, and of g_ewald as a share of it: digits of an input file."""
FUNCTIONALS = {
    "pbe": "pbe", "pbesol": "pbesol", "revpbe": "revpbe", "rpbe": "rpbe", "pbe0": "pbe0",
    "hse06": "hse06", "tpss": "tpss", "tpss0": "tpss0", "tpssh": "tpssh", "blyp": "b-lyp",
    "b3lyp": "b3-lyp", "cam-b3lyp": "cam-b3lyp",
    "rpw86pbe": "rpw86-pbe", "b97-d": "b97-d", "b97d": "b97-d", "bp86": "b-p", "bp": "b-p",
}  # fmt: skip
"""LAMMPS' names of those whose damping was found to be the same."""


@dataclass(frozen=True)
class Around:
    """What LAMMPS has beside the style.

    g_ewald, accuracy : of its kspace style, 1/A, 0 without one, and relative; dielectric : as the
    command; computes, has_slab : whether the kspace style is computed, and corrected for less than
    three periodic directions; has_d3, has_coulomb : whether there are pair styles dispersion/d3 and
    of names with coul; n_without : styles gapy with baselines left out; is_scaled : in a
    hybrid/scaled; charge_low, charge_high (n_types,) e of the atoms of each type, crossed for a
    type without atoms or atoms without charges; mean_charge (e) of all
    """

    g_ewald: float
    accuracy: float
    dielectric: float
    computes: bool
    has_slab: bool
    has_d3: bool
    has_coulomb: bool
    n_without: int
    is_scaled: bool
    charge_low: np.ndarray
    charge_high: np.ndarray
    mean_charge: float


@dataclass(frozen=True)
class LeftOut:
    """Baselines of a model that an input file leaves to LAMMPS; path: of the model; symbols: of
    LAMMPS' atom types."""

    baselines: tuple[Baseline, ...] = ()
    path: str = ""
    symbols: tuple[str, ...] = ()

    @property
    def width(self) -> float:
        """w of the charges left out, A; 0 without such."""
        return next((b.widths[0] for b in self.baselines if isinstance(b, Coulomb)), 0.0)

    def said(self) -> str:
        """A line for the log."""
        if not self.baselines:
            return ""
        return f"gapy: left to LAMMPS: {_kinds(self.baselines)}"

    def require(self, around: Around) -> None:
        """Raise GapyError unless LAMMPS adds what was left out."""
        _require_one(around)
        for baseline in self.baselines:
            if isinstance(baseline, Coulomb):
                if setting := _wrong_setting(around):
                    raise GapyError(f"without {baseline.kind}: {setting}")
                wrong = _wrong_sum(baseline, self.symbols, around)
            else:
                wrong = "" if around.has_d3 else "no pair style dispersion/d3"
            if wrong:
                raise GapyError(
                    f"without {baseline.kind}: expected LAMMPS to add it, got {wrong}; "
                    f"write {_shown(lines(self.baselines, self.path, self.symbols))}"
                )


def take_out(
    potential: Potential, kinds: Sequence[str], symbols: Sequence[str], path: str
) -> tuple[Potential, LeftOut]:
    """(the potential without its baselines of these kinds, which LAMMPS adds; these).

    symbols: of LAMMPS' atom types. Raises GapyError for a kind that LAMMPS has no style for, that
    the potential does not hold, or with settings that LAMMPS cannot have.
    """
    out = []
    for kind in dict.fromkeys(kinds):
        if kind not in KINDS:
            raise GapyError(
                f"without: expected one of {', '.join(KINDS)}, got {kind!r}; "
                "LAMMPS has no style of its own for others"
            )
        found = next((b for b in potential.baselines if b.kind == kind), None)
        if found is None:
            has = _kinds(potential.baselines) or "no baselines"
            raise GapyError(
                f"without {kind}: expected a model with this baseline, {path} has "
                f"{has}; leave `without {kind}` out"
            )
        if why := refusal(found):
            raise GapyError(f"without {kind}: {path}: {why}")
        out.append(found)
    kept = tuple(b for b in potential.baselines if b not in out)
    potential = replace(potential, baselines=kept) if out else potential
    return potential, LeftOut(tuple(out), path, tuple(symbols))


def refusal(baseline: Baseline) -> str:
    """Why no style of LAMMPS gives its numbers; empty if one does."""
    if isinstance(baseline, Coulomb):
        if len(baseline.widths) > 1:
            return (
                "expected charges of one width, which LAMMPS' Ewald sum can have, got sigma "
                f"{baseline.settings()['sigma']}; use gapy md, or fit with one"
            )
        if baseline.background:
            return (
                "expected charges without background, for which LAMMPS' energy is another one, got "
                "background = true; use gapy md, or fit without it"
            )
        return ""
    if isinstance(baseline, Dispersion):
        if baseline.method != "d3bj":
            return f"expected d3bj, which LAMMPS has, got {baseline.method}; use gapy md"
        if baseline.functional not in FUNCTIONALS:
            return (
                f"expected a functional of which LAMMPS' damping is known to be the same, got "
                f"{baseline.functional!r}, known {', '.join(FUNCTIONALS)}; use gapy md"
            )
        return ""
    return f"expected baselines of kinds {', '.join(KINDS)}, got {baseline.kind}; use gapy md"


def lines(baselines: Sequence[Baseline], path: str, symbols: Sequence[str] = ()) -> list[str]:
    """Lines of an input file by which LAMMPS adds baselines, which have no `refusal`.

    path: of the model; symbols: of the atom types, without them names stand for types.
    """
    without = "gapy " + " ".join(f"without {b.kind}" for b in baselines)
    names = " ".join(symbols) or "SYMBOLS"
    charges = next((b for b in baselines if isinstance(b, Coulomb)), None)
    d3 = next((b for b in baselines if isinstance(b, Dispersion)), None)
    out = ["atom_style charge"] if charges else []
    if d3:
        out += [
            f"pair_style hybrid/overlay {without} dispersion/d3 bj {FUNCTIONALS[d3.functional]} "
            f"{PAIRS * Bohr:.3f} {COUNTED['d3bj'] * Bohr:.3f}",
            f"pair_coeff * * gapy {path} {names}",
            f"pair_coeff * * dispersion/d3 {names}",
            "neigh_modify one 30000 page 300000",
        ]
    else:
        out += [f"pair_style {without}", f"pair_coeff * * {path} {names}"]
    if charges:
        of_symbol = charges.effective_charges
        types = [(str(k), s) for k, s in enumerate(symbols, 1) if s in of_symbol]
        out += [
            f"set type {k} charge {of_symbol[s]:.12g}"
            for k, s in types or [(f"({s})", s) for s in of_symbol]
        ]
        out += [f"kspace_style ewald {KSPACE_ACCURACY:g}",
                f"kspace_modify gewald {0.5 / charges.widths[0]:.12g}"]  # fmt: skip
    return out


def remedy(
    baselines: Sequence[Baseline], path: str, symbols: Sequence[str] = (), plugin: bool = True
) -> str:
    """What to do about baselines of a model that are no sums over pairs.

    path, symbols: as of `lines`; plugin: whether the compiled pair style runs it.
    """
    for baseline in baselines:
        if baseline.kind not in KINDS:
            return "use gapy md, or fit without it"
        if why := refusal(baseline):
            return f"LAMMPS cannot add {baseline.kind}: {why}"
    if not plugin:
        return f"LAMMPS can add it, {NEEDS_PLUGIN}; or use gapy md"
    return f"LAMMPS can add it: write {_shown(lines(baselines, path, symbols))}"


def _require_one(around: Around) -> None:
    """One style LAMMPS' sums belong to, with factor 1."""
    if around.n_without > 1:
        raise GapyError(
            f"pair_style gapy without: expected one such style, got {around.n_without}, for which "
            "LAMMPS would add one sum; run one of the models, or use gapy md"
        )
    if around.is_scaled:
        raise GapyError(
            "pair_style gapy without: expected the style alone or in a hybrid/overlay, got "
            "hybrid/scaled, whose factors do not reach what LAMMPS adds; write hybrid/overlay"
        )


def _wrong_setting(around: Around) -> str:
    """A setting by which charges of the right numbers give another energy; empty if none."""
    if around.dielectric != 1.0:
        return f"expected dielectric 1, got {around.dielectric:g}; leave `dielectric` out"
    if not around.g_ewald:
        return ""
    if not around.computes:
        return "expected kspace_modify compute yes, got no; leave `compute no` out"
    if around.has_slab:
        return (
            "expected charges in three periodic directions, got kspace_modify slab or wire; write "
            "`boundary p p p` with vacuum in the cell"
        )
    if not around.accuracy <= COARSEST * (1.0 + CHARGE_TOLERANCE):
        return (
            f"expected a kspace style of accuracy {COARSEST:g} or below, got "
            f"{around.accuracy:.3g}; write `kspace_style ewald {KSPACE_ACCURACY:g}` without "
            "`kspace_modify force`"
        )
    return ""


def _wrong_sum(baseline: Coulomb, symbols: Sequence[str], around: Around) -> str:
    wave = 0.5 / baseline.widths[0]
    if around.has_coulomb:
        return "a pair style of charges as points, with which it would count twice"
    if not around.g_ewald:
        return "no kspace style"
    if abs(around.g_ewald - wave) > CHARGE_TOLERANCE * wave:
        return f"one with g_ewald = {around.g_ewald:.8g} 1/A"
    for k, symbol in enumerate(symbols):
        expected = baseline.effective_charges.get(symbol)
        low, high = around.charge_low[k], around.charge_high[k]
        if expected is None or low > high:
            continue
        if max(abs(low - expected), abs(high - expected)) > CHARGE_TOLERANCE:
            return f"charges from {low:.8g} to {high:.8g} e of atoms of type {k + 1}"
    if abs(around.mean_charge) > NEUTRAL:
        return f"a structure of {around.mean_charge:.3g} e per atom, which should be neutral"
    return ""


def _kinds(baselines: Sequence[Baseline]) -> str:
    return ", ".join(b.kind for b in baselines)


def _shown(found: Sequence[str]) -> str:
    return "; ".join(f"`{line}`" for line in found)
