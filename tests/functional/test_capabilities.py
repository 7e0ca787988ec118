"""What OPTIONS offers is what the gateway dispatches, version by version, and what the documentation says."""

from __future__ import annotations

import re
from base64 import b64encode
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

import gateway
from gateway.config import load
from gateway.eas import wbxml
from gateway.eas.call import Answer, Call, Command, Version
from gateway.eas.commands import COMMANDS, NAMES, root_of
from gateway.element import Element
from gateway.service.assembly import assemble
from tests.functional.running import PASSWORD, Running
from tests.support import PATH, WBXML, Connection, HTTPAnswer, basic, request

PAGE = Path(gateway.__file__).parents[1] / "docs" / "reference" / "activesync.md"
VERSIONS = "2.5,12.0,12.1,14.0,14.1,16.0,16.1"
OFFERED = (
    "Sync,SendMail,SmartForward,SmartReply,GetAttachment,GetHierarchy,FolderSync,FolderCreate,FolderDelete,"
    "FolderUpdate,MoveItems,GetItemEstimate,MeetingResponse,Search,Settings,Ping,ItemOperations,Provision,"
    "ResolveRecipients,ValidateCert,Find,Notify"
)
#: A command that nobody has, and those that were never built: what is asked for beside the ones that work.
MADE_UP = "Telepathy"
SENDING = ("SendMail", "SmartForward", "SmartReply")
NEVER_BUILT = {"CreateCollection", "DeleteCollection", "MoveCollection"}


def works(name: str, version: Version) -> bool:
    """Whether a command is to be dispatched in a version."""
    return name in OFFERED.split(",") and COMMANDS[name].first <= version <= COMMANDS[name].last


def documented() -> dict[str, set[str]]:
    """The versions that have a command, as the table of the page says it."""
    table = PAGE.read_text("utf-8").partition("## Versions and commands")[2].partition("\n##")[0]
    head, _, *rows = [line.strip("| ").split("|") for line in table.splitlines() if line.startswith("|")]
    versions = [cell.strip() for cell in head[1:8]]
    found = {}
    for name, *cells in rows:
        having = {version for version, cell in zip(versions, cells, strict=False) if cell.strip()}
        found[name.partition(",")[0].strip()] = having
    return found


class CapabilityTests(TestCase):
    """A gateway put together as it is for users, without its doors: requests come by connections in memory."""

    def setUp(self) -> None:
        running = Running(Path(self.mktemp()).absolute())
        running.make()
        # One device asks for everything in every version, at once.
        running.write_config(limits={"requests_per_second": "0"})
        self.parts = assemble(load(running.config), reactor)
        self.called: set[tuple[str, Version]] = set()
        commands = self.parts.dispatcher.commands
        for name, command in list(commands.items()):
            commands[name] = self.noted(name, command)  # type: ignore[index]

    async def tearDown(self) -> None:
        self.parts.store.close()
        await self.parts.pools.stop()

    def noted(self, name: str, command: Command) -> Command:
        """A command that notes who calls it."""

        async def called(call: Call) -> Answer:
            self.called.add((name, call.version))
            return await command(call)

        return called

    async def send(self, line: str, body: bytes = b"", kind: str | None = None, **fields: str | None) -> HTTPAnswer:
        """Send a request on a connection of its own; its answer."""
        headers = {"Content-Type": kind, **{name.replace("_", "-"): value for name, value in fields.items()}}
        connection = Connection(self.parts)  # type: ignore[arg-type]
        connection.send(request(f"{line} HTTP/1.1", body, {"Authorization": basic("ann", PASSWORD), **headers}))
        while not (answers := connection.answers()):
            await deferLater(reactor, 0.002, lambda: None)  # type: ignore[arg-type]
        connection.lose()
        [answer] = answers
        return answer

    async def ask(self, name: str, version: Version) -> HTTPAnswer:
        """Send a command with the least body that belongs to it."""
        line = f"POST {PATH}?Cmd={name}&User=ann&DeviceId=phone1&DeviceType=SP"
        return await self.send(line, *self.least(name, version), MS_ASProtocolVersion=str(version))

    def least(self, name: str, version: Version) -> tuple[bytes, str | None]:
        """The least body that belongs to a command, and its type."""
        root = root_of(name)
        if name in SENDING and version < Version.V14_0:
            return b"Subject: x\r\n\r\n", "message/rfc822"
        return (wbxml.encode(Element(root)), WBXML) if root else (b"", None)

    async def test_headers(self) -> None:
        """OPTIONS says these versions and these commands, in this order, whatever version it is asked in."""
        for version in (None, *map(str, Version)):
            answer = await self.send(f"OPTIONS {PATH}", MS_ASProtocolVersion=version, Content_Length=None)
            self.assertEqual(answer.status, 200)
            self.assertEqual(answer.headers["ms-asprotocolversions"], VERSIONS)
            self.assertEqual(answer.headers["ms-asprotocolcommands"], OFFERED)

    async def test_dispatched(self) -> None:
        """In each version exactly the commands that are offered, and that the version has, come to be executed; all
        others are 137 or 138, and before 14.0 HTTP 501 or 400."""
        self.assertEqual(",".join(map(str, Version)), VERSIONS)
        for version in Version:
            for name in (*COMMANDS, MADE_UP):
                answer = await self.ask(name, version)
                with self.subTest(f"{name} in {version}"):
                    self.assertEqual((name, version) in self.called, works(name, version))
                    if works(name, version):
                        self.assertNotEqual(answer.status, 501)
                        self.assertNotIn(self.status(answer), ("137", "138"))
                    else:
                        self.refused(answer, name, version)

    async def test_codes(self) -> None:
        """So it is for requests with a base64 query, which versions from 12.1 on may send: a code comes to its command
        alone, and codes of none are HTTP 501."""
        for version in (each for each in Version if each >= Version.V12_1):
            for code in range(32):
                self.called.clear()
                name = NAMES.get(code, MADE_UP)
                query = b64encode(bytes((version, code)) + b"\x09\x04\x06phone1\x00\x02SP").decode()
                answer = await self.send(f"POST {PATH}?{query}", *self.least(name, version))
                with self.subTest(f"{code} in {version}"):
                    self.assertEqual(self.called, {(name, version)} if works(name, version) else set())
                    if not works(name, version):
                        self.refused(answer, name, version)

    def status(self, answer: HTTPAnswer) -> str:
        """The Status right under the root, if there is one."""
        if answer.status != 200 or not answer.body:
            return ""
        return next((child.text for child in answer.element if child.name == "Status"), "")

    def refused(self, answer: HTTPAnswer, name: str, version: Version) -> None:
        """The command is answered as one that is not supported, or not in this version."""
        offered, root = name in OFFERED.split(","), root_of(name)
        if root is None or version < Version.V14_0:
            self.assertEqual((answer.status, answer.body), (400 if offered else 501, b""))
        else:
            self.assertEqual((answer.element.tag, self.status(answer)), (root, "138" if offered else "137"))

    def test_documented(self) -> None:
        """The table of the page has a row for each command that works, with the versions in which it does, and no
        other rows but OPTIONS."""
        table = documented()
        self.assertEqual(table.pop("OPTIONS"), set(VERSIONS.split(",")))
        self.assertEqual(
            table,
            {name: {str(version) for version in Version if works(name, version)} for name in OFFERED.split(",")},
        )

    def test_sections(self) -> None:
        """Each row names the section of the specification, or says that there is none; what is not built is named."""
        page = PAGE.read_text("utf-8")
        for name in OFFERED.split(","):
            row = re.search(rf"^\| {name}\b.*\|$", page, re.MULTILINE)
            assert row is not None
            self.assertRegex(row[0], r"\| (\[MS-AS[A-Z]+\] \d[\d.]+|none: \[[^\]]+\]\(\S+\)) \|$")
        self.assertEqual({name for name in COMMANDS if name not in OFFERED.split(",")}, NEVER_BUILT)
        unsupported = page.partition("## What is not supported")[2]
        self.assertEqual({name for name in NEVER_BUILT if name not in unsupported}, set())
