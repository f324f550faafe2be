"""Health of a potential: what must hold of any energy surface, whatever the reference says.

Every check is a function of an ASE calculator, a structure and `Settings`, and gives a `Check`.
"""
