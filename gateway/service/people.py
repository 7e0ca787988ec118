"""Finding people: the directory of a gateway, and the commands that look into it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from gateway.config import Config
from gateway.cred.accounts import Accounts
from gateway.cred.addresses import AddressBook, read_pictures
from gateway.eas import find, searching
from gateway.eas.call import Command
from gateway.eas.finding import Searcher
from gateway.eas.gal import GalSearcher, Pictures


def make_addresses(config: Config, accounts: Accounts, reactor: Any, run: Any) -> AddressBook:
    """Who can be found: those with an account, and those in the address file."""
    return AddressBook(accounts, config.smtp.domains, config.directory.file, reactor, run)


def apply_addresses(addresses: AddressBook, config: Config) -> None:
    """Put changed settings in force."""
    addresses.path, addresses.domains = config.directory.file, config.smtp.domains
    addresses.refresh()


def search_commands(
    addresses: AddressBook, run: Any, mails: Mapping[str, Searcher], found: Mapping[str, Searcher]
) -> dict[str, Command]:
    """Search and Find; C{mails} and C{found} are their searchers besides that of people."""
    pictures: Pictures = partial(run, read_pictures)
    people = {page: GalSearcher(page, addresses.directory, pictures) for page in ("Search", "Find")}
    return {
        "Search": searching.Search({searching.GAL: people["Search"], **mails}),
        "Find": find.Find({find.GAL: people["Find"], **found}),
    }
