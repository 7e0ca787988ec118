"""C{pushgw}: the commands of operators, and of who wants to try the gateway."""

from __future__ import annotations

import click

from gateway import __version__
from gateway.commands.accounts import user
from gateway.commands.compare import compare_command
from gateway.commands.configuration import config, reload
from gateway.commands.demo import demo
from gateway.commands.device import device
from gateway.commands.devices import devices, forget, wipe
from gateway.commands.doctor import doctor
from gateway.commands.history import outbox, trace
from gateway.commands.initial import init
from gateway.commands.modes import mode
from gateway.commands.rehearse import rehearse
from gateway.commands.sms import sms


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pushgw")
def main() -> None:
    """Instant mail for phones: Exchange ActiveSync Direct Push over a folder of Maildirs.

    The gateway itself is run by twistd: twistd -n pushgw --config DIR/pushgw.toml
    """


for command in (init, user, config, reload, devices, wipe, forget, mode, sms, trace, outbox, doctor, device, demo):
    main.add_command(command)
for command in (rehearse, compare_command):
    main.add_command(command)
