"""The contract of L{ISearchIndex}."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attrs import evolve
from zope.interface.verify import verifyObject

from gateway.arrangement import Shift
from gateway.index import MOST, Cursor, Document, Matches, Phrase, Place, Portion, Sought
from gateway.interfaces import ISearchIndex, TooSlow
from gateway.model import Amend, FolderType, Found, FoundFolder, Item
from tests.contract.store import INBOX, NOW, TRASH, WORK, StoreCase

HOUR = 3600
CALENDAR = FoundFolder(".Calendar", "Calendar", FolderType.CALENDAR)


def said(*texts: str, place: Place = Place.ANYWHERE, prefix: bool = False) -> Sought:
    """All of these words or phrases."""
    return Sought(tuple((Phrase(text, place, prefix),) for text in texts))


class SearchCase(StoreCase):
    """An index beside the ledger; what is put in is C{texts} by the name of the mail."""

    def setUp(self) -> None:
        super().setUp()
        self.index = self.store.index
        self.texts: dict[str, Document] = {}

    def document(self, item: Item) -> Document:
        given = self.texts.get(item.name) or Document(0, 0, text=item.name)
        return evolve(given, item=item.id, received=item.received)

    def portion(self, folder: int | None = None, most: int = 10) -> Portion | None:
        found: list[Portion | None] = self.result(self.index.portions([folder or self.inbox], most))
        self.assertEqual(len(found), 1)
        return found[0]

    def put(self, portion: Portion) -> None:
        self.put_all([portion])

    def put_all(self, portions: Iterable[Portion]) -> None:
        self.result(self.index.put([(one, [self.document(item) for item in one.items]) for one in portions]))

    def catch_up(self, folders: list[int] | None = None, most: int = 10) -> list[list[str]]:
        """Do all that is to be done; which mails were put in, portion by portion."""
        done = []
        for folder in self.result(self.index.behind(folders)):
            while (portion := self.portion(folder, most)) is not None:
                self.put(portion)
                done.append([item.name for item in portion.items])
        return done

    def mail(self, name: str, state: str = "", age: int = 0, **texts: Any) -> Found:
        """A mail that came so many hours ago; without texts it consists of its name."""
        if texts:
            self.texts[name] = Document(0, 0, **texts)
        return Found(name, state, NOW - age * HOUR)

    def found(self, sought: Sought, user: str = "ann") -> list[str]:
        """The names of all mails that are found."""
        matches = self.search(sought, user=user)
        names = {item.id: item.name for item in self.result(self.store.items(user, matches.items))}
        self.assertEqual(len(names), matches.total)
        return [names[id] for id in matches.items]

    def search(self, sought: Sought, offset: int = 0, count: int = MOST, user: str = "ann") -> Matches:
        matches: Matches = self.result(self.index.search(user, sought, offset, count))
        return matches


class BacklogContract(SearchCase):
    """What the index still has to get."""

    def test_interface(self) -> None:
        """The store provides L{ISearchIndex}."""
        self.assertTrue(verifyObject(ISearchIndex, self.index))

    def test_nothing(self) -> None:
        """Without mails nothing is to be done, and nothing is found."""
        self.assertEqual(self.result(self.index.behind(None)), [])
        self.assertIsNone(self.portion())
        self.assertEqual(self.search(said("a")), Matches())
        self.assertEqual(self.search(said("a"), user="nobody"), Matches())

    def test_first(self) -> None:
        """All mails of a folder that is new to the index are to be put in, the newest first, some at a time."""
        self.record(*(self.mail(f"m{age}", age=age) for age in (3, 0, 4, 1, 2)))
        self.assertEqual(self.catch_up(most=2), [["m0", "m1"], ["m2", "m3"], ["m4"]])
        self.assertEqual(self.found(Sought()), ["m0", "m1", "m2", "m3", "m4"])
        self.assertEqual(self.result(self.index.behind(None)), [])

    def test_where(self) -> None:
        """A portion says whose mails these are and where they lie."""
        self.record(self.mail("a"))
        portion = self.portion()
        assert portion is not None and portion.folder is not None
        self.assertEqual((portion.folder.user, portion.folder.path), ("ann", ""))
        self.assertEqual([item.name for item in portion.items], ["a"])

    def test_behind(self) -> None:
        """Folders are named that have something to be done, among those asked for or all; an Inbox comes first."""
        self.record(self.mail("a"), folder=self.trash)
        self.record(self.mail("b"))
        self.assertEqual(self.result(self.index.behind(None)), [self.inbox, self.trash])
        self.assertEqual(self.result(self.index.behind([self.trash, 999, -1])), [self.trash])
        self.assertEqual(self.result(self.index.behind([])), [])
        self.catch_up([self.inbox])
        self.assertEqual(self.result(self.index.behind(None)), [self.trash])

    def test_severalFolders(self) -> None:
        """Of several folders it is said at once what is to be done, and it is written down at once, whosever they
        are."""
        bobs = self.folders(INBOX, user="bob")[0].id
        self.record(self.mail("a"))
        self.record(self.mail("b"), folder=bobs)
        portions = self.result(self.index.portions([self.trash, bobs, self.inbox], 10))
        self.assertIsNone(portions[0])
        self.assertEqual([[item.name for item in one.items] for one in portions[1:]], [["b"], ["a"]])
        self.put_all(portions[1:])
        self.assertEqual((self.found(Sought()), self.found(Sought(), user="bob")), (["a"], ["b"]))
        self.assertEqual(self.result(self.index.behind(None)), [])
        self.assertEqual(self.result(self.index.portions([bobs, self.inbox], 10)), [None, None])

    def test_roomForSome(self) -> None:
        """Of so many folders only the first are looked at that there are not more mails than wanted; taking mails out
        counts as well."""
        self.record(*(self.mail(f"m{n}", age=n) for n in range(3)))
        self.record(self.mail("t0"), self.mail("t1"), folder=self.trash)
        folders = [self.inbox, self.trash]
        for most, wanted in ((2, [2]), (3, [3]), (4, [3, 1]), (5, [3, 2]), (9, [3, 2])):
            found = self.result(self.index.portions(folders, most))
            self.assertEqual([len(portion.items) for portion in found], wanted)
        self.catch_up()
        self.record(gone=["m0", "m1"])
        self.record(gone=["t0"], folder=self.trash)
        self.assertEqual([one.gone != () for one in self.result(self.index.portions(folders, 2))], [True])
        self.assertEqual(len(self.result(self.index.portions(folders, 3))), 2)

    def test_last(self) -> None:
        """A portion says whether it is the last of its folder; what comes then makes another one."""
        self.record(*(self.mail(f"m{n}", age=n) for n in range(3)))
        lasts = []
        for most in (1, 2, 3):
            portion = self.portion(most=most)
            assert portion is not None
            lasts.append(portion.last)
        self.assertEqual(lasts, [False, False, True])
        self.put(portion)
        self.record(self.mail("new"), self.mail("newer"))
        for most in (1, 2):
            portion = self.portion(most=most)
            assert portion is not None
            lasts.append(portion.last)
        self.assertEqual(lasts[3:], [False, True])
        self.folders(TRASH)
        lost = self.portion()
        assert lost is not None
        self.assertFalse(lost.last)

    def test_onlyMail(self) -> None:
        """Folders of anything else than mail are left alone."""
        calendar = next(folder.id for folder in self.folders(INBOX, TRASH, CALENDAR) if folder.path == ".Calendar")
        self.record(self.mail("a"), folder=calendar)
        self.assertEqual(self.result(self.index.behind(None)), [])
        self.assertIsNone(self.portion(calendar))

    def test_arrivals(self) -> None:
        """Mails that come later are to be put in, also while older ones still are."""
        self.record(self.mail("old", age=9), self.mail("older", age=10), self.mail("oldest", age=11))
        first = self.portion(most=1)
        assert first is not None
        self.put(first)
        self.record(self.mail("new"), self.mail("late", age=12))
        self.assertEqual(self.catch_up(most=2), [["new", "late"], ["older", "oldest"], []])
        self.assertEqual(self.found(Sought()), ["new", "old", "older", "oldest", "late"])

    def test_marks(self) -> None:
        """A mail that was only marked is not put in again."""
        self.record(self.mail("a"))
        self.catch_up()
        self.record(self.mail("a", "S"))
        self.assertEqual(self.catch_up(), [[]])
        self.assertEqual(self.found(said("a")), ["a"])

    def test_removed(self) -> None:
        """A mail that was removed is not found from that moment on, and then leaves the index."""
        self.record(self.mail("a"), self.mail("b"))
        self.catch_up()
        gone = self.id_of("a")
        self.record(gone=["a"])
        self.assertEqual(self.found(Sought()), ["b"])
        portion = self.portion()
        assert portion is not None
        self.assertEqual(portion.gone, (gone,))
        self.put(portion)
        self.assertIsNone(self.portion())
        self.assertEqual(self.found(Sought()), ["b"])

    def test_removedBefore(self) -> None:
        """A mail that came and went before the index looked is nothing to it."""
        self.record(self.mail("a"))
        self.catch_up()
        self.record(self.mail("b"))
        self.record(gone=["b"])
        self.assertEqual(self.catch_up(), [[]])
        self.assertEqual(self.found(Sought()), ["a"])

    def test_removedMeanwhile(self) -> None:
        """A mail that is removed while it is read does not stay in the index."""
        self.record(self.mail("a"))
        portion = self.portion()
        assert portion is not None
        self.record(gone=["a"])
        self.put(portion)
        after = self.portion()
        assert after is not None
        self.assertEqual(len(after.gone), 1)
        self.catch_up()
        self.assertEqual(self.found(Sought()), [])

    def test_moved(self) -> None:
        """A mail that was moved is found in its new folder."""
        self.record(self.mail("a"))
        self.catch_up()
        self.result(self.store.move("ann", [Shift(self.id_of("a"), self.inbox, self.trash)], NOW))
        self.catch_up()
        self.assertEqual(self.search(evolve(said("a"), folders=(self.inbox,))).total, 0)
        self.assertEqual(self.search(evolve(said("a"), folders=(self.trash,))).items, (self.id_of("a"),))

    def test_written(self) -> None:
        """A draft that was written anew is searched by what it has now; a marked one is left alone."""
        key = self.start()
        self.record(self.mail("before"), self.mail("other"))
        self.catch_up()
        key = self.sync(key).key
        id = self.id_of("before")
        self.sync(key, Amend(id, name="after"), Amend(self.id_of("other"), add="F"))
        portion = self.portion()
        assert portion is not None
        self.assertEqual((portion.gone, [item.name for item in portion.items]), ((id,), ["after"]))
        self.assertEqual(self.catch_up(), [["after"]])
        self.assertEqual(self.found(said("before")), [])
        self.assertEqual(self.search(said("after")).items, (id,))
        self.assertEqual(self.found(said("other")), ["other"])

    def test_again(self) -> None:
        """To put a portion in twice changes nothing; so nothing is lost by a kill before it was written down."""
        self.record(self.mail("a"), self.mail("b"))
        portion = self.portion()
        assert portion is not None
        self.put(portion)
        self.index = self.restart().index
        self.put(portion)
        self.assertEqual(sorted(self.found(Sought())), ["a", "b"])
        self.assertIsNone(self.portion())

    def test_killed(self) -> None:
        """A portion that was taken and not written down is taken again."""
        self.record(self.mail("a"))
        first = self.portion()
        self.index = self.restart().index
        self.assertEqual(self.portion(), first)

    def test_compacted(self) -> None:
        """When the rows that tell of removals were forgotten before the index saw them, it still learns of them."""
        self.record(*(self.mail(name) for name in "abc"))
        self.catch_up()
        ids = [self.id_of(name) for name in "ac"]
        self.record(gone=["a", "c"])
        self.record(self.mail("d"))
        self.result(self.store.compact(NOW + 9))
        portion = self.portion()
        assert portion is not None
        self.assertEqual(sorted(portion.gone), sorted(ids))
        self.put(portion)
        self.assertEqual(self.catch_up(), [["d"]])
        self.assertEqual(sorted(self.found(Sought())), ["b", "d"])

    def test_folderGone(self) -> None:
        """What was in a folder that is gone is not found, and leaves the index; in the end nothing is left to do."""
        work = next(folder.id for folder in self.folders(INBOX, TRASH, WORK) if folder.path == ".Work")
        self.record(self.mail("a"), self.mail("b"), folder=work)
        self.catch_up()
        self.folders(INBOX, TRASH)
        self.assertEqual(self.search(Sought()).total, 0)
        self.assertEqual(self.result(self.index.behind(None)), [work])
        self.result(self.store.compact(NOW))
        self.assertEqual(self.catch_up(), [[], []])
        self.assertEqual(self.result(self.index.behind(None)), [])
        self.assertIsNone(self.portion(work))

    def test_much(self) -> None:
        """After a long time the newest of what came meanwhile is put in first, and removals are not missed."""
        self.index.scan = 4
        self.record(self.mail("a", age=999), self.mail("b", age=999))
        self.catch_up()
        self.record(*(self.mail(f"m{age}", age=age) for age in range(30)), gone=["a"])
        done = [name for portion in self.catch_up(most=3) for name in portion]
        self.assertEqual(done, [f"m{age}" for age in range(30)])
        self.assertEqual(self.found(said("a")), [])
        self.assertEqual(self.found(said("b")), ["b"])

    def test_arrivalsWhileMuch(self) -> None:
        """What comes while all items are gone through is not missed either, nor is what is removed."""
        self.index.scan = 4
        self.record(*(self.mail(f"m{age}", age=age) for age in range(30)))
        for count in range(40):
            portion = self.portion(most=3)
            if portion is None:
                break
            self.put(portion)
            self.record(self.mail(f"n{count}", age=count), gone=[f"m{29 - count}"] if count < 20 else [])
        self.catch_up(most=3)
        self.assertEqual(set(self.found(Sought())), set(self.items()))

    def test_many(self) -> None:
        """Only so many are found, the newest; that is also how many are said to be there."""
        self.index.most = 5
        self.record(*(self.mail(f"m{age}", age=age, text="word") for age in range(9)))
        self.catch_up()
        self.assertEqual(self.found(said("word")), ["m0", "m1", "m2", "m3", "m4"])
        self.assertEqual(self.search(said("word"), 4, 9), Matches((self.id_of("m4"),), 5))


class SearchContract(SearchCase):
    """What is found; C{slow}: when a word begins 99 words in so many mails, to look for it takes more than a millisecond."""

    slow = 50

    def setUp(self) -> None:
        super().setUp()
        [*_, self.work] = [folder.id for folder in self.folders(INBOX, TRASH, WORK)]
        self.record(
            self.mail(
                "report",
                age=1,
                subject="The annual report",
                sender='"Bob Example" <bob@example.org>',
                recipients='"Ann" <ann@example.com>, carol.smith@example.net',
                text="Figures are attached. Profits grew by 12.5 % in Zürich.",
                conversation=b"c" * 16,
            ),
            self.mail(
                "answer",
                subject="Re: The annual report",
                sender="ann@example.com",
                recipients="bob@example.org",
                text="Thank you, Bob. Reporting was never better.",
                conversation=b"c" * 16,
            ),
            self.mail("lunch", age=2, subject="Lunch?", sender="carol@example.org", text="今日は寿司を食べましょう。"),
        )
        self.record(
            self.mail("memo", age=3, subject="Memo", text="An annual thing; the report of Straße 7."), folder=self.work
        )
        self.catch_up()

    def test_words(self) -> None:
        """All words have to be there, anywhere in the mail, in any order."""
        self.assertEqual(self.found(said("report")), ["answer", "report", "memo"])
        self.assertEqual(self.found(said("report", "annual")), ["answer", "report", "memo"])
        self.assertEqual(self.found(said("figures", "bob")), ["report"])
        self.assertEqual(self.found(said("figures", "thank")), [])
        self.assertEqual(self.found(said("carol")), ["report", "lunch"])

    def test_folded(self) -> None:
        """Capitals, accents and other ways to write a letter do not count."""
        for text in ("ZÜRICH", "zurich", "Zu\u0308rich", "\uff3a\uff35\uff32\uff29\uff23\uff28"):
            self.assertEqual(self.found(said(text)), ["report"])
        self.assertEqual(self.found(said("STRASSE")), ["memo"])

    def test_phrase(self) -> None:
        """The words of a phrase follow one another, and do not reach from one text into the next."""
        self.assertEqual(self.found(said("annual report")), ["answer", "report"])
        self.assertEqual(self.found(said("report annual")), [])
        self.assertEqual(self.found(said("report bob")), [])
        self.assertEqual(self.found(said("12.5 %")), ["report"])
        self.assertEqual(self.found(said("bob@example.org")), ["answer", "report"])
        self.assertEqual(self.found(said("carol.smith@example.net")), ["report"])

    def test_prefix(self) -> None:
        """The last word may be the beginning of a longer one, in a phrase too."""
        self.assertEqual(self.found(said("repor")), [])
        self.assertEqual(self.found(said("repor", prefix=True)), ["answer", "report", "memo"])
        self.assertEqual(self.found(said("reporti", prefix=True)), ["answer"])
        self.assertEqual(self.found(said("annual rep", prefix=True)), ["answer", "report"])
        self.assertEqual(self.found(said("ann rep", prefix=True)), [])

    def test_withoutBlanks(self) -> None:
        """Any part of a text is found that is written without blanks between the words."""
        self.assertEqual(self.found(said("寿司")), ["lunch"])
        self.assertEqual(self.found(said("食べ", prefix=True)), ["lunch"])
        self.assertEqual(self.found(said("司寿")), [])

    def test_places(self) -> None:
        """Words can be looked for in the subject, in what the sender or in what the recipients are called."""
        self.assertEqual(self.found(said("report", place=Place.SUBJECT)), ["answer", "report"])
        self.assertEqual(self.found(said("bob", place=Place.SENDER)), ["report"])
        self.assertEqual(self.found(said("bob", place=Place.RECIPIENT)), ["answer"])
        self.assertEqual(self.found(said("figures", place=Place.SUBJECT)), [])
        self.assertEqual(self.found(said("annual rep", place=Place.SUBJECT, prefix=True)), ["answer", "report"])
        self.assertEqual(self.found(said("car", place=Place.RECIPIENT, prefix=True)), ["report"])

    def test_alternatives(self) -> None:
        """Of a clause one phrase is enough."""
        either = (Phrase("sushi"), Phrase("lunch", Place.SUBJECT), Phrase("thank you"))
        self.assertEqual(self.found(Sought((either,))), ["answer", "lunch"])
        self.assertEqual(self.found(Sought((either, (Phrase("bob"),)))), ["answer"])

    def test_without(self) -> None:
        """What must not be there excludes, also by itself."""
        self.assertEqual(self.found(evolve(said("report"), without=(Phrase("figures"), Phrase("memo")))), ["answer"])
        self.assertEqual(self.found(Sought(without=(Phrase("report"),))), ["lunch"])

    def test_folders(self) -> None:
        """Only the folders that are named are searched; none of them is none."""
        sought = said("report")
        self.assertEqual(self.found(evolve(sought, folders=(self.work,))), ["memo"])
        self.assertEqual(self.found(evolve(sought, folders=(self.inbox, self.work))), ["answer", "report", "memo"])
        self.assertEqual(self.found(evolve(sought, folders=(self.trash,))), [])
        self.assertEqual(self.found(evolve(sought, folders=())), [])
        self.assertEqual(self.found(evolve(sought, folders=(*range(1, 1001),))), ["answer", "report", "memo"])

    def test_dates(self) -> None:
        """Mails are found that came at a time or later, and before another."""
        self.assertEqual(self.found(Sought(since=NOW - HOUR)), ["answer", "report"])
        self.assertEqual(self.found(Sought(since=NOW - HOUR + 1)), ["answer"])
        self.assertEqual(self.found(Sought(until=NOW - 2 * HOUR)), ["memo"])
        self.assertEqual(self.found(evolve(said("report"), since=NOW - 3 * HOUR, until=NOW)), ["report", "memo"])
        self.assertEqual(self.found(Sought(since=NOW, until=NOW)), [])
        for far in (1 << 40, 1 << 62):
            self.assertEqual(len(self.found(Sought(since=-far, until=far))), 4)
            self.assertEqual(self.found(Sought(since=far)), [])
            self.assertEqual(self.found(Sought(until=-far)), [])

    def test_conversation(self) -> None:
        """The mails of one conversation are found, alone and with words."""
        self.assertEqual(self.found(Sought(conversation=b"c" * 16)), ["answer", "report"])
        self.assertEqual(self.found(evolve(said("figures"), conversation=b"c" * 16)), ["report"])
        self.assertEqual(self.found(Sought(conversation=b"d" * 16)), [])

    def test_portions(self) -> None:
        """Results can be asked for in parts, which fit together; all parts know how many there are."""
        everything = self.search(Sought())
        parts = [self.search(Sought(), offset, 2) for offset in (0, 2, 4)]
        self.assertEqual(sum((part.items for part in parts), ()), everything.items)
        self.assertEqual({part.total for part in parts}, {4})

    def test_others(self) -> None:
        """Nobody finds the mails of others."""
        self.folders(INBOX, user="bob")
        self.assertEqual(self.found(said("report"), user="bob"), [])
        [inbox] = self.folders(INBOX, user="bob")
        self.record(self.mail("bobs", text="report"), folder=inbox.id)
        self.catch_up()
        self.assertEqual(self.found(said("report"), user="bob"), ["bobs"])
        self.assertEqual(self.found(said("report")), ["answer", "report", "memo"])

    def test_hostile(self) -> None:
        """Whatever is looked for, nothing of it is read as a language, and nothing fails."""
        for text in (
            '"', "'", '""""', "a\" OR \"b", "' | 'a", "a' & !'b", "NEAR(a b, 1)", "subject : a", "*", "a*", "^a", "\\",
            "%", "_", "a:b", "(", ")", "a AND", "NOT", "-", "--", ";", "\0", "a\0b", "\ud800", "🦆", "' OR 1=1 --",
            "{subject} : a", "a + b", ":*", "<->", "!!", "\u202e", "é" * 3000, "a" * 100_000, "a " * 3000,
        ):  # fmt: skip
            for place in Place:
                for prefix in (False, True):
                    self.found(said(text, place=place, prefix=prefix))
        self.assertEqual(self.found(said("report", "!!")), ["answer", "report", "memo"])
        self.assertEqual(self.found(said("!!")), [])

    def test_hostileMails(self) -> None:
        """Whatever a mail holds, it can be put in, taken out, and found by what can be read of it."""
        texts = (
            "\0\ud800 duck1",
            "' '' \\ \" duck2",
            "a" * 100_000 + " duck3",
            "duck4 " * 70_000,
            "\n".join("x" * 50_000),
        )
        names = [f"odd{place}" for place in range(len(texts))]
        self.record(
            *(
                self.mail(name, subject=text, sender=text, recipients=text, text=text)
                for name, text in zip(names, texts, strict=True)
            )
        )
        self.catch_up()
        self.assertEqual([self.found(said(f"duck{n + 1}")) for n in range(4)], [[name] for name in names[:4]])
        self.record(gone=names)
        self.catch_up()
        self.assertEqual([self.found(said(f"duck{n + 1}")) for n in range(4)], [[], [], [], []])

    def test_sameSecond(self) -> None:
        """Mails of one second stand side by side, also if their ids differ by as much as there is room for."""
        self.record(self.mail("x"), self.mail("y"))
        portion = self.portion()
        assert portion is not None
        far = [evolve(item, id=item.id + (place << 30)) for place, item in enumerate(portion.items)]
        same = [evolve(self.document(item), item=far[0].id + (place << 30)) for place, item in enumerate(far)]
        self.result(self.index.put([(portion, same)]))
        self.result(self.index.put([(evolve(portion, gone=tuple(one.item for one in same), items=()), ())]))

    def test_tooSlow(self) -> None:
        """A search that takes too long is given up."""
        self.record(*(self.mail(f"w{n}", text=" ".join(f"w{n}x{m}" for m in range(99))) for n in range(self.slow)))
        self.catch_up(most=999)
        self.index.patience = 0.0
        self.failureResultOf(self.index.search("ann", said("w", prefix=True), 0, 1), TooSlow)
        self.index.patience = 60.0
        self.assertEqual(self.search(said("w", prefix=True)).total, 1 + self.slow)


class CursorContract(SearchCase):
    """How far the index is."""

    def test_kept(self) -> None:
        """The cursor is kept with the documents."""
        self.record(self.mail("a"), self.mail("b", age=1))
        portion = self.portion(most=1)
        assert portion is not None
        newest = self.items()["a"]
        self.assertEqual(portion.cursor, Cursor(2, (newest.received, newest.id)))
        self.put(portion)
        self.index = self.restart().index
        after = self.portion(most=1)
        assert after is not None
        self.assertEqual([item.name for item in after.items], ["b"])
