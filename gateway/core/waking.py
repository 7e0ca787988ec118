"""Whether a device is knocked by SMS now: the rule alone, without input or output.

The batching is that of the old system: each successful sync gives the device a new GUID, a trigger carries the GUID,
and while the device has not come since its last trigger, changes add nothing, until a timer has run out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve, field, frozen

from gateway.model import Mode
from gateway.trigger import Cause, Order, Verdict, Wake, WakeRule, Way

#: L{Wake.why} of a look at a device whose trigger may be repeated, and of one that synchronised after a change for
#: which no trigger was sent; otherwise it is the value of the verdict that put a decision off.
REPEAT = "repeat"
SETTLE = "synchronised"
_ABSENT = Verdict.ABSENT.value

#: Seconds; nothing is put off for longer at once, so a time stored that is further ahead was stored by a wrong clock.
LONGEST = 25 * 3600


@frozen
class Spent:
    """Triggers of this day of the device, its user, the operator and all together, and what those cost."""

    device: int = 0
    user: int = 0
    operator: int = 0
    total: int = 0
    cost: float = 0.0


@frozen
class Sight:
    """What a look at the folders of an order found: something that the device lacks, and the folders' Versions."""

    news: bool
    numbers: Mapping[int, int] = field(factory=dict)


@frozen
class Judgement:
    """What holds for the device now, and what was decided; with C{guid}, a trigger with that GUID is to be sent.

    C{due}: but not before that time (seconds since the epoch). The rest is as in L{gateway.trigger.Decided}.
    """

    wake: Wake
    verdict: Verdict
    reason: str = ""
    guid: str = ""
    due: int = 0
    switched: bool = False
    limit: str = ""


def overdue(wake: Wake, now: int) -> bool:
    """Whether a decision that was put off is to be taken now."""
    return 0 < wake.due <= now or wake.due > now + LONGEST


def looks(order: Order) -> bool:
    """Whether the ledger has to be looked at for an order."""
    return bool(order.folders) and order.rule.mode not in (Mode.OFF, Mode.DIRECT_PUSH)


def decide(order: Order, wake: Wake, sight: Sight, spent: Spent, now: int) -> Judgement:
    """Decide for one device; C{now} in seconds since the epoch."""
    if order.cause is Cause.DUE and not overdue(wake, now):
        return Judgement(wake, Verdict.NOTHING, "decided meanwhile")
    refused = _refused(order, now)
    if refused is not None:
        verdict, reason = refused
        return Judgement(evolve(wake, due=0, why=""), verdict, reason)
    if not sight.news:
        return Judgement(_nothing(order, wake, sight), Verdict.NOTHING)
    if order.rule.mode is Mode.AUTO and wake.way is Way.PUSH:
        return _by_push(order, wake, sight, spent, now)
    return _by_sms(order, wake, sight, spent, now)


def _refused(order: Order, now: int) -> tuple[Verdict, str] | None:
    """Why no trigger can be sent to that device at all."""
    if order.rule.mode in (Mode.OFF, Mode.DIRECT_PUSH):
        return Verdict.OFF, f"mode {order.rule.mode.value}"
    if not order.route:
        return Verdict.OFF, "no operator takes triggers for this line"
    if 0 < order.line.expires <= now:
        return Verdict.LAPSED, ""
    return None


def _nothing(order: Order, wake: Wake, sight: Sight) -> Wake:
    """Nothing is new in these folders; only what was put off looks at all of them, and so settles what waits."""
    if order.cause is Cause.DUE:
        return _settled(wake, sight)
    numbers = _seen(wake, sight)
    return wake if numbers is wake.numbers else evolve(wake, numbers=numbers)


def _settled(wake: Wake, sight: Sight, **more: Any) -> Wake:
    """Everything is announced, or was nothing."""
    return evolve(wake, **{"numbers": _seen(wake, sight), "pending": False, "due": 0, "why": "", **more})


def _seen(wake: Wake, sight: Sight) -> Mapping[int, int]:
    known = wake.numbers
    new = any(known.get(folder) != number for folder, number in sight.numbers.items())
    return {**known, **sight.numbers} if new else known


def _by_push(order: Order, wake: Wake, sight: Sight, spent: Spent, now: int) -> Judgement:
    """Mode C{auto} of a device that is reached by Direct Push, if it is."""
    rule = order.rule
    if rule.young and wake.young >= rule.young:
        reason = f"{wake.young} parks died young in a row"
    elif order.watched:
        # A connection that died unnoticed takes the answer with it: it is looked again, once.
        again = {} if order.cause is Cause.DUE else {"pending": True, "due": now + rule.absent, "why": _ABSENT}
        return Judgement(_settled(wake, sight, **again), Verdict.PUSH)
    else:
        absent_at = min(wake.parked, now) + rule.absent
        # There is nothing to look at later for a trigger that came in: it does not wait for the device.
        if order.folders and now < absent_at and wake.parked <= now + rule.absent:
            return _put_off(order, wake, Verdict.ABSENT, absent_at, now)
        reason = f"no park for {rule.absent} s"
    judged = _by_sms(order, wake, sight, spent, now)
    if not judged.guid:
        return judged
    reason = f"{reason}; {judged.reason}" if judged.reason else reason
    return evolve(judged, wake=evolve(judged.wake, way=Way.SMS), switched=True, reason=reason)


def _by_sms(order: Order, wake: Wake, sight: Sight, spent: Spent, now: int) -> Judgement:
    """The batching rule; then what stands against a trigger at this moment."""
    rule = order.rule
    guid = order.guid or wake.guid
    outstanding = wake.told == guid and rule.batch > 0
    if outstanding and now < wake.until <= now + rule.batch:
        return _batched(order, wake, sight, f"for {wake.until - now} s more")
    repeating = order.cause is Cause.DUE and wake.why == REPEAT
    if repeating and wake.repeats >= rule.repeats:
        return _batched(order, wake, sight, f"repeated {wake.repeats} times")
    if rule.quiet_until > now:
        if order.folders:
            return _put_off(order, wake, Verdict.QUIET, rule.quiet_until, now)
        # There is nothing to look at when the quiet hours end: the trigger itself waits.
        return _sent(order, wake, sight, Verdict.QUIET, guid, rule.quiet_until)
    limit, reason = _limit(rule, spent)
    if limit and order.folders:
        return evolve(_put_off(order, wake, Verdict.LIMIT, rule.tomorrow, now), limit=limit, reason=reason)
    if limit:
        waiting = _sent(order, wake, sight, Verdict.LIMIT, guid, max(rule.tomorrow, now))
        return evolve(waiting, limit=limit, reason=reason)
    verdict = Verdict.REPEATED if repeating else Verdict.SMS
    reason = f"no sync for {rule.batch} s after the last one" if outstanding else ""
    judged = _sent(order, wake, sight, verdict, guid, now)
    return evolve(judged, reason=reason) if reason else judged


def _batched(order: Order, wake: Wake, sight: Sight, reason: str) -> Judgement:
    """A trigger is outstanding, and stands for this change too."""
    if not order.folders:
        return Judgement(wake, Verdict.BATCHED, reason)
    more = wake.repeats < order.rule.repeats
    due = {"due": wake.until, "why": REPEAT} if more else {}
    return Judgement(_settled(wake, sight, pending=True, **due), Verdict.BATCHED, reason)


def _put_off(order: Order, wake: Wake, verdict: Verdict, until: int, now: int) -> Judgement:
    """Not now: decided again at that time, if there is something to look at then."""
    if not order.folders:
        return Judgement(wake, verdict)
    due = min(max(until, now + 1), now + LONGEST)
    repeating = order.cause is Cause.DUE and wake.why == REPEAT
    why = REPEAT if repeating else verdict.value
    return Judgement(evolve(wake, pending=True, due=due, why=why), verdict)


def _limit(rule: WakeRule, spent: Spent) -> tuple[str, str]:
    """The name of a limit that another trigger would exceed, and it in words; empty if none."""
    limits = rule.limits
    for name, count, most in (
        ("device", spent.device, limits.device),
        ("user", spent.user, limits.user),
        ("operator", spent.operator, limits.operator),
        ("total", spent.total, limits.total),
    ):
        if most and count >= most:
            return name, f"{count} of {most} a day for the {name}" if name != "total" else f"{count} of {most} a day"
    if limits.budget and spent.cost + rule.price > limits.budget:
        return "budget", f"{spent.cost:.2f} of {limits.budget:.2f} a day are spent"
    return "", ""


def _sent(order: Order, wake: Wake, sight: Sight, verdict: Verdict, guid: str, at: int) -> Judgement:
    """A trigger goes out at that time."""
    rule = order.rule
    until = at + rule.batch
    repeats = wake.repeats + 1 if verdict is Verdict.REPEATED else 0
    told: dict[str, Any] = {"told": guid, "until": until, "repeats": repeats}
    if not order.folders:
        return Judgement(evolve(wake, **told), verdict, guid=guid, due=at)
    again = {"due": until, "why": REPEAT} if rule.batch and repeats < rule.repeats else {}
    return Judgement(_settled(wake, sight, **told, **again), verdict, guid=guid, due=at)


def came(wake: Wake, guid: str, rule: WakeRule, now: int) -> Wake:
    """The device has synchronised; C{guid} is its next GUID if the last one was told.

    If a change was held back, it is looked a while after its last request whether the device still lacks something.
    """
    changes: dict[str, Any] = {}
    if wake.told == wake.guid:
        changes.update(guid=guid, repeats=0)
    if wake.pending:
        if not (wake.why == SETTLE and now + rule.settle // 2 < wake.due <= now + rule.settle):
            changes.update(due=now + max(1, rule.settle), why=SETTLE)
    elif wake.due:
        changes.update(due=0, why="")
    return evolve(wake, **changes) if changes else wake


def renewed(expires: int, lease: int, now: int) -> int:
    """When a lease expires once it is renewed; it is left alone as long as nearly all of it is left, or if it never
    expires."""
    if not lease or not expires:
        return 0
    return expires if now + lease * 9 // 10 <= expires <= now + lease else now + lease
