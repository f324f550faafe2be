"""LAMMPS inputs that the tests run on several ranks, all in one process per rank.

    mpiexec -n N python lammps_cases.py FOLDER WAY CASE...

WAY is "plugin" or "external", the fix that takes its place. FOLDER holds the models and data files
that `lammps_helpers.prepare` writes. Of every case, FOLDER/CASE-N.json has thermo output and the
message of an error, FOLDER/CASE-N.dump the atoms.
"""

import json
import os
import sys
from pathlib import Path

from mpi4py import MPI

import gapy
from gapy.engines.lammps import session
from gapy.engines.lammps.without_plugin import ExternalRun

START = """
units metal
atom_style {atoms}
newton {newton}
boundary {boundary}
processors {processors}
neighbor {skin} bin
read_data {data}
"""
DUMP = """
compute e all pe/atom
fix s all pair 1 gapy sigma 1
compute g all pair gapy
dump d all custom 1 {out}.dump id type x y z fx fy fz c_e {sigma}
dump_modify d sort id format float %.17g
thermo_style custom step pe etotal pxx pyy pzz pxy pxz pyz vol {largest}
thermo 1
"""
STYLE = """
pair_style gapy
pair_coeff * * cual.gapy Cu Al
"""
ONE = STYLE + DUMP + "run 0\n"
MOVING = """
velocity all create 1500 7 loop all
fix nve all nve
timestep 0.002
"""
ZBL = "pair_style zbl 1.5 2.6\npair_coeff 1 1 29 29\npair_coeff 2 2 13 13\n"
OVERLAY = """
pair_style hybrid/overlay gapy zbl 1.5 2.6
pair_coeff * * gapy cual.gapy Cu Al
pair_coeff 1 1 zbl 29 29
pair_coeff 2 2 zbl 13 13
pair_coeff 1 2 zbl 29 13
"""
QUIET_DUMP = DUMP.replace("fix s all pair 1 gapy sigma 1", "").replace(
    "compute g all pair gapy", ""
)
STOPPING = "pair_style gapy max_force_std 1.4 frame {out}.xyz\npair_coeff * * cual.gapy Cu Al\n"

CASES = {
    "alloy": {"run": ONE},
    "alloy_off": {"run": ONE, "newton": "off"},
    "small": {"run": ONE, "data": "small.data"},
    "small_off": {"run": ONE, "data": "small.data", "newton": "off"},
    "cluster": {
        "run": ONE, "data": "cluster.data", "boundary": "f f f", "processors": "* 1 1",
    },
    "baseline": {"run": ONE.replace("cual.gapy", "zbl.gapy")},
    "baseline_off": {"run": ONE.replace("cual.gapy", "zbl.gapy"), "newton": "off"},
    "lent": {"run": ONE.replace("cual.gapy", "mean").replace("gapy\n", "gapy member 1\n", 1)},
    "stored": {"run": ONE.replace("cual.gapy", "stored.gapy"), "data": "stored.data"},
    "member": {"run": ONE.replace("style gapy\n", "style gapy member 1\n", 1)},
    "single": {"run": ONE.replace("style gapy\n", "style gapy precision single\n", 1)},
    "lent_single": {"run": ONE.replace("cual.gapy", "single")},
    "half": {"run": ONE.replace("style gapy\n", "style gapy precision half\n", 1)},
    "zbl": {"run": ZBL + QUIET_DUMP + "run 0\n", "quiet": True},
    "overlay": {"run": OVERLAY + DUMP + "run 0\n"},
    "aluminium": {
        "run": "pair_style hybrid/overlay gapy zbl 1.5 2.6\n"
        "pair_coeff * * gapy cual.gapy NULL Al\npair_coeff 1 * zbl 29 29\n"
        "pair_coeff 2 2 zbl 13 13\n" + DUMP + "run 0\n",
    },
    "only_zbl": {
        "run": ZBL.replace("pair_coeff 1 1", "pair_coeff 1 *") + QUIET_DUMP + "run 0\n",
        "quiet": True,
    },
    "nve": {"run": STYLE + DUMP + MOVING + "run 60\n", "skin": "0.4"},
    "every": {
        "run": STYLE.replace("style gapy", "style gapy sigma 3") + DUMP.replace(
            "fix s all pair 1 gapy sigma 1", "fix s all pair 1 gapy sigma 0"
        ) + MOVING + "run 5\n",
        "skin": "0.4",
    },
    "again": {
        "run": "pair_style gapy member 1 max_force_std 1e-3 frame none/here.xyz\n"
        "pair_coeff * * zbl.gapy Cu Al\n" + ONE
    },
    "npt": {
        "run": STYLE + DUMP + MOVING.replace("all nve\n", "all npt temp 900 900 0.1 tri 0 0 1\n")
        + "run 15\n",
    },
    "minimise": {"run": STYLE + DUMP + "minimize 0 1e-3 60 200\n"},
    "rerun": {"run": STYLE + DUMP + "rerun nve-1.dump first 20 every 20 dump x y z\n"},
    "restart": {
        "run": STYLE + MOVING + "run 10\nwrite_restart {out}.restart\nclear\n"
        "read_restart {out}.restart\n" + STYLE + DUMP + "fix nve all nve\nrun 50\n",
        "skin": "0.4",
    },
    "stopping": {
        "run": STOPPING + DUMP + MOVING + "run 400\nwrite_restart {out}.restart\n",
    },
    "resumed": {
        "run": "clear\nread_restart stopping-{n}.restart\n" + STYLE + DUMP
        + "fix nve all nve\nrun 5\n",
    },
    "samples_every": {
        "run": STYLE.replace("cual", "dear_cual").replace("style gapy", "style gapy posterior 2")
        + DUMP + MOVING + "run 3\n",
        "skin": "0.4",
    },
    "samples_never": {
        "run": ONE.replace("cual", "dear_cual").replace("gapy\n", "gapy posterior 0\n", 1)
    },
    "samples_stopping": {
        "run": "pair_style gapy posterior 2 max_force_std 0.01 frame {out}.xyz\n"
        "pair_coeff * * dear_cual.gapy Cu Al\n" + DUMP + MOVING + "run 3\n",
    },
    "not_sampled": {"run": ONE.replace("style gapy\n", "style gapy posterior 1\n", 1)},
    # What LAMMPS must refuse, on all ranks.
    "no_samples": {"run": STYLE.replace("style gapy", "style gapy posterior -1") + "run 0\n"},
    "units": {"run": "clear\nunits real\nread_data {data}\n" + STYLE + "run 0\n"},
    "species": {"run": STYLE.replace("Cu Al", "Cu Au") + "run 0\n"},
    "no_element": {"run": STYLE.replace("Cu Al", "Cu Q") + "run 0\n"},
    "too_few": {"run": STYLE.replace("Cu Al", "Cu") + "run 0\n"},
    "no_model": {"run": STYLE.replace("cual", "none") + "run 0\n"},
    "keyword": {"run": STYLE.replace("style gapy", "style gapy skin 2") + "run 0\n"},
    "no_value": {"run": STYLE.replace("style gapy", "style gapy sigma") + "run 0\n"},
    "never": {"run": STYLE.replace("style gapy", "style gapy sigma 0") + "run 0\n"},
    "no_limit": {"run": STYLE.replace("style gapy", "style gapy max_force_std -1") + "run 0\n"},
    "atom_virial": {
        "run": STYLE + "compute v all stress/atom NULL\ndump d all custom 1 {out}.dump c_v[1]\n"
        "run 0\n"
    },
    "touching": {"run": ONE, "data": "touching.data"},
    "no_frame": {
        "run": STOPPING.replace("1.4 frame {out}.xyz", "0.1 frame none/here.xyz") + "run 400\n",
    },
}  # fmt: skip
CHARGES = """
set type 1 charge 0.6
set type 2 charge -0.6
kspace_style ewald 1e-9
kspace_modify gewald 0.625
"""
IONS = "pair_style gapy without coulomb\npair_coeff * * ions.gapy Na Cl\n"
D3 = """
pair_style hybrid/overlay gapy without coulomb without dispersion dispersion/d3 bj pbe 31.751 21.167
pair_coeff * * gapy ions_d3.gapy Na Cl
pair_coeff * * dispersion/d3 Na Cl
neigh_modify one 30000 page 300000
"""
TWO = """
pair_style hybrid/overlay gapy without coulomb gapy
pair_coeff * * gapy 1 ions.gapy Na Cl
pair_coeff * * gapy 2 plain.gapy Na Cl
"""
SALT = {
    "ions": IONS + CHARGES + DUMP,
    "ions_off": IONS + CHARGES + DUMP,
    "ions_mesh": IONS + CHARGES.replace("ewald 1e-9", "pppm 1e-8") + DUMP,
    "ions_overlay": IONS.replace("gapy w", "hybrid/overlay gapy w").replace("* * i", "* * gapy i")
    .replace("coulomb\n", "coulomb zbl 0.5 1.0\npair_coeff 1*2 1*2 zbl 11 11\n") + CHARGES + DUMP,
    "ions_d3": D3 + CHARGES + DUMP,
    "ions_coarsest": IONS + CHARGES.replace("1e-9", "1e-5") + DUMP,
    "ions_and_plain": TWO + CHARGES + QUIET_DUMP,
    # What LAMMPS must refuse.
    "ions_unasked": IONS.replace("without coulomb", "") + CHARGES,
    "ions_kind": IONS.replace("coulomb", "zbl") + CHARGES,
    "ions_absent": IONS.replace("coulomb", "dispersion") + CHARGES,
    "ions_no_sum": IONS + CHARGES.partition("kspace")[0],
    "ions_width": IONS + CHARGES.partition("kspace_modify")[0],
    "ions_charge": IONS + CHARGES.replace("-0.6", "-0.59"),
    "ions_points": IONS.replace("gapy w", "hybrid/overlay gapy w").replace("* * i", "* * gapy i")
    .replace("coulomb\n", "coulomb coul/long 8.0\npair_coeff * * coul/long\n") + CHARGES,
    "ions_more_points": IONS.replace("gapy w", "hybrid/overlay gapy w")
    .replace("* * i", "* * gapy i")
    .replace("coulomb\n", "coulomb coul/long 8.0 born/coul/long 8.0\n"
    "pair_coeff * * coul/long\npair_coeff * * born/coul/long 0 1 0 0 0\n") + CHARGES,
    "ions_not_computed": IONS + CHARGES + "kspace_modify compute no\n",
    "ions_dielectric": IONS + CHARGES + "dielectric 10\n",
    "ions_coarse": IONS + CHARGES.replace("1e-9", "1e-1"),
    "ions_coarse_force": IONS + CHARGES + "kspace_modify force 0.0144\n",
    "ions_slab": "change_box all xy final 0 xz final 0 yz final 0 ortho boundary p p f\n" + IONS
    + CHARGES + "kspace_modify slab 3.0\n",
    "ions_twice": TWO.replace("gapy\n", "gapy without coulomb\n").replace("plain", "ions")
    + CHARGES,
    "ions_scaled": IONS.replace("gapy w", "hybrid/scaled 0.5 gapy w").replace("* * i", "* * gapy i")
    .replace("coulomb\n", "coulomb 0.5 zbl 0.5 1.0\npair_coeff 1*2 1*2 zbl 11 11\n") + CHARGES,
    "ions_no_d3": D3.replace("dispersion/d3 bj pbe 31.751 21.167", "zbl 1 2").replace(
        "dispersion/d3 Na Cl", "zbl 11 11") + CHARGES,
}  # fmt: skip
CASES |= {
    name: {"run": run + "run 0\n", "atoms": "charge", "data": "salt.data"}
    for name, run in SALT.items()
}
CASES["ions_off"]["newton"] = "off"
CASES["ions_and_plain"]["quiet"] = True
CASES["ions_atomic"] = {"run": IONS + "run 0\n", "data": "salt_atomic.data"}
CASES["ions_charged"] = {**CASES["ions"], "data": "charged.data"}
CASES |= {
    f"samples_{name}": {**CASES[name], "run": CASES[name]["run"].replace("* * ", "* * dear_", 1)}
    for name in ("alloy", "alloy_off", "small", "cluster", "baseline", "baseline_off", "member")
}
CASES["samples_overlay"] = {"run": CASES["overlay"]["run"].replace("cual.gapy", "dear_cual.gapy")}
# LAMMPS decides by the model, unless the input file does.
CASES["samples_member"]["run"] = CASES["samples_member"]["run"].replace(
    "gapy member", "gapy posterior 1 member"
)
DEFAULTS = {
    "newton": "on", "atoms": "atomic", "data": "alloy.data", "skin": "1.0",
    "boundary": "p p p", "processors": "* * *",
}  # fmt: skip
THERMO = ("step", "pe", "etotal", "pxx", "pyy", "pzz", "pxy", "pxz", "pyz", "vol")


def commands(name: str, ranks: int) -> list[str]:
    """Lines of a case."""
    case = {**DEFAULTS, **CASES[name], "out": f"{name}-{ranks}", "n": ranks}
    extra = (
        {"sigma": "", "largest": ""} if case.get("quiet") else {"sigma": "f_s", "largest": "c_g[1]"}
    )
    text = START + case["run"]
    return [line for line in text.format(**case, **extra).split("\n") if line.strip()]


EXTERNAL = {
    name: {**CASES[name], "run": CASES[name]["run"].replace(DUMP, QUIET_DUMP), "quiet": True}
    for name in ("alloy", "alloy_off", "small", "cluster", "baseline", "member", "overlay",
                 "aluminium", "nve", "npt", "minimise", "stopping", "touching", "units",
                 "species", "too_few", "no_model", "keyword", "no_samples", "single", "half",
                 "samples_stopping")
}  # fmt: skip
CASES |= {f"external_{name}": case for name, case in EXTERNAL.items()}
CASES["external_sigma"] = CASES["alloy"]
CASES["external_keyword_sigma"] = {
    "run": STYLE.replace("style gapy", "style gapy sigma 3") + "run 0\n"
}
CASES["external_hybrid"] = {"run": OVERLAY.replace("hybrid/overlay", "hybrid") + "run 0\n"}
CASES["external_change"] = {"run": STYLE + ZBL + "run 0\n"}


def opened(way: str):
    """(LAMMPS object, function that runs lines) of a way."""
    arguments = ["-log", "none", "-screen", "none"]
    if way == "plugin":
        lent = {}
        if Path("cual.gapy").exists():
            mean = gapy.load("cual.gapy")
            lent = {"mean": mean, "single": mean.in_precision("single")}
        lmp = session.open_lammps(arguments, models=lent)
        return lmp, lambda lines: [lmp.command(line) for line in lines]
    lmp = session.new_lammps(arguments)

    def run(lines):
        path = Path(f"in.{MPI.COMM_WORLD.rank}")
        path.write_text("\n".join(lines) + "\n")
        ExternalRun(lmp).file(path)

    return lmp, run


def main(folder: str, way: str, *names: str) -> None:
    """Run the cases."""
    os.chdir(folder)
    ranks = MPI.COMM_WORLD.size
    for name in names:
        lmp, run = opened(way)
        lmp.set_show_error(False)
        told = {"owned": None}
        try:
            run(commands(name, ranks))
            told = {key: lmp.get_thermo(key) for key in THERMO}
            told["owned"] = MPI.COMM_WORLD.allgather(lmp.extract_setting("nlocal"))
            if "compute g" in " ".join(commands(name, ranks)):
                told["largest"] = float(lmp.numpy.extract_compute("g", 0, 1)[0])
        except Exception as error:
            told["error"] = str(error)
        errors = MPI.COMM_WORLD.allgather(told.get("error"))
        told["errors"] = errors
        lmp.close()
        if MPI.COMM_WORLD.rank == 0:
            Path(f"{name}-{ranks}.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
