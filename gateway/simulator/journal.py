"""A log in the manner of the phone's own: what its control log and its Ping log would show."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from attrs import define
from zope.interface import implementer

from gateway.simulator import events
from gateway.simulator.line import Account

_Rest = (
    events.Connected
    | events.Provisioned
    | events.HierarchySynced
    | events.Hitch
    | events.Texted
    | events.NetworkChanged
    | events.Erased
    | events.Stepped
)


@implementer(events.IOnlooker)
@define(eq=False)
class Journal:
    """Writes one line for each event; C{wall} tells the time in seconds since the epoch."""

    _write: Callable[[str], object]
    _wall: Callable[[], float]

    def happened(self, account: Account, event: events.Event) -> None:
        """Write the event down."""
        now = datetime.fromtimestamp(self._wall()).astimezone()
        self._write(f"{now:%H:%M:%S}.{now.microsecond // 1000:03} {account.device_id} {describe(event)}")


def describe(event: events.Event) -> str:
    """An event in one line, without the time."""
    match event:
        case events.Parked():
            body = "empty request" if event.empty else f"{event.folders} folder(s)"
            return f"CPingEngine Ping heartbeat = {event.heartbeat} s, {body}; KeepAwake Off"
        case events.PingAnswered():
            folders = f", folders {' '.join(event.folders)}" if event.folders else ""
            return f"KeepAwake On; CPingEngine Ping status = {event.status} after {event.waited:.1f} s{folders}"
        case events.HeartbeatMoved():
            settled = ", settled" if event.settled else ""
            return f"CPingEngine heartbeat {event.before} s -> {event.after} s{settled}"
        case events.Woken():
            return _woken(event)
        case events.FolderSynced():
            news = event.news
            counts = f"+{len(news.added)} ~{len(news.changed)} -{len(news.deleted)}"
            return f"CSyncEngine {event.name}: {counts}{', more to come' if news.more else ''}"
        case _:
            return _describe_rest(event)


def _describe_rest(event: _Rest) -> str:
    match event:
        case events.Connected():
            return f"COptions protocol version {event.version} of {','.join(event.offered)}"
        case events.Provisioned():
            return f"CProvision policy key {event.key}" if event.key else "CProvision no policy for this phone"
        case events.HierarchySynced():
            return f"CFolderSync {event.folders} folder(s), {'changed' if event.changed else 'as before'}"
        case events.Hitch():
            return f"CRetry {event.why}; again {f'in {event.wait:.1f} s' if event.wait else 'at once'}"
        case events.Texted():
            what = f"trigger {event.guid}" if event.guid else "no trigger"
            return f"CSms {what}: {'synchronise' if event.news else 'ignored'}"
        case events.NetworkChanged():
            return "CConnection network changed, heartbeats begin anew"
        case events.Erased():
            return f"CProvision {event.kind}: acknowledged, everything erased"
        case events.Stepped():
            return _stepped(event)


def _stepped(event: events.Stepped) -> str:
    begin = f"CScript {event.number}/{event.steps} {event.name}{event.about and f' {event.about}'}"
    if event.background:
        return f"{begin}: in the background"
    answer = [f"HTTP {event.http}"] if event.http else []
    answer += [f"status {event.status}"] if event.http == 200 and event.status else []
    if event.added or event.changed or event.deleted:
        answer.append(f"+{event.added} ~{event.changed} -{event.deleted}")
    failed = f"; FAILED: {'; '.join(event.wrong)}" if event.wrong else ""
    return f"{begin}: {', '.join([*answer, f'{event.seconds:.3f} s'])}{failed}"


def _woken(event: events.Woken) -> str:
    latency = "unknown" if event.latency is None else f"{event.latency:.3f} s"
    counts = f"{event.added} new, {event.changed} changed, {event.deleted} gone"
    return f"woken after {event.waited:.1f} s: {', '.join(event.folders) or 'nothing'} ({counts}), latency {latency}"
