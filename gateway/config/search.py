"""The section for the index of mails."""

from __future__ import annotations

from attrs import frozen

from gateway.config.kinds import Flag
from gateway.config.option import option


@frozen(kw_only=True)
class Search:
    """Searching the mailbox."""

    index: bool = option(
        True,
        Flag(),
        "Whether the words of all mails are kept in an index in the database, by which devices search the mailbox. A "
        "mail takes 2 to 4 KB there and, once, a few milliseconds of one core; at the first start, the mails that are "
        "there already are put in with a quarter of a core, the newest first. With false devices find people only",
    )
