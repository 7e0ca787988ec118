"""What attempts that broke off have left in the C{tmp} directories of mailboxes. This blocks: it belongs into a thread.

Nobody sees a file there, and without this nobody would ever remove one: what a gateway, or another program that
delivers, was writing when it was killed. A reader of a Maildir may remove what has not been touched for 36 hours
(https://cr.yp.to/proto/maildir.html); drafts that a device has sent are the gateway's own, and appear within seconds.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from contextlib import suppress

from gateway.sources.disk import ABSENT, MailRoot

OLD = 36 * 3600
"""Seconds after which a file is nobody's any more."""

OLD_DRAFT = 3600
DRAFT = ".draft"
"""How the names of drafts end that are held ready (L{gateway.interfaces.IMailbox.stage})."""


def sweep(root: MailRoot, user: str, wanted: Collection[tuple[str, str]]) -> int:
    """Remove what is old in the C{tmp} of each folder of a user; how many files that were.

    @param wanted: the drafts (path of the folder, name) that are still to appear, however old they are.
    """
    count = 0
    for folder in root.survey(user) or ():
        try:
            with root.directory(user, folder.path, "tmp") as tmp:
                keep = {name for path, name in wanted if path == folder.path}
                count += _swept(tmp, keep, root.now())
        except OSError as error:
            if error.errno not in ABSENT:
                raise
    return count


def _swept(tmp: int, keep: Collection[str], now: float) -> int:
    count = 0
    for name in os.listdir(tmp):
        with suppress(FileNotFoundError):  # it was moved to where it belongs
            if name not in keep and _is_old(name, os.stat(name, dir_fd=tmp, follow_symlinks=False), now):
                os.unlink(name, dir_fd=tmp)
                count += 1
    return count


def _is_old(name: str, status: os.stat_result, now: float) -> bool:
    # A program that keeps the time of reception sets that of modification back while it is still at work.
    touched = max(status.st_mtime, status.st_ctime)
    return stat.S_ISREG(status.st_mode) and now - touched > (OLD_DRAFT if name.endswith(DRAFT) else OLD)
