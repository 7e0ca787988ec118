"""C{pushgw demo}: the whole story on the embedded default, told as it happens: Direct Push, SMS, and the way from
one to the other."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.ssl import Certificate
from twisted.internet.task import deferLater, react
from twisted.internet.threads import deferToThread

from gateway.commands.staging import LOOPBACK, DemoFailed, Gateway, Story, Waiting, run_pushgw, send_mail
from gateway.simulator import events
from gateway.simulator.autdv1 import TextedDevice
from gateway.simulator.connection import Connections, HTTPLine, Route
from gateway.simulator.device import Device, Outcome
from gateway.simulator.heartbeat import Heartbeat, HeartbeatSet
from gateway.simulator.line import Account
from gateway.simulator.shortmessage import ShortMessage
from gateway.simulator.smsc import Smsc
from gateway.simulator.terms import Terms
from gateway.simulator.trust import Trust

PASSWORD = "correct horse battery staple"  # noqa: S105 (everybody may know it)
ANN, BOB = Account("ann", PASSWORD, "DEMOPHONE1"), Account("bob", PASSWORD, "DEMOPHONE2")
NUMBER = "+491701234567"
HEARTBEAT = 4
PAGE = Path("demo") / "rehearsal.html"
SETTINGS = """
[operators.demo]
smpp = ["tcp:127.0.0.1:{port}"]
system_id = "pushgw"
password = "secret"
price = 0.08

[users.bob]
mode = "sms"
"""


@define(eq=False)
class Cast:
    """Everybody in the story: the gateway and where it listens, the operator's SMSC, and two phones with who watches
    each of them."""

    reactor: Any
    story: Story
    gateway: Gateway
    smtp: str = ""
    https: str = ""
    texted: TextedDevice | None = None
    ann: Waiting = field(init=False)
    bob: Waiting = field(init=False)
    connections: list[Connections] = field(init=False, factory=list)

    def __attrs_post_init__(self) -> None:
        self.ann, self.bob = Waiting(self.reactor), Waiting(self.reactor)

    def receive(self, message: ShortMessage) -> None:
        """The operator brings an SMS to the second phone."""
        self.story.tell(f"operator: SMS to {NUMBER}: {message.text}")
        if self.texted is not None:
            self.texted.receive(message)

    def line(self, account: Account) -> HTTPLine:
        """How a phone reaches the gateway."""
        trust = Trust([Certificate.loadPEM((self.gateway.folder / "certificate.pem").read_bytes())])
        connections = Connections(Route(self.reactor, trust))
        self.connections.append(connections)
        return HTTPLine(account, f"https://{self.https}/Microsoft-Server-ActiveSync", connections.agent, self.reactor)

    def pinging(self, account: Account, waiting: Waiting) -> Deferred[Outcome | None]:
        """Switch a phone on that parks Pings; its life."""
        phone = Device(account, self.line(account), self.reactor, waiting, Heartbeat(HeartbeatSet.fixed(HEARTBEAT)))
        return phone.start().addErrback(waiting.over)


async def _opening(cast: Cast) -> Any:
    """The operator, the gateway and the accounts; the port of the SMSC."""
    smsc = Smsc(cast.reactor, cast.receive, Terms(accounts={"pushgw": "secret"}, delay=0.2, errors={}, undelivered=()))
    port = await serverFromString(cast.reactor, LOOPBACK).listen(smsc)
    settings = SETTINGS.format(port=port.getHost().port)
    await deferToThread(cast.gateway.make, {"ann": PASSWORD, "bob": PASSWORD}, settings)
    cast.story.tell("administrator: pushgw init, pushgw user add ann and bob; bob's devices are woken by SMS")
    listening = await deferToThread(cast.gateway.start)
    cast.https, cast.smtp = listening["https"][0], listening["smtp"][0]
    cast.story.tell(f"administrator: twistd -n pushgw is ready, HTTPS {cast.https}, SMTP {cast.smtp}")
    return port


async def _bob_registers(cast: Cast) -> Deferred[Any]:
    cast.texted = TextedDevice(BOB, cast.line(BOB), cast.reactor, cast.bob, coalesce=0.5, schedule=None)
    life = cast.texted.start().addErrback(cast.bob.over)
    await cast.bob.next("bob's first Sync", lambda event: isinstance(event, events.FolderSynced))
    await deferToThread(cast.gateway.command, "sms", "register", BOB.user, BOB.device_id, NUMBER)
    cast.story.tell(f"administrator: pushgw sms register bob {BOB.device_id} {NUMBER}")
    return life


async def _one_mail(cast: Cast) -> None:
    """The same mail wakes one phone by Direct Push and the other by SMS."""
    story = cast.story
    await cast.ann.next("ann's phone to park", lambda event: isinstance(event, events.Parked))
    story.tell(f"ann's phone: Ping parked, heartbeat {HEARTBEAT} s")
    await deferToThread(send_mail, cast.smtp, ["ann", "bob"], f"Good news sent={time.time():.6f}")
    story.tell("one mail to ann and bob handed over by SMTP (250: it is on the disk)")
    answer = await cast.ann.next("Status 2", lambda e: isinstance(e, events.PingAnswered) and e.status == 2)
    story.tell(f"ann's phone: Ping answered with Status 2 after {answer.waited:.3f} s")
    _told(story, "ann", await cast.ann.next("ann's Sync", lambda event: isinstance(event, events.Woken)))
    await cast.bob.next("the SMS", lambda event: isinstance(event, events.Texted) and event.news)
    _told(story, "bob", await cast.bob.next("bob's Sync", lambda event: isinstance(event, events.Woken)))


def _told(story: Story, name: str, woken: events.Woken) -> None:
    if woken.added != 1 or woken.latency is None:
        raise DemoFailed(f"{name}'s Sync brought {woken.added} mails")
    story.tell(f"{name}'s phone: Sync brought the mail; from sending to here {woken.latency * 1000:.0f} ms")


async def _expiry(cast: Cast) -> None:
    await cast.ann.next("ann's phone to park again", lambda event: isinstance(event, events.Parked))
    cast.story.tell("ann's phone: next Ping parked; now nothing happens for a while")
    answer = await cast.ann.next("Status 1", lambda event: isinstance(event, events.PingAnswered))
    if answer.status != 1:
        raise DemoFailed(f"the Ping was answered with Status {answer.status}")
    cast.story.tell(f"ann's phone: heartbeat over after {answer.waited:.3f} s, Status 1")


async def _moved(cast: Cast, life: Deferred[Any]) -> Deferred[Outcome | None]:
    """The second user moves over to Direct Push."""
    story, waiting = cast.story, Waiting(cast.reactor)
    assert cast.texted is not None
    cast.texted.stop()
    await life
    await deferToThread(cast.gateway.command, "mode", "bob", "direct-push")
    story.tell("administrator: pushgw mode bob direct-push")
    moved = cast.pinging(BOB, waiting)
    await waiting.next("bob's phone to park", lambda event: isinstance(event, events.Parked))
    await deferToThread(send_mail, cast.smtp, ["bob"], f"Better news sent={time.time():.6f}")
    await waiting.next("Status 2", lambda e: isinstance(e, events.PingAnswered) and e.status == 2)
    story.tell("bob's phone: the next mail comes by Direct Push, and no SMS is paid for")
    return moved


async def _wipe(cast: Cast, life: Deferred[Outcome | None]) -> None:
    await cast.ann.next("ann's phone to park again", lambda event: isinstance(event, events.Parked))
    await deferToThread(cast.gateway.command, "wipe", ANN.user, ANN.device_id)
    cast.story.tell("administrator: pushgw wipe; the parked Ping ends")
    await cast.ann.next("the wipe", lambda event: isinstance(event, events.Erased))
    if await life is not Outcome.WIPED:
        raise DemoFailed("the phone lives on")
    cast.story.tell("ann's phone: fetched the wipe, acknowledged it and erased itself")


async def _story(cast: Cast) -> None:
    port = await _opening(cast)
    life = cast.pinging(ANN, cast.ann)
    connected = await cast.ann.next("OPTIONS", lambda event: isinstance(event, events.Connected))
    cast.story.tell(f"ann's phone: OPTIONS, speaks {connected.version}; FolderSync, first Sync")
    texted = await _bob_registers(cast)
    await _one_mail(cast)
    await _expiry(cast)
    await _moved(cast, texted)
    await _wipe(cast, life)
    for connections in cast.connections:
        await connections.close()
    await port.stopListening()
    await deferLater(cast.reactor, 0.1)


def _rehearse(story: Story) -> None:
    """What such a move would do to a small fleet, on paper."""
    PAGE.parent.mkdir(exist_ok=True)
    run_pushgw("rehearse", "--users", "4", "--days", "2", "--seed", "demo", "--html", str(PAGE))
    story.tell(f"administrator: pushgw rehearse: what each mode would do to a small fleet is drawn in {PAGE}")


@click.command()
def demo() -> None:
    """Run the whole story on the embedded default and print what happened, with timings."""
    story = Story()
    with TemporaryDirectory(prefix="pushgw demo ") as folder:
        gateway = Gateway(Path(folder) / "data")
        failed: list[str] = []

        async def play(reactor: Any) -> None:
            try:
                await _story(Cast(reactor, story, gateway))
            except DemoFailed as error:
                failed.append(str(error))

        try:
            react(lambda reactor: Deferred.fromCoroutine(play(reactor)))
        except SystemExit:
            pass
        finally:
            seconds = gateway.stop()
        story.tell(f"administrator: SIGTERM, the gateway is gone after {seconds:.1f} s")
    if failed:
        raise click.ClickException(failed[0])
    _rehearse(story)
    click.echo("\nThat was pushgw. Your own: pushgw init DIR, then what it tells you; see docs/tutorial.md.")
