"""C{${name}} in a script: a value that an earlier step has remembered."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

#: C{$${} is C{${} itself.
_REFERENCE = re.compile(r"\$(\$\{)|\$\{([^{}]{0,64})\}")
NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")

Values = Mapping[str, str]


def references(value: Any) -> Iterator[str]:
    """The names that a value of TOML refers to, however deep."""
    if isinstance(value, str):
        yield from (found[2] for found in _REFERENCE.finditer(value) if found[2] is not None)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def filled(value: Any, values: Values) -> Any:
    """The value with what its references stand for.

    @raise KeyError: nothing of that name is remembered.
    """
    if isinstance(value, str):
        return _REFERENCE.sub(lambda found: found[1] or values[found[2]], value)
    if isinstance(value, Mapping):
        return {key: filled(each, values) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each, values) for each in value]
    return value
