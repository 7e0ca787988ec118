"""What was given: the values of the file, and what C{--set} puts over them."""

from __future__ import annotations

import re
import tomllib
from typing import Any, Union

from attrs import frozen

from gateway.config.kinds import Kind, Wrong, described

SET = "--set"
"""The origin of a value that the command line gives."""

_ASSIGNMENT = re.compile(r"""((?:"(?:[^"\\]|\\.)*"|'[^']*'|[^"'=])+)=(.*)""", re.DOTALL)

Tree = dict[str, Union["Given", "Tree"]]


@frozen
class Given:
    """A value that was given, and where; C{raw} is its spelling on the command line."""

    value: object
    origin: str
    raw: str | None = None

    def meant(self, kind: Kind) -> object:
        """The value, or its spelling where a text is wanted and a bare word happens to be a number."""
        if self.raw is not None and kind.textual and not isinstance(self.value, str | list | dict):
            return self.raw
        return self.value


def planted(values: dict[str, Any], origin: str, raw: str | None = None) -> Tree:
    """What TOML gave, each value with its origin."""
    return {
        name: planted(value, origin) if isinstance(value, dict) else Given(value, origin, raw)
        for name, value in values.items()
    }


def override(tree: Tree, text: str) -> None:
    """Put one C{section.key=value} over a tree; raises L{Wrong}."""
    match = _ASSIGNMENT.fullmatch(text)
    if not match:
        raise Wrong(f"{described(text)} is not section.key=value", "Write for example direct_push.min_heartbeat=60")
    path = _key(match[1].strip())
    value = match[2].strip()
    overlaid: Tree = planted({path[-1]: _value(value)}, SET, value)
    for part in reversed(path[:-1]):
        overlaid = {part: overlaid}
    _overlay(tree, overlaid)


def _key(text: str) -> list[str]:
    try:
        node: object = tomllib.loads(f"{text} = 0")
    except (ValueError, RecursionError):
        raise Wrong(
            f"{described(text)} is not a key", 'Write it as in the file, such as users."ann@example.org".mode'
        ) from None
    path = []
    while isinstance(node, dict):
        name, node = next(iter(node.items()))
        path.append(name)
    return path


def _value(text: str) -> object:
    try:
        values = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError) as error:
        if text[:1] in ('"', "'", "[", "{"):
            raise Wrong(f"the value given is not TOML: {error}", "Check its quotes and brackets") from None
        return text
    return values["value"] if len(values) == 1 else text


def _overlay(tree: Tree, over: Tree) -> None:
    for name, node in over.items():
        below = tree.get(name)
        if isinstance(node, dict) and isinstance(below, dict):
            _overlay(below, node)
        else:
            tree[name] = node
