"""Subscriptions, endings, heartbeats and policy: no I/O, time is an argument."""
