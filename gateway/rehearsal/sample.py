"""Three mails as people write them at work, of different length: what a rehearsal takes for a mail's size."""

from __future__ import annotations

_SHORT = """\
Hi Paul,

the courier has just left with both boxes, so they should be with you before noon tomorrow. The smaller one has the
spare keys and the signed copies; please put those into the safe right away.

Anna
"""

_MEDIUM = """\
Dear all,

thank you for coming to the meeting on such short notice. Here is what we agreed on, as far as I have it in my notes;
tell me by Thursday if something is missing.

1. The move to the second floor begins on the 14th. Everybody packs his or her own desk, the computers are carried by
   the people from the workshop. Label the monitors as well, last time three of them ended up in the wrong room.
2. Until the new lines work, calls for the sales desk are forwarded to reception. Margaret and Luis take turns there,
   a week each, starting with Luis.
3. The quarterly figures are due on the 20th, move or no move. Please send me yours two days earlier, even if one or
   the other number is still an estimate.
4. Nobody could say whether the old printer is worth the repair. Tom asks for two offers and decides himself, as long
   as it stays below four hundred.

Next meeting: Tuesday in two weeks, half past nine, in the small conference room because the large one will be full of
furniture by then. If the weather holds we can have lunch in the yard afterwards.

Best regards,
Helen Marsh
Office management
"""

_LONG = """\
Dear Mr. Okafor,

I am sorry that my answer took so long. I wanted to see the building with my own eyes before writing to you, and the
road up to the valley was closed until last Friday. Now I have been there, together with our surveyor, and can tell
you what we found and what we would suggest.

The roof is in better shape than the photographs let us fear. About thirty tiles on the northern side are broken and
have to be replaced before the winter, and the gutter above the entrance hangs on two hooks only. The beams below are
dry everywhere we could reach them. The surveyor drilled into five of them and found sound wood in all five, so there
is no reason to take the whole roof off, as your neighbour's carpenter proposed.

The cellar is another matter. After the rain of the last weeks water stood a hand high in the eastern room, and the
marks on the wall show that it has been there before, more than once. It comes through the joint between the old wall
and the extension. Sealing that from inside would hold for a year or two and then begin all over again. What would
help for good is a drain along the outer side, eleven metres long, down to the level of the floor, with gravel and a
pipe that leads to the ditch behind the garden. Somebody has to dig, and the shed is in the way. We could lift it with
the crane that comes for the tiles in any case, so that the extra cost would be small if both are done on the same day.

About the heating I can only repeat what I told you on the telephone. The boiler works, it is ugly, and it burns a
third more than a new one would. If you stay for ten years a new one pays for itself; if you think of selling the
house, leave it as it is, because whoever buys will have ideas of his own. The radiators are fine. Two valves on the
upper floor are stuck, our plumber replaces them for the price of the valves when he is there for the bathroom.

You asked for a list of what is urgent, what is sensible and what can wait:

- urgent, before the first frost: the broken tiles, the gutter, the window in the stairwell
- sensible, within a year: the drain, the joint in the cellar, paint for the shutters on the weather side
- can wait: boiler, floor of the attic, the fence

For the urgent part I enclose an offer with a fixed price. For the drain I can only estimate, as nobody knows what we
will find when we dig; last spring, three houses further down, it was an old cistern that nobody had on a plan. I
would put aside a quarter more than the estimate says, and be glad if it is not needed.

We could begin in the second week of next month and would be done with the urgent part after four days, if it does not
snow. For that I would need to hear from you before the end of this week, because the crane has to be ordered. Please
also tell me who has the key to the gate, since the lorry does not pass through the lane on the other side.

With kind regards, also to your sister, who made us such excellent coffee,

Gregor Lindqvist
Lindqvist & Daughters, Builders
Mill Lane 4, telephone 555-0142
"""


def mails() -> list[bytes]:
    """The octets of the mails."""
    made = []
    for number, (sender, subject, text) in enumerate(
        (
            ("Anna Feld <anna.feld@example.com>", "Boxes are on their way", _SHORT),
            ("Helen Marsh <helen.marsh@example.com>", "Notes from Monday's meeting, please check", _MEDIUM),
            ("Gregor Lindqvist <office@builders.example.net>", "Re: Your questions about the house", _LONG),
        ),
        1,
    ):
        head = (
            f"From: {sender}\nTo: Paul Okafor <paul.okafor@example.org>\nSubject: {subject}\n"
            f"Date: Mon, 13 Mar 2006 09:1{number}:00 +0000\nMessage-ID: <{number}.rehearsal@example.com>\n"
            "MIME-Version: 1.0\nContent-Type: text/plain; charset=us-ascii\n"
        )
        made.append(f"{head}\n{text}".encode("ascii"))
    return made
