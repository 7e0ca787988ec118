"""A simulated SMSC: the SMPP 3.4 server of an operator, which hands each message to a phone, or misbehaves."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from datetime import UTC, datetime

from attrs import define, evolve, field, frozen
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from gateway.simulator.outlet import Outlet
from gateway.simulator.shortmessage import Assembly, ShortMessage, read_submit
from gateway.simulator.terms import (
    OK,
    RALYBND,
    RINVBNDSTS,
    RINVCMDID,
    RINVCMDLEN,
    RINVDSTADR,
    RINVESMCLASS,
    RTHROTTLED,
    Carrier,
    Misbehaviour,
    Terms,
)
from gateway.sms import pdu
from gateway.sms.pdu import Frames, Pdu

#: Receipts kept for an account that has no bind that receives.
MOST_KEPT = 100_000
_DELIVERED, _UNDELIVERABLE = 2, 5
_NULL_BYTE = b"\0"

# What smpplib takes for an error, or misreads: parameters that it does not expect there, of vendors, of SMPP 5.0.
_ADDITIONAL_TEXT, _DEST_SUBUNIT, _VENDOR = 0x001D, 0x0005, 0x1400
_ODD_ANSWER = ((_ADDITIONAL_TEXT, b"queued\0"), (_VENDOR, b"\x01\x02\x03"))
_ODD_BIND = ((pdu.CONGESTION_STATE, b"\x07"), (_VENDOR + 1, b""))
_ODD_DELIVERY = ((_DEST_SUBUNIT, b"\x01"), (0x3FFF, b"x"))


@frozen
class _Due:
    """A message on its way to the phone, and who is told."""

    message: ShortMessage
    account: str
    session: Session
    receipt: int
    submitted: float


def nobody(message: ShortMessage) -> None:
    """Take a message and forget it."""


def anybody(number: str) -> bool:
    """Every number has a phone."""
    return True


@define(eq=False)
class Smsc(Factory):
    """The server: a factory, for a socket or for transports of tests.

    C{deliver} gets each message after C{terms.delay} seconds, put together if it came in parts; C{knows} tells which
    numbers have a phone here. C{misbehaviour} may be changed at any time. C{counts} are C{binds}, C{submits} that
    were taken, C{refused}, C{receipts} sent, C{acknowledged}, C{nacks} that came in.
    """

    noisy = False

    clock: IReactorTime
    deliver: Callable[[ShortMessage], object] = nobody
    terms: Terms = field(factory=Terms)
    misbehaviour: Misbehaviour = field(factory=Misbehaviour)
    knows: Callable[[str], bool] = anybody
    wall: Callable[[], float] | None = None
    counts: Counter[str] = field(factory=Counter, init=False)
    sessions: list[Session] = field(factory=list, init=False)
    _number: int = field(init=False, default=0x1000)
    _assembly: Assembly = field(factory=Assembly, init=False)
    _kept: dict[str, deque[Pdu]] = field(factory=dict, init=False)
    _pending: dict[int, tuple[IDelayedCall, ShortMessage]] = field(factory=dict, init=False)

    def buildProtocol(self, addr: IAddress | None) -> Session:
        """One session."""
        return Session(self)

    def close(self) -> None:
        """Break all sessions off, and forget what is on its way: the SMSC was killed."""
        for call, _ in self._pending.values():
            call.cancel()
        self._pending.clear()
        for session in list(self.sessions):
            session.abort()

    def unbind(self) -> None:
        """End all sessions in good order, as before a maintenance."""
        for session in list(self.sessions):
            session.unbind()

    # What sessions ask.

    def next_id(self) -> int:
        """The number of a new message."""
        self._number += 1
        return self._number

    def take(self, session: Session, message: ShortMessage, receipt: int) -> None:
        """Bring a message to its phone after a while; it may take the place of one that is still on its way."""
        self.counts["submits"] += 1
        if message.replace:
            self._replace(message)
        due = _Due(message, session.account, session, receipt, self._now())
        if self.misbehaviour.early:
            self._arrive(due)
        else:
            call = self.clock.callLater(self.terms.delay, self._arrive, due)
            self._pending[message.id] = (call, message)

    def waiting(self, session: Session) -> None:
        """A session is bound: it gets the receipts that were kept for its account."""
        kept = self._kept.pop(session.account, None) if session.receives else None
        for receipt in kept or ():
            session.send_request(receipt)

    def _replace(self, newer: ShortMessage) -> None:
        for id, (call, older) in list(self._pending.items()):
            if (older.source, older.destination, older.service) == (newer.source, newer.destination, newer.service):
                call.cancel()
                del self._pending[id]

    def _arrive(self, due: _Due) -> None:
        self._pending.pop(due.message.id, None)
        reached = self.terms.reaches(due.message)
        if due.receipt & 3 and not (reached and due.receipt & 3 == 2):
            self._report(due, reached)
        if reached:
            whole = self._assembly.add(due.message)
            if whole is not None:
                self.deliver(whole)

    def _report(self, due: _Due, reached: bool) -> None:
        receipt = self._receipt(due, reached)
        session = self._receiver(due)
        for _ in range(2 if self.misbehaviour.twice else 1):
            if session is not None:
                session.send_request(receipt)
            else:
                self._kept.setdefault(due.account, deque(maxlen=MOST_KEPT)).append(receipt)

    def _receiver(self, due: _Due) -> Session | None:
        able = [session for session in self.sessions if session.account == due.account and session.receives]
        others = [session for session in able if session is not due.session]
        if self.misbehaviour.elsewhere and others:
            return others[0]
        return due.session if due.session in able else next(iter(able), None)

    def _receipt(self, due: _Due, reached: bool) -> Pdu:
        """A C{deliver_sm} that says what became of a message."""
        message, carrier = due.message, self.terms.carrier
        id = self.terms.ids.received(message.id)
        state = _DELIVERED if reached else _UNDELIVERABLE
        odd = self.misbehaviour.odd_tlvs
        tlvs = (
            *(_ODD_DELIVERY if odd else ()),
            (pdu.RECEIPTED_MESSAGE_ID, id.encode() + (b"" if odd else _NULL_BYTE)),
            (pdu.MESSAGE_STATE, state.to_bytes(4 if odd else 1, "big")),
            (pdu.NETWORK_ERROR_CODE, b"\x03" + (0 if reached else 1).to_bytes(2, "big")),
        )
        text = self.terms.receipt.format(
            id=id,
            delivered="001" if reached else "000",
            submitted=datetime.fromtimestamp(due.submitted, UTC),
            done=datetime.fromtimestamp(self._now(), UTC),
            state="DELIVRD" if reached else "UNDELIV",
            error="000" if reached else "001",
        )
        fields: dict[str, pdu.Value] = {
            "source_addr": message.destination,
            "destination_addr": message.source,
            "esm_class": 4,
            "short_message": b"" if carrier is Carrier.TLVS else text.encode("latin-1")[: pdu.LONGEST_MESSAGE],
        }
        return Pdu("deliver_sm", fields=fields, tlvs=() if carrier is Carrier.TEXT else tlvs)

    def _now(self) -> float:
        return self.clock.seconds() if self.wall is None else self.wall()


class Session(Protocol):
    """One connection of a client; C{account} is its system id once it is bound."""

    log = Logger()

    def __init__(self, smsc: Smsc) -> None:
        self.smsc = smsc
        self.account = ""
        self.sends = self.receives = False
        self.submits = 0
        self._out = Outlet(smsc.clock)
        self._frames = Frames()
        self._sequence = 0
        self._silent = False
        self._second = (0, 0)
        self._enquiry: IDelayedCall | None = None

    # The connection.

    def connectionMade(self) -> None:
        """A client is there."""
        self.smsc.sessions.append(self)
        self._out.open(self.transport)

    def dataReceived(self, data: bytes) -> None:
        """Octets came in."""
        for frame in self._frames.feed(data):
            if not self._silent:
                self._received(pdu.parse(frame))
        if self._frames.refused is not None and not self._silent:
            self._write(pdu.refusal(RINVCMDLEN, self._frames.refused_sequence))
            self.close()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The client is gone."""
        self.smsc.sessions.remove(self)
        self.account = ""
        self.sends = self.receives = False
        self._out.close()
        if self._enquiry is not None:
            self._enquiry.cancel()
            self._enquiry = None

    def close(self) -> None:
        """Close after what is still to be sent."""
        self._silent = True
        self._out.finish()

    def abort(self) -> None:
        """Break off."""
        self._silent = True
        self._out.abort()

    def unbind(self) -> None:
        """Ask the client to go."""
        self.send_request(Pdu("unbind"))

    def send_request(self, request: Pdu) -> None:
        """Send a request of our own."""
        self._sequence = self._sequence % pdu.LAST_SEQUENCE + 1
        self.smsc.counts["receipts"] += request.command == "deliver_sm" and not self._silent
        self._write(pdu.build(evolve(request, sequence=self._sequence)))

    def _write(self, data: bytes) -> None:
        if not self._silent:
            self._out.write(data, self.smsc.misbehaviour.pieces, self.smsc.misbehaviour.pause)

    def _answer(self, request: Pdu, status: int = OK, **fields: pdu.Value) -> None:
        self._write(pdu.build(pdu.response(request, status, **fields)))

    # What clients ask.

    def _received(self, request: Pdu) -> None:
        match request.command:
            case "bind_transceiver" | "bind_transmitter" | "bind_receiver":
                self._bind(request)
            case "submit_sm" | "data_sm":
                self._submit(request)
            case "enquire_link":
                self._answer(request)
            case "unbind":
                self._answer(request)
                self.close()
            case "unbind_resp":
                self.close()
            case "deliver_sm_resp":
                self.smsc.counts["acknowledged"] += 1
            case "generic_nack":
                self.smsc.counts["nacks"] += 1
            case _:
                if not request.is_response:
                    self._write(pdu.refusal(RINVCMDID, request.sequence))

    def _bind(self, request: Pdu) -> None:
        smsc, wrong = self.smsc, self.smsc.misbehaviour
        account = request.text("system_id")
        status = wrong.bind_status or smsc.terms.bind(account, request.text("password"))
        others = sum(session.account == account for session in smsc.sessions)
        if self.account or (smsc.terms.binds and others >= smsc.terms.binds):
            status = status or RALYBND
        if wrong.enquires_first:
            self.send_request(Pdu("enquire_link"))
        if wrong.bind_silent:
            return
        answer = pdu.response(request, status, system_id=smsc.terms.system_id)
        version = ((pdu.SC_INTERFACE_VERSION, b"\x34"),) if not status else ()
        self._write(pdu.build(evolve(answer, tlvs=version + (_ODD_BIND if wrong.odd_tlvs else ()))))
        if status:
            self.close()
            return
        smsc.counts["binds"] += 1
        self.account = account
        self.sends = request.command != "bind_receiver"
        self.receives = request.command != "bind_transmitter"
        if smsc.terms.enquiry:
            self._enquiry = smsc.clock.callLater(smsc.terms.enquiry, self._enquire)
        smsc.waiting(self)

    def _enquire(self) -> None:
        self.send_request(Pdu("enquire_link"))
        self._enquiry = self.smsc.clock.callLater(self.smsc.terms.enquiry, self._enquire)

    def _submit(self, request: Pdu) -> None:
        if not self.sends:
            self._answer(request, RINVBNDSTS)
            return
        self.submits += 1
        wrong = self.smsc.misbehaviour
        if self._breaks_down(request, wrong) or _turn(self.submits, wrong.lost):
            return
        id = self.smsc.next_id()
        status, message = self._judged(request, id, wrong)
        answer = pdu.response(request, status, message_id="" if status else self.smsc.terms.ids.answered(id))
        early = wrong.early and message is not None
        if early:
            self._take(message, request)
        if not _turn(self.submits, wrong.missing):
            self._out.hold(self._answered(answer, wrong), wrong)
        if not early:
            self._take(message, request)
        if wrong.unbind_after == self.submits:
            self.unbind()

    def _take(self, message: ShortMessage | None, request: Pdu) -> None:
        if message is None:
            self.smsc.counts["refused"] += 1
        else:
            self.smsc.take(self, message, request.number("registered_delivery"))

    def _judged(self, request: Pdu, id: int, wrong: Misbehaviour) -> tuple[int, ShortMessage | None]:
        """The status of a submit, and its message if it is taken."""
        try:
            message = read_submit(request, id)
        except ValueError:
            return RINVESMCLASS, None
        if _turn(self.submits, wrong.throttled) or self._too_fast():
            return RTHROTTLED, None
        status = self.smsc.terms.refusal(message.destination)
        if not status and not self.smsc.knows(message.destination):
            status = RINVDSTADR
        return (status, None) if status else (OK, message)

    def _too_fast(self) -> bool:
        second = int(self.smsc.clock.seconds())
        count = self._second[1] + 1 if self._second[0] == second else 1
        self._second = (second, count)
        return 0 < self.smsc.terms.rate < count

    def _answered(self, answer: Pdu, wrong: Misbehaviour) -> bytes:
        if _turn(self.submits, wrong.wrong_sequence):
            answer = evolve(answer, sequence=(answer.sequence + 0x100000) & pdu.LAST_SEQUENCE)
        return pdu.build(evolve(answer, tlvs=_ODD_ANSWER) if wrong.odd_tlvs else answer)

    def _breaks_down(self, request: Pdu, wrong: Misbehaviour) -> bool:
        """Whether the session ends here in the way that was asked for."""
        done = self.submits - 1
        if wrong.drop_after == done:
            self.abort()
        elif wrong.silent_after == done:
            self._silent = True
        elif wrong.half_after == done:
            whole = pdu.build(pdu.response(request, message_id="00000000"))
            self._write(whole[: len(whole) // 2])
            self._silent = True
        elif wrong.length_after == done:
            self._write(wrong.length.to_bytes(4, "big") + pdu.build(Pdu("enquire_link", sequence=1))[4:])
        else:
            return False
        return True


def _turn(count: int, every: int) -> bool:
    return bool(every) and count % every == 0
