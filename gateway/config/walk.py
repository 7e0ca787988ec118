"""Going through the schema, and through a configuration in force, option by option."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from gateway.config.kinds import quoted
from gateway.config.option import Option, options, parts
from gateway.config.schema import Config

_BARE = re.compile(r"[A-Za-z0-9_-]+")

Path = tuple[str, ...]


def dotted(path: Path) -> str:
    """A key as TOML writes it: C{users."ann@example.org".mode}."""
    return ".".join(part if _BARE.fullmatch(part) else quoted(part) for part in path)


def in_force(section: Any, path: Path = ()) -> Iterator[tuple[Path, Option, Any]]:
    """Every option of a section and of those within it, with the value it has."""
    for name, option in options(type(section)):
        yield (*path, name), option, getattr(section, name)
    for name, part in parts(type(section)):
        inner = getattr(section, name)
        if not part.table:
            yield from in_force(inner, (*path, name))
            continue
        for key, one in inner.items():
            yield from in_force(one, (*path, name, key))


def known(cls: type[Any], path: Path = ()) -> Iterator[Path]:
    """Every key of the schema; C{NAME} stands for the names that the administrator gives."""
    for name, _ in options(cls):
        yield (*path, name)
    for name, part in parts(cls):
        yield from known(part.type, (*path, name, "NAME") if part.table else (*path, name))


def needs_restart(old: Config, new: Config) -> list[str]:
    """The dotted keys in which two configurations differ and that a reload does not put in force."""
    before = {path: value for path, option, value in in_force(old) if not option.live}
    after = {path: value for path, option, value in in_force(new) if not option.live}
    return [dotted(path) for path in after if before.get(path) != after[path]]
