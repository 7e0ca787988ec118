"""Every documented message is used by a test: one that fails if the message says something else."""

from __future__ import annotations

import ast
import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from unittest import TestCase, TestResult

from attrs import frozen
from twisted.trial.unittest import SynchronousTestCase

from gateway.eas import wbxml
from gateway.element import Element
from tests.eas.support import VECTORS

HERE = Path(__file__).parent
FILE = HERE.parent / "data" / "command-vectors.json"
PACKAGES = {"tests.eas": HERE, "tests.simulator": HERE.parent / "simulator"}
#: By what name the tests take the messages.
TAKEN_BY = {"VECTORS", "decoded"}


@frozen
class Candidate:
    """A test that may use messages, with the texts in its function."""

    type: type[TestCase]
    name: str
    texts: frozenset[str]

    def passes(self) -> bool:
        """Run it."""
        result = TestResult()
        self.type(self.name).run(result)
        return result.testsRun == 1 and result.wasSuccessful() and not result.skipped


def candidates() -> Iterator[Candidate]:
    """The tests whose functions mention a message, or what the messages are taken by."""
    for package, folder in PACKAGES.items():
        for path in sorted(folder.glob("test_*.py")):
            if path == Path(__file__):
                continue
            module = importlib.import_module(f"{package}.{path.stem}")
            for found in ast.parse(path.read_text("utf-8")).body:
                if isinstance(found, ast.ClassDef):
                    yield from mentioning(getattr(module, found.name), found)


def mentioning(type: type[TestCase], found: ast.ClassDef) -> Iterator[Candidate]:
    """Those of a class."""
    for method in found.body:
        if isinstance(method, ast.FunctionDef) and method.name.startswith("test_"):
            nodes = list(ast.walk(method))
            names = {node.id for node in nodes if isinstance(node, ast.Name)}
            texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
            if names & TAKEN_BY or texts & VECTORS.keys():
                yield Candidate(type, method.name, frozenset(texts))


def spoilt(data: bytes) -> bytes:
    """A message of the same form with other values; one without values becomes another message."""
    root = wbxml.decode(data)
    told = [element for element in walked(root) if element.value is not None]
    for element in told:
        element.value = b"0" if isinstance(element.value, bytes) else f"{element.text}9"
    return wbxml.encode(root if told else Element("AirSync:SoftDelete"))


def walked(root: Element) -> Iterator[Element]:
    """An element with all that are in it."""
    yield root
    for child in root:
        yield from walked(child)


class VectorTests(SynchronousTestCase):
    def test_everyOneIsUsed(self) -> None:
        """For each message there is a test that fails as soon as its values are others."""
        tests = list(candidates())
        self.assertEqual([test for test in tests if not test.passes()], [])
        self.assertEqual([vector["name"] for vector in json.loads(FILE.read_text())], list(VECTORS))
        self.assertEqual([name for name in VECTORS if not self.used(name, tests)], [])

    def used(self, name: str, tests: list[Candidate]) -> bool:
        """Whether a test fails without the message; those that have its name are asked first."""
        data = VECTORS[name]
        VECTORS[name] = spoilt(data)
        try:
            return not all(test.passes() for test in sorted(tests, key=lambda test: name not in test.texts))
        finally:
            VECTORS[name] = data

    def test_spoilt(self) -> None:
        """What is spoilt is another message that can still be read, however little the message says."""
        for name, data in VECTORS.items():
            self.assertNotEqual(spoilt(data), data, name)
            wbxml.decode(spoilt(data))
