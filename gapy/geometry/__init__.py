"""Pairs of atoms: searched, kept along a trajectory, or handed in by another program."""
