"""The items of an answer."""

from __future__ import annotations

from twisted.internet.defer import Deferred, execute
from twisted.trial.unittest import SynchronousTestCase

from gateway.eas.call import Version
from gateway.eas.reading import Reading
from gateway.eas.rendering import Rendering
from gateway.element import Element
from gateway.model import SyncOptions
from tests.convert.test_meeting import mail
from tests.eas.support import Sources, result_of


class OwnTests(SynchronousTestCase):
    """What a user has written."""

    def test_invitation(self) -> None:
        """The user's own invitation, in the folder for sent mails, can be answered by nobody: it is an ordinary mail
        with a file, in every version. The same in the Inbox is an invitation ([MS-ASEMAIL] 2.2.2.48)."""
        sources = Sources()
        ids = sources.make()
        folders = {folder.id: folder for folder in result_of(sources.store.folders("ann"))}
        for path in ("", ".Sent"):
            sources.mail(ids[path], "m", mail(), path=path)
            (item,) = (one for one in sources.items(*range(1, 100)) if one.folder == ids[path])
            for version in Version:
                rendering = Rendering(Reading(sources.mailbox, execute), version, 10**6)
                work = rendering.item(folders[ids[path]], item, SyncOptions())
                found = Element("x", *(result_of(Deferred.fromCoroutine(work)) or ()))
                kind = found.text_of("Email:MessageClass")
                invited = found.child("Email:MeetingRequest") is not None
                expected = ("IPM.Note", False) if path else ("IPM.Schedule.Meeting.Request", True)
                self.assertEqual((kind, invited), expected, str(version))
