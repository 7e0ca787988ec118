"""For whom a mail is: the account of a recipient's address, or why it is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from attrs import define, field

from gateway.interfaces import IAccounts


class NotHere(Exception):
    """The recipient is refused; C{code} and C{status} are those of the answer (RFC 5321 4.2, RFC 3463)."""

    def __init__(self, code: int, status: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.status = status
        self.text = text


def _lower(domains: Iterable[str]) -> tuple[str, ...]:
    return tuple(domain.lower() for domain in domains)


@define(eq=False)
class Recipients:
    """Which addresses are whose.

    Mail is taken for NAME@DOMAIN, with an enabled account NAME@DOMAIN or NAME and one of the configured domains;
    C{NAME+ANYTHING} is NAME's too. The domain of an account that has one in its name is as good as configured.
    Mail for the postmaster (RFC 5321 4.5.1) goes to the account of that name, to the one that is named here, or to
    the first of all.

    @param accounts: who takes mail.
    @param enabled: whether there is an enabled account of that name, in lower case.
    @param domains: mail domains, in any case; may be replaced while mails come in.
    """

    accounts: IAccounts
    enabled: Callable[[str], bool]
    domains: tuple[str, ...] = field(default=("localhost",), converter=_lower)
    postmaster: str = ""

    def account(self, local: str, domain: str, here: str) -> str:
        """The account of an address; C{here} is the address literal of this host, C{domain} may be empty.

        @raise NotHere: if it is refused.
        """
        local, domain = local.lower(), domain.lower()
        if not self._ours(domain, here):
            raise NotHere(554, "5.7.1", "Mail for other hosts is not taken here")
        found = self._found(local, domain)
        if found is None:
            raise NotHere(550, "5.1.1", "There is no such mailbox")
        return found

    def _ours(self, domain: str, here: str) -> bool:
        if domain in self.domains or domain in (here, ""):
            return True
        return any(name.endswith(f"@{domain}") for name in self.accounts.names())

    def _found(self, local: str, domain: str) -> str | None:
        if not domain and local != "postmaster":
            return None
        plain = local.partition("+")[0]
        named = (name for part in (local, plain) for name in (f"{part}@{domain}", part))
        found = next((name for name in named if self.enabled(name)), None)
        return self._postmaster() if found is None and local == "postmaster" else found

    def _postmaster(self) -> str | None:
        if self.postmaster and self.enabled(self.postmaster):
            return self.postmaster
        return next(iter(self.accounts.names()), None)
