"""Explorers: where the structures come from. Each knows the model's calculator, no oracle."""

KINDS = {
    "md": "gapy.active.explorers.dynamics.MD",
    "relaxation": "gapy.active.explorers.relaxation.Relaxation",
    "basin-hopping": "gapy.active.explorers.hopping.BasinHopping",
    "random": "gapy.active.explorers.packing.RandomStructures",
    "swaps": "gapy.active.explorers.swaps.Swaps",
}
"""Names in a file, and where they are."""
