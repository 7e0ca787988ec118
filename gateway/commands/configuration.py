"""C{pushgw config}: is the file right, what is in force, what could be in it; and C{pushgw reload}."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.commands.gateway_socket import Declined, GatewaySocket, NotRunning
from gateway.commands.options import config_option, read_config
from gateway.config import render_sample, show


@click.group()
def config() -> None:
    """Check and show the configuration."""


@config.command()
@config_option
def check(file: Path) -> None:
    """Say whether the file is right."""
    read_config(file)
    click.echo(f"{file}: right")


@config.command("show")
@config_option
def show_values(file: Path) -> None:
    """Print all values in force, and which of them are defaults."""
    click.echo(show(read_config(file)), nl=False)


@config.command()
@config_option
def sample(file: Path) -> None:
    """Print a sample file with every key and its default."""
    del file
    click.echo(render_sample(), nl=False)


@click.command()
@config_option
def reload(file: Path) -> None:
    """Have the running gateway read configuration, accounts and certificates again."""
    try:
        wrong = GatewaySocket(read_config(file).admin.socket).ask("reload")["error"]
    except NotRunning as error:
        raise click.ClickException(f"no gateway is running (nobody listens on {error})") from error
    except Declined as error:
        raise click.ClickException(str(error)) from error
    if wrong:
        raise click.ClickException(f"the gateway keeps what it had: {wrong}")
    click.echo("Reloaded.")
