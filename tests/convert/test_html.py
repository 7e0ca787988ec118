"""HTML to plain text and back: the layout, and what hostile HTML may cost."""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.convert.html import MAX_SOURCE, declared_utf8, from_text, to_text


def laid_out(source: str) -> str:
    """The text of a document."""
    return to_text(source)[0]


class ToTextTests(SynchronousTestCase):
    def test_layout(self) -> None:
        """Blocks, breaks, lists, tables, quotes, links and pictures read as a person would write them."""
        for source, expected in (
            ("<p>Hello <b>World</b></p><p>Next</p>", "Hello World\n\nNext"),
            ("a<br>b<br/><br>c", "a\nb\n\nc"),
            ("<div>a</div><div>b</div>", "a\nb"),
            ("a  \n\t b", "a b"),
            ("<b>a</b> <i>b</i>", "a b"),
            ("<h1>T</h1>x", "T\n\nx"),
            ("<ul><li>one<li>two</ul>", "- one\n- two"),
            ("<ol><li>one<li>two</ol>", "1. one\n2. two"),
            ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
            ("x<blockquote>a<br>b</blockquote>y", "x\n\n> a\n> b\n\ny"),
            ("<blockquote>a<blockquote>b</blockquote></blockquote>", "> a\n>\n> > b"),
            ("<pre>a\n  b</pre>", "a\n  b"),
            ("a<hr>b", f"a\n{'-' * 20}\nb"),
            ('<a href="https://example.org/x">here</a>.', "here <https://example.org/x>."),
            ('<a href="https://example.org/">https://example.org</a>', "https://example.org"),
            ('<a href="mailto:a@b">a@b</a>, <a href="mailto:a@b">Ann</a>', "a@b, Ann <a@b>"),
            ('<a href="javascript:x()">a</a> <a href="#top">b</a>', "a b"),
            ('<a href="https://example.org/"><img src="x"></a>', ""),
            ('<img alt="Logo" src="x"> a', "[Logo] a"),
            ("&lt;&amp;&gt;&nbsp;&euro;&#228;", "<&>\xa0€ä"),
            ("plain", "plain"),
            ("", ""),
        ):
            with self.subTest(source):
                self.assertEqual(laid_out(source), expected)

    def test_hidden(self) -> None:
        """What a browser does not show is left out: styles, scripts, the title, comments, hidden elements."""
        for source in (
            "<style>p{}</style>a",
            "<script>if (a<b) x()</script>a",
            "<head><title>t</title></head><body>a",
            "<!-- c -->a<!--[if mso]>m<![endif]-->",
            '<div style="Display : None">pre<b>header</b></div>a',
            "<span hidden>x</span>a",
            "<select><option>x</select>a",
        ):
            with self.subTest(source):
                self.assertEqual(laid_out(source), "a")

    def test_declaredCharset(self) -> None:
        """The charset that a document names is not used again: its octets are decoded already."""
        self.assertEqual(laid_out('<meta charset="iso-8859-1"><p>ä€</p>'), "ä€")
        self.assertEqual(laid_out('<?xml version="1.0" encoding="utf-16"?><p>ä</p>'), "ä")

    def test_deep(self) -> None:
        """Text below 10,000 and 100,000 levels is found, in a moment."""
        started = time.process_time()
        for tag in ("div", "b", "table><tr><td", "blockquote", "ul><li", "span"):
            self.assertIn("deep", laid_out(f"<{tag}>" * 10_000 + "deep"), tag)
        self.assertIn("deep", laid_out("<div>" * 100_000 + "deep"))
        self.assertLess(len(laid_out("<blockquote>a" * 1000)), 50_000)
        self.assertLess(time.process_time() - started, 10)

    def test_large(self) -> None:
        """Of 2 MB of HTML as much is read as the bound says, and the rest reported."""
        started = time.process_time()
        for piece in ("<p>a<b>b</b></p>\n", "&", "<a b=c ", "<!--", "<![foo"):
            text, complete = to_text(piece * (2 * MAX_SOURCE // len(piece)))
            self.assertFalse(complete, piece)
            self.assertLess(len(text), 3 * MAX_SOURCE, piece)
        self.assertLess(time.process_time() - started, 10)

    def test_wanted(self) -> None:
        """No more is laid out than what is wanted."""
        text, complete = to_text("<p>word</p>" * 20_000, wanted=100)
        self.assertFalse(complete)
        self.assertGreaterEqual(len(text), 100)
        self.assertLess(len(text), 20_000)

    @given(st.text(st.sampled_from("<>/!-[]&;#x=\"' \nabipre?uloqtsd\0ä"), max_size=200))
    @settings(max_examples=300, deadline=None)
    def test_anyText(self, source: str) -> None:
        """Any text is laid out."""
        self.assertTrue(to_text(source)[1])


class FromTextTests(SynchronousTestCase):
    def test_escaped(self) -> None:
        """Text in HTML is escaped, and its line ends are breaks."""
        self.assertEqual(from_text("a<b>&\r\nc"), "<html><body>a&lt;b&gt;&amp;<br>\r\nc</body></html>")

    def test_roundTrip(self) -> None:
        """What was made of a text reads as the text."""
        self.assertEqual(laid_out(from_text("a < b\r\n\r\nc & d")), "a < b\n\nc & d")

    def test_declared(self) -> None:
        """A document that names a charset says UTF-8 when it goes out, which is what it is then."""
        for source in (
            '<meta charset="{}">',
            "<META http-equiv='Content-Type' content='text/html; charset={}'>",
        ):
            self.assertEqual(declared_utf8(source.format("iso-8859-1")), source.format("utf-8"))
        self.assertEqual(declared_utf8("<p>charset=latin1"), "<p>charset=latin1")
