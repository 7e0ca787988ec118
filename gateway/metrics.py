"""Counters in the form that Prometheus reads."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from gateway.model import Ending

LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)
HEARTBEAT_BUCKETS = (60, 120, 240, 480, 540, 780, 900, 1080, 1380, 1680, 2700, 3540)


def _registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    for collector in (GCCollector, PlatformCollector, ProcessCollector):
        collector(registry=registry)
    return registry


@define(eq=False)
class Metrics:
    """The gateway's own counters beside those of the process; nothing is counted before it exists."""

    registry: CollectorRegistry = field(factory=_registry)
    endings: Counter = field(init=False)
    requests: Counter = field(init=False)
    seconds: Histogram = field(init=False)
    latency: Histogram = field(init=False)
    heartbeats: Histogram = field(init=False)
    changes: Counter = field(init=False)
    decisions: Counter = field(init=False)
    letters: Counter = field(init=False)
    alarms: Counter = field(init=False)
    submits: Counter = field(init=False)
    throttled: Counter = field(init=False)
    receipts: Counter = field(init=False)
    submit_seconds: Histogram = field(init=False)
    binds: Gauge = field(init=False)
    door: Counter = field(init=False)
    hops_lost: Counter = field(init=False)
    kept_out: Counter = field(init=False)
    recycled: Counter = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Register everything under the names that the reference lists."""
        disable_created_metrics()
        to = self.registry
        self.endings = Counter("pushgw_watch_endings", "Watches that ended, by ending", ["ending"], registry=to)
        for ending in Ending:
            self.endings.labels(ending.value)
        self.requests = Counter(
            "pushgw_requests",
            "Device requests, by command, HTTP and EAS status",
            ["cmd", "http", "status"],
            registry=to,
        )
        self.seconds = Histogram("pushgw_request_seconds", "Time to answer, but for Ping", ["cmd"], registry=to)
        self.latency = Histogram(
            "pushgw_change_to_answer_seconds",
            "From the Change to the Ping answer that tells of it",
            buckets=LATENCY_BUCKETS,
            registry=to,
        )
        self.heartbeats = Histogram(
            "pushgw_heartbeat_seconds", "Intervals of accepted Pings", buckets=HEARTBEAT_BUCKETS, registry=to
        )
        self.changes = Counter("pushgw_changes", "Changes reported to the switchboard", registry=to)
        self.decisions = Counter(
            "pushgw_trigger_decisions", "Decisions about devices with a line, by verdict", ["verdict"], registry=to
        )
        self.letters = Counter(
            "pushgw_letters", "What became of triggers and mails, by route and state", ["route", "state"], registry=to
        )
        self.alarms = Counter("pushgw_trigger_alarms", "Alarms about triggers, by kind", ["kind"], registry=to)
        for kind in ("late", "lease", "limit", "operator"):
            self.alarms.labels(kind)
        self.hops_lost = Counter("pushgw_trace_lost", "Hops of the trace that could not be written", registry=to)
        self.kept_out = Counter(
            "pushgw_devices_kept_out", "Devices that were not let in, by what keeps them out", ["access"], registry=to
        )
        for access in ("quarantine", "block", "limit"):
            self.kept_out.labels(access)
        self.recycled = Counter("pushgw_devices_recycled", "Devices forgotten to make room for others", registry=to)
        self.submits = Counter("pushgw_submits", "Submits by SMPP, by result", ["operator", "result"], registry=to)
        self.throttled = Counter(
            "pushgw_throttled", "Answers that it was too much for the SMSC", ["operator"], registry=to
        )
        self.receipts = Counter("pushgw_receipts", "Delivery receipts, by state", ["operator", "state"], registry=to)
        self.submit_seconds = Histogram(
            "pushgw_submit_seconds", "From a submit to its answer", ["operator"], registry=to
        )
        self.binds = Gauge("pushgw_binds", "SMPP sessions that are bound", ["operator"], registry=to)
        self.door = Counter(
            "pushgw_door_triggers",
            "Triggers of older servers, by operator and result",
            ["operator", "result"],
            registry=to,
        )

    def gauge(self, name: str, help_text: str, value: Callable[[], float]) -> None:
        """A number that is asked for when somebody looks."""
        Gauge(name, help_text, registry=self.registry).set_function(value)

    def render(self) -> bytes:
        """Everything in the text exposition format."""
        return generate_latest(self.registry)
