"""The words of SMS triggers: values that the rooms speak in when a device has to be knocked awake."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from attrs import field, frozen

from gateway.model import DeviceKey, Folder, Mode


@frozen
class Line:
    """Where an SMS reaches a device, as a lease that any sync renews.

    C{number} is in E.164 form with its plus sign; C{operator} names a section C{operators.NAME}; C{address} is an
    SMTP address of the user's own, used instead of both; C{format} is a trigger format of its own or empty;
    C{expires} in seconds since the epoch, 0: never; C{by} is who registered it (C{"device"} for the Notify command).
    """

    key: DeviceKey
    number: str = ""
    operator: str = ""
    address: str = ""
    format: str = ""
    name: str = ""
    since: int = 0
    expires: int = 0
    by: str = ""


class Way(Enum):
    """Which way a device in mode C{auto} is reached at the moment."""

    PUSH = "push"
    SMS = "sms"


@frozen
class Wake:
    """What is kept of a device so that it is knocked neither too often nor too seldom; times in whole seconds since
    the epoch.

    C{guid} is renewed by a sync after a trigger went out with it; C{told} is its value in the last trigger (a trigger
    is outstanding while both are equal); C{until}: when an outstanding trigger counts as lost. C{numbers} are the
    folders' Versions that the last decision saw. C{pending}: there was a change for which no trigger was sent.
    C{due}: when a decision that was put off is taken again, 0: never; C{why} says why it was put off. C{repeats} of
    the outstanding trigger. C{way}, C{young} (parks that died young in a row) and C{parked} (when a park was seen
    last) are for mode C{auto}.
    """

    key: DeviceKey
    guid: str
    told: str = ""
    until: int = 0
    numbers: Mapping[int, int] = field(factory=dict)
    pending: bool = False
    due: int = 0
    why: str = ""
    repeats: int = 0
    way: Way = Way.PUSH
    young: int = 0
    parked: int = 0


class Cause(Enum):
    """What asks for a decision."""

    CHANGE = "change"
    DUE = "due"
    SYNC = "sync"
    START = "start"
    DOOR = "door"


class Verdict(Enum):
    """What was decided for a device, in the words of the trace."""

    SMS = "sms"
    REPEATED = "sms repeated"
    PUSH = "direct push"
    BATCHED = "trigger outstanding"
    QUIET = "quiet hours"
    ABSENT = "waiting for the device to park"
    LIMIT = "limit reached"
    LAPSED = "lease lapsed"
    NOTHING = "nothing new for the device"
    OFF = "off"


@frozen
class Limits:
    """How many triggers a day, and how much money, at most; 0: any number. Money is in the currency of the prices."""

    device: int = 0
    user: int = 0
    operator: int = 0
    total: int = 0
    budget: float = 0.0


@frozen
class WakeRule:
    """What holds for the triggers of one device at one moment.

    C{batch}: seconds after which an outstanding trigger counts as lost, 0: none ever counts as outstanding;
    C{repeats}: how often it is sent again after that without a further change; C{quiet_until}: the end of the quiet
    hours that hold now (seconds since the epoch), 0: none do; C{absent}: seconds without a park after which C{auto}
    takes to SMS; C{young}: after so many parks that died young it does; C{price} of one SMS; C{day} is the first
    second of the day for which limits count and C{tomorrow} that of the next; C{settle}: seconds after a sync until
    it is looked whether the device still lacks something.
    """

    mode: Mode
    batch: int = 900
    repeats: int = 0
    adds_only: bool = True
    quiet_until: int = 0
    absent: int = 900
    young: int = 3
    price: float = 0.0
    day: int = 0
    tomorrow: int = 0
    settle: int = 60
    limits: Limits = field(factory=Limits)


@frozen
class Concerned:
    """A device with a line, and the changed folders of its user; C{wake} is as it was just read."""

    line: Line
    folders: tuple[Folder, ...]
    wake: Wake


@frozen
class Order:
    """Decide for one device.

    C{folders}: ids of those that may wake it; empty: decide without a look (a trigger of another server came in, and
    C{guid} is its GUID, C{content} its text). C{watched}: a Change reaches it by Direct Push now. C{route}: who takes a
    letter for it, as in L{Letter}.
    """

    line: Line
    cause: Cause
    rule: WakeRule
    folders: tuple[int, ...] = ()
    watched: bool = False
    route: str = ""
    guid: str = ""
    content: bytes = b""


@frozen
class Decided:
    """What was decided: C{letter} is the outbox number of the trigger, 0 if none was sent; C{wake} as it is now.

    C{switched}: the mode C{auto} took another way, C{reason} says why; C{limit} names the limit reached.
    """

    order: Order
    verdict: Verdict
    wake: Wake
    letter: int = 0
    switched: bool = False
    reason: str = ""
    limit: str = ""


class LetterState(Enum):
    """The life of what goes out.

    QUEUED waits for its time; DOUBT was handed to the other side, whose answer is not known; SENT was taken by it;
    DELIVERED and UNDELIVERED are what a receipt or bounce said; FAILED was refused for good; FOLDED: a newer trigger
    took its place; WITHDRAWN: the device came before it was sent.
    """

    QUEUED = "queued"
    DOUBT = "in doubt"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    FOLDED = "folded"
    WITHDRAWN = "withdrawn"


#: The beginning of the result of a trigger that was in doubt a second time, and is not sent a third time.
DOUBTED_TWICE = "in doubt twice"


@frozen
class Letter:
    """Something to be sent: a trigger by SMPP or SMTP, or a user's own mail.

    C{route}: who sends it, C{"smpp:NAME"} or C{"smtp:NAME"} for an operator, C{"relay"}; C{number} and C{address} as
    in L{Line}; C{guid} of a trigger; C{content}: bytes to be sent as they are instead of a trigger made from the
    GUID (a trigger of another server: its text; a mail: the whole message); C{sender} and C{recipients} of a mail.
    C{due}, C{created} and C{expires} (0: never) in seconds since the epoch; C{doubted}: it was in doubt once.
    """

    key: DeviceKey
    route: str
    number: str = ""
    address: str = ""
    guid: str = ""
    format: str = ""
    content: bytes = b""
    sender: str = ""
    recipients: tuple[str, ...] = ()
    created: float = 0.0
    due: float = 0.0
    expires: float = 0.0
    attempts: int = 0
    doubted: bool = False
    id: int = 0
    state: LetterState = LetterState.QUEUED
    message_id: str = ""
    result: str = ""


@frozen
class Outcome:
    """What became of a letter: its new state, when, and in words; C{message_id} of the SMSC or of the mail; C{due}:
    when to try again, if it is queued again; C{untried}: it is as it was not handed over, so that was no attempt."""

    id: int
    state: LetterState
    at: float
    message_id: str = ""
    result: str = ""
    due: float = 0.0
    untried: bool = False


@frozen
class Receipt:
    """A delivery receipt: the forms that the message id may have in the answer to the submit, most likely first.

    C{state} SENT says that the message is still under way; C{result} in words, such as C{"DELIVRD err 000"}.
    """

    route: str
    message_ids: tuple[str, ...]
    state: LetterState
    at: float
    result: str = ""


#: What can happen to a change, in the order of its way. C{taken}: by the SMSC or mail server; C{announced}: a Ping was
#: answered; C{came}: the device's first request afterwards.
HOP_KINDS = (
    "noticed",
    "decided",
    "switched",
    "queued",
    "taken",
    "retry",
    "failed",
    "receipt",
    "announced",
    "came",
    "synchronised",
    "alarm",
)


@frozen
class Hop:
    """One line of the trace: what happened to a change on its way to a device, and when (seconds since the epoch).

    C{kind} is one of C{HOP_KINDS}. C{letter} is the outbox number, 0 if none; C{folder} and C{number} name the change
    where that is known.
    """

    at: float
    key: DeviceKey
    kind: str
    text: str = ""
    folder: int = 0
    number: int = 0
    letter: int = 0
    id: int = 0


@frozen
class Override:
    """A mode that a command put over the configuration; C{device} is empty for the whole user."""

    user: str
    device: str
    mode: Mode
    by: str
    at: int
