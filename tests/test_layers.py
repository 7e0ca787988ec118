"""Who may import whom, read from the source with C{ast}."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import gateway

ROOT = Path(gateway.__file__).parent

LEAVES = {"model", "element", "trigger", "arrangement", "posting", "absence", "index"}
MIDDLE = {"eas", "sources", "store", "cred", "admin", "metrics", "config", "mail", "sms", "tls"}
ALLOWED: dict[str, set[str]] = {
    "model": set(),
    "element": set(),
    "trigger": {"model"},
    "arrangement": {"model"},
    "index": {"model"},
    "absence": set(),
    "posting": {"model", "trigger", "arrangement"},
    "interfaces": LEAVES,
    "core": LEAVES | {"interfaces"},
    "convert": LEAVES,
    **{name: LEAVES | {"interfaces", "core"} for name in MIDDLE},
    "eas": LEAVES | {"interfaces", "core", "convert"},
    "testing": LEAVES | {"interfaces", "core"},
    "service": LEAVES | MIDDLE | {"interfaces", "core", "convert"},
    "tap": {"service", "config"},
    "simulator": LEAVES,
    "rehearsal": LEAVES | MIDDLE | {"interfaces", "core", "convert", "service", "simulator"},
    "cli": LEAVES | MIDDLE | {"interfaces", "core", "service", "simulator", "commands"},
    "commands": LEAVES | MIDDLE | {"interfaces", "core", "service", "simulator", "rehearsal"},
}
CODECS = {
    "gateway.eas.wbxml",
    "gateway.eas.codepages",
    "gateway.sms.alphabet",
    "gateway.sms.pdu",
    "gateway.sms.udh",
    "gateway.sms.wappush",
}
NO_IO = ("twisted.internet.reactor", "twisted.web", "socket", "os", "pathlib", "sqlite3", "sqlalchemy")


def room(module: str) -> str:
    """The room that a module of the gateway belongs to: C{gateway.eas.ping} is in C{eas}."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


@cache
def modules() -> dict[str, frozenset[str]]:
    """Every module of the gateway with the full names that it imports."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        if "migrations" in path.parts:
            continue
        name = ".".join(["gateway", *path.relative_to(ROOT).with_suffix("").parts])
        found[name.removesuffix(".__init__")] = imports(ast.parse(path.read_text()))
    return found


def imports(tree: ast.Module) -> frozenset[str]:
    """The full names that a module imports, inside functions too."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(found)


class LayerTests(SynchronousTestCase):
    def test_roomsImportOnlyWhatTheyMay(self) -> None:
        """A room imports only the rooms below it; the middle rooms never import one another."""
        wrong = []
        for name, targets in modules().items():
            here = room(name)
            if not here:
                continue
            for target in targets:
                there = room(target) if target.startswith("gateway.") else ""
                if there in ("", here, "__version__") or (here == "simulator" and target.startswith(tuple(CODECS))):
                    continue
                if here == "simulator" and target in ("gateway.eas", "gateway.sms"):
                    continue
                if there not in ALLOWED[here]:
                    wrong.append(f"{name} imports {target}")
        self.assertEqual(wrong, [])

    def test_coreKnowsNoInputOrOutput(self) -> None:
        """The core imports no reactor, socket, file, web or database module."""
        wrong = [
            f"{name} imports {target}"
            for name, targets in modules().items()
            if room(name) == "core"
            for target in targets
            if any(target == banned or target.startswith(banned + ".") for banned in NO_IO)
        ]
        self.assertEqual(wrong, [])

    def test_onlyTapImportsTheReactor(self) -> None:
        """The global reactor is named in C{tap} and in the command line only."""
        wrong = [
            name
            for name, targets in modules().items()
            if "twisted.internet.reactor" in targets and room(name) not in ("tap", "cli", "commands")
        ]
        self.assertEqual(wrong, [])

    def test_noModuleIsTooLong(self) -> None:
        """No module has more than 500 lines."""
        long = [str(path) for path in ROOT.rglob("*.py") if len(path.read_text().splitlines()) > 500]
        self.assertEqual(long, [])

    def test_noCycles(self) -> None:
        """No module imports itself through others."""
        known = modules()
        graph = {name: {t for t in targets if t in known and t != name} for name, targets in known.items()}
        done: set[str] = set()

        def visit(name: str, path: tuple[str, ...]) -> None:
            self.assertNotIn(name, path, " -> ".join((*path, name)))
            if name in done:
                return
            for target in graph[name]:
                visit(target, (*path, name))
            done.add(name)

        for name in graph:
            visit(name, ())
