"""The ways in: of changes, of devices, and of triggers of an older server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gateway.admin.chain.finding import Finding, broken, good, note, span
from gateway.admin.facts import Facts

#: A certificate that ends this soon is worth a word.
SOON = 14 * 86400.0


def source(facts: Facts) -> Iterator[Finding]:
    """Whether changes of the mailbox are noticed at once."""
    if not facts.mailbox:
        yield broken(
            "folder watch",
            f"{facts.user} has no mail directory with an Inbox",
            "See whether the disk with data.folder/mail is mounted; a new mailbox wants cur, new and tmp",
        )
    elif facts.unwatched and not facts.watch_limit:
        yield broken(
            "folder watch",
            "inotify cannot be had: changes are noticed late, by looking at the times of directories",
            "sysctl fs.inotify.max_user_instances=1024, a line of that in /etc/sysctl.d/, and restart the gateway",
        )
    elif facts.unwatched:
        yield broken(
            "folder watch",
            f"{facts.unwatched} folders are not watched by the kernel: its limit of {facts.watch_limit} is reached;"
            " changes there are noticed late",
            "sysctl fs.inotify.max_user_watches=1048576, and a line of that in /etc/sysctl.d/",
        )
    else:
        yield good("folder watch", "the kernel watches every folder")


def door(facts: Facts) -> Iterator[Finding]:
    """Whether devices can connect."""
    if not facts.listening:
        yield broken("listener", "nothing listens for HTTPS", "See https.listen, and the log of the start")
    elif facts.probe:
        yield broken(
            "listener",
            f"the HTTPS port cannot be reached from this host: {facts.probe}",
            "See https.listen, and whether a firewall of this host is in the way",
        )
    else:
        yield good("listener", "the HTTPS port answers")


def certificate(facts: Facts) -> Iterator[Finding]:
    """Whether devices can trust the certificate."""
    shown = facts.certificate
    if shown is None:
        return
    if shown.ends < facts.now:
        yield broken(
            "certificate",
            f"it ended {span(facts.now - shown.ends)} ago",
            "Put a new one at https.certificate, then pushgw reload",
        )
    elif shown.begins > facts.now:
        yield broken("certificate", "it does not hold yet", "Set the clock of this host, or wait")
    elif facts.server_name and not names_fit(facts.server_name, shown.names):
        names = ", ".join(shown.names) or "nobody"
        yield broken(
            "certificate",
            f"it is for {names}, while phones connect to {facts.server_name}",
            f"Get one for {facts.server_name}, or set https.server_name to the name that phones use",
        )
    elif shown.ends - facts.now < SOON:
        yield note("certificate", f"it ends in {span(shown.ends - facts.now)}", "Renew it")
    else:
        yield good("certificate", f"it is for {facts.server_name or ', '.join(shown.names)} and holds")


def names_fit(name: str, names: Iterable[str]) -> bool:
    """RFC 6125 6.4: whether a certificate for these names is one for that host; a star stands for one label."""
    wanted = name.lower().rstrip(".").split(".")
    for one in names:
        labels = one.lower().rstrip(".").split(".")
        if labels == wanted or (labels[0] == "*" and len(labels) > 2 and labels[1:] == wanted[1:]):
            return True
    return False


def intake(facts: Facts) -> Iterator[Finding]:
    """How triggers of the older server come in, for a device that comes to that server and never here."""
    if facts.running and not facts.intake:
        yield broken("older server", "nothing listens for the triggers that it sends by SMTP", "See smtp.listen")
    elif not facts.brought:
        yield broken(
            "older server",
            "no trigger that it sent for this device has gone out",
            "Look into its queue of mail, and at what was refused here: the log, and pushgw_door_triggers_total",
        )
    else:
        yield good(
            "older server", f"the last trigger that it sent came in {span(max(0.0, facts.now - facts.brought))} ago"
        )
