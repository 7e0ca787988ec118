"""What triggers and the outbox ask the database: few statements however many they are, each a look into a narrow
range."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import event
from twisted.trial.unittest import SynchronousTestCase

from gateway.model import Device, DeviceKey, FolderType, Found, FoundFolder, Mode, SyncRequest
from gateway.store import counted
from gateway.trigger import (
    Cause,
    Concerned,
    Hop,
    Letter,
    LetterState,
    Limits,
    Line,
    Order,
    Outcome,
    Override,
    Receipt,
    WakeRule,
)
from tests.stores import new_store

NOW = 1_700_000_000
ROUTE = "smpp:example"
INBOX = FoundFolder("", "Inbox", FolderType.INBOX)
#: What is waiting is counted, and what is in doubt queued again, all of it; and whether there is any early receipt is
#: told by the first one.
WHOLE = (
    "GROUP BY outbox.route",
    "WHERE outbox.state = 'in doubt' RETURNING",
    "SELECT EXISTS (SELECT stray_receipt.message_id",
)
RULE = WakeRule(Mode.SMS, batch=0, limits=Limits(99, 99, 99_999, 99_999, 99_999.0), day=NOW, tomorrow=NOW + 9)


class StatementTests(SynchronousTestCase):
    """Statements and their plans."""

    def setUp(self) -> None:
        self.store = new_store(lambda: NOW)
        self.triggers, self.outbox, self.trace = self.store.triggers, self.store.outbox, self.store.trace
        self.serial = 0
        self.inboxes: list[int] = []

    def ask(self, deferred: Any) -> Any:
        return self.successResultOf(deferred)

    def users(self, count: int) -> list[int]:
        """So many more users, each with a device on a line that has synchronised; their Inboxes."""
        made = []
        for _ in range(count):
            key = DeviceKey(f"u{len(self.inboxes)}", "phone")
            [inbox] = self.ask(self.store.record_hierarchy(key.user, [INBOX]))[0]
            self.ask(self.triggers.keep_line(Line(key, f"+49{inbox.id}", expires=NOW + 5)))
            first = self.ask(self.store.sync(key, inbox.id, SyncRequest("0", b"", NOW, get_changes=False)))
            second = self.ask(self.store.sync(key, inbox.id, SyncRequest(first.key, b"", NOW)))
            self.store.given(key, inbox.id, second.key)
            self.inboxes.append(inbox.id)
            made.append(inbox.id)
        self.ask(self.store.flush())
        return made

    def deliver(self, inboxes: list[int]) -> None:
        self.serial += 1
        self.ask(self.store.record({id: ([Found(f"m{self.serial}", "", NOW)], []) for id in inboxes}))

    def cost(self, call: Callable[..., Any], *args: Any) -> int:
        """How many statements a call sends; what it gives is in C{last}."""
        with counted(self.store.database.engine) as sent:
            self.last = self.ask(call(*args))
        return len(sent)

    def orders(self, inboxes: list[int], cause: Cause = Cause.CHANGE, **more: Any) -> list[Order]:
        found: list[Concerned] = self.ask(self.triggers.concerned(inboxes))
        return [Order(one.line, cause, RULE, (one.folders[0].id,), route=ROUTE, **more) for one in found]

    def test_decide(self) -> None:
        """To find whom changes concern costs two statements; to decide for all of them ten, if each gets a trigger
        and has one to be folded."""
        for count in (1, 30):
            inboxes = self.users(count)
            for _ in range(2):
                self.deliver(inboxes)
                asked = self.cost(self.triggers.concerned, inboxes)
                decided = self.cost(self.triggers.decide, self.orders(inboxes), NOW)
            self.assertEqual((asked, decided), (2, 10))

    def test_outbox(self) -> None:
        """To put, take, settle and match costs the same number of statements however many letters there are."""
        for count in (1, 300):
            keys = [DeviceKey("ann", f"p{self.serial}.{n}") for n in range(count)]
            letters = [Letter(key, ROUTE, "+49", guid="x", created=NOW, due=NOW) for key in keys]
            self.serial += 1
            counts = [self.cost(self.outbox.put, letters), self.cost(self.outbox.take, ROUTE, NOW, 500)]
            taken = [one.id for one in self.last]
            self.assertEqual(len(taken), count)
            sent = [Outcome(id, LetterState.SENT, NOW, f"m{id}") for id in taken]
            receipts = [Receipt(ROUTE, (f"m{id}",), LetterState.DELIVERED, NOW) for id in taken]
            counts += [self.cost(self.outbox.settle, sent), self.cost(self.outbox.receive, receipts)]
            counts.append(self.cost(self.trace.note, [Hop(NOW, key, "x") for key in keys]))
            self.assertEqual(counts, [3, 1, 2, 2, 1])

    def test_synced(self) -> None:
        """A sync that changes nothing costs two statements."""
        self.users(1)
        self.assertEqual(self.cost(self.triggers.synced, DeviceKey("u0", "phone"), NOW, RULE, 5), 2)

    def test_plans(self) -> None:
        """No statement that is asked again and again runs through a whole table, or sorts one to find a few rows."""
        sent: list[tuple[str, Any]] = []

        def note(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
            if not statement.startswith(("BEGIN", "PRAGMA")) and "sqlite_sequence" not in statement:
                sent.append((statement, parameters[0] if isinstance(parameters, list) else parameters))

        engine = self.store.database.engine
        inboxes = self.users(3)
        event.listen(engine, "before_cursor_execute", note)
        self.everything(inboxes)
        event.remove(engine, "before_cursor_execute", note)
        self.assertGreater(len({statement for statement, _ in sent}), 30)
        with engine.connect() as connection:
            for statement, parameters in sent:
                for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters):
                    plan = step.detail.replace("SCAN wanted VIRTUAL TABLE", "").replace("SCAN CONSTANT ROW", "")
                    if not any(some in statement for some in WHOLE):
                        self.assertNotRegex(plan, r"SCAN [a-z]", statement)

    def everything(self, inboxes: list[int]) -> None:
        """One of each that happens often."""
        key, other = DeviceKey("u0", "phone"), DeviceKey("u1", "phone")
        for quiet in (0, NOW + 5):
            self.deliver(inboxes)
            orders = [self.with_quiet(order, quiet) for order in self.orders(inboxes)]
            self.ask(self.triggers.decide(orders, NOW))
        self.ask(self.triggers.decide(self.orders(inboxes), NOW))
        self.ask(self.triggers.due(NOW, 9))
        self.ask(self.triggers.next_due())
        self.ask(self.triggers.wakes([key]))
        self.ask(self.triggers.lines("u0"))
        self.ask(self.triggers.lines_of("+492"))
        self.ask(self.triggers.parks({key: (NOW, 1, False), other: (NOW, 0, True)}))
        taken = self.ask(self.outbox.take(ROUTE, NOW, 2))
        self.ask(self.outbox.receive([Receipt(ROUTE, ("a", "b"), LetterState.DELIVERED, NOW)]))
        self.ask(self.outbox.settle([Outcome(taken[0].id, LetterState.SENT, NOW, "a")]))
        self.ask(self.outbox.settle([Outcome(taken[1].id, LetterState.QUEUED, NOW, due=NOW)]))
        self.ask(self.outbox.put([Letter(key, ROUTE), Letter(other, ROUTE)]))
        self.ask(self.outbox.take(ROUTE, NOW, 9))
        self.ask(self.outbox.reopen(NOW))
        self.ask(self.outbox.take(ROUTE, NOW, 9))
        self.ask(self.outbox.settle([Outcome(taken[1].id, LetterState.DOUBT, NOW, due=NOW)]))
        self.ask(self.outbox.next_due(ROUTE))
        self.ask(self.outbox.waiting())
        self.ask(self.outbox.letters("u0", None, 9))
        self.ask(self.outbox.letters("u0", "phone", 9))
        self.ask(self.triggers.late(NOW + 9))
        self.ask(self.triggers.outside_guid(Line(key), "x", NOW, 9000))
        self.ask(self.triggers.synced(key, NOW, RULE, 9000))
        self.ask(self.triggers.keep_line(Line(other, "+1")))
        self.ask(self.trace.note([Hop(NOW, key, "x")]))
        self.ask(self.trace.read("u0", None, 0, 9))
        self.ask(self.trace.read("u0", "phone", -1, 9))
        self.ask(self.store.overrides.override("u0", "", Override("u0", "", Mode.SMS, "x", NOW)))
        self.ask(self.store.overrides.override("u0", "", None))
        self.ask(self.store.keep(Device(key), True))
        self.ask(self.triggers.drop_line(key))

    def with_quiet(self, order: Order, until: int) -> Order:
        """The order as it is in quiet hours."""
        return Order(
            order.line, order.cause, WakeRule(Mode.SMS, batch=0, quiet_until=until), order.folders, route=ROUTE
        )
