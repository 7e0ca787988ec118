"""What the SMSC sends of itself: receipts, which are answered when they are stored, and other messages.

Most receipts come soon after their letter went out, so the last letters are remembered: what such a receipt says is
written down with no need to look for its letter, often in one step with the answer to the submit.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final

from attrs import define, field, frozen
from twisted.logger import Logger

from gateway.sms.meters import Meters
from gateway.sms.pdu import Pdu
from gateway.sms.receipts import MessageIds, Report, read_report
from gateway.sms.session import Session, worth_saying
from gateway.sms.settings import OperatorSettings
from gateway.sms.status import RX_T_APPN
from gateway.trigger import Hop, Letter, LetterState, Receipt

MOST_EARLY: Final = 1000
"""So many receipts that came before the answer to their submit are remembered for the trace."""
MOST_AWAITED: Final = 10_000
"""So many of the last letters that a receipt may come for are remembered; receipts for others find theirs too, but
later."""


@frozen
class Came:
    """A receipt that waits to be stored, and then for its answer."""

    session: Session
    pdu: Pdu
    report: Report
    receipt: Receipt


@define(eq=False)
class Incoming:
    """Receipts that C{waiting} holds until they are stored, and the letters that went out lately."""

    log = Logger()

    settings: OperatorSettings
    _ids: MessageIds
    _now: Callable[[], float]
    _meters: Meters
    waiting: list[Came] = field(factory=list, init=False)
    _others: int = field(default=0, init=False)
    _early: OrderedDict[str, Receipt] = field(factory=OrderedDict, init=False)
    _awaited: OrderedDict[str, Letter] = field(factory=OrderedDict, init=False)

    def message(self, session: Session, pdu: Pdu) -> bool:
        """Take what came; whether it has to be stored. What has not is answered at once."""
        report = read_report(pdu)
        if report is None or not report.message_id:
            self._others += 1
            if worth_saying(self._others):
                what = "a message that is no receipt" if report is None else "a receipt without a message id"
                self.log.info(
                    "{name}: {what} came, and is dropped; {count} so far",
                    name=session.name,
                    what=what,
                    count=self._others,
                )
            session.answer(pdu)
            return False
        self._meters.receipt(self.settings.name, report.word)
        candidates = self._ids.candidates(report.message_id)
        receipt = Receipt(self.settings.route, candidates, report.state, self._now(), report.result)
        self.waiting.append(Came(session, pdu, report, receipt))
        return True

    def collect(self) -> tuple[list[tuple[Came, Letter]], list[Came]]:
        """What waits, with its letters, and that of which the letter has to be looked for; it does not wait any more.

        Of what C{taken} told of only: the answer to the submit is written down by then, or with the receipt.
        """
        came, self.waiting = self.waiting, []
        known, strange = [], []
        for one in came:
            letter = self._awaited.get(one.receipt.message_ids[0]) if len(one.receipt.message_ids) == 1 else None
            if letter is None:
                strange.append(one)
            else:
                known.append((one, letter))
        return known, strange

    def stored(self, came: Iterable[tuple[Came, Letter | None]]) -> list[Hop]:
        """Answer receipts that are stored, with their letters if they have one; what the trace should hold."""
        hops = []
        for one, letter in came:
            one.session.answer(one.pdu)
            if letter is None:
                self._unmatched(one)
                continue
            kept = letter.message_id or one.receipt.message_ids[0]
            if self._ids.matched(one.report.message_id, kept):
                self._say_form()
            if one.receipt.state is not LetterState.SENT:
                self._awaited.pop(kept, None)
            hops.append(_hop(one.receipt, letter))
        return hops

    def not_stored(self, came: Iterable[Came]) -> None:
        """Have receipts sent again later."""
        for one in came:
            one.session.answer(one.pdu, RX_T_APPN)

    def taken(self, letter: Letter, message_id: str) -> Hop | None:
        """A letter has got its message id; what the trace should hold if its receipt was there before."""
        receipt = self._early.pop(message_id, None)
        if receipt is None:
            self._await(letter, message_id)
            return None
        for other in receipt.message_ids:
            self._early.pop(other, None)
        return _hop(receipt, letter)

    def _await(self, letter: Letter, message_id: str) -> None:
        if not message_id or not self.settings.receipts:
            return
        self._awaited.pop(message_id, None)
        self._awaited[message_id] = letter
        if len(self._awaited) > MOST_AWAITED:
            self._awaited.popitem(last=False)

    def _unmatched(self, one: Came) -> None:
        self._ids.missed()
        for message_id in one.receipt.message_ids:
            self._early[message_id] = one.receipt
        while len(self._early) > MOST_EARLY:
            self._early.popitem(last=False)
        self.log.debug("{name}: a receipt for {id}, not known yet", name=one.session.name, id=one.report.message_id)

    def _say_form(self) -> None:
        form = self._ids.known
        self.log.info(
            "{name}: receipts write message ids in the form {form}; with message_id set to it that is known at once",
            name=self.settings.name,
            form=form.value if form is not None else "",
        )


def _hop(receipt: Receipt, letter: Letter) -> Hop:
    return Hop(receipt.at, letter.key, "receipt", receipt.result, letter=letter.id)
