"""The JSON API of the control socket."""

from __future__ import annotations

import json

from treq.testing import StubTreq
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gateway.admin.control import Control
from gateway.admin.operations import Operations
from gateway.core.policy import Policy
from gateway.core.switchboard import Switchboard
from gateway.model import Device, DeviceKey
from tests.stores import new_store


class ControlTests(SynchronousTestCase):
    def setUp(self) -> None:
        store = new_store()
        self.successResultOf(store.keep(Device(DeviceKey("ann", "phone1")), True))
        operations = Operations(store, Policy(), lambda: 7, Switchboard(Clock()))
        self.wrong = ""
        self.control = Control(operations, lambda: {"parked": 3}, lambda: self.wrong)
        self.treq = StubTreq(self.control.resource)

    def ask(self, order: str, body: bytes = b"{}", method: str = "POST") -> tuple[int, object]:
        """HTTP status and value of an order."""
        return self.successResultOf(ensureDeferred(self._ask(order, body, method)))

    async def _ask(self, order: str, body: bytes, method: str) -> tuple[int, object]:
        response = await self.treq.request(method, f"http://localhost/{order}", data=body)
        content = await response.content()
        return response.code, json.loads(content) if content.startswith((b"{", b"[", b'"')) else content

    def test_orders(self) -> None:
        """Each order answers JSON."""
        self.assertEqual(self.ask("status"), (200, {"parked": 3}))
        code, rows = self.ask("devices")
        self.assertEqual((code, [row["device"] for row in rows]), (200, ["phone1"]))
        names = json.dumps({"user": "ann", "device": "phone1", "by": "root"}).encode()
        self.assertIn("AutdState", self.ask("autd-state", names)[1])
        self.assertEqual(self.ask("wipe", names)[1]["wipe"]["state"], "requested")
        self.assertIsNone(self.ask("cancel-wipe", names)[1]["wipe"])
        self.assertEqual(self.ask("forget", names), (200, {}))
        self.assertEqual(self.ask("devices"), (200, []))

    def test_accountOnly(self) -> None:
        """A wipe of the account alone is asked for by name."""
        names = json.dumps({"user": "ann", "device": "phone1", "by": "root", "account_only": "yes"}).encode()
        self.assertTrue(self.ask("wipe", names)[1]["wipe"]["account_only"])

    def test_reload(self) -> None:
        """A reload answers what was wrong, or nothing."""
        self.assertEqual(self.ask("reload"), (200, {"error": ""}))
        self.wrong = "pushgw.toml: direct_push.grace: wrong"
        self.assertEqual(self.ask("reload"), (200, {"error": self.wrong}))

    def test_unknownDevice(self) -> None:
        """What is not there is 404 with the reason."""
        names = json.dumps({"user": "ann", "device": "nope", "by": "root"}).encode()
        code, value = self.ask("wipe", names)
        self.assertEqual(code, 404)
        self.assertIn("nope", value["error"])

    def test_badBodies(self) -> None:
        """A body that is no JSON, no object, or lacks a name is 400 with what is wanted."""
        for body in (b"", b"[", b"[]", b'{"user": 3}', b'{"user": "ann"}'):
            code, value = self.ask("wipe", body)
            self.assertEqual(code, 400, body)
            self.assertTrue(value["error"])

    def test_otherMethods(self) -> None:
        """Orders are POSTed; a GET orders nothing."""
        self.assertEqual(self.ask("status", b"", "GET")[0], 405)
        self.assertEqual(self.ask("nonsense")[0], 404)
