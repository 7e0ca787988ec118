"""GetAttachment: an attachment by its name, for clients up to 12.1 ([MS-ASCMD] 2.2.1.7)."""

from __future__ import annotations

from functools import partial

from attrs import define, evolve, field

from gateway.convert import attachments
from gateway.eas.call import Answer, Call, Refused
from gateway.eas.fetchbody import reference
from gateway.eas.fetching import BAD_ATTACHMENT, Failed, check_attachment, located
from gateway.eas.gate import Rules
from gateway.eas.policydoc import Policy
from gateway.eas.reading import Reading
from gateway.eas.spool import Span, Spool, Spools
from gateway.interfaces import ILedger, ItemGone


@define(eq=False)
class GetAttachment:
    """The GetAttachment command."""

    ledger: ILedger
    reading: Reading
    spools: Spools
    rules: Rules = field(factory=Rules)

    async def __call__(self, call: Call) -> Answer:
        """Answer with the octets of the attachment and its type.

        @raise Refused: with HTTP 500, as the specification wants it: there is no such attachment, or it is denied.
        @raise Unavailable: too much is under way.
        """
        user = call.device.user
        name = reference(call.parameters.get("AttachmentName", ""))
        policy = self.rules.policy_for(user)
        spool = self.spools.open(user)
        try:
            check_attachment(policy)
            folders = {folder.id: folder for folder in await self.ledger.folders(user)}
            found = None if name is None else await located(self.ledger, folders, user, name)
            if name is None or found is None:
                raise Failed(BAD_ATTACHMENT, "no such mail")
            kind, span = await self.reading.convert(*found, partial(_spooled, spool, policy, name.part))
        except BaseException as error:
            spool.close()
            if isinstance(error, ItemGone | Failed):
                status = error.status if isinstance(error, Failed) else BAD_ATTACHMENT
                raise Refused(status, str(error), http=500) from error
            raise
        return evolve(spool.answer([span], kind), log={"St": 1, "Sz": span.length})


def _spooled(spool: Spool, policy: Policy | None, number: int, raw: bytes) -> tuple[str, Span]:
    try:
        part = attachments.find(raw, number)
    except LookupError as error:
        raise Failed(BAD_ATTACHMENT, str(error)) from error
    check_attachment(policy, part.size())
    return part.type, spool.add(part.chunks())
