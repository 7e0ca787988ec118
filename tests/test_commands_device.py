"""What the command of the simulated phone prints, and that of the list of devices when there are none."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import BrowserLikePolicyForHTTPS

from gateway.commands.devices import list_devices
from gateway.commands.phone import Console, Settings
from gateway.simulator import events
from gateway.simulator.heartbeat import PHONES
from gateway.simulator.line import Account
from gateway.simulator.synchroniser import Habits
from tests.commandline import CommandCase

ACCOUNT = Account("ann", "secret", "PHONE1")
SETTINGS = Settings("https://127.0.0.1", ACCOUNT, Habits(), PHONES, BrowserLikePolicyForHTTPS())
REFUSED = events.Hitch("Connection refused.", 1.0)


class ReachTests(SynchronousTestCase):
    """A server that gives no answer."""

    def told(self, *happened: events.Event, as_json: bool = False) -> tuple[str, str]:
        """What goes to standard error, and the trouble that is left."""
        console = Console(evolve(SETTINGS, as_json=as_json), lambda: None, None)
        with redirect_stderr(io.StringIO()) as errors, redirect_stdout(io.StringIO()):
            for event in happened:
                console.happened(ACCOUNT, event)
        return errors.getvalue(), console.trouble

    def test_never(self) -> None:
        """The first try without an answer is told, once, and why is known in the end, also if the phone began parked."""
        told, trouble = self.told(events.Parked(480, 1, False), REFUSED, REFUSED)
        self.assertEqual(told, "No answer yet: Connection refused. Trying again and again; -v shows each time.\n")
        self.assertEqual(trouble, "Connection refused.")

    def test_inTheEnd(self) -> None:
        """An answer ends the trouble; what goes wrong afterwards is a network as phones have it."""
        self.assertEqual(self.told(REFUSED, events.Connected("16.1", ("16.1",)), REFUSED)[1], "")
        self.assertEqual(self.told(events.HierarchySynced(5, True), REFUSED), ("", ""))

    def test_json(self) -> None:
        """As JSON every try is an event: nothing is said besides."""
        self.assertEqual(self.told(REFUSED, as_json=True), ("", "Connection refused."))


class NoDevicesTests(CommandCase):
    def test_whose(self) -> None:
        """Whose device there is none of is said: a name may be misspelt."""
        self.init()
        for words, said in {
            (): "No devices yet",
            ("ann",): "User 'ann' has no device yet",
            ("ann", "PHONE1"): "User 'ann' has no device 'PHONE1' yet",
        }.items():
            self.assertIn(said, self.right(list_devices, *words, "--config", str(self.file)))
