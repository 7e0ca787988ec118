"""C{pushgw user}: who may come in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from argon2 import PasswordHasher
from attrs import evolve

from gateway.commands.options import config_option, password_stdin_option, read_config, read_password
from gateway.config import Config
from gateway.cred.accounts import Account, BadAccounts, load_accounts
from gateway.cred.editing import add_account, change_account
from gateway.cred.names import BadName, normal_name
from gateway.cred.passwords import BadPassword, hashed


@click.group()
def user() -> None:
    """Manage accounts. A running gateway notices changes by itself."""


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what can be wrong into an error that the command line prints."""
    try:
        yield
    except (BadAccounts, BadName, BadPassword) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from error


def _ask() -> str:
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt="The same again")
    return password


def _hash(hasher: PasswordHasher | None, password_stdin: bool) -> str:
    return hashed(read_password() if password_stdin else _ask(), hasher or PasswordHasher())


def _addresses(name: str, config: Config) -> str:
    return name if "@" in name else " and ".join(f"{name}@{domain}" for domain in config.smtp.domains)


def _change(file: Path, name: str, change: Callable[[Account], Account | None]) -> str:
    """Change an account; its name as it is written."""
    normal = normal_name(name)
    change_account(read_config(file).data.accounts, normal, change)
    return normal


@user.command()
@click.argument("name")
@config_option
@password_stdin_option
@click.pass_obj
def add(hasher: PasswordHasher | None, name: str, file: Path, password_stdin: bool) -> None:
    """Add an account.

    NAME is a name such as ann, or a whole address such as ann@example.org.
    """
    config = read_config(file)
    with _explained():
        normal = normal_name(name)
        add_account(config.data.accounts, Account(normal, _hash(hasher, password_stdin)))
    click.echo(f"Added {normal}. Mail for {_addresses(normal, config)} comes to {config.data.mail / normal}")


@user.command()
@click.argument("name")
@config_option
@password_stdin_option
@click.pass_obj
def password(hasher: PasswordHasher | None, name: str, file: Path, password_stdin: bool) -> None:
    """Set the password of an account."""
    with _explained():
        accounts = load_accounts(read_config(file).data.accounts)[0]
        if normal_name(name) not in accounts:
            raise BadAccounts(f"there is no account {normal_name(name)}")
        stored = _hash(hasher, password_stdin)
        normal = _change(file, name, lambda account: evolve(account, stored=stored))
    click.echo(f"{normal} has a new password; devices with the old one are refused")


@user.command()
@click.argument("name")
@config_option
def remove(name: str, file: Path) -> None:
    """Remove an account; its mail stays."""
    with _explained():
        normal = _change(file, name, lambda account: None)
    click.echo(f"Removed {normal}. The mail is still in {read_config(file).data.mail / normal}")


@user.command()
@click.argument("name")
@config_option
def disable(name: str, file: Path) -> None:
    """Keep an account from coming in and from getting mail."""
    with _explained():
        normal = _change(file, name, lambda account: evolve(account, disabled=True))
    click.echo(f"{normal} is disabled: no device comes in, and mail is refused")


@user.command()
@click.argument("name")
@config_option
def enable(name: str, file: Path) -> None:
    """Let an account that was disabled come in again."""
    with _explained():
        normal = _change(file, name, lambda account: evolve(account, disabled=False))
    click.echo(f"{normal} is enabled")


@user.command("list")
@config_option
def list_accounts(file: Path) -> None:
    """List the accounts."""
    with _explained():
        accounts = load_accounts(read_config(file).data.accounts)[0]
    for name, account in sorted(accounts.items()):
        click.echo(f"{name}  disabled" if account.disabled else name)
