"""Rows of `benchmarks/peers.py`: each module measures one family and returns its figures."""
