"""The documentation says what is so: commands, metrics, targets and links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote
from xml.dom.minidom import parseString

import click
from twisted.trial.unittest import SynchronousTestCase

from gateway.cli import main
from gateway.metrics import Metrics
from gateway.service.knocking import HOPS
from gateway.trigger import HOP_KINDS, Verdict

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "docs" / "reference"

_FENCE = re.compile(r"^ *(```|~~~).*?^ *\1 *$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\]\(([^()\s]+)\)|^\[[^\]]+\]: (\S+)$", re.MULTILINE)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_COMMAND = re.compile(r"^\$ make ([a-z]+)", re.MULTILINE)
_METRIC = re.compile(r"^\| `(pushgw_[a-z_]+)", re.MULTILINE)
_REGISTERED = re.compile(r"^# HELP (pushgw_[a-z_]+) ", re.MULTILINE)
_GAUGE = re.compile(r'\.gauge\(\s*"(pushgw_[a-z_]+)"')


def pages() -> list[Path]:
    """Every Markdown page of the project, those of tools and environments left out."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return sorted(found)


def prose(path: Path) -> str:
    """A page without its code."""
    return _CODE.sub("", _FENCE.sub("", path.read_text("utf-8")))


def links(path: Path) -> list[str]:
    """The targets of the links of a page."""
    return [inline or defined for inline, defined in _LINK.findall(prose(path))]


def anchors(path: Path) -> set[str]:
    """The anchors that a forge makes of the headings of a page."""
    titles = _HEADING.findall(_FENCE.sub("", path.read_text("utf-8")))
    return {re.sub(r"[^\w\- ]", "", title.lower().strip()).replace(" ", "-") for title in titles}


def commands(group: click.Group, path: str) -> Iterator[str]:
    """The whole names of all commands below a group."""
    for name, command in group.commands.items():
        yield f"{path} {name}"
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")


class LinkTests(SynchronousTestCase):
    def test_pagesAreThere(self) -> None:
        """The pages that are looked through are those of the documentation."""
        names = {page.relative_to(ROOT).as_posix() for page in pages()}
        self.assertLessEqual({"README.md", "NEWS.md", "CONTRIBUTING.md", "docs/index.md", "docs/tutorial.md"}, names)

    def test_relativeLinks(self) -> None:
        """Every relative link leads to a file of the project, and its anchor to a heading of that page."""
        broken = []
        for page in pages():
            for link in links(page):
                if re.match(r"[a-z]+:", link):
                    continue
                path, _, anchor = unquote(link).partition("#")
                target = (page.parent / path).resolve() if path else page
                if not target.is_relative_to(ROOT) or not target.exists():
                    broken.append(f"{page.name}: {link}")
                elif anchor and anchor not in anchors(target):
                    broken.append(f"{page.name}: {link} (no such heading)")
        self.assertEqual(broken, [])

    def test_everyPageIsListed(self) -> None:
        """The index of the documentation, and what it links to, leads to every page below docs/."""
        index = ROOT / "docs" / "index.md"
        reached = {(index.parent / link.partition("#")[0]).resolve() for link in links(index) if "://" not in link}
        missing = [page.name for page in (ROOT / "docs").rglob("*.md") if page not in {*reached, index}]
        self.assertEqual(missing, [])


class CommandLineTests(SynchronousTestCase):
    def test_everyCommandHasAHeading(self) -> None:
        """The page of the command line has a heading for each command of pushgw, and for no other."""
        text = _FENCE.sub("", (REFERENCE / "command-line.md").read_text("utf-8"))
        described = [title for title in _HEADING.findall(text) if title.startswith("pushgw ")]
        self.assertEqual(sorted(described), sorted(commands(main, "pushgw")))

    def test_everyOptionOfTheDevice(self) -> None:
        """The page names each option of the simulated phone."""
        text = (REFERENCE / "command-line.md").read_text("utf-8")
        device = main.commands["device"]
        options = [max(param.opts, key=len) for param in device.params if isinstance(param, click.Option)]
        self.assertEqual([name for name in options if name not in text and name != "--verbose"], [])

    def test_targetsOfMake(self) -> None:
        """What the README and the notes for contributors have one type is a target of the Makefile."""
        makefile = (ROOT / "Makefile").read_text("utf-8")
        for name, least in (("README.md", {"demo", "test"}), ("CONTRIBUTING.md", {"test", "lint", "bench", "docs"})):
            wanted = set(_COMMAND.findall((ROOT / name).read_text("utf-8")))
            self.assertLessEqual(least, wanted)
            self.assertEqual([target for target in wanted if not re.search(rf"^{target}:", makefile, re.MULTILINE)], [])


class MetricTests(SynchronousTestCase):
    def test_everyMetric(self) -> None:
        """The page of the metrics lists exactly those that the gateway registers."""
        described = _METRIC.findall((REFERENCE / "metrics-and-logs.md").read_text("utf-8"))
        registered = _REGISTERED.findall(Metrics().render().decode())
        gauges = [
            name for path in (ROOT / "gateway" / "service").glob("*.py") for name in _GAUGE.findall(path.read_text())
        ]
        self.assertTrue(registered)
        self.assertTrue(gauges)
        self.assertEqual(sorted(described), sorted([*registered, *gauges]))

    def test_everyEvent(self) -> None:
        """The page of the events lists every number that is logged."""
        page = (REFERENCE / "metrics-and-logs.md").read_text("utf-8")
        numbers = {
            number
            for path in (ROOT / "gateway").rglob("*.py")
            for number in re.findall(r"event_id=(\d+)", path.read_text("utf-8"))
        }
        self.assertTrue(numbers)
        self.assertEqual([number for number in sorted(numbers) if f"\n| {number} |" not in page], [])


class ReferenceTests(SynchronousTestCase):
    def test_optionsThatAreNamed(self) -> None:
        """An option that a page names in the form section.key is one of the configuration."""
        known = set()
        section = ""
        for line in (REFERENCE / "configuration.md").read_text("utf-8").splitlines():
            if line.startswith("## ["):
                section = line[4:-1]
            elif found := re.match(r"\| `([A-Za-z_]+)` \|", line):
                known.add(f"{section}.{found[1]}")
        sections = {key.partition(".")[0] for key in known}
        wrong = []
        for page in pages():
            for text in _CODE.findall(_FENCE.sub("", page.read_text("utf-8"))):
                key = re.match(r"`([a-z_]+)\.([a-z_]+)\b", text)
                if key and key[1] in sections - {"users"} and f"{key[1]}.{key[2]}" not in known:
                    wrong.append(f"{page.name}: {text}")
        self.assertEqual(wrong, [])

    def test_commandsAnsweredAreNamed(self) -> None:
        """The page of ActiveSync has a row for each command that is served."""
        page = (REFERENCE / "activesync.md").read_text("utf-8")
        served = set(re.findall(r'"([A-Z][A-Za-z]+)": \w+|commands\["([A-Za-z]+)"\]', _assembly()))
        names = {one or other for one, other in served}
        self.assertIn("Ping", names)
        self.assertEqual([name for name in sorted(names) if not re.search(rf"^\| {name}[ ,]", page, re.MULTILINE)], [])


def _assembly() -> str:
    return (ROOT / "gateway" / "service" / "assembly.py").read_text("utf-8")


class TraceTests(SynchronousTestCase):
    def test_everyKind(self) -> None:
        """The page of the trace has each kind of hop that there is, in the same order, and the gateway notes each of
        them and no other."""
        page = (REFERENCE / "trace.md").read_text("utf-8").partition("## Kinds")[2].partition("##")[0]
        self.assertEqual(re.findall(r"^\| `([a-z]+)` ", page, re.MULTILINE), list(HOP_KINDS))
        source = "\n".join(path.read_text() for path in (ROOT / "gateway").rglob("*.py"))
        noted = re.findall(r"\.note\(\s*[\w.]+,\s*\"([a-z]+)\"", source)
        noted += re.findall(r"\bHop\([^\"\n]*,\s*\"([a-z]+)\"", source)
        noted += re.findall(r"self\._settle\([^\n]*, \"([a-z]+)\", [a-z]", source)
        self.assertEqual({*noted, *HOPS.values()}, set(HOP_KINDS))

    def test_everyVerdict(self) -> None:
        """It has each verdict but that of a change which is nothing to the device, of which nothing is noted."""
        page = (REFERENCE / "trace.md").read_text("utf-8").partition("## Verdicts")[2]
        verdicts = {verdict.value for verdict in Verdict if verdict is not Verdict.NOTHING}
        self.assertEqual(set(re.findall(r"^\| `([a-z ]+)` ", page, re.MULTILINE)), verdicts)


class PictureTests(SynchronousTestCase):
    def test_pictures(self) -> None:
        """The pictures are well-formed, and say what they show to who cannot see them."""
        found = sorted((ROOT / "docs" / "pictures").glob("*.svg"))
        self.assertTrue(found)
        for path in found:
            text = path.read_text("utf-8")
            parseString(text)
            self.assertIn("<title", text)
            self.assertIn("<desc", text)
            self.assertIn("prefers-color-scheme: dark", text)
