"""SMS: the line of a device, its operator, and what became of the last trigger."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gateway.admin.chain.finding import Finding, broken, good, note, span
from gateway.admin.facts import Facts
from gateway.trigger import DOUBTED_TWICE

#: So long may a letter wait for its operator.
STUCK = 600.0

#: Words about a trigger that nobody refused for good.
_GIVEN_UP = re.compile(r"after \d+ attempts|too (?:old|late)|^given up")


def line(facts: Facts) -> Iterator[Finding]:
    """Whether there is a number to send to, and somebody who takes it."""
    if facts.line is None:
        yield broken(
            "line", "no number is registered for the device", f"pushgw sms register {facts.user} DEVICE NUMBER"
        )
    elif facts.line.get("expires") and facts.line["expires"] <= facts.now:
        yield broken(
            "line",
            f"its lease lapsed {span(facts.now - facts.line['expires'])} ago, as the device has not synchronised",
            "Any sync of the device renews it; or register it anew",
        )
    elif not facts.route:
        yield broken("line", "no operator takes its number", "Name one: pushgw sms register USER DEVICE NUMBER NAME")
    else:
        yield good("line", f"registered with {facts.route}")


def operator(facts: Facts) -> Iterator[Finding]:
    """Whether the operator can be reached."""
    binds = [bind for bind in facts.binds if bind.route == facts.route]
    up = [bind for bind in binds if bind.up]
    refused = next((bind for bind in binds if bind.refused), None)
    if not facts.route:
        return
    if not binds:
        yield broken("operator", f"the gateway that runs has nothing that sends by {facts.route}", "pushgw reload")
    elif refused is not None:
        find = note if up else broken
        yield find(
            "operator",
            f"{refused.route} does not let us in{' everywhere' if up else ''}: {refused.trouble}",
            "See system_id, password and system_type (or user and password of the relay) with the operator",
        )
    elif not up:
        yield broken(
            "operator",
            f"{facts.route} cannot be reached: {binds[0].trouble or 'no connection'}",
            "See the endpoint, the firewall, and whether the operator lets this address in",
        )
    elif any(bind.throttled for bind in binds):
        yield broken(
            "operator",
            f"{facts.route} takes fewer messages than there are (throttled)",
            "Lower operators.NAME.rate to what was agreed, or agree on more",
        )
    else:
        yield good("operator", f"{len(up)} of {len(binds)} connections are up")


def queue(facts: Facts) -> Iterator[Finding]:
    """Whether letters for the operator wait too long."""
    if not facts.route:
        return
    waits = facts.waiting.get(facts.route, 0.0)
    if waits > STUCK:
        yield broken(
            "queue",
            f"the oldest letter for {facts.route} has been waiting for {span(waits)}",
            "pushgw outbox shows why; the log of the operator's connection says more",
        )
    else:
        yield good("queue", "nothing waits for long")


def delivery(facts: Facts) -> Iterator[Finding]:
    """What became of the last trigger."""
    if facts.refusal.startswith(DOUBTED_TWICE):
        yield broken(
            "delivery",
            f"the last trigger was given up, {facts.refusal}",
            "See in the log why the connection to the operator broke; the next change, or sms.repeats, sends another",
        )
    elif _GIVEN_UP.search(facts.refusal):
        yield broken(
            "delivery",
            f"the last trigger was given up: {facts.refusal}",
            "The operator did not take it in time: agree on a higher operators.NAME.rate, or see why it was away",
        )
    elif facts.refusal:
        yield broken(
            "delivery",
            f"the last trigger was refused: {facts.refusal}",
            "See the number (E.164 with its plus sign), and operators.NAME for prefixes, TON and NPI",
        )
    elif not facts.delivered:
        yield broken(
            "delivery",
            f"the last trigger did not reach the phone: {facts.receipt or 'the receipt does not say why'}",
            "The phone is off, has no network for longer than operators.NAME.validity_seconds, or has another number",
        )
    elif facts.late:
        yield broken(
            "delivery",
            f"a trigger was delivered {span(facts.late)} ago, and no sync followed",
            "The phone does not know the trigger's format (operators.NAME.trigger_format), or has no data connection",
        )
    elif facts.receipt:
        yield good("delivery", f"the last receipt: {facts.receipt}")
    elif facts.sent:
        yield note("delivery", "the operator has taken the last trigger, and no receipt has come for it")
    else:
        yield note("delivery", "no trigger has been sent yet")
