"""A script as it stands in its file: checked as a whole before anything is asked."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, evolve, field, frozen

from gateway.simulator.line import VERSIONS
from gateway.simulator.script.expecting import EXPECTATIONS, Source
from gateway.simulator.script.fields import Choice, Field, Seconds, Table, Text, Whole, Wrong, nearest
from gateway.simulator.script.phone import Kind
from gateway.simulator.script.references import NAME, references
from gateway.simulator.script.steps import AWAIT, DELIVER, KINDS, OPTIONS, WAIT

LARGEST = 4 * 1024 * 1024
MOST_STEPS = 1000
_MOST_FAULTS = 20
_GENERAL: dict[str, Field] = {
    "expect": EXPECTATIONS,
    "background": Text(1, 32),
    "retry": Seconds(),
    "patience": Seconds(),
    "policy_key": Whole(0, 2**32 - 1),
}
#: Kinds of steps that have no answer of their own to be looked at.
_SILENT = frozenset({WAIT, DELIVER})
#: Values that are there without being remembered.
GIVEN = ("user", "device", "version", "run")


class ScriptError(ValueError):
    """A script that cannot be played; the text names file, step, key and remedy, a line for each fault."""


@frozen
class Step:
    """One step; C{values} are its own keys, whose references are still to be filled.

    C{retry}: seconds for which it is asked again until what is expected is there; C{patience}: seconds beyond what is
    usual that its answer may take; C{background}: the name under which L{AWAIT} asks for the answer.
    """

    number: int
    name: str
    kind: Kind
    values: Mapping[str, Any]
    expect: Mapping[str, Any] = field(factory=dict)
    remember: Mapping[str, Mapping[str, Any]] = field(factory=dict)
    background: str = ""
    retry: float = 0.0
    patience: float = 60.0
    policy_key: int | None = None


@frozen
class Script:
    """A checked script: what it is called, the version that it wants, values to begin with, and its steps."""

    name: str
    version: str | None
    values: Mapping[str, str]
    steps: tuple[Step, ...]


def read_script(
    text: str,
    name: str,
    version: str | None = None,
    values: Mapping[str, str] | None = None,
    load: Callable[[str], bytes] | None = None,
) -> Script:
    """The script in that text; C{name} is that of its file, C{version} the one asked for otherwise, C{values} go over
    those of the script; C{load} reads a file that a step names.

    @raise ScriptError: something in it is wrong.
    """
    if len(text) > LARGEST:
        raise ScriptError(f"{name}: the script has more than {LARGEST} characters; put large mails into files")
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ScriptError(f"{name}: this is no TOML: {error}") from None
    return _Reader(name, load).script(data, version, values or {})


@define
class _Reader:
    """Reads one script, and gathers what is wrong with it."""

    name: str
    load: Callable[[str], bytes] | None
    faults: list[str] = field(factory=list)
    names: set[str] = field(factory=set)
    parked: set[str] = field(factory=set)

    def script(self, data: dict[str, Any], version: str | None, given: Mapping[str, str]) -> Script:
        try:
            values = self._values(data, given)
            self._top(data)
        except Wrong as error:
            raise ScriptError(f"{self.name}: {_path(error)}{error}") from None
        speaks = data.get("version", version)
        self.names |= {*values, *GIVEN}
        steps = [self._step(number, table, speaks) for number, table in enumerate(data["step"], 1)]
        if speaks is None and steps[0] is not None and steps[0].name != OPTIONS:
            self.faults.append(
                f"{self.name}: step 1: the version is not known; begin with OPTIONS, or give it as "
                'version = "14.1" at the top or with --version'
            )
        if self.faults:
            more = len(self.faults) - _MOST_FAULTS
            shown = self.faults[:_MOST_FAULTS] + ([f"{self.name}: {more} more faults"] if more > 0 else [])
            raise ScriptError("\n".join(shown))
        return Script(self.name, speaks, values, tuple(step for step in steps if step))

    def _top(self, data: dict[str, Any]) -> None:
        steps = data.get("step")
        if not isinstance(steps, list) or not steps or not all(isinstance(one, dict) for one in steps):
            raise Wrong("a script has at least one [[step]]")
        if len(steps) > MOST_STEPS:
            raise Wrong(f"the script has {len(steps)} steps, {MOST_STEPS} are allowed")
        rest = {key: value for key, value in data.items() if key not in ("step", "values")}
        Table({"version": Choice(VERSIONS), "name": Text()}).check(rest)

    def _values(self, data: dict[str, Any], given: Mapping[str, str]) -> dict[str, str]:
        values = data.get("values", {})
        if not isinstance(values, dict):
            raise Wrong("a table is expected", ("values",))
        checked = {}
        for name, value in values.items():
            _check_name(name, ("values", name))
            if not isinstance(value, str):
                raise Wrong("a text in quotes is expected", ("values", name))
            checked[name] = value
        for name in given:
            if name not in checked:
                raise Wrong(f"--set {name}: the script has no such value; {nearest(name, checked)}", ("values",))
        return {**checked, **given}

    def _step(self, number: int, table: dict[str, Any], version: str | None) -> Step | None:
        name = table.get("do")
        where = f"{self.name}: step {number}{f' ({name})' if isinstance(name, str) else ''}: "
        try:
            if not isinstance(name, str):
                raise Wrong('this key is missing: say what to do, as do = "FolderSync"', ("do",))
            if name not in KINDS:
                raise Wrong(f"there is no step {name!r}; {nearest(name, KINDS)}", ("do",))
            step = self._checked(number, name, table, version)
            self._referred(step)
            return self._loaded(step)
        except Wrong as error:
            self.faults.append(f"{where}{_path(error)}{error}")
            # What it would have remembered is no further fault where it is used.
            remembered = table.get("remember")
            self.names |= set(remembered) if isinstance(remembered, dict) else set()
            if isinstance(table.get("background"), str):
                self.parked.add(table["background"])
            return None

    def _checked(self, number: int, name: str, table: dict[str, Any], version: str | None) -> Step:
        kind = KINDS[name]
        own = {key: value for key, value in table.items() if key not in ("do", "remember")}
        found = Table({**kind.fields, **_GENERAL}, kind.needed).check(own)
        general = {key: found.pop(key) for key in _GENERAL if key in found}
        if version is not None and not float(kind.versions[0]) <= float(version) <= float(kind.versions[1]):
            raise Wrong(f"version {version} has no such step, only {kind.versions[0]} to {kind.versions[1]}", ("do",))
        kind.check(found)
        remember = self._remembered(table)
        self._check_general(name, kind, general, remember)
        return Step(number, name, kind, found, remember=remember, **general)

    def _remembered(self, table: dict[str, Any]) -> dict[str, dict[str, Any]]:
        remember = table.get("remember", {})
        if not isinstance(remember, dict):
            raise Wrong('a table is expected, as { mail = "AirSync:ServerId" }', ("remember",))
        found = {}
        for name, source in remember.items():
            _check_name(name, ("remember", name))
            try:
                found[name] = Source().check(source)
            except Wrong as error:
                raise error.under(name).under("remember") from None
        return found

    def _check_general(self, name: str, kind: Kind, general: dict[str, Any], remember: dict[str, Any]) -> None:
        if name in _SILENT and (general or remember):
            raise Wrong("this step has no answer that could be looked at", (next(iter({**general, **remember})),))
        if name == AWAIT and "retry" in general:
            raise Wrong("an answer can be asked for once only", ("retry",))
        if "background" not in general:
            return
        if not kind.parks:
            parking = ", ".join(sorted(name for name, kind in KINDS.items() if kind.parks))
            raise Wrong(f"only {parking} may go on in the background", ("background",))
        for key, value in {
            "expect": general.get("expect"),
            "remember": remember,
            "retry": general.get("retry"),
        }.items():
            if value:
                raise Wrong(f"this key belongs to the {AWAIT} that asks for the answer", (key,))
        if general["background"] in self.parked:
            raise Wrong(f"{general['background']!r} is in the background already", ("background",))
        self.parked.add(general["background"])

    def _referred(self, step: Step) -> None:
        """Check that what a step refers to is there before it."""
        for key, value in {**step.values, "expect": step.expect, "remember": step.remember}.items():
            for name in references(value):
                if name not in self.names:
                    raise Wrong(
                        f"nothing before this step remembers ${{{name}}}; {nearest(name, tuple(self.names))}", (key,)
                    )
        self.names |= set(step.remember)
        if step.name == AWAIT:
            of = step.values["of"]
            if of not in self.parked:
                raise Wrong(f"nothing is in the background as {of!r}; give that step background = {of!r}", ("of",))
            self.parked.discard(of)

    def _loaded(self, step: Step) -> Step:
        """The step with the file that it names."""
        if "file" not in step.values:
            return step
        if self.load is None:
            raise Wrong("there are no files here; use message", ("file",))
        try:
            content = self.load(step.values["file"])
        except (OSError, ValueError) as error:
            raise Wrong(f"{step.values['file']!r} cannot be read: {error}", ("file",)) from None
        rest = {key: value for key, value in step.values.items() if key != "file"}
        return evolve(step, values={**rest, "message": content})


def _check_name(name: str, path: tuple[str, ...]) -> None:
    if not NAME.fullmatch(name):
        raise Wrong("a name has up to 32 small letters, digits and underscores, the first a letter", path)
    if name in GIVEN:
        raise Wrong("this name is taken: it is always there", path)


def _path(error: Wrong) -> str:
    """The keys that lead to a fault, as they would stand in TOML."""
    parts = [part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else f'"{part}"' for part in error.path]
    return f"key {'.'.join(parts)}: " if parts else ""
