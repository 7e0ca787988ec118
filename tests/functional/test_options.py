"""Every option of the configuration does something, and a reload does it for those that say so."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Set
from enum import Enum
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase

import gateway
from gateway.config import Config, load
from gateway.config.kinds import Choice, Decimal, Flag, Location, Number, Several
from gateway.config.option import Option, options, parts
from gateway.config.walk import known
from gateway.service import reloading
from gateway.service.assembly import assemble
from tests.functional.running import Running

ROOT = Path(gateway.__file__).parent
#: The elements of a device policy are sent as they are, all by one function.
ELEMENTS = "provisioning.policies.NAME."
#: Read where they are used, from the configuration in force.
IN_PLACE = {"direct_push.farewell_seconds", "ledger.keep"}


def names() -> list[str]:
    """All options, as the table of the appliers names them."""
    return [name for name in map(".".join, known(Config)) if not name.startswith(ELEMENTS)]


def option_of(name: str) -> Option:
    """The declaration of an option."""
    section: type[Any] = Config
    *path, last = name.split(".")
    for word in path:
        section = section if word == "NAME" else dict(parts(section))[word].type
    return dict(options(section))[last]


def live() -> set[str]:
    """The options that need no restart."""
    return {name for name in names() if option_of(name).live}


class ConsumerTests(SynchronousTestCase):
    def test_everyOptionIsRead(self) -> None:
        """Every option is read somewhere else than where it is declared."""
        found = {pair for path in ROOT.rglob("*.py") for pair in self.read(path)}
        unread = [name for name in names() if (name.split(".")[0], name.split(".")[-1]) not in found]
        self.assertEqual(unread, [])

    def read(self, path: Path) -> Iterator[tuple[str, str]]:
        """Sections and options that a module reads: C{config.https.listen}, or C{https.listen} after an assignment."""
        tree = ast.parse(path.read_text())
        aliases: dict[str, str] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign):
                aliases.update(self.aliases(node.targets[0], node.value))
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                section = self.section(node.value) or aliases.get(getattr(node.value, "id", ""))
                if section:
                    yield section, node.attr

    def aliases(self, target: ast.expr, value: ast.expr) -> Iterator[tuple[str, str]]:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            for one, its in zip(target.elts, value.elts, strict=True):
                yield from self.aliases(one, its)
        elif isinstance(target, ast.Name):
            section = self.section(value)
            if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
                section = self.section(value.func.value)
            if section:
                yield target.id, section

    def section(self, node: ast.expr) -> str | None:
        """The section that an expression is, for what looks like C{config.NAME} or C{self.NAME}."""
        known_sections = {name for name, _ in parts(Config)}
        return node.attr if isinstance(node, ast.Attribute) and node.attr in known_sections else None


class LiveTests(TestCase):
    def setUp(self) -> None:
        self.running = Running(Path(self.mktemp()).absolute())
        self.running.make()
        policy = {'provisioning.policies."strict"': {"DevicePasswordEnabled": "true"}}
        self.running.write_config(provisioning={"policy": '"strict"'}, **policy)
        self.config = load(self.running.config)
        self.parts = assemble(self.config, reactor)

    async def tearDown(self) -> None:
        self.parts.store.close()
        await self.parts.pools.stop()

    def test_appliers(self) -> None:
        """Every option that needs no restart has somebody who puts it in force, and no other has."""
        self.assertEqual(set(reloading.APPLIED) - {ELEMENTS.rstrip(".")}, live())

    def test_everyLiveOption(self) -> None:
        """A reload with another value of any option that needs no restart changes the gateway, and one with the old
        value changes it back."""
        before = self.state()
        for name in sorted(live() - IN_PLACE):
            self.reload(self.other(name))
            self.assertNotEqual(self.state(), before, name)
            self.reload()
            self.assertEqual(self.state(), before, name)

    def reload(self, *changed: str) -> None:
        config = load(self.running.config, changed)
        reloading.reload_files(self.parts, config)
        reloading.apply(self.parts, config)

    def other(self, name: str) -> str:
        """An assignment of another value than the one in force."""
        key = name.replace("NAME", '"ann"')
        kind, default = option_of(name).kind, option_of(name).default
        section: Any = self.config
        for word in name.split("."):
            section = default if section is None or word == "NAME" else getattr(section, word, None)
        return f"{key}={self.value(name, kind, section)}"

    def value(self, name: str, kind: Any, now: Any) -> str:
        if isinstance(kind, Location):
            copy = self.running.folder / f"copy of {name}.pem"
            copy.write_bytes(now.read_bytes())
            copy.chmod(0o600)
            return kind.write(copy)
        if isinstance(kind, Number | Decimal):
            return str(int(kind.least if now != kind.least else kind.least + 1))
        if isinstance(kind, Flag):
            return "false" if now else "true"
        if isinstance(kind, Choice):
            return next(kind.write(m) for m in kind.members if m is not now and m.value not in ("sms", "both", "auto"))
        if isinstance(kind, Several):
            example = {"smtp.domains": ("example.net",), "provisioning.exceptions": ("ann",)}.get(name)
            return kind.write(example or option_of(name).example)
        return '"none"' if name.endswith(("provisioning", "policy")) else '"other"'

    def state(self) -> list[tuple[str, Any]]:
        """Every plain value in the parts of the gateway, but those of the configuration itself."""
        rules = self.parts.rules.policy_for("ann")
        return [*plain(self.parts, "parts", set()), ("policy", rules and rules.hash)]


PLAIN = (str, int, float, bool, bytes, type(None), Path, Enum, IPv4Network, IPv6Network)
#: What moves by itself, or is no setting.
PASSED_OVER = {"config", "metrics", "pools", "store", "reactor", "clock", "expires"}


def plain(thing: Any, path: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """The plain values within a thing, by their path."""
    if isinstance(thing, PLAIN):
        yield path, thing
        return
    if id(thing) in seen:
        return
    seen.add(id(thing))
    for name, inner in fields(thing):
        if name not in PASSED_OVER and not name.startswith("_"):
            yield from plain(inner, f"{path}.{name}", seen)


def fields(thing: Any) -> Iterator[tuple[str, Any]]:
    """The named values of a thing of ours, or of a collection."""
    if isinstance(thing, Mapping):
        yield from ((str(key), value) for key, value in thing.items())
    elif isinstance(thing, list | tuple | Set):
        yield from ((str(index), value) for index, value in enumerate(thing))
    elif type(thing).__module__.startswith("gateway."):
        declared = getattr(type(thing), "__attrs_attrs__", None)
        wanted = [each.name for each in declared] if declared is not None else list(vars(thing))
        yield from ((name, getattr(thing, name, None)) for name in wanted)
