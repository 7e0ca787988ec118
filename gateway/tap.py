"""The twistd plugin: C{twistd -n pushgw --config DIR/pushgw.toml}."""

from __future__ import annotations

import resource
import sys
import time
from contextlib import suppress
from functools import partial

from twisted.application.service import IService
from twisted.internet import reactor
from twisted.python.usage import Options as BaseOptions
from twisted.python.usage import UsageError

from gateway import __version__
from gateway.config import Config, ConfigError, LogFormat, load
from gateway.service import GatewayService, JSONLogged


class Options(BaseOptions):
    """The options of the plugin."""

    optParameters = [["config", "c", "pushgw.toml", "The configuration file."]]

    def __init__(self) -> None:
        super().__init__()
        self.overrides: list[str] = []
        self.loaded: Config | None = None

    def opt_set(self, assignment: str) -> None:
        """Override one key for this run: section.key=value (VALUE in TOML; a bare word is a string)."""
        self.overrides.append(assignment)

    opt_s = opt_set

    def opt_version(self) -> None:
        """Print the version of pushgw and exit."""
        print(f"pushgw {__version__}")
        sys.exit(0)

    def postOptions(self) -> None:
        """Read the configuration while errors can still be told to whoever typed the command."""
        try:
            self.loaded = load(self["config"], self.overrides)
        except ConfigError as error:
            raise UsageError(str(error)) from error


def raise_file_limit() -> None:
    """Take as many connections as this process may: each parked device holds one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Where there is no hard limit, the kernel's own (fs.nr_open) may be lower than what is asked for.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def makeService(options: Options) -> IService:
    """Make the gateway's service from what was read."""
    # Deadlines must not follow somebody who sets the clock; nothing has been scheduled yet.
    reactor.seconds = time.monotonic  # type: ignore[method-assign]
    assert options.loaded is not None
    raise_file_limit()
    gateway = GatewayService(options.loaded, partial(load, options["config"], options.overrides), reactor)
    twistd = getattr(options, "parent", None)
    if options.loaded.log.format is not LogFormat.JSON or twistd is None:
        return gateway
    logged = JSONLogged(twistd.get("logfile"))
    gateway.setServiceParent(logged)
    return logged
