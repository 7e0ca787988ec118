"""Who is safe to move, as the configuration or the options of a command say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from gateway.config import Config
from gateway.rehearsal.criteria import Criteria

_OPTIONS = (
    click.option("--late", type=click.FloatRange(1), help="In place of moving.late_seconds."),
    click.option("--safe-p95", type=click.FloatRange(0), help="In place of moving.p95_seconds."),
    click.option("--safe-late", type=click.FloatRange(0, 1), help="In place of moving.late_share."),
    click.option("--safe-heartbeat", type=click.IntRange(0), help="In place of moving.heartbeat."),
    click.option("--safe-changes", type=click.IntRange(0), help="In place of moving.changes."),
)


def criteria_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say who is safe to move."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def criteria(options: Mapping[str, Any], config: Config | None) -> Criteria:
    """What these options say, and of what they do not say what is configured."""
    moving = (config or Config()).moving

    def chosen(name: str, configured: float) -> Any:
        return configured if options[name] is None else options[name]

    return Criteria(
        p95=chosen("safe_p95", moving.p95_seconds),
        late=chosen("late", moving.late_seconds),
        late_most=chosen("safe_late", moving.late_share),
        heartbeat=chosen("safe_heartbeat", moving.heartbeat),
        changes=chosen("safe_changes", moving.changes),
    )
