"""C{pushgw device}: a simulated phone against any Exchange ActiveSync server."""

from __future__ import annotations

import getpass
import hashlib
import re
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import click
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.web.iweb import IPolicyForHTTPS

from gateway.commands.options import password_stdin_option, read_password
from gateway.commands.phone import Settings, Short, run
from gateway.commands.scripting import load_script, play
from gateway.commands.texting import Texting, digits
from gateway.simulator.collection import SyncWishes
from gateway.simulator.device import Outcome
from gateway.simulator.errors import GivenUp
from gateway.simulator.heartbeat import PHONES, WORKED_EXAMPLE, HeartbeatSet
from gateway.simulator.line import VERSIONS, Account
from gateway.simulator.memory import MemoryFile
from gateway.simulator.network import Carrier, seconds
from gateway.simulator.query import endpoint_url
from gateway.simulator.synchroniser import Habits
from gateway.simulator.trust import Trust, TrustAnyone

#: What the life of a phone goes by, and a script does not.
_LIFE = (
    *("folders", "heartbeat_set", "wakeups", "state", "mode", "sms_listen", "number", "coalesce", "schedule", "brief"),
    *("hang", "filter_type"),
)
#: The exit status of a command that a signal has stopped.
INTERRUPTED = 130
_DEVICE_ID = re.compile(r"[A-Za-z0-9]{1,32}")
_DEVICE_TYPE = re.compile(r"[!-~]{1,64}")


class _Converted(click.ParamType[Any]):
    """A parameter read by a function that raises C{ValueError} for what it cannot read."""

    def __init__(self, name: str, convert: Callable[[str], Any]) -> None:
        self.name = name
        self._convert = convert

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """What the function makes of the text."""
        try:
            return self._convert(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _heartbeats(text: str) -> HeartbeatSet:
    if text.isdecimal() and 0 < int(text) <= 3540:
        return HeartbeatSet.fixed(int(text))
    try:
        return {"phones": PHONES, "worked-example": WORKED_EXAMPLE}[text]
    except KeyError:
        raise ValueError(f"{text!r} is neither phones nor worked-example nor 1 to 3540 seconds") from None


def _matching(pattern: re.Pattern[str], what: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(f"{text!r} is not {what}")
        return text

    return check


def _schedule(text: str) -> float:
    """A time, or 0 for C{never}: a value of C{None} would not be converted."""
    return 0.0 if text == "never" else seconds(text)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"{text!r} is not NAME=VALUE")
    return name, value


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise ValueError("name at least one folder")
    return names


@click.command()
@click.argument("url", type=_Converted("url", endpoint_url))
@click.option("--user", required=True, help="The account to sign in with.")
@password_stdin_option
@click.option("--password-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Read it there.")
@click.option(
    "--device-id",
    type=_Converted("id", _matching(_DEVICE_ID, "1 to 32 letters and digits")),
    help="Which phone it is; by default one that belongs to user and server.",
)
@click.option(
    "--type",
    "device_type",
    type=_Converted("type", _matching(_DEVICE_TYPE, "a word of printable characters")),
    default="PushgwDevice",
    show_default=True,
)
@click.option("--version", type=click.Choice(VERSIONS), help="Speak this version; by default the highest of both.")
@click.option("--folders", type=_Converted("names", _names), default="Inbox", show_default=True, help="* means all.")
@click.option(
    "--heartbeat-set",
    type=_Converted("set", _heartbeats),
    default="phones",
    show_default=True,
    help="phones, worked-example, or one heartbeat in seconds.",
)
@click.option("--wakeups", type=click.IntRange(1), help="Stop after this many wake-ups.")
@click.option("--duration", type=_Converted("time", seconds), help="Stop after this time (90, 13m, 2h).")
@click.option("--state", type=click.Path(dir_okay=False, path_type=Path), help="Go on from, and keep, this file.")
@click.option(
    "--network",
    type=_Converted("carrier", Carrier.parse),
    help="A network that drops: idle=13m,mode=silent|reset,loss=TIME,change=TIME.",
)
@click.option("--insecure", is_flag=True, help="Believe any certificate.")
@click.option("--ca", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Believe this PEM file.")
@click.option("--query", type=click.Choice(("plain", "base64")), default="plain", show_default=True)
@click.option(
    "--mode",
    type=click.Choice(("direct-push", "sms")),
    default="direct-push",
    show_default=True,
    help="How the phone is woken.",
)
@click.option(
    "--sms-listen",
    metavar="ENDPOINT",
    help="Be the SMSC of this phone there, for mode sms (tcp:2775:interface=127.0.0.1).",
)
@click.option("--number", type=_Converted("number", digits), help="The phone's own; by default any.")
@click.option(
    "--coalesce",
    type=_Converted("time", seconds),
    default="3m",
    show_default=True,
    help="In mode sms, wait so long after a trigger for others.",
)
@click.option(
    "--schedule",
    type=_Converted("time", _schedule),
    default="15m",
    show_default=True,
    help="In mode sms, synchronise so often anyway; or never.",
)
@click.option("--brief", is_flag=True, help="Send an empty Ping when nothing is different from the last one.")
@click.option("--hang", is_flag=True, help="Have a Sync hang instead of a Ping (12.1 and later).")
@click.option("--filter", "filter_type", type=click.IntRange(0, 5), default=0, help="FilterType for mail; 0 means all.")
@click.option(
    "--script",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Do what this file says, step by step, and nothing else.",
)
@click.option("--set", "values", type=_Converted("pair", _pair), multiple=True, help="NAME=VALUE for the script.")
@click.option("--json", "as_json", is_flag=True, help="Print every event as one line of JSON.")
@click.option("-v", "--verbose", is_flag=True, help="Keep a log like the phone's own on standard error.")
def device(**options: Any) -> None:
    """A simulated phone against any Exchange ActiveSync server at URL (host, host:port or https://host/path).

    It provisions when asked, synchronises the folders, parks a Ping (or in mode sms waits for an SMS, and for the
    time to synchronise anyway) and prints each wake-up with its latency: the time from when the mail was sent (the
    server's whole second, or exactly if the subject holds sent=UNIXTIME) to the end of the Sync. Exit status: 0 when
    all went as asked, 1 after an error or too few wake-ups, 3 after a wipe, 130 when interrupted.

    With --script it does the steps of that file instead, and prints a line for each. Exit status: 0 when every answer
    was as expected, 1 when one was not, 2 for a script that is wrong.
    """
    life = _life(options)
    from twisted.internet import reactor

    sys.exit(_result(life, reactor))


def _life(options: dict[str, Any]) -> Callable[[Any], Coroutine[Any, Any, Outcome]]:
    """What the phone does, given the reactor."""
    if options["script"] is None:
        if options["values"]:
            raise click.UsageError("--set is for --script")
        return partial(run, _settings(options))
    context = click.get_current_context()
    chosen = click.core.ParameterSource.COMMANDLINE
    for param in context.command.params:
        if param.name in _LIFE and context.get_parameter_source(param.name) is chosen:
            raise click.UsageError(f"{param.opts[0]} has no meaning with --script: the steps say all that is done")
    script = load_script(options["script"], options["version"], dict(options["values"]))
    return partial(play, _settings({**options, "version": script.version}), script)


def _result(life: Callable[[Any], Coroutine[Any, Any, Outcome]], reactor: Any) -> int:
    """Run the reactor until the phone is through; the exit status."""
    results: list[Any] = []
    phone = Deferred.fromCoroutine(life(reactor))
    phone.addBoth(results.append)
    phone.addCallback(lambda _: reactor.running and reactor.stop())
    if not results:
        reactor.run()
    if not results:
        return INTERRUPTED
    outcome = results[0]
    if isinstance(outcome, Outcome):
        return 3 if outcome is Outcome.WIPED else 0
    if outcome.check(GivenUp, Short, ValueError, OSError, CannotListenError):
        raise click.ClickException(outcome.getErrorMessage())
    raise outcome.value


def _settings(options: dict[str, Any]) -> Settings:
    if options["version"] and options["query"] == "base64" and options["version"] in ("2.5", "12.0"):
        raise click.UsageError("the base64 query begins with version 12.1")
    user = options["user"]
    identity = hashlib.sha256(f"{user} {options['url']}".encode()).hexdigest()[:16].upper()
    account = Account(user, _password(options), options["device_id"] or f"SIM{identity}", options["device_type"])
    return Settings(
        url=options["url"],
        account=account,
        habits=Habits(
            folders=options["folders"],
            version=options["version"],
            wishes=SyncWishes(filter=options["filter_type"]),
            brief=options["brief"],
            hang=options["hang"],
        ),
        heartbeats=options["heartbeat_set"],
        trust=_trust(options),
        compact=options["query"] == "base64",
        carrier=options["network"],
        texting=_texting(options),
        wakeups=options["wakeups"],
        duration=options["duration"],
        state=MemoryFile(options["state"]) if options["state"] else None,
        as_json=options["as_json"],
        verbose=options["verbose"],
    )


def _texting(options: dict[str, Any]) -> Texting | None:
    if (options["mode"] == "sms") != bool(options["sms_listen"]):
        raise click.UsageError("--mode sms and --sms-listen belong together")
    if options["mode"] != "sms":
        return None
    return Texting(options["sms_listen"], options["number"] or "", options["coalesce"], options["schedule"] or None)


def _trust(options: dict[str, Any]) -> IPolicyForHTTPS:
    if options["insecure"]:
        if options["ca"]:
            raise click.UsageError("--insecure believes everybody: --ca has no use beside it")
        return TrustAnyone()
    if not options["ca"]:
        return Trust()
    try:
        return Trust.from_file(options["ca"])
    except (OSError, ValueError) as error:
        raise click.BadParameter(str(error), param_hint="--ca") from error


def _password(options: dict[str, Any]) -> str:
    if options["password_stdin"] and options["password_file"]:
        raise click.UsageError("give --password-stdin or --password-file, not both")
    if options["password_stdin"]:
        return read_password()
    if options["password_file"]:
        lines = options["password_file"].read_text("utf-8").splitlines()
        return str(lines[0]) if lines else ""
    return getpass.getpass()
