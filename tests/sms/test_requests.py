"""Tests of the requests that wait for answers."""

from __future__ import annotations

from math import inf

from twisted.trial.unittest import SynchronousTestCase

from gateway.sms.pdu import LAST_SEQUENCE, Pdu
from gateway.sms.requests import Requests


class RequestsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.requests = Requests()

    def add(self, command: str = "submit_sm", sent: float = 0.0, patience: float = 10.0) -> int:
        number = self.requests.next()
        self.requests.add(number, command, sent, patience, lambda answer: None)
        return number

    def test_numbers(self) -> None:
        """Numbers begin at 1 and, after the last one that there is, there again."""
        self.assertEqual([self.requests.next() for _ in range(3)], [1, 2, 3])
        self.requests = Requests()
        self.requests._sequence = LAST_SEQUENCE - 1
        self.assertEqual([self.requests.next() for _ in range(2)], [LAST_SEQUENCE, 1])

    def test_answer(self) -> None:
        """A request is answered once, by its own response or by a generic_nack, and by nothing else."""
        first, second = self.add(), self.add("enquire_link")
        self.assertIsNone(self.requests.answer(Pdu("submit_sm_resp", 0, 77)))
        self.assertIsNone(self.requests.answer(Pdu("enquire_link_resp", 0, first)))
        found = self.requests.answer(Pdu("submit_sm_resp", 0, first))
        assert found is not None
        self.assertEqual(found.command, "submit_sm")
        self.assertIsNone(self.requests.answer(Pdu("submit_sm_resp", 0, first)))
        self.assertIsNotNone(self.requests.answer(Pdu("generic_nack", 3, second)))

    def test_late(self) -> None:
        """Those whose time has run out are struck out, and the others not; more time can be given."""
        self.add(sent=0.0), self.add(sent=5.0)
        self.assertEqual(self.requests.first_deadline(), 10.0)
        self.assertEqual(self.requests.late(9.9), [])
        self.assertEqual([one.sent for one in self.requests.late(10.0)], [0.0])
        self.requests.extend(30.0)
        self.assertEqual((self.requests.late(29.0), self.requests.first_deadline()), ([], 30.0))

    def test_all(self) -> None:
        """At the end all are struck out, the oldest first."""
        self.add(sent=1.0), self.add("unbind", sent=2.0)
        self.assertTrue(self.requests.asks("unbind"))
        self.assertEqual([one.sent for one in self.requests.all()], [1.0, 2.0])
        self.assertEqual((self.requests.all(), self.requests.first_deadline()), ([], inf))
        self.assertFalse(self.requests.asks("unbind"))
