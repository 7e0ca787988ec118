"""What several commands take: the configuration file, and a password on standard input."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gateway.config import Config, ConfigError, load

config_option = click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path),
    default="pushgw.toml",
    show_default=True,
    help="The configuration file.",
)

password_stdin_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from the first line of standard input."
)


def read_config(file: Path) -> Config:
    """The configuration, or an error that the command line prints."""
    try:
        return load(file)
    except ConfigError as error:
        raise click.ClickException(str(error)) from error


def read_password() -> str:
    """The first line of standard input, or an error that the command line prints."""
    try:
        return sys.stdin.buffer.readline().decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise click.ClickException("the password is not UTF-8") from error
