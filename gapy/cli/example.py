"""A command line to begin with, at the end of every command's help."""

EXAMPLES = {
    "fit": "gapy fit train.xyz -o si.gapy",
    "tune": "gapy tune train.xyz -o tuning --budget-us 20",
    "evaluate": "gapy evaluate si.gapy test.xyz --plots pictures --json errors.json",
    "validate": "gapy validate si.gapy --test test.xyz -o validation",
    "predict": "gapy predict si.gapy frames.xyz -o predicted.xyz",
    "relax": "gapy relax si.gapy start.xyz -o relaxed.xyz",
    "eos": "gapy eos si.gapy start.xyz --json eos.json",
    "elastic": "gapy elastic si.gapy start.xyz --symmetry cubic",
    "phonons": "gapy phonons si.gapy start.xyz --repeats 3",
    "suggest": "gapy suggest si.gapy pool.xyz --start start.xyz -n 5 -o chosen.xyz",
    "md": "gapy md si.gapy start.xyz --temperature 600 --max-force-std 0.3 -o md",
    "lammps": "gapy lammps si.gapy -in in.lammps -np 2",
    "ipi": "gapy ipi si.gapy start.xyz --address unix:gapy",
    "learn": "gapy learn loop.toml --dry-run",
    "inspect": "gapy inspect train.xyz --plot map.png",
    "info": "gapy info si.gapy",
    "demo": "gapy demo -o gapy-demo",
}


def epilog(command: str) -> str:
    """The last lines of a command's help; not to be wrapped."""
    return f"\b\nExample:\n  {EXAMPLES[command]}"
