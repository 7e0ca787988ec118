"""What the protocol's owner asks of Settings, of finding people, of certificates and of invitations, in its
interoperability suites."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from twisted.internet.defer import Deferred, execute, succeed

from gateway.core.directory import Directory, Index, Person, Picture
from gateway.cred.addresses import mail_addresses
from gateway.eas import find, searching
from gateway.eas.certificates import Trust
from gateway.eas.gal import GalSearcher
from gateway.eas.meetingresponse import MeetingResponse
from gateway.eas.policydoc import Policy
from gateway.eas.reading import Reading
from gateway.eas.resolving import ResolveRecipients
from gateway.eas.settings import Settings
from gateway.eas.validatecert import ValidateCert
from gateway.element import Element
from tests.convert.test_meeting import mail
from tests.eas.interop import SINCE_14, SINCE_14_1, VERSIONS, Client, InteropCase, name_of, server_commands
from tests.eas.support import text

EVERY = ("2.5", "12.0", *VERSIONS)
WITH_SETTINGS = EVERY[1:]
BEFORE_14_1 = EVERY[:4]
PEOPLE = [
    Person((f"msascmd_user{n:02}@example.org",), f"MSASCMD User {n:02}", f"msascmd_user{n:02}", picture=path)
    for n, path in enumerate(("", "123", "1234567890", "456"), 1)
]


def read_pictures(paths: Sequence[str], size: int, count: int) -> Deferred[list[Picture]]:
    """Each path is the picture itself."""
    found: list[Picture] = []
    for path in paths:
        taken = sum(picture.status == 1 for picture in found)
        status = 173 if not path else 174 if len(path) > size else 175 if taken >= count else 1
        found.append(Picture(status, path.encode() if status == 1 else b""))
    return succeed(found)


class PeopleCase(InteropCase):
    """Phones of a gateway with these commands, where some people can be found."""

    def client(self, version: str = "14.1", **more: Any) -> tuple[Client, int]:
        phone, inbox = super().client(version, **more)
        world: Any = phone.world
        directory = Directory(Index.of(PEOPLE))
        searchers = {page: GalSearcher(page, directory, read_pictures) for page in ("Search", "Find")}

        def addresses(user: str) -> tuple[str, ...]:
            return mail_addresses(user, ["example.org", "example.net"])

        def letter(user: str, sender: str, recipient: str, content: bytes) -> None:
            world.sent.append(recipient)

        world.sent = []
        world.commands["Settings"] = Settings(
            world.partnerships, world.store.absences, addresses, world.rules, world.now
        )
        world.commands["Search"] = searching.Search({"GAL": searchers["Search"]})
        world.commands["Find"] = find.Find({find.GAL: searchers["Find"]})
        world.commands["ResolveRecipients"] = ResolveRecipients(directory, read_pictures)
        world.commands["ValidateCert"] = ValidateCert(execute, world.now, lambda: Trust({}))
        now = datetime.fromtimestamp(world.now(), UTC)
        reading = Reading(world.mails, execute)
        world.commands["MeetingResponse"] = MeetingResponse(
            world.moving,
            reading,
            world.store.postings,
            addresses,
            letter,
            lambda route: None,
            lambda: now,
            "mail.example.org",
        )
        return phone, inbox


def page(name: str) -> Callable[..., Element]:
    """Makes elements of a page."""

    def element(local: str, *content: Element | str | int | None) -> Element:
        return Element(f"{name}:{local}", *content)

    return element


setting, search, resolve, meeting = page("Settings"), page("Search"), page("ResolveRecipients"), page("MeetingResponse")
finding, validate = page("Find"), page("ValidateCert")


def oof_set(*content: Element) -> Element:
    """A Settings that sets Oof."""
    return setting("Settings", setting("Oof", setting("Set", *content)))


OOF_GET = setting("Oof", setting("Get", setting("BodyType", "TEXT")))


def said(audience: str, enabled: str, message: str | None = None, form: str | None = None) -> Element:
    """An OofMessage."""
    parts = (("Enabled", enabled), ("ReplyMessage", message), ("BodyType", form))
    given = [setting(name, value) for name, value in parts if value is not None]
    return setting("OofMessage", setting(f"AppliesTo{audience}"), *given)


class SettingsTests(PeopleCase):
    """[MS-ASCMD] S16."""

    def ask(self, phone: Client, body: Element) -> str:
        return text(phone.ask("Settings", body))

    def test_oofBodyTypes(self) -> None:
        """A reply comes back with its BodyType as it was written (S16 TC05 to 08); without one neither is told (TC09).
        All of that holds for state 2 without times, which is no error (TC01)."""
        timed = setting("OofState", "2")

        def check(phone: Client, inbox: int) -> None:
            self.assertEqual(self.ask(phone, oof_set(timed)), "Settings(Status=1 Oof(Status=1))")
            for audience in ("Internal", "ExternalKnown", "ExternalUnknown"):
                message = said(audience, "1", "Out of office", "TEXT")
                self.assertIn("Oof(Status=1)", self.ask(phone, oof_set(timed, message)))
                told = self.ask(phone, setting("Settings", OOF_GET))
                self.assertIn(f"AppliesTo{audience}= Enabled=1 ReplyMessage=Out of office BodyType=TEXT", told)
            self.assertIn("Oof(Status=1)", self.ask(phone, oof_set(timed, said("Internal", "0"))))
            self.assertIn("OofMessage(AppliesToInternal= Enabled=0)", self.ask(phone, setting("Settings", OOF_GET)))

        self.each(WITH_SETTINGS, check)

    def test_oofAudiences(self) -> None:
        """Three audiences can be set at once, and each is told (S16 TC10); those outside are told the same, or it is
        Status 6 (TC12)."""

        def check(phone: Client, inbox: int) -> None:
            audiences = (("Internal", "Out"), ("ExternalKnown", "Call me"), ("ExternalUnknown", "Call me"))
            body = oof_set(setting("OofState", "2"), *(said(one, "1", words, "TEXT") for one, words in audiences))
            self.assertIn("Oof(Status=1)", self.ask(phone, body))
            told = self.ask(phone, setting("Settings", OOF_GET))
            for one, words in audiences:
                self.assertIn(f"AppliesTo{one}= Enabled=1 ReplyMessage={words}", told)
            different = [said(f"External{one}", "1", f"To {one}", "TEXT") for one in ("Known", "Unknown")]
            self.assertEqual(self.ask(phone, oof_set(*different)), "Settings(Status=1 Oof(Status=6))")

        self.each(WITH_SETTINGS, check)

    def test_oofReverted(self) -> None:
        """One empty message for all audiences switches each of them off, as after each case (S16)."""

        def check(phone: Client, inbox: int) -> None:
            for audience in ("Internal", "ExternalKnown"):
                self.ask(phone, oof_set(setting("OofState", "2"), said(audience, "1", "Out of office", "TEXT")))
            everybody = said("Internal", "1", form="TEXT")
            everybody.children[1:1] = [setting("AppliesToExternalKnown"), setting("AppliesToExternalUnknown")]
            answer = self.ask(phone, oof_set(setting("OofState", "0"), everybody))
            self.assertEqual(answer, "Settings(Status=1 Oof(Status=1))")
            told = self.ask(phone, setting("Settings", OOF_GET))
            self.assertEqual((told.count("Enabled=0)"), told.count("Enabled=1")), (3, 0))

        self.each(WITH_SETTINGS, check)

    def test_oofTimes(self) -> None:
        """One of two times is Status 2 of Oof; with another state than 2 both are taken, and not kept (S16 TC03, 17)."""

        def check(phone: Client, inbox: int) -> None:
            start, end = (
                setting(f"{name}Time", f"2024-05-0{n}T00:00:00.000Z") for n, name in ((1, "Start"), (2, "End"))
            )
            for one in (start, end):
                answer = self.ask(phone, oof_set(setting("OofState", "2"), one))
                self.assertEqual(answer, "Settings(Status=1 Oof(Status=2))")
            self.assertIn("Oof(Status=1)", self.ask(phone, oof_set(setting("OofState", "1"), start, end)))
            self.assertNotIn("StartTime", self.ask(phone, setting("Settings", OOF_GET)))
            self.ask(phone, oof_set(setting("OofState", "2"), start, end))
            self.assertIn("StartTime=2024-05-01T00:00:00.000Z", self.ask(phone, setting("Settings", OOF_GET)))

        self.each(WITH_SETTINGS, check)

    def test_status5(self) -> None:
        """A BodyType that there is not is Status 5 of Oof (S16 TC11)."""

        def check(phone: Client, inbox: int) -> None:
            answer = self.ask(phone, oof_set(said("ExternalKnown", "1", "Oof", "InvalidValue")))
            self.assertEqual(answer, "Settings(Status=1 Oof(Status=5))")

        self.each(WITH_SETTINGS, check)

    def test_order(self) -> None:
        """Answers come in the order of the request, with nothing that was not asked for (S16 TC13)."""

        def check(phone: Client, inbox: int) -> None:
            user = setting("UserInformation", setting("Get"))
            for properties in ((OOF_GET, user), (user, OOF_GET)):
                answer = phone.ask("Settings", setting("Settings", *properties))
                assert answer is not None
                self.assertEqual([child.name for child in answer], ["Status", *(one.name for one in properties)])

        self.each(WITH_SETTINGS, check)

    def test_user(self) -> None:
        """From 14.1 on there is one account with a PrimarySmtpAddress, and no AccountId, AccountName, SendDisabled or
        UserDisplayName; before, there are addresses (S16 TC04)."""

        def check(phone: Client, inbox: int) -> None:
            answer = self.ask(phone, setting("Settings", setting("UserInformation", setting("Get"))))
            self.assertEqual("Accounts(Account(EmailAddresses(" in answer, phone.version in SINCE_14_1)
            self.assertEqual("PrimarySmtpAddress=ann@example.org" in answer, phone.version in SINCE_14_1)
            for name in ("AccountId", "AccountName", "SendDisabled", "UserDisplayName"):
                self.assertNotIn(name, answer)

        self.each(WITH_SETTINGS, check)

    def test_device(self) -> None:
        """DeviceInformation is taken; a PhoneNumber alone too (S16 TC15)."""

        def check(phone: Client, inbox: int) -> None:
            told = setting("DeviceInformation", setting("Set", setting("PhoneNumber", "88888888888")))
            self.assertEqual(
                self.ask(phone, setting("Settings", told)), "Settings(Status=1 DeviceInformation(Status=1))"
            )

        self.each(WITH_SETTINGS, check)

    def test_password(self) -> None:
        """Without a Password it is Status 2 of the whole, and no property is answered; one of 256 characters is Status 5
        (S16 TC02, 16)."""

        def check(phone: Client, inbox: int) -> None:
            world: Any = phone.world
            empty = setting("Settings", setting("DevicePassword", setting("Set")))
            self.assertEqual(self.ask(phone, empty), "Settings(Status=2)")
            world.rules.policy_for = lambda user: Policy({"DevicePasswordEnabled": 1, "PasswordRecoveryEnabled": 1})
            world.rules.allow_non_provisionable = True
            long = setting("DevicePassword", setting("Set", setting("Password", "password" + "a" * 248)))
            self.assertEqual(self.ask(phone, setting("Settings", long)), "Settings(Status=1 DevicePassword(Status=5))")

        self.each(WITH_SETTINGS, check)

    def test_tooOld(self) -> None:
        """There is no Settings in 2.5: HTTP 400."""
        phone, _ = self.client("2.5")
        self.assertEqual(phone.http("Settings", setting("Settings", OOF_GET)).status, 400)


class SearchTests(PeopleCase):
    """[MS-ASCMD] S14 and S23, of people."""

    def gal(self, phone: Client, query: str, range_: str, *more: Element) -> Element:
        options = search("Options", search("Range", range_), *more)
        body = search("Search", search("Store", search("Name", "GAL"), search("Query", query), options))
        answer = phone.ask("Search", body)
        assert answer is not None
        (store,) = answer.all("Search:Response")[0].children
        return store

    def test_found(self) -> None:
        """Everybody found has an alias and a display name, they are in order, and Range and Total say how many there
        are (S14 TC14)."""

        def check(phone: Client, inbox: int) -> None:
            store = self.gal(phone, "msascmd", "0-2")
            people = [result.children[0] for result in store.all("Search:Result")]
            names = [person.text_of("Gal:DisplayName") or "" for person in people]
            self.assertEqual((names, len(names)), (sorted(names), 3))
            self.assertTrue(all(person.text_of("Gal:Alias") for person in people))
            self.assertEqual((store.text_of("Search:Range"), store.text_of("Search:Total")), ("0-2", "4"))

        self.each(EVERY, check)

    def test_pictures(self) -> None:
        """Pictures: 173 none, 174 larger than MaxSize, 175 beyond MaxPictures (S14 TC20, 26)."""

        def check(phone: Client, inbox: int) -> None:
            wanted = search("Picture", search("MaxSize", 5), search("MaxPictures", 1))
            store = self.gal(phone, "msascmd", "0-9", wanted)
            found = [result.children[0].child("Gal:Picture") for result in store.all("Search:Result")]
            self.assertEqual(
                [text(picture) for picture in found],
                ["Picture(Status=173)", "Picture(Status=1 Data=123)", "Picture(Status=174)", "Picture(Status=175)"],
            )

        self.each(SINCE_14_1, check)

    def test_find(self) -> None:
        """Find tells aliases and display names, in order, with the Total; an empty SearchId is Status 2 (S23 TC02, 04)."""
        phone, _ = self.client("16.1")
        criterion = finding(
            "GalSearchCriterion", finding("Query", "msascmd"), finding("Options", finding("Range", "0-5"))
        )
        for identifier in ("8ad5ec39-2f3a-4a1a-9a87-a22bb3d6fd4e", ""):
            body = finding("Find", finding("SearchId", identifier), finding("ExecuteSearch", criterion))
            answer = text(phone.ask("Find", body))
            if identifier:
                self.assertEqual(answer.count("Alias="), 4)
                self.assertTrue(answer.endswith("Range=0-3 Total=4))"), answer)
            else:
                self.assertEqual(answer, "Find(Status=2)")

    def test_findTooOld(self) -> None:
        """There is no Find before 16.1."""
        for version, status in (("2.5", 400), ("12.1", 400), ("14.1", 200)):
            phone, _ = self.client(version)
            answer = phone.http("Find", finding("Find"))
            self.assertEqual(answer.status, status)
            if status == 200:
                self.assertEqual(text(answer.element), "Find(Status=138)")


class ResolveRecipientsTests(PeopleCase):
    """[MS-ASCMD] S13."""

    def ask(self, phone: Client, *content: Element) -> str:
        return text(phone.ask("ResolveRecipients", resolve("ResolveRecipients", *content)))

    def availability(self, start: str, end: str) -> Element:
        return resolve("Options", resolve("Availability", resolve("StartTime", start), resolve("EndTime", end)))

    def test_ambiguous(self) -> None:
        """A name that fits several people is Status 2 without certificates and availability (S13 TC08, 09)."""

        def check(phone: Client, inbox: int) -> None:
            options = resolve("Options", resolve("CertificateRetrieval", 2))
            answer = self.ask(phone, resolve("To", "msascmd"), options)
            self.assertIn("Status=2 RecipientCount=4", answer)
            self.assertNotIn("Certificates", answer)

        self.each(EVERY, check)

    def test_noCertificates(self) -> None:
        """Somebody without a certificate is Status 7 (S13 TC14)."""

        def check(phone: Client, inbox: int) -> None:
            options = resolve("Options", resolve("CertificateRetrieval", 2))
            answer = self.ask(phone, resolve("To", "msascmd_user01@example.org"), options)
            self.assertIn("Certificates(Status=7 CertificateCount=0", answer)

        self.each(EVERY, check)

    def test_times(self) -> None:
        """Times that are none, too near or too far are Status 5 (S13 TC02 to 05)."""

        def check(phone: Client, inbox: int) -> None:
            for start, end in (
                ("2012-04-11T10:00:00.000Z", "TimeWithInvalidFormat"),
                ("TimeWithInvalidFormat", "2012-04-11T10:00:00.000Z"),
                ("2010-03-01T00:20:00.000Z", "2010-03-01T00:00:00.000Z"),
                ("2010-03-01T00:00:00.000Z", "2010-06-03T00:00:01.000Z"),
            ):
                answer = self.ask(phone, resolve("To", "msascmd_user01"), self.availability(start, end))
                self.assertEqual(answer, "ResolveRecipients(Status=5)")

        self.each(SINCE_14, check)

    def test_availability(self) -> None:
        """Free and busy times that cannot be had are Status 163 (S13 TC21)."""

        def check(phone: Client, inbox: int) -> None:
            options = self.availability("2013-08-11T10:00:00.000Z", "2013-08-11T11:00:00.000Z")
            answer = self.ask(phone, resolve("To", "msascmd_user01@example.org"), options)
            self.assertIn("Availability(Status=163)", answer)

        self.each(SINCE_14, check)

    def test_pictures(self) -> None:
        """Pictures: 1, 173, 174, 175 (S13 TC16 to 19)."""

        def check(phone: Client, inbox: int) -> None:
            for name, size, count, status in (
                ("msascmd_user01", 100, 3, "173"),
                ("msascmd_user02", 100, 3, "1"),
                ("msascmd_user03", 5, 3, "174"),
                ("msascmd_user02", 100, 0, "175"),
            ):
                wanted = resolve("Picture", resolve("MaxSize", size), resolve("MaxPictures", count))
                self.assertIn(
                    f"Picture(Status={status}", self.ask(phone, resolve("To", name), resolve("Options", wanted))
                )

        self.each(SINCE_14_1, check)

    def test_many(self) -> None:
        """More than 100 recipients are Status 5 (S13 TC20), and so is one of more than 256 characters; a shorter one
        is answered as it was sent (TC06)."""

        def check(phone: Client, inbox: int) -> None:
            self.assertEqual(self.ask(phone, resolve("To", "a" * 257)), "ResolveRecipients(Status=5)")
            self.assertEqual(self.ask(phone, *[resolve("To", "a")] * 101), "ResolveRecipients(Status=5)")
            self.assertIn(f"To={'a' * 256} Status=4", self.ask(phone, resolve("To", "a" * 256)))

        self.each(EVERY, check)


class ValidateCertTests(PeopleCase):
    """[MS-ASCMD] S20."""

    BROKEN = "TUlJQ1lqQ0NBY3VnQXdJQkFnSVVZR3M4alpiWDBWeGpPYnU0bncwhQ=="

    def ask(self, phone: Client, count: int) -> str:
        certificates = validate("Certificates", *[validate("Certificate", self.BROKEN)] * count)
        return text(phone.ask("ValidateCert", validate("ValidateCert", certificates, validate("CheckCRL", "1"))))

    def test_broken(self) -> None:
        """What is no certificate is Status 3 (S20 TC02)."""
        self.each(EVERY, lambda phone, _: self.assertIn("Certificate(Status=3)", self.ask(phone, 1)))

    def test_many(self) -> None:
        """More than 100 certificates are Status 2 (S20 TC03)."""
        self.each(EVERY, lambda phone, _: self.assertEqual(self.ask(phone, 101), "ValidateCert(Status=2)"))


class MeetingResponseTests(PeopleCase):
    """[MS-ASCMD] S09."""

    def ask(self, phone: Client, *requests: Element) -> str:
        return text(phone.ask("MeetingResponse", meeting("MeetingResponse", *requests)))

    def request(self, inbox: int | str, name: str, *more: Element, choice: int = 1) -> Element:
        ids = meeting("CollectionId", inbox), meeting("RequestId", name)
        return meeting("Request", meeting("UserResponse", choice), *ids, *more)

    def invited(self, phone: Client, inbox: int) -> str:
        return name_of(server_commands(phone.begin(inbox))[0])

    def test_answered(self) -> None:
        """Each choice is Status 1 with the RequestId, and the invitation leaves the Inbox (S09 TC01, 02, 10)."""

        def check(phone: Client, inbox: int) -> None:
            name = self.invited(phone, inbox)
            answer = self.ask(phone, self.request(inbox, name, choice=3))
            self.assertEqual(answer, f"MeetingResponse(Result(RequestId={name} Status=1))")
            self.assertEqual([name_of(one) for one in server_commands(phone.sync(inbox), "Delete")], [name])
            self.assertEqual(phone.world.sent, [])  # type: ignore[attr-defined]

        self.each(EVERY, check, mail().decode())

    def test_sent(self) -> None:
        """With SendResponse the organizer is told, from 16.0 on."""
        phone, inbox = self.client("16.1")
        phone.folder_sync()
        phone.world.arrive(inbox, "m", mail().decode())  # type: ignore[attr-defined]
        name = self.invited(phone, inbox)
        self.assertIn("Status=1", self.ask(phone, self.request(inbox, name, meeting("SendResponse"))))
        self.assertEqual(phone.world.sent, ["jane@example.org"])  # type: ignore[attr-defined]

    def test_noInvitation(self) -> None:
        """A RequestId of nothing, and a mail that is no invitation, are Status 2 (S09 TC03, 05)."""

        def check(phone: Client, inbox: int) -> None:
            for name in ("invalid", self.invited(phone, inbox)):
                self.assertIn(f"Result(RequestId={name} Status=2)", self.ask(phone, self.request(inbox, name)))

        self.each(EVERY, check, "Subject: no invitation\r\n\r\nHi.\r\n")

    def test_many(self) -> None:
        """More than 100 Requests: 103 in a Result, before 14.0 HTTP 400 (S09 TC07)."""

        def check(phone: Client, inbox: int) -> None:
            body = meeting("MeetingResponse", *[self.request(inbox, f"{inbox}:1")] * 101)
            answer = phone.http("MeetingResponse", body)
            if phone.version in SINCE_14:
                self.assertEqual(text(answer.element), "MeetingResponse(Result(Status=103))")
            else:
                self.assertEqual(answer.status, 400)

        self.each(EVERY, check)

    def test_instances(self) -> None:
        """InstanceId: 104 in another form, 146 for a single meeting (S09 TC12, 09); before 14.1 Status 2."""

        def check(phone: Client, inbox: int) -> None:
            name = self.invited(phone, inbox)
            for instance, status in (("20100408T181600000Z", "104"), ("2010-04-08T18:16:00.000Z", "146")):
                answer = self.ask(phone, self.request(inbox, name, meeting("InstanceId", instance)))
                expected = "2" if phone.version in BEFORE_14_1 else status
                self.assertIn(f"Status={expected}", answer)

        self.each(EVERY, check, mail().decode())
