"""Rehearsal: a stream of changes played against simulated devices, on the real core, in virtual time."""
