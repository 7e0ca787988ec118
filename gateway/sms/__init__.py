"""Triggers by SMS: what they look like, and SMPP, by which they go out."""
