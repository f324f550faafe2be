"""The melting temperature of silicon from two phases in contact, in LAMMPS with `pair_style gapy`.

    python examples/melting_two_phases.py MODEL.gapy -o DIR [--repeats 4 4 16] [--ps 10]
        [--low 1300 --high 1900] [--rounds 7] [--members 8] [--others MODEL.gapy ...] [--quick]

Half of a long crystal is melted, and both halves are held at a temperature, at no pressure along
the axis and with the crystal's own width across it. The phase that is stable grows into the other
one, so that the enthalpy H falls or rises; from round to round the range of temperatures is
halved. A line through all slopes crosses zero at the melting temperature T_m, and the interfaces,
L apart by half the length of the cell, move at

    v = (L / N) (dH/dt) / (h_liquid - h_crystal),   v > 0 where the crystal melts.

What the model does not know: each posterior sample k has its own energy U_k, and in first order
its own melting temperature,

    T_k = T_m (1 + (<u_k - u>_liquid - <u_k - u>_crystal) / (h_liquid - h_crystal)),

with energies per atom and averages over frames of each phase at T_m, evaluated with `pair_style
gapy member k`. It follows from G_liquid = G_crystal with dG/dT = -S and h_liquid - h_crystal =
T_m (s_liquid - s_crystal). The members know what noise leaves open, not what the model cannot
express; --others does the same for other models, those of halves of the training set for instance.
Errors of the data (the functional) are in neither.

Every stage leaves a file in DIR; the same command goes on where it was ended. Sources: Morris,
Wang, Ho and Chan, Phys. Rev. B 49, 3109 (1994) for two phases; Sugino and Car, Phys. Rev. Lett. 74,
1823 (1995) for melting temperatures from perturbed free energies.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase.build import bulk
from ase.io.lammpsdata import write_lammps_data

from gapy.engines.lammps import open_lammps

TIMESTEP = 0.002  # ps
SAMPLE = 20  # steps between two values of the enthalpy, and ten times as many between two frames
HOT = 3500.0  # K, melts one half within picoseconds


@dataclass(frozen=True)
class Plan:
    """What is run: cells of the long crystal and along each side of a bulk phase, ps of stages."""

    model: str
    folder: Path
    repeats: tuple[int, int, int]
    bulk_repeats: int
    ps: float
    settle_ps: float
    low: float
    high: float
    rounds: int
    members: int
    others: tuple[str, ...]
    seed: int


def stage(plan: Plan, name: str, make) -> dict:
    """The result of a stage from its file, or made now and written whole."""
    path = plan.folder / f"{name}.json"
    if not path.exists():
        began = time.perf_counter()
        result = {**make(), "seconds": time.perf_counter() - began}
        temporary = path.with_suffix(".part")
        temporary.write_text(json.dumps(result) + "\n")
        temporary.rename(path)
    return json.loads(path.read_text())


def opened(data: Path, model: str, member: int | None = None):
    """LAMMPS with the structure of a data file and a model, or a posterior sample of it."""
    lmp = open_lammps(["-log", "none", "-screen", "none"])
    sample = "" if member is None else f" member {member}"
    lmp.commands_string(f"""
        units metal
        atom_style atomic
        read_data {data}
        neighbor 1.0 bin
        pair_style gapy{sample}
        pair_coeff * * {model} Si
        timestep {TIMESTEP}
        thermo 1000000
    """)
    return lmp


def steps(ps: float) -> int:
    """Time steps of so many ps, whole samples."""
    return SAMPLE * max(1, round(ps / TIMESTEP / SAMPLE))


def sampled(lmp, ps: float, keywords) -> dict:
    """Run on; values of thermo keywords every SAMPLE steps."""
    rows = []
    for k in range(steps(ps) // SAMPLE):
        lmp.command(f"run {SAMPLE} pre {'no' if k else 'yes'} post no")
        rows.append([lmp.get_thermo(word) for word in keywords])
    return {word: [row[c] for row in rows] for c, word in enumerate(keywords)}


def crystal(plan: Plan) -> dict:
    """The lattice parameter (A) in the middle of the range, at no pressure."""
    temperature = 0.5 * (plan.low + plan.high)
    data = plan.folder / "cell.data"
    atoms = bulk("Si", cubic=True).repeat(plan.bulk_repeats)
    write_lammps_data(data, atoms, masses=True, atom_style="atomic")
    lmp = opened(data, plan.model)
    lmp.commands_string(f"""
        velocity all create {2 * temperature} {plan.seed} mom yes
        fix move all npt temp {temperature} {temperature} 0.1 iso 0 0 1
    """)
    sampled(lmp, plan.settle_ps, ("lx",))
    lengths = sampled(lmp, plan.ps, ("lx",))["lx"]
    lmp.close()
    return {"a": float(np.mean(lengths)) / plan.bulk_repeats, "temperature": temperature}


def two_phases(plan: Plan, a: float) -> dict:
    """A long crystal with its upper half molten, as a data file."""
    temperature = 0.5 * (plan.low + plan.high)
    data, out = plan.folder / "long.data", plan.folder / "two.data"
    atoms = bulk("Si", cubic=True, a=a).repeat(plan.repeats)
    write_lammps_data(data, atoms, masses=True, atom_style="atomic")
    lmp = opened(data, plan.model)
    middle = 0.5 * atoms.cell[2, 2] - 0.1
    lmp.commands_string(f"""
        velocity all create {2 * temperature} {plan.seed} mom yes
        fix move all npt temp {temperature} {temperature} 0.1 z 0 0 1
        run {steps(plan.settle_ps)}
        unfix move
        region upper block INF INF INF INF {middle} INF
        group upper region upper
        velocity upper scale {HOT}
        fix move upper nvt temp {HOT} {HOT} 0.1
        run {steps(2.0 * plan.settle_ps)}
        unfix move
        velocity upper scale {temperature}
        fix move upper nvt temp {temperature} {temperature} 0.1
        run {steps(plan.settle_ps)}
        unfix move
        fix move all npt temp {temperature} {temperature} 0.1 z 0 0 1
        run {steps(plan.settle_ps)}
        write_data {out}
    """)
    lmp.close()
    return {"n_atoms": len(atoms)}


def growth(plan: Plan, temperature: float) -> dict:
    """How fast the enthalpy (eV) of two phases rises at a temperature, and the length of the cell.

    H = E at no pressure. The error is that of the slopes of thirds.
    """
    lmp = opened(plan.folder / "two.data", plan.model)
    lmp.commands_string(f"""
        velocity all scale {temperature}
        fix move all npt temp {temperature} {temperature} 0.1 z 0 0 1
    """)
    sampled(lmp, plan.settle_ps, ("etotal",))
    found = sampled(lmp, plan.ps, ("etotal", "lz"))
    lmp.close()
    energy = np.array(found["etotal"])
    times = TIMESTEP * SAMPLE * np.arange(len(energy))
    thirds = [
        np.polyfit(times[i], energy[i], 1)[0] for i in np.array_split(np.arange(len(times)), 3)
    ]
    return {
        "temperature": temperature,
        "slope": float(np.polyfit(times, energy, 1)[0]),
        # A slope over a third of the time has an error sqrt(27) times as large.
        "error": float(np.std(thirds, ddof=1) / np.sqrt(27.0)),
        "length": float(np.mean(found["lz"])),
        "enthalpy": found["etotal"],
    }


def bisected(plan: Plan) -> list[dict]:
    """The rounds: each at the middle of what is left of the range."""
    low, high, rounds = plan.low, plan.high, []
    for k in range(plan.rounds):
        temperature = 0.5 * (low + high)
        found = stage(plan, f"round-{k}", lambda t=temperature: growth(plan, t))
        rounds.append(found)
        melts = found["slope"] > 0.0
        low, high = (low, temperature) if melts else (temperature, high)
        print(
            f"round {k}: {temperature:7.1f} K, dH/dt {found['slope']:+7.2f} +- "
            f"{found['error']:.2f} eV/ps, {'melts' if melts else 'freezes'}; "
            f"{found['seconds']:.0f} s",
            flush=True,
        )
    return rounds


def crossing(rounds: list[dict]) -> tuple[float, float, float]:
    """(T_m, its error, slope of the line in eV/ps/K): where a line through the rounds is zero.

    All rounds weigh the same; the error is that of the scatter about the line.
    """
    temperatures = np.array([r["temperature"] for r in rounds])
    slopes = np.array([r["slope"] for r in rounds])
    gradient, at_zero = np.polyfit(temperatures, slopes, 1)
    melting = -at_zero / gradient
    spread = np.sum((slopes - gradient * temperatures - at_zero) ** 2) / max(len(rounds) - 2, 1)
    away = temperatures.mean() - melting
    width = np.sum((temperatures - temperatures.mean()) ** 2)
    error = np.sqrt(spread * (1.0 / len(rounds) + away**2 / width)) / abs(gradient)
    return float(melting), float(error), float(gradient)


def phase(plan: Plan, name: str, a: float, temperature: float) -> dict:
    """Enthalpy per atom (eV) of one phase at no pressure, and frames of it in a dump."""
    data, dump = plan.folder / f"{name}.data", plan.folder / f"{name}.dump"
    atoms = bulk("Si", cubic=True, a=a).repeat(plan.bulk_repeats)
    write_lammps_data(data, atoms, masses=True, atom_style="atomic")
    lmp = opened(data, plan.model)
    lmp.command(f"velocity all create {2 * temperature} {plan.seed} mom yes")
    if name == "liquid":
        lmp.commands_string(f"""
            velocity all scale {HOT}
            fix hot all npt temp {HOT} {HOT} 0.1 iso 0 0 1
            run {steps(2.0 * plan.settle_ps)}
            unfix hot
        """)
    lmp.command(f"fix move all npt temp {temperature} {temperature} 0.1 iso 0 0 1")
    sampled(lmp, 2.0 * plan.settle_ps, ("etotal",))
    lmp.command(f"dump frames all custom {10 * SAMPLE} {dump} id type x y z")
    found = sampled(lmp, plan.ps, ("etotal", "vol"))
    lmp.close()
    return {
        "enthalpy": float(np.mean(found["etotal"])) / len(atoms),
        "volume": float(np.mean(found["vol"])) / len(atoms),
        "n_atoms": len(atoms),
    }


def energies(plan: Plan, name: str, model: str, member: int | None = None) -> np.ndarray:
    """Potential energy per atom (eV) of the frames of a phase, by a model or a sample of it."""
    lmp, dump, out = opened(plan.folder / f"{name}.data", model, member), f"{name}.dump", []
    for step in frames_of(plan.folder / dump):
        lmp.command(f"read_dump {plan.folder / dump} {step} x y z box yes replace yes")
        lmp.command("run 0 post no")
        out.append(lmp.get_thermo("pe") / lmp.get_natoms())
    lmp.close()
    return np.array(out)


def frames_of(dump: Path) -> list[int]:
    """Steps of the frames in a dump."""
    lines = dump.read_text().split("\n")
    return [int(lines[k + 1]) for k, line in enumerate(lines) if line == "ITEM: TIMESTEP"]


def shifts(plan: Plan, models) -> dict:
    """<u_k - u> (eV/atom) in each phase of the (model, member) in `models`, and its error."""
    out: dict = {}
    for name in ("crystal", "liquid"):
        mean = energies(plan, name, plan.model)
        out[name] = [float(np.mean(energies(plan, name, *other) - mean)) for other in models]
    return out


def moved(point: float, heat: float, shift: dict) -> list[float]:
    """T_k (K) from the shifts, with T_m in K and the heat of fusion in eV/atom."""
    return [
        point * (1.0 + (liquid - solid) / heat)
        for liquid, solid in zip(shift["liquid"], shift["crystal"])
    ]


def melting(plan: Plan) -> dict:
    """All stages; the melting temperature and its error bars, K."""
    plan.folder.mkdir(parents=True, exist_ok=True)
    a = stage(plan, "lattice", lambda: crystal(plan))["a"]
    print(f"lattice parameter {a:.4f} A", flush=True)
    n = stage(plan, "two", lambda: two_phases(plan, a))["n_atoms"]
    print(f"{n} atoms, half of them molten", flush=True)
    rounds = bisected(plan)
    point, error, gradient = crossing(rounds)
    found = {
        name: stage(plan, f"phase-{name}", lambda name=name: phase(plan, name, a, point))
        for name in ("crystal", "liquid")
    }
    heat = found["liquid"]["enthalpy"] - found["crystal"]["enthalpy"]
    members = [(plan.model, k) for k in range(plan.members)]
    others = [(model, None) for model in plan.others]
    of = {
        name: moved(point, heat, stage(plan, name, lambda models=models: shifts(plan, models)))
        for name, models in (("members", members), ("others", others))
    }
    # 1 eV/ps/K over N atoms and the heat per atom; 1 A/ps = 100 m/s.
    length = float(np.mean([r["length"] for r in rounds]))
    kinetic = 100.0 * 0.5 * length / n * gradient / heat
    print(f"heat of fusion {heat:.3f} eV/atom; volume {found['crystal']['volume']:.2f} (crystal), "
          f"{found['liquid']['volume']:.2f} A^3 (liquid)")  # fmt: skip
    print(f"an interface moves by {100.0 * kinetic:.1f} m/s at 100 K from the melting temperature")
    print(f"melting temperature {point:.0f} K +- {error:.0f} K of the run")
    for name, temperatures in of.items():
        if temperatures:
            shown = " ".join(f"{t:.1f}" for t in temperatures)
            print(f"{name}: {shown} K, standard deviation {np.std(temperatures, ddof=1):.1f} K")
    return {"melting": point, "error": error, "heat": heat, **of}


def main() -> None:
    """Parse, run, write DIR/melting.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--repeats", type=int, nargs=3, default=[4, 4, 16])
    parser.add_argument("--ps", type=float, default=10.0, help="of each round and phase")
    parser.add_argument("--low", type=float, default=1300.0, help="K")
    parser.add_argument("--high", type=float, default=1900.0, help="K")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--others", type=Path, nargs="+", default=[], metavar="MODEL")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="a test of the script: no physics")
    given = parser.parse_args()
    plan = Plan(
        model=str(given.model.resolve()),
        folder=given.output,
        repeats=(2, 2, 4) if given.quick else tuple(given.repeats),
        bulk_repeats=2 if given.quick else 4,
        ps=0.4 if given.quick else given.ps,
        settle_ps=0.04 if given.quick else 2.0,
        low=given.low,
        high=given.high,
        rounds=3 if given.quick else given.rounds,
        members=2 if given.quick else given.members,
        others=tuple(str(path.resolve()) for path in given.others),
        seed=given.seed,
    )
    result = json.dumps(melting(plan), indent=2) + "\n"
    (plan.folder / "melting.json").write_text(result)


if __name__ == "__main__":
    main()
