"""How a loop ended."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class LearnResult:
    """How a loop ended.

    Attributes
    ----------
    status : "learned" (nothing left to flag, or every explorer has finished) or "budget"
    reason : one line
    n_labels, n_failures : labels admitted, requests without one
    n_steps, ps : steps of all explorers, simulated time in ps
    share_without_label : share of the steps that needed no label
    n_versions : fits of the model
    model_path : the model, None before the first fit; model_hash : SHA-256 of that file
    directory : where all files are
    report_path : the report, None without matplotlib
    seconds : wall time by "explore", "label", "update", "other", over all calls
    """

    status: str
    reason: str
    n_labels: int
    n_failures: int
    n_steps: int
    ps: float
    share_without_label: float
    n_versions: int
    model_path: Path | None
    model_hash: str
    directory: Path
    report_path: Path | None
    seconds: dict[str, float]
