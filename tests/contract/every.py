"""All contracts of the store: each database runs these, and no list of its own."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Any

import tests.contract
from tests.contract.store import StoreCase


def contracts() -> dict[str, type[StoreCase]]:
    """The contracts by their names, without C{Contract}."""
    found: dict[str, type[StoreCase]] = {}
    for module in pkgutil.iter_modules(tests.contract.__path__):
        for name, value in vars(import_module(f"tests.contract.{module.name}")).items():
            if name.endswith("Contract") and isinstance(value, type) and issubclass(value, StoreCase):
                assert found.setdefault(name.removesuffix("Contract"), value) is value, name
    return found


def on(database: str, base: type, module: str, **more: dict[str, Any]) -> dict[str, type[StoreCase]]:
    """A class of tests for each contract, by its name, as the C{module} is to hold it.

    @param base: makes the stores. @param more: attributes of the class for the contract of that name.
    """
    known = contracts()
    assert known.keys() >= more.keys(), more
    made = {}
    for name, contract in known.items():
        title = f"{database}{name}Tests"
        own = {"__module__": module, "__qualname__": title, "__doc__": f"{contract.__doc__} On {database}."}
        made[title] = type(title, (base, contract), {**own, **more.get(name, {})})
    return made
