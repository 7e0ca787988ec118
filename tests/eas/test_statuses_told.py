"""Every Status of the specification is documented as said or as never said, and each that is said has a test."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import gateway
from gateway.eas.commands import COMMANDS
from gateway.eas.status import STATUSES

ROOT = Path(gateway.__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "activesync.md"

#: What [MS-ASCMD] 2.2.3.177 and [MS-ASPROV] 2.2.2.54 define, whatever element of the answer has it.
DEFINED: dict[str, set[int]] = {
    "Sync": {*range(1, 17)},
    "FolderSync": {1, 6, 9, 10, 11, 12},
    "FolderCreate": {1, 2, 3, 5, 6, 9, 10, 11, 12},
    "FolderDelete": {1, 3, 4, 6, 9, 10, 11},
    "FolderUpdate": {1, 2, 3, 4, 5, 6, 9, 10, 11},
    "GetItemEstimate": {1, 2, 3, 4},
    "MoveItems": {1, 2, 3, 4, 5, 7},
    "SendMail": set(),
    "SmartReply": set(),
    "SmartForward": set(),
    "ItemOperations": {*range(1, 13), 14, 15, 16, 17, 18},
    "Settings": {*range(1, 8)},
    "Search": {*range(1, 9), *range(10, 15)},
    "Find": {1, 2, 3, 4},
    "MeetingResponse": {1, 2, 3, 4},
    "ResolveRecipients": {*range(1, 9)},
    "ValidateCert": {*range(1, 18)},
    "Ping": {*range(1, 9)},
    "Provision": {1, 2, 3, 4, 5},
}
#: The modules below tests/eas, or those of them that begin so, whose tests are of a command; of some modules a part.
TESTED_BY: dict[str, Sequence[str]] = {
    "Sync": ("test_sync", "test_collection", "test_hanging", "test_drafts", "test_interop_sync", "test_interop_marks"),
    "FolderSync": ("test_folders", "test_interop_commands.FolderSync"),
    "FolderCreate": (
        "test_foldercommands.Create",
        "test_foldercommands.Key",
        "test_foldercommands.Malformed",
        "test_foldercommands.Trouble",
    ),
    "FolderDelete": (
        "test_foldercommands.Delete",
        "test_foldercommands.Key",
        "test_foldercommands.Malformed",
        "test_foldercommands.Trouble",
    ),
    "FolderUpdate": (
        "test_foldercommands.Update",
        "test_foldercommands.Key",
        "test_foldercommands.Malformed",
        "test_foldercommands.Trouble",
    ),
    "GetItemEstimate": ("test_estimate", "test_interop_commands.Estimate"),
    "MoveItems": ("test_moveitems.MoveItems", "test_interop_folders.MoveItems"),
    "ItemOperations": ("test_itemoperations", "test_conversations", "test_moveitems.Empty"),
    "Settings": ("test_settings",),
    "Search": ("test_gal.Search", "test_mailsearch.Search", "test_interop_search.Search"),
    "Find": ("test_gal.Find", "test_mailsearch.Find", "test_interop_search.Find"),
    "MeetingResponse": ("test_meetingresponse",),
    "ResolveRecipients": ("test_resolving",),
    "ValidateCert": ("test_validatecert",),
    "Ping": ("test_ping",),
    "Provision": ("test_provision",),
}
#: What a Status is given to: the refusal of a command, and a picture that is none.
SAYING = ("Refused", "Picture")
#: Modules below gateway/eas whose numbers are no Statuses that somebody says.
NO_COMMANDS = ("status.py", "codepages.py", "call.py", "wbxml.py")
_SECTION = re.compile(r"2\.2\.3\.177\.\d+|\[MS-ASPROV\] 2\.2\.2\.54")
_NUMBERS = re.compile(r"(\d+) to (\d+)|(\d+)")
#: Numbers after the word Status, or before a colon at the beginning of a docstring or of a part of it.
_LISTED = r"\d+(?!\.?\d)(?:(?:, | and | or | to )\d+(?!\.?\d))*"
_STATED = re.compile(rf"\bStatus ({_LISTED})|(?:^|; )({_LISTED}):")
_HTTP = re.compile(r"(?<![\d.])[2-5]\d\d(?![\d]|\.\d)")
#: HTTP statuses that stand for no common Status, or not only for one.
BY_THE_LANE = {200, 302, 400, 401, 403, 404, 405, 408, 413, 449, 500, 501, 503, 505}
_BOUND = re.compile(r"_?(MOST|MAX_|MANY|LONG|LARG|SHORT|SMALL|DEFAULT|WORTH|PORTION|[a-z])")
_COMMON = re.compile(r"(?<![\d.])1[0-8]\d(?![\d]|\.\d)")


def numbers(text: str) -> set[int]:
    """C{1, 3 to 5} as numbers."""
    found: set[int] = set()
    for first, last, one in _NUMBERS.findall(text):
        found |= {int(one)} if one else {*range(int(first), int(last) + 1)}
    return found


def table(title: str, which: int = 0) -> list[list[str]]:
    """The rows of a table of the page, by the heading that it stands under."""
    tables = [part for part in dict(sections())[title].strip().split("\n\n") if part.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in tables[which].splitlines()[2:]]


def sections() -> Iterator[tuple[str, str]]:
    """The sections of the page: title and text."""
    for section in PAGE.read_text("utf-8").split("\n## ")[1:]:
        title, _, text = section.partition("\n")
        yield title, text


def docstrings(*modules: str) -> Iterator[str]:
    """The docstrings of the tests in these modules; C{module.Class} are those of classes that begin so."""
    for name in modules:
        module, _, begin = name.partition(".")
        for path in sorted(Path(__file__).parent.glob(f"{module}*.py")):
            for title, told in classes_of(path):
                if title.startswith(begin):
                    yield from told


@cache
def classes_of(path: Path) -> list[tuple[str, list[str]]]:
    """The classes of a module, with the docstrings of their tests."""
    nodes = ast.parse(path.read_text("utf-8")).body
    return [(node.name, list(told_by(node))) for node in nodes if isinstance(node, ast.ClassDef)]


def told_by(found: ast.ClassDef) -> Iterator[str]:
    """The docstrings of the tests of a class, each on one line."""
    for method in found.body:
        if isinstance(method, ast.FunctionDef) and method.name.startswith("test_"):
            yield " ".join((ast.get_docstring(method) or "").split())


def stated(docstring: str) -> set[int]:
    """The values of Status that a docstring states."""
    return {number for groups in _STATED.findall(docstring) for number in numbers(" ".join(groups))}


class CommandTests(SynchronousTestCase):
    def rows(self) -> Iterator[tuple[str, str, set[int], str]]:
        """The rows of the commands: name, section, what is said, and what is not."""
        for names, section, said, never in table("Statuses of the commands"):
            for name in names.split(", "):
                yield name, section, numbers(said), never

    def test_complete(self) -> None:
        """The page has a row for every command with a Status, and in it every value that is defined, each once: as
        said, or as never said and why."""
        found = {}
        for name, section, said, never in self.rows():
            self.assertRegex(section, _SECTION)
            reasons = re.findall(r"(?:^|(?<=[.)] ))(\d[\d, ]*): [^:]{5,}?[.](?= \d|$)", never)
            unsaid = numbers(" ".join(reasons))
            self.assertEqual(said & unsaid, set(), name)
            found[name] = said | unsaid
        self.assertEqual(found, DEFINED)

    def test_when(self) -> None:
        """The sections of a command tell when each value is said."""
        without = []
        for name, _, said, _ in self.rows():
            text = "".join(text for title, text in sections() if re.search(rf"\b{name}\b", title))
            without += [f"{name} {n}" for n in sorted(said) if not re.search(rf"(?<![\d.]){n}(?![.]?\d)", text)]
            self.assertRegex(text, r"\[MS-AS[A-Z]+\] \d[\d.]+", name)
        self.assertEqual(without, [])

    def test_commands(self) -> None:
        """Commands without a row have no Status of the specification: they have no document, or one of our own, or
        are not built."""
        without = {name for name, entry in COMMANDS.items() if name not in DEFINED and entry.root is not None}
        self.assertEqual(without, {"Notify"})

    def test_tested(self) -> None:
        """Each value that is said has a test of its command whose docstring states it."""
        without = []
        for name, _, said, _ in self.rows():
            found = set().union(*map(stated, docstrings(*TESTED_BY.get(name, ()))))
            without += [f"{name} {status}" for status in sorted(said - found)]
        self.assertEqual(without, [])

    def test_stated(self) -> None:
        """What a docstring states is found in the ways in which people write it, and nothing else is."""
        for text, expected in {
            "Status 10: an element is missing.": {10},
            "What fails is Status 139, of Provision itself.": {139},
            "Status 4: no such folder; 5: no such parent.": {4, 5},
            "As for FolderCreate: Status 10 and 11.": {10, 11},
            "What is answered with Status 3, 4 or 7 changes nothing.": {3, 4, 7},
            "8 or 6: its file is gone.": {6, 8},
            "115, 120: too many recipients.": {115, 120},
            "From 14.1 on there are 2 of them, as of Status quo.": set(),
            "14.0 and 16.1: the same.": set(),
        }.items():
            self.assertEqual(stated(text), expected, text)


class CommonTests(SynchronousTestCase):
    def said(self) -> set[int]:
        return set().union(*(numbers(row[0]) for row in table("Common statuses")))

    def never(self) -> set[int]:
        return set().union(*(numbers(row[0]) for row in table("Common statuses", 1)))

    def test_complete(self) -> None:
        """Every common Status is said, or never said, and is not both."""
        self.assertEqual(self.said() | self.never(), set(STATUSES))
        self.assertEqual(self.said() & self.never(), set())

    def test_tested(self) -> None:
        """Each that is said has a test whose docstring states it."""
        stated = {int(number) for text in docstrings("test_") for number in _COMMON.findall(text)}
        self.assertEqual(sorted(self.said() - stated), [])

    def test_code(self) -> None:
        """What the commands say is what the page has as said: nothing else is named in the code, and all of it is."""
        package = ROOT / "gateway"
        places = [path for path in (package / "eas").glob("*.py") if path.name not in NO_COMMANDS]
        named = {number for path in (*places, package / "cred" / "addresses.py") for number in written(path)}
        named &= STATUSES.keys()
        self.assertEqual(named - self.said(), set())
        self.assertEqual(self.said() - named, set())


class HTTPTests(SynchronousTestCase):
    def test_complete(self) -> None:
        """The page has a row for each HTTP status that a common Status becomes for older clients, and that the lane
        says by itself, and for no other."""
        common = set().union(*(numbers(row[0]) for row in table("Common statuses")))
        told = set().union(*(numbers(row[0]) for row in table("HTTP statuses")))
        self.assertEqual(told, {STATUSES[status].http for status in common} | BY_THE_LANE)

    def test_tested(self) -> None:
        """Each has a test whose docstring states it."""
        stated = {int(number) for text in docstrings("test_") for number in _HTTP.findall(text)}
        told = set().union(*(numbers(row[0]) for row in table("HTTP statuses")))
        self.assertEqual(sorted(told - stated), [])


class UnsupportedTests(SynchronousTestCase):
    def test_rows(self) -> None:
        """What is not supported is told with the document or section that describes it, and with a reason."""
        rows = table("What is not supported")
        self.assertGreater(len(rows), 10)
        for what, where, why in rows:
            self.assertRegex(where, r"^(\[MS-AS[A-Z]+\]( \d[\d.]+)?(, )?)+$|^-$", what)
            self.assertRegex(why, r"\w.*\.$", what)


def written(path: Path) -> Iterator[int]:
    """The numbers that a module gives names to, but those of bounds, or refuses with."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        values: Sequence[ast.AST] = ()
        if isinstance(node, ast.Assign) and not _BOUND.match(ast.unparse(node.targets[0])):
            values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SAYING:
            values = list(ast.walk(node.args[0])) if node.args else []
        yield from (value.value for value in values if isinstance(value, ast.Constant) and type(value.value) is int)
