"""Molecular dynamics with error bars: logs its uncertainty, stops by itself, restarts exactly."""

from gapy.md.log import StepRecord
from gapy.md.result import MDResult
from gapy.md.run import run_md
from gapy.md.settings import ENSEMBLES
from gapy.md.watch import FlaggedAtom

__all__ = ["ENSEMBLES", "FlaggedAtom", "MDResult", "StepRecord", "run_md"]
