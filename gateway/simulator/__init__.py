"""Simulated counterparts: a phone to try the gateway with."""
