"""Running commands within a test."""

from __future__ import annotations

from pathlib import Path

from click import Command
from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from gateway.commands.initial import init
from tests.cred.fixtures import CHEAP


class CommandCase(SynchronousTestCase):
    """A folder for a configuration, and commands with cheap password hashes."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute() / "a folder"
        self.file = self.folder / "pushgw.toml"

    def run_(self, command: Command, *words: str, input: str | bytes | None = None) -> Result:
        return CliRunner().invoke(command, words, input=input, obj=CHEAP)

    def right(self, command: Command, *words: str, input: str | bytes | None = None) -> str:
        """What a command prints that has to go well."""
        result = self.run_(command, *words, input=input)
        self.assertEqual(result.exit_code, 0, result.output)
        return result.output

    def wrong(self, command: Command, *words: str, input: str | bytes | None = None) -> str:
        """What a command prints that has to fail, with a clear error and no traceback."""
        result = self.run_(command, *words, input=input)
        self.assertIn(result.exit_code, (1, 2), result.output)
        self.assertIsInstance(result.exception, SystemExit)
        self.assertIn("Error: ", result.output)
        return result.output

    def init(self, *options: str) -> str:
        return self.right(init, str(self.folder), *options)
