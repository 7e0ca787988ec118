"""Reading a configuration: the file, what the command line puts over it, and what is wrong with them."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any

import attrs
from attrs import define, field

from gateway.config.device_policy import Policy
from gateway.config.kinds import Location, Wrong, described
from gateway.config.option import Option, options, parts
from gateway.config.overrides import SET, Given, Tree, override, planted
from gateway.config.rules import broken
from gateway.config.schema import Config
from gateway.config.walk import dotted, in_force, known

FILE = "file"
"""The origin of a value that the file gives."""


class ConfigError(Exception):
    """The configuration cannot be used.

    C{problems} are lines that are ready to be printed, C{FILE: key: problem. Remedy}; the message is all of them.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def load(path: str | os.PathLike[str], overrides: Sequence[str] = ()) -> Config:
    """Read a configuration file.

    @param overrides: C{section.key=value} lines that go over the file; the value is TOML, a bare word is a text.
    @raise ConfigError: with everything that is wrong, not only the first.
    """
    reading = _Reading(file=Path(os.path.abspath(path)))
    tree = reading.tree(overrides)
    config = attrs.evolve(reading.section(Config, tree, ()), file=reading.file)
    reading.finish()
    config = attrs.evolve(_located(config, reading.origins), origins=MappingProxyType(reading.origins))
    for key, wrong in broken(config):
        reading.wrong(key, wrong, config.origins.get(dotted(key), FILE))
    reading.finish()
    return config


@define(eq=False)
class _Reading:
    """One reading of one file: collects where values come from, and what is wrong."""

    file: Path
    origins: dict[str, str] = field(factory=dict)
    problems: list[str] = field(factory=list)

    def wrong(self, key: tuple[str, ...], wrong: Wrong, origin: str) -> None:
        source = SET if origin == SET else str(self.file)
        self.problems.append(": ".join(filter(None, (source, dotted(key), f"{wrong.problem}. {wrong.remedy}"))))

    def finish(self) -> None:
        if self.problems:
            raise ConfigError(self.problems)

    def tree(self, overrides: Sequence[str]) -> Tree:
        tree = planted(self.toml(), FILE)
        for text in overrides:
            try:
                override(tree, text)
            except Wrong as wrong:
                self.wrong((), wrong, SET)
        self.finish()
        return tree

    def toml(self) -> dict[str, Any]:
        try:
            return tomllib.loads(self.file.read_text("utf-8"))
        except OSError as error:
            raise ConfigError(
                [f"{self.file}: cannot be read: {error.strerror}. `pushgw init DIR` makes a new one"]
            ) from None
        except UnicodeDecodeError as error:
            raise ConfigError([f"{self.file}: byte {error.start} is not UTF-8. Save the file as UTF-8"]) from None
        except (ValueError, RecursionError) as error:
            raise ConfigError(
                [f"{self.file}: is not TOML: {error}. Texts need quotes, sections are [in brackets]"]
            ) from None

    def section(self, cls: type[Any], tree: Tree, path: tuple[str, ...]) -> Any:
        """An instance of a section, with the defaults for what is not given or wrong."""
        values: dict[str, Any] = {}
        within = dict(parts(cls))
        known_options = dict(options(cls))
        for name, node in tree.items():
            here = (*path, name)
            if name in known_options:
                self.option(known_options[name], node, here, values)
            elif name not in within:
                self.wrong(here, _unknown(cls, name), _origin(node))
            elif not isinstance(node, dict):
                self.wrong(here, _no_section(node, here), node.origin)
            elif within[name].table:
                values[name] = self.table(within[name].type, node, here)
            else:
                values[name] = self.section(within[name].type, node, here)
        return cls(**values)

    def table(self, cls: type[Any], tree: Tree, path: tuple[str, ...]) -> MappingProxyType[str, Any]:
        found = {}
        for name, node in tree.items():
            if isinstance(node, dict):
                found[name] = self.section(cls, node, (*path, name))
            else:
                self.wrong((*path, name), _no_section(node, (*path, "NAME")), node.origin)
        return MappingProxyType(found)

    def option(self, option: Option, node: Given | Tree, path: tuple[str, ...], values: dict[str, Any]) -> None:
        given = Given({}, _origin(node)) if isinstance(node, dict) else node
        try:
            values[path[-1]] = option.kind.read(given.meant(option.kind))
            self.origins[dotted(path)] = given.origin
        except Wrong as wrong:
            hidden = Wrong("the value (not shown here) does not fit", wrong.remedy)
            self.wrong(path, hidden if option.secret else wrong, given.origin)


def _origin(node: Given | Tree) -> str:
    while isinstance(node, dict):
        node = next(iter(node.values()), Given(None, FILE))
    return node.origin


def _no_section(given: Given, path: tuple[str, ...]) -> Wrong:
    return Wrong(
        f"{described(given.value)} stands where a section is needed", f"Write [{dotted(path)}] above its options"
    )


def _unknown(cls: type[Any], name: str) -> Wrong:
    """What to say of a name that is not in a section: the nearest one there, or where the name belongs."""
    here = [key for key, _ in (*options(cls), *parts(cls))]
    near = get_close_matches(name, here, 1)
    if near:
        return Wrong("unknown key", f"Did you mean {near[0]}?")
    elsewhere = [path for path in known(Config) if path[-1] == name]
    if elsewhere:
        return Wrong("unknown key", f"It belongs into the section [{'.'.join(elsewhere[0][:-1])}]")
    listed = "the elements of EASProvisionDoc" if cls is Policy else ", ".join(here)
    return Wrong("unknown key", f"Known here: {listed}")


def _located(config: Config, origins: dict[str, str]) -> Config:
    """The configuration with absolute paths."""
    base = config.file.parent
    folder = _absolute(base, config.data.folder)
    for path, option, value in list(in_force(config)):
        if isinstance(option.kind, Location) and value is not None:
            in_data = option.kind.in_data and dotted(path) not in origins
            config = _replaced(config, path, _absolute(folder if in_data else base, value))
    return config


def _absolute(base: Path, path: Path) -> Path:
    return Path(os.path.abspath(base / path))


def _replaced(section: Any, path: tuple[str, ...], value: object) -> Any:
    name, *rest = path
    if isinstance(section, Mapping):
        return MappingProxyType({**section, name: _replaced(section[name], tuple(rest), value)})
    inner = _replaced(getattr(section, name), tuple(rest), value) if rest else value
    return attrs.evolve(section, **{name: inner})
