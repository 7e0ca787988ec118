"""Every option of the configuration does something, and a reload does it for those that say so."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Set
from enum import Enum
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from re import Pattern
from typing import Any

import attrs
from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase

import gateway
from gateway.config import Config, DeviceRule, Devices, Group, Moving, Operator, load
from gateway.config.kinds import Choice, Decimal, Dialled, Flag, Location, Number, Several
from gateway.config.option import Option, options, parts
from gateway.config.walk import known
from gateway.mail.undelivered import LOCAL
from gateway.model import DeviceKey, Folder, FolderType
from gateway.service import reloading
from gateway.service.assembly import assemble
from gateway.service.mailout import MailOut
from gateway.service.smsout import carriage, trigger_format
from gateway.trigger import Letter, Line
from tests.functional.running import Running

ROOT = Path(gateway.__file__).parent
#: The elements of a device policy are sent as they are, all by one function.
ELEMENTS = "provisioning.policies.NAME."
#: Read where they are used, from the configuration in force.
IN_PLACE = {"direct_push.farewell_seconds", "ledger.keep", "trace.keep_days", "trace.direct_push"}
IN_PLACE |= {f"moving.{name}" for name, _ in options(Moving)}
IN_PLACE |= {"sms.lease_warning_days", "sms.late_seconds", "sms.limit_tells", "sms.limit_tells_user"}


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


#: Values of options that take neither any text nor their example.
VALUES = {
    "smtp.domains": '["example.net"]',
    "https.public_url": '"https://other.example.org"',
    "provisioning.exceptions": '["ann"]',
    "groups.NAME.members": '["ann"]',
    "sms.default_operator": '"ann"',
    "sms.text_template": '"other {guid}"',
    "sms.binary_content": '"00{guid}"',
    "sms.emn_mailbox": '"mailat:{guid}@other.invalid"',
    "operators.NAME.smpp": '["tcp:localhost:26"]',
    "operators.NAME.system_type": '"t"',
    "operators.NAME.trigger_format": '"si"',
    "operators.NAME.number_strip": '"49"',
    "operators.NAME.number_add": '"0"',
    "operators.NAME.door_country": '"43"',
    "operators.NAME.smtp_address": '"other{number}@sms.example.net"',
    "operators.NAME.smtp_sender": '"other@example.net"',
    "relay.sender": '"other@example.net"',
    **dict.fromkeys(("policy.time_zone", "groups.NAME.time_zone", "users.NAME.time_zone"), '"Asia/Tokyo"'),
}
_MAIL = ('operators."ann".smpp=[]', 'operators."ann".smtp_address="{number}@sms.example.net"')
_SERVER = (*_MAIL, 'operators."ann".smtp_server="tcp:localhost:25"')
_LOGIN = (*_SERVER, 'operators."ann".smtp_user="a"', 'operators."ann".smtp_password="b"')
_MEMBER = ("groups.\"ann\".members=['ann']",)
_DOOR = ("operators.\"ann\".door_domains=['a.example']", "operators.\"ann\".door_networks=['192.0.2.1']")
_RULE = ('devices.rules."ann".access="quarantine"', "devices.rules.\"ann\".ids=['a']")
#: What else is to be given for an option to mean anything.
WITH: dict[str, tuple[str, ...]] = {
    **{f"operators.NAME.{word}": _MAIL for word in ("smtp_address", "smtp_sender", "smtp_subject", "smtp_server")},
    "operators.NAME.number_form": _MAIL,
    "operators.NAME.smtp_security": _SERVER,
    **{f"operators.NAME.{word}": _LOGIN for word in ("smtp_user", "smtp_password")},
    **{f"operators.NAME.{word}": _DOOR for word, _ in options(Operator) if word.startswith("door_")},
    **{f"groups.NAME.{word}": _MEMBER for word, _ in options(Group) if word != "members"},
    "groups.NAME.members": ('groups."ann".mode="off"',),
    **{f"devices.rules.NAME.{word}": _RULE for word, _ in options(DeviceRule)},
    "operators.NAME.prefixes": ('operators."b".smpp="tcp:localhost:1"', 'operators."b".system_id="b"'),
    "sms.default_operator": ('operators."b".smpp="tcp:localhost:1"', 'operators."b".system_id="b"'),
}
GUID = "35395ce4-1504-4ac4-9721-f152c646ea35"
FOLDERS = (
    Folder(1, "ann", "", "Inbox", FolderType.INBOX),
    Folder(2, "ann", ".Junk", "Junk E-mail", FolderType.USER_MAIL),
    Folder(3, "ann", ".Alarms", "Alarms", FolderType.USER_MAIL),
    Folder(4, "ann", ".cal", "Calendar", FolderType.CALENDAR),
)


class ConsumerTests(SynchronousTestCase):
    def test_everyOptionIsRead(self) -> None:
        """Every option is read somewhere else than where it is declared and checked."""
        rules = ("rules.py", "sending_rules.py")
        files = [path for path in ROOT.rglob("*.py") if path.parent.name != "config" or path.name not in rules]
        found = {pair for path in files for pair in self.read(path)}
        unread = [name for name in names() if (name.split(".")[0], name.split(".")[-1]) not in found]
        self.assertEqual(unread, [])

    def read(self, path: Path) -> Iterator[tuple[str, str]]:
        """Sections and options that a module reads: C{config.https.listen}, or C{https.listen} after an assignment, in
        a loop over a table, or where C{https} is an argument of that type."""
        tree = ast.parse(path.read_text())
        aliases: dict[str, Set[str]] = {}
        for node in ast.walk(tree):
            for name, sections in self.named(node, aliases):
                aliases[name] = aliases.get(name, frozenset()) | sections
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                yield from ((section, node.attr) for section in self.sections(node.value, aliases))

    def named(self, node: ast.AST, aliases: Mapping[str, Set[str]]) -> Iterator[tuple[str, Set[str]]]:
        """What a node gives a name to that is a section, or several."""
        if isinstance(node, ast.Assign):
            yield from self.bound(node.targets[0], node.value, aliases)
        elif isinstance(node, ast.For | ast.comprehension):
            targets = node.target.elts if isinstance(node.target, ast.Tuple) else [node.target]
            for target in targets:
                yield from self.bound(target, node.iter, aliases)
        elif isinstance(node, ast.arg) and node.annotation is not None:
            types = {each.id for each in ast.walk(node.annotation) if isinstance(each, ast.Name)}
            yield node.arg, frozenset().union(*(BY_TYPE.get(name, frozenset()) for name in types))

    def bound(
        self, target: ast.expr, value: ast.expr, aliases: Mapping[str, Set[str]]
    ) -> Iterator[tuple[str, Set[str]]]:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            for one, its in zip(target.elts, value.elts, strict=True):
                yield from self.bound(one, its, aliases)
        elif isinstance(target, ast.Name):
            if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
                value = value.func.value
            yield target.id, self.sections(value, aliases)

    def sections(self, node: ast.expr, aliases: Mapping[str, Set[str]]) -> Set[str]:
        """The sections that an expression may be: what looks like C{config.NAME}, or a name for one."""
        if isinstance(node, ast.Subscript):
            node = node.value
        if isinstance(node, ast.Attribute):
            return frozenset({node.attr} & SECTIONS)
        return aliases.get(node.id, frozenset()) if isinstance(node, ast.Name) else frozenset()


SECTIONS = {name for name, _ in parts(Config)}
#: The sections whose values are of a type, by its name.
BY_TYPE: dict[str, Set[str]] = {
    base.__name__: frozenset(name for name, part in parts(Config) if issubclass(part.type, base))
    for _, part in parts(Config)
    for base in part.type.__mro__
    if base is not object
} | {part.type.__name__: frozenset({"devices"}) for _, part in parts(Devices)}


class LiveTests(TestCase):
    def setUp(self) -> None:
        self.running = Running(Path(self.mktemp()).absolute())
        self.running.make()
        policy = {'provisioning.policies."strict"': {"DevicePasswordEnabled": "true"}}
        operator = {'operators."ann"': {"smpp": '"tls:localhost:3550"', "system_id": '"a"', "source_address": '"a"'}}
        relay = {"relay": {"endpoint": '"tcp:localhost:25"', "user": '"a"', "password": '"b"'}}
        self.running.write_config(provisioning={"policy": '"strict"'}, **policy, **operator, **relay)
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
        without = []
        for name in sorted(live() - IN_PLACE):
            *others, changed = self.other(name)
            self.reload(*others)
            before = self.state()
            self.reload(*others, changed)
            if self.state() == before:
                without.append(name)
            self.reload(*others)
            self.assertEqual(self.state(), before, name)
        self.assertEqual(without, [])

    def reload(self, *changed: str) -> None:
        config = load(self.running.config, changed)
        reloading.reload_files(self.parts, config)
        reloading.apply(self.parts, config)

    def other(self, name: str) -> tuple[str, ...]:
        """Assignments that give another value than the one in force, the last one to the option."""
        key = name.replace("NAME", '"ann"')
        kind, default = option_of(name).kind, option_of(name).default
        section: Any = self.config
        for word in name.split("."):
            word = "ann" if word == "NAME" else word
            section = section.get(word) if isinstance(section, Mapping) else getattr(section, word, default)
        return *WITH.get(name, ()), f"{key}={self.value(name, kind, default if section is None else section)}"

    def value(self, name: str, kind: Any, now: Any) -> str:
        """Another value than the one in force, as TOML."""
        if name in VALUES:
            return VALUES[name]
        if isinstance(kind, Location):
            return kind.write(self.file(name, now or self.config.https.certificate))
        if isinstance(kind, Number | Decimal):
            few = getattr(kind, "only", ()) or (int(kind.least), int(kind.least) + 1)
            return str(next(number for number in few if number != now))
        if isinstance(kind, Flag):
            return "false" if now else "true"
        if isinstance(kind, Choice):
            return next(kind.write(m) for m in kind.members if m is not now and m.value not in ("sms", "both", "auto"))
        if isinstance(kind, Several):
            return kind.write(option_of(name).example or ())
        if isinstance(kind, Dialled):
            return '"tcp:localhost:26"'
        return '"none"' if name.endswith(("provisioning", "policy")) else '"other"'

    def file(self, name: str, like: Path) -> Path:
        """A file that holds the same as another one."""
        copy = self.running.folder / f"copy of {name}.pem"
        copy.write_bytes(like.read_bytes())
        copy.chmod(0o600)
        return copy

    def state(self) -> list[tuple[str, Any]]:
        """Every plain value in the parts of the gateway, but those of the configuration itself, and what is made of
        that when it is wanted."""
        rules = self.parts.rules.policy_for("ann")
        return [*plain(self.parts, "parts", set()), ("policy", rules and rules.hash), *self.triggers()]

    def triggers(self) -> Iterator[tuple[str, Any]]:
        """What holds for triggers now."""
        settings = self.parts.knocking.waker.settings
        for number in ("+491701234567", "+33612345678"):
            line = Line(DeviceKey("ann", "ann"), number)
            yield "rule", repr(attrs.evolve(settings.rule(line), quiet_until=0))
            yield "route", settings.route(line)
        yield "lease", settings.lease
        yield "folders", [settings.may_wake("ann", folder) for folder in FOLDERS]
        yield "quiet", repr(settings.rule.__self__.rules.of("ann"))  # type: ignore[attr-defined]
        yield "terms", repr(self.parts.orders.lines.terms.own_addresses)
        operator = self.parts.knocking.config.operators["ann"]
        yield "format", repr(trigger_format(self.parts.knocking.config, operator))
        yield "carriage", repr(carriage(operator))
        yield from self.mails()

    def mails(self) -> Iterator[tuple[str, Any]]:
        """What triggers look like that go out as mail."""
        line = DeviceKey("ann", "ann")
        number = Letter(line, "smtp:ann", number="+491701234567", guid=GUID, id=1)
        address = Letter(line, "relay", address="ann@example.net", guid=GUID, id=2)
        for sender in self.parts.knocking.senders:
            if isinstance(sender, MailOut):
                pumps = [pump for route, pump in sender.pumps.items() if route != LOCAL]
                yield "servers", [repr(pump.sender.server.endpoint) for pump in pumps]
                yield "relayed", sender.render(address)
                if self.parts.config.operators["ann"].smtp_address:
                    yield "mailed", sender.render(number)


PLAIN = (str, int, float, bool, bytes, type(None), Path, Enum, IPv4Network, IPv6Network, Pattern)
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
