"""The ESME's side of one SMPP connection, from the bind to its end (SMPP 3.4 2.2 to 2.8)."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import Any, Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime, ITCPTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import Interface

from gateway.sms import status
from gateway.sms.bind import Bind, Parting, State
from gateway.sms.pdu import (
    CODES,
    CONGESTION_STATE,
    LAST_SEQUENCE,
    RESPONSE,
    SC_INTERFACE_VERSION,
    BadField,
    Frames,
    Pdu,
    Value,
    build,
    parse,
    raw,
    refusal,
)
from gateway.sms.requests import Answered, Request, Requests
from gateway.sms.settings import Timing

MOST_UNANSWERED: Final = 5000
"""While so many messages of the SMSC wait for their answer, no more are read."""

_MESSAGES = ("deliver_sm", "data_sm")
_UNANSWERED = ("alert_notification", "outbind")


def worth_saying(count: int) -> bool:
    """Whether the so many-th of the same goes into the log: the first, the tenth, the hundredth..."""
    return str(count).strip("0") == "1"


class ISessionUser(Interface):
    """Who has sessions."""

    def bound(session: Session) -> None:
        """The SMSC has taken the bind."""

    def message(session: Session, pdu: Pdu) -> None:
        """A deliver_sm or data_sm came; L{Session.answer} has to be called for it some time."""

    def willing(session: Session) -> None:
        """There is room again that was not there while the SMSC left a submit without an answer."""

    def congested(session: Session, state: int) -> None:
        """The SMSC has said how congested it is, from 0 to 99."""

    def ended(session: Session) -> None:
        """It is over, see L{Session.parting}; every submit without an answer was told so before."""


class Session(Protocol):
    """One connection: binds, keeps the link alive, submits within the window, and hands over what comes.

    Whatever the SMSC sends or leaves out ends the session at worst. C{parting} and C{trouble} say why it is over,
    C{bind_status} is what a bind was refused with, C{version} the interface version that the SMSC told, if it did
    (one that does not is taken to be older than 3.4, and to know no optional parameters).
    """

    log = Logger()
    transport: Any

    def __init__(
        self, bind: Bind, user: ISessionUser, clock: IReactorTime, window: int, timing: Timing, name: str
    ) -> None:
        self.bind = bind
        self.name = name
        self.state = State.OPEN
        self.parting: Parting | None = None
        self.trouble = ""
        self.bind_status = 0
        self.version: int | None = None
        self._user = user
        self._clock = clock
        self._timing = timing
        self._window = window
        self._proven = False
        self._in_question = False
        self._frames = Frames()
        self._requests = Requests()
        self._submits = 0
        self._unanswered = 0
        self._paused = False
        self._wrote = False
        self._odd = 0
        self._heard = 0.0
        self._submit_answered = 0.0
        self._partial_since: float | None = None
        self._linger_until: float | None = None
        self._alarm: IDelayedCall | None = None
        self._socket: socket.socket | None = None
        self._left: list[Deferred[None]] = []

    # The connection.

    def connectionMade(self) -> None:
        """Bind at once.

        Small PDUs must not wait until the SMSC has acknowledged those before them, for which it may take its time.
        """
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpNoDelay(True)
            self._socket = getattr(self.transport, "socket", None) if hasattr(socket, "TCP_QUICKACK") else None
        self._heard = self._submit_answered = self._clock.seconds()
        try:
            self._request(self.bind.command, self.bind.fields(), self._timing.bind, self._bind_answered)
        except BadField as error:
            self.close(Parting.REFUSED, str(error))
            return
        self._ring_by(self._heard + self._timing.silence)

    def dataReceived(self, data: bytes) -> None:
        """Deal with the PDUs that are complete."""
        if self._over():
            return
        frames = self._frames.feed(data)
        if frames:
            self._heard = self._clock.seconds()
        self._wrote = False
        for frame in frames:
            if self._over():
                return
            self._deal_with(parse(frame))
        if self._unanswered and not self._wrote:
            self._acknowledge()
        if self._frames.refused is not None:
            self._write(refusal(status.RINVCMDLEN, min(self._frames.refused_sequence, LAST_SEQUENCE)))
            self.close(Parting.GARBLED, f"a PDU of {self._frames.refused} octets")
        elif not self._frames.partial:
            self._partial_since = None
        elif frames or self._partial_since is None:
            self._partial_since = self._clock.seconds()
            self._ring_by(self._partial_since + self._timing.partial)

    def _acknowledge(self) -> None:
        """Have the kernel acknowledge what came, if nothing is sent that does so.

        Otherwise it waits up to 40 ms for something to send, as messages are answered later, when they are stored; and
        so long the SMSC's kernel may hold back the answer to a submit (RFC 896).
        """
        if self._socket is not None:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell everybody who waits, then the user of the session."""
        self.state = State.CLOSED
        self._socket = None
        if self.parting is None:
            self.parting, self.trouble = Parting.LOST, reason.getErrorMessage()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        for request in self._requests.all():
            self._tell(request)
        self._user.ended(self)
        self._has_left()

    def close(self, parting: Parting, trouble: str = "") -> None:
        """Close the connection; what was written is still sent if the other side takes it at once."""
        if self.parting is None:
            self.parting, self.trouble = parting, trouble
        if self.state is State.CLOSED:
            return
        self.state = State.CLOSED
        if parting in (Parting.MUTE, Parting.DEAD):
            self.transport.abortConnection()
        else:
            self.transport.loseConnection()
            self._ring_by(self._clock.seconds() + self._timing.linger)

    def part(self, parting: Parting, trouble: str = "") -> None:
        """Submit nothing more, and close the connection when the answers that are on their way are there, for which
        it waits a little."""
        if self.parting is None:
            self.parting, self.trouble = parting, trouble
        if not self._submits:
            self.close(parting)
        elif self._linger_until is None and self.state is not State.CLOSED:
            self.state = State.LEAVING
            self._linger_until = self._clock.seconds() + self._timing.linger
            self._ring_by(self._linger_until)

    def _write(self, octets: bytes) -> None:
        self._wrote = True
        self.transport.write(octets)

    # What goes out.

    @property
    def room(self) -> int:
        """How many messages may be submitted now: one until the SMSC has answered the first, then the window.

        There is none from when it has left one without an answer until it gives a sign: what is in doubt then must
        not go the same way again.
        """
        if not self.transmits or self._in_question:
            return 0
        return (self._window if self._proven else 1) - self._submits

    @property
    def transmits(self) -> bool:
        """Whether messages can be submitted, now or when there is room."""
        return self.state is State.BOUND and self.bind.transmits

    @property
    def proven(self) -> bool:
        """Whether the SMSC has answered a submit."""
        return self._proven

    @property
    def outstanding(self) -> int:
        """How many submits wait for their answer."""
        return self._submits

    def submit(self, make: Callable[[int], bytes], answered: Answered) -> None:
        """Submit a message, of which C{make} makes the submit_sm for a sequence number.

        C{answered} gets the response, or C{None} if it is not known what became of it. What C{make} raises is raised,
        and then nothing was sent.
        """

        def done(answer: Pdu | None) -> None:
            self._submits -= 1
            if answer is not None:
                self._submit_answered = self._clock.seconds()
                self._proven, self._in_question = True, False
            answered(answer)
            if self._linger_until is not None and not self._submits:
                self.close(Parting.UNBOUND)

        self._send("submit_sm", make, self._timing.response, done)
        self._submits += 1

    def answer(self, pdu: Pdu, code: int = 0) -> None:
        """Answer a message that came; it does no harm when the connection is gone meanwhile."""
        self._unanswered -= 1
        if self.state in (State.BOUND, State.LEAVING):
            self._write(raw(pdu.code | RESPONSE, code, pdu.sequence, b"" if code else b"\0"))
        if self._paused and self._unanswered <= MOST_UNANSWERED // 2 and self.state is not State.CLOSED:
            self._paused = False
            self._heard = now = self._clock.seconds()
            self._requests.extend(now + self._timing.response)
            self.transport.resumeProducing()
            self._ring_by(self._heard + self._timing.silence)

    def leave(self) -> Deferred[None]:
        """Unbind. Fires when the SMSC has taken leave too, has not done so in time, or the connection is gone."""
        if self.state is State.CLOSED:
            return succeed(None)
        self._left.append(Deferred())
        if self.state is not State.LEAVING:
            self.parting = Parting.LEFT
            if self.state is State.BOUND:
                self._request("unbind", {}, self._timing.unbind, self._leave_answered)
                self.state = State.LEAVING
            else:
                self.close(Parting.LEFT)
        return self._left[-1]

    def _has_left(self) -> None:
        waiting, self._left = self._left, []
        for left in waiting:
            left.callback(None)

    def _request(self, command: str, fields: Mapping[str, Value], patience: float, answered: Answered) -> None:
        self._send(command, lambda sequence: build(Pdu(command, 0, sequence, fields)), patience, answered)

    def _send(self, command: str, make: Callable[[int], bytes], patience: float, answered: Answered) -> None:
        sequence = self._requests.next()
        octets = make(sequence)
        now = self._clock.seconds()
        self._requests.add(sequence, command, now, patience, answered)
        self._write(octets)
        self._ring_by(now + patience)

    # What comes in.

    def _deal_with(self, pdu: Pdu) -> None:
        if pdu.damaged:
            self._say_odd(f"that is damaged: {pdu.damaged}", pdu)
        try:
            if pdu.is_response:
                self._response(pdu)
            else:
                self._demand(pdu)
        except Exception:
            self.log.failure("{name}: a {command} could not be dealt with", name=self.name, command=pdu.command)

    def _say_odd(self, what: str, pdu: Pdu) -> None:
        """Say that something odd came, of much of it less and less often."""
        self._odd += 1
        if worth_saying(self._odd):
            self.log.warn(
                "{name}: a {command} {what} (sequence number {sequence}); the odd PDU number {odd} of this connection",
                name=self.name,
                command=pdu.command,
                what=what,
                sequence=pdu.sequence,
                odd=self._odd,
            )

    def _response(self, pdu: Pdu) -> None:
        request = self._requests.answer(pdu)
        if request is None:
            self._say_odd("that answers nothing", pdu)
            return
        if pdu.tlvs:
            congestion = pdu.tlv_number(CONGESTION_STATE)
            if congestion is not None:
                self._user.congested(self, congestion)
        request.answered(pdu)

    def _demand(self, pdu: Pdu) -> None:
        if pdu.command in _MESSAGES:
            self._message(pdu)
        elif pdu.command == "enquire_link":
            self._write(raw(CODES["enquire_link_resp"], 0, pdu.sequence))
        elif pdu.command == "unbind":
            self._unbound(pdu)
        elif pdu.command not in _UNANSWERED:
            self._say_odd("that no ESME serves", pdu)
            self._write(refusal(status.RINVCMDID, pdu.sequence))

    def _message(self, pdu: Pdu) -> None:
        if self.state is State.OPEN:
            self._write(raw(pdu.code | RESPONSE, status.RINVBNDSTS, pdu.sequence))
            return
        self._unanswered += 1
        if self._unanswered >= MOST_UNANSWERED and not self._paused:
            self._paused = True
            self.transport.pauseProducing()
        self._user.message(self, pdu)

    def _unbound(self, pdu: Pdu) -> None:
        self._write(raw(CODES["unbind_resp"], 0, pdu.sequence))
        self.part(Parting.UNBOUND)

    def _bind_answered(self, answer: Pdu | None) -> None:
        if answer is None or self.state is not State.OPEN:
            return
        if answer.status:
            self.bind_status = answer.status
            self.close(Parting.REFUSED, status.action(answer.status).name)
            return
        self.state = State.BOUND
        self.version = answer.tlv_number(SC_INTERFACE_VERSION)
        self._user.bound(self)

    def _leave_answered(self, answer: Pdu | None) -> None:
        self._has_left()
        self.close(Parting.LEFT)

    def _tell(self, request: Request) -> None:
        """Tell that there is no answer."""
        try:
            request.answered(None)
        except Exception:
            self.log.failure("{name}: the end of a request could not be dealt with", name=self.name)

    # Time.

    def _ring_by(self, due: float) -> None:
        """Look at what has run out at that time at the latest; what runs out after the next look costs nothing."""
        if self._alarm is not None:
            if self._alarm.getTime() <= due:
                return
            self._alarm.cancel()
        self._alarm = self._clock.callLater(max(0.0, due - self._clock.seconds()), self._look)

    def _first_due(self) -> float:
        due = [self._clock.seconds() + self._timing.silence]
        if not self._paused:
            due.append(self._requests.first_deadline())
        if not self._paused and not self._requests.asks("enquire_link"):
            due.append(self._heard + self._timing.silence)
        if self._partial_since is not None:
            due.append(self._partial_since + self._timing.partial)
        if self._linger_until is not None:
            due.append(self._linger_until)
        return min(due)

    def _look(self) -> None:
        self._alarm = None
        now = self._clock.seconds()
        if self.state is State.CLOSED:
            self.transport.abortConnection()
            return
        if self._partial_since is not None and now >= self._partial_since + self._timing.partial:
            self.close(Parting.GARBLED, "a PDU that was not completed")
            return
        if self._linger_until is not None and now >= self._linger_until:
            self.close(Parting.UNBOUND)
            return
        self._give_up(now)
        if self._over():
            return
        silent = self._in_question or now >= self._heard + self._timing.silence
        if silent and not self._paused and not self._requests.asks("enquire_link"):
            self._request("enquire_link", {}, self._timing.silence, self._sign_given)
        self._ring_by(self._first_due())

    def _over(self) -> bool:
        return self.state is State.CLOSED

    def _sign_given(self, answer: Pdu | None) -> None:
        """The SMSC lives; L{_give_up} deals with the lack of an answer."""
        if answer is not None and self._in_question:
            self._in_question = False
            self._user.willing(self)

    def _give_up(self, now: float) -> None:
        """Deal with the requests whose time has run out; what nobody reads cannot be late."""
        if self._paused:
            return
        for request in self._requests.late(now):
            self._in_question = self._in_question or request.command == "submit_sm"
            self._tell(request)
            self._unanswered_request(request)

    def _unanswered_request(self, request: Request) -> None:
        if request.command == "submit_sm":
            if self._submit_answered <= request.sent:
                self.close(Parting.MUTE, "no submit was answered")
        elif request.command == "enquire_link":
            if self._heard <= request.sent:
                self.close(Parting.DEAD, "enquire_link was not answered")
        elif request.command != "unbind":
            self.close(Parting.MUTE, "the bind was not answered")
