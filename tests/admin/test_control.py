"""The JSON API of the control socket."""

from __future__ import annotations

import json

from treq.testing import StubTreq
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gateway.admin.control import Control
from gateway.admin.facts import Facts
from gateway.config import Config, Operator
from gateway.core.switchboard import Switchboard
from gateway.model import Device, DeviceKey
from gateway.service.orders import make_orders
from gateway.service.settings import modes
from gateway.trigger import Hop
from tests.admin.fixtures import Names
from tests.stores import new_store


class ControlTests(SynchronousTestCase):
    def setUp(self) -> None:
        store = new_store()
        self.successResultOf(store.keep(Device(DeviceKey("ann", "phone1")), True))
        config = Config(operators={"one": Operator(smpp=("tcp:localhost:2775",), system_id="a")})
        board = Switchboard(Clock())
        self.store = store
        orders = make_orders(config, store, store, modes(config), Names(["ann"]), lambda: 7, board)
        self.wrong = ""
        self.control = Control(orders, lambda: {"parked": 3}, lambda: self.wrong)
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
        self.assertEqual(self.ask("recovery", names)[0], 404)
        self.assertEqual(self.ask("wipe", names)[1]["wipe"]["state"], "requested")
        self.assertIsNone(self.ask("cancel-wipe", names)[1]["wipe"])
        self.assertEqual(self.ask("forget", names), (200, {}))
        self.assertEqual(self.ask("devices"), (200, []))

    def test_accountOnly(self) -> None:
        """A wipe of the account alone is asked for by name."""
        names = json.dumps({"user": "ann", "device": "phone1", "by": "root", "account_only": "yes"}).encode()
        self.assertTrue(self.ask("wipe", names)[1]["wipe"]["account_only"])

    def test_modes(self) -> None:
        """A mode is told, set and taken back; one that is none is 400, and so is a user that is none 404."""
        names = {"user": "ann", "device": "phone1", "by": "root"}
        code, value = self.ask("set-mode", json.dumps({**names, "mode": "sms"}).encode())
        self.assertEqual((code, value["mode"], value["by"]), (200, "sms", "root"))
        self.assertEqual(self.ask("mode", json.dumps(names).encode())[1]["mode"], "sms")
        self.assertEqual(self.ask("set-mode", json.dumps({**names, "mode": ""}).encode())[1]["mode"], "direct-push")
        self.assertEqual(self.ask("mode", b'{"user": "ann"}')[1]["devices"][0]["device"], "phone1")
        code, value = self.ask("set-mode", json.dumps({**names, "mode": "loud"}).encode())
        self.assertEqual((code, "no mode" in value["error"]), (400, True))
        self.assertEqual(self.ask("mode", b'{"user": "nobody"}')[0], 404)

    def test_lines(self) -> None:
        """A number is registered, listed with the device, and removed; one that is none is 400."""
        words = {"operator": "", "address": "", "format": "", "name": ""}
        names = {"user": "ann", "device": "phone1", "by": "root", **words}
        self.assertEqual(self.ask("register", json.dumps({**names, "number": "1"}).encode())[0], 400)
        code, value = self.ask("register", json.dumps({**names, "number": "+491701234567"}).encode())
        self.assertEqual((code, value["operator"]), (200, "one"))
        self.assertEqual([row["number"] for row in self.ask("lines")[1]], ["+491701234567"])
        self.assertEqual(self.ask("devices")[1][0]["line"]["number"], "+491701234567")
        self.assertEqual(self.ask("unregister", json.dumps(names).encode()), (200, {}))
        self.assertEqual(self.ask("unregister", json.dumps(names).encode())[0], 404)

    def test_records(self) -> None:
        """Trace and outbox are read by number; a number that is none is 400."""
        self.successResultOf(self.store.trace.note([Hop(1.0, DeviceKey("ann", "phone1"), "noticed")] * 3))
        rows = self.ask("trace", b'{"user": "ann", "after": "-1", "most": "2"}')[1]
        self.assertEqual([row["kind"] for row in rows], ["noticed"] * 2)
        self.assertEqual(
            self.ask("trace", json.dumps({"user": "ann", "after": str(rows[-1]["id"])}).encode()), (200, [])
        )
        self.assertEqual(self.ask("outbox"), (200, []))
        for body in (b'{"user": "ann", "after": "x"}', b'{"user": "ann", "most": [1]}'):
            self.assertEqual(self.ask("trace", body)[0], 400)

    def test_doctor(self) -> None:
        """The facts of one device are told, or of all; without a user there are none."""
        code, rows = self.ask("doctor", b'{"user": "ann", "device": "phone1"}')
        self.assertEqual((code, [Facts.read(row).user for row in rows]), (200, ["ann"]))
        self.assertEqual(self.ask("doctor", b'{"user": "ann"}')[1], rows)
        self.assertIsNone(self.ask("doctor", b'{"user": "ann", "device": "x"}')[1][0]["device"])
        self.assertEqual(self.ask("doctor")[0], 400)

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
