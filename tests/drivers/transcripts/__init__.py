"""A corpus of IMAP servers' manners, each with what has to be recorded of its mailbox.

`*.imap` are files for people to read and add to:

    === Who: what is special           begins a transcript
    message 3 <a@x> The subject        a message of the mailbox: UID, Message-ID (- for none), subject
    record 3 unreadable                what must be recorded, where it is not just that: `unreadable`, `nothing`, or
    record 3 <b@x> Another subject     other values
    fetch                              how a command is answered, in the lines that follow; `fetch 3`: for one message
    | * $SEQ FETCH (UID $UID $SECTION $HEADER)

Commands are greeting, capability, login, examine, select, status, search, list (UID FETCH n:* (UID)), fetch, whole (the
same, not partial), envelope, size, idle, noop, and `between`: lines before every answer. What a transcript does not say
is answered in the ordinary way. A line ends in CRLF, with \\c at its end in nothing. $NAMES are filled in: $SEQ, $UID,
$DATE, $SIZE, $SECTION, $HEADER (a literal), $TEXT (the header as it is), $LENGTH, $ENVELOPE, $LARGE, $UIDS, $EXISTS,
$NEXT, $TAG. \\xNN, \\r, \\n and \\0 stand for bytes, «text» is a literal. A line `| CLOSE` ends the connection;
`| $TAG ...` ends the command, and where a transcript has none, an OK follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from pathlib import Path

SECTION = "BODY[HEADER.FIELDS (MESSAGE-ID SUBJECT DATE FROM)]"
UNREADABLE = "unreadable"

_ORDINARY = {
    "greeting": "* OK [CAPABILITY IMAP4rev1 SASL-IR IDLE AUTH=PLAIN] ready\r\n",
    "capability": "* CAPABILITY IMAP4rev1 SASL-IR IDLE AUTH=PLAIN\r\n",
    "login": "",
    "examine": ("* FLAGS (\\Seen \\Answered)\r\n* OK [PERMANENTFLAGS ()] none\r\n* $EXISTS EXISTS\r\n* 0 RECENT\r\n"
                "* OK [UIDVALIDITY 7] valid\r\n* OK [UIDNEXT $NEXT] next\r\n$TAG OK [READ-ONLY] done\r\n"),
    "select": "",
    "status": "* STATUS INBOX (UIDVALIDITY 7 UIDNEXT $NEXT)\r\n",
    "search": "* SEARCH $UIDS\r\n",
    "list": "* $SEQ FETCH (UID $UID)\r\n",
    "fetch": f'* $SEQ FETCH (UID $UID INTERNALDATE "$DATE" RFC822.SIZE $SIZE {SECTION}<0> $HEADER)\r\n',
    "whole": f'* $SEQ FETCH (UID $UID INTERNALDATE "$DATE" RFC822.SIZE $SIZE {SECTION} $HEADER)\r\n',
    "envelope": '* $SEQ FETCH (UID $UID INTERNALDATE "$DATE" RFC822.SIZE $SIZE ENVELOPE $ENVELOPE)\r\n',
    "size": '* $SEQ FETCH (UID $UID INTERNALDATE "$DATE" RFC822.SIZE $SIZE)\r\n',
    "idle": "+ idling\r\n",
    "noop": "",
    "between": "",
}
_BY_MESSAGE = ("list", "fetch", "whole", "envelope", "size")


@dataclass(frozen=True)
class Mail:
    """A message of a mailbox."""

    uid: int
    message_id: str  # empty: it has none
    subject: str
    date: str = "17-Nov-2026 10:00:00 +0000"

    @property
    def header(self) -> bytes:
        """As the server sends it."""
        lines = [f"Message-ID: {self.message_id}"] if self.message_id else []
        lines += [f"Subject: {self.subject}", "From: Anna <anna@example.org>", "Date: Tue, 17 Nov 2026 10:00:00 +0000"]
        return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"

    @property
    def envelope(self) -> str:
        """The same as an ENVELOPE."""
        message_id = f'"{self.message_id}"' if self.message_id else "NIL"
        anna = '(("Anna" NIL "anna" "example.org"))'
        return (f'("Tue, 17 Nov 2026 10:00:00 +0000" "{self.subject}" {anna} {anna} {anna} {anna} NIL NIL NIL '
                f"{message_id})")


@dataclass(frozen=True)
class Transcript:
    """One server's manner."""

    name: str
    mails: tuple[Mail, ...]
    answers: Mapping[str, str] = field(default_factory=dict)  # by command, or command and UID
    expected: Mapping[int, tuple[str, str] | None] = field(default_factory=dict)  # where it is not the message itself

    @property
    def recorded(self) -> dict[int, tuple[str, str]]:
        """UID -> Message-ID and subject, or UNREADABLE in the place of both."""
        found: dict[int, tuple[str, str] | None] = {one.uid: (one.message_id, one.subject) for one in self.mails}
        return {uid: what for uid, what in sorted((found | dict(self.expected)).items()) if what is not None}

    def answer(self, command: str, tag: str, uids: Sequence[int] = ()) -> tuple[bytes, bool]:
        """What the server sends, and whether it then hangs up."""
        places = {one.uid: place for place, one in enumerate(self.mails, 1)}
        template = self.answers.get(command, _ORDINARY[command])
        if command in _BY_MESSAGE:
            body, closes = b"", False
            for one in self.mails:
                if one.uid in uids and not closes:
                    chosen = self.answers.get(f"{command} {one.uid}", template)
                    body += self._filled(chosen, tag, one, places[one.uid])
                    closes = b"CLOSE\r\n" in body
        else:
            body, closes = self._filled(template, tag, None, 0, uids), "CLOSE" in template
        between = "" if command == "greeting" else self.answers.get("between", "")
        body = self._filled(between, tag, None, 0) + body.replace(b"CLOSE\r\n", b"")
        if closes or command in ("greeting", "idle"):
            return body, closes
        ended = re.search(rb"(?:^|\n)[ \t]*" + re.escape(tag.encode()) + rb"[ \t]", body) is not None
        return body + (b"" if ended else f"{tag} OK done\r\n".encode()), False

    def _filled(self, template: str, tag: str, one: Mail | None, place: int, uids: Sequence[int] = ()) -> bytes:
        known = {
            "$TAG": tag, "$EXISTS": str(len(self.mails)), "$NEXT": str(max([0, *(m.uid for m in self.mails)]) + 1),
            "$UIDS": " ".join(map(str, uids)), "$SECTION": SECTION,
            "$LARGE": "Message-ID: <a@x>\r\nSubject: ordinary\r\nX-Large: ".ljust(300_000, "x"),
        }
        if one is not None:
            known |= {"$UID": str(one.uid), "$SEQ": str(place), "$DATE": one.date, "$SIZE": str(len(one.header) + 40),
                      "$ENVELOPE": one.envelope, "$LENGTH": str(len(one.header)),
                      "$HEADER": f"{{{len(one.header)}}}\r\n{one.header.decode()}", "$TEXT": one.header.decode()}
        text = re.sub("|".join(re.escape(name) for name in sorted(known, key=len, reverse=True)),
                      lambda name: known[name[0]].replace("\\", "\\\\"), template)
        raw = re.sub(rb"\\(?:x([0-9a-f]{2})|([rn0\\]))", _byte, text.encode())
        return re.sub("«(.*?)»".encode(), lambda found: b"{%d}\r\n%s" % (len(found[1]), found[1]), raw, flags=re.DOTALL)


def _byte(escape: re.Match[bytes]) -> bytes:
    named = {b"r": b"\r", b"n": b"\n", b"0": b"\0", b"\\": b"\\"}
    return bytes([int(escape[1], 16)]) if escape[1] else named[escape[2]]


def read(text: str) -> Iterator[Transcript]:
    """The transcripts of a file."""
    for section in re.split(r"^=== ", text, flags=re.MULTILINE)[1:]:
        name, _, body = section.partition("\n")
        mails, answers, expected = list[Mail](), dict[str, str](), dict[int, tuple[str, str] | None]()
        block = ""
        for line in body.splitlines():
            if line.startswith("|"):
                ended = line[2:].removesuffix("\\c")
                answers[block] += ended + ("" if line.endswith("\\c") else "\r\n")
            elif line.startswith("message "):
                _, uid, message_id, *subject = line.split(" ", 3)
                mails.append(Mail(int(uid), "" if message_id == "-" else message_id, "".join(subject)))
            elif line.startswith("record "):
                _, uid, what, *subject = line.split(" ", 3)
                expected[int(uid)] = _what(what, "".join(subject))
            elif line.strip() and not line.startswith("#"):
                block = line.strip()
                answers[block] = ""
        yield Transcript(name.strip(), tuple(mails or _THREE), answers, expected)


def _what(word: str, subject: str) -> tuple[str, str] | None:
    if word == "nothing":
        return None
    return (UNREADABLE, UNREADABLE) if word == UNREADABLE else ("" if word == "-" else word, subject)


_THREE = tuple(Mail(uid, f"<m{uid}@x>", f"mail {uid}") for uid in (1, 2, 5))


def combined() -> Iterator[Transcript]:
    """Manners of answering FETCH with manners of opening a mailbox and of framing."""
    shapes = {
        "in the usual order": "UID $UID INTERNALDATE \"$DATE\" RFC822.SIZE $SIZE $SECTION<0> $HEADER",
        "with the header first": "$SECTION<0> $HEADER INTERNALDATE \"$DATE\" RFC822.SIZE $SIZE UID $UID",
        "with flags in between": "FLAGS (\\\\Seen [work] Perso/Travail) $SECTION<0> $HEADER MODSEQ (12) UID $UID",
        "without an origin, quoted names":
            'UID $UID BODY[HEADER.FIELDS ("MESSAGE-ID" "SUBJECT" "DATE" "FROM")] $HEADER RFC822.SIZE $SIZE',
        "in lower case": "uid $UID internaldate \"$DATE\" rfc822.size $SIZE body[header.fields (date from)]<0> $HEADER",
        "with INTERNALDATE NIL": "UID $UID INTERNALDATE NIL RFC822.SIZE NIL $SECTION<0> $HEADER",
        "with spaces": "UID  $UID   $SECTION<0>  $HEADER  RFC822.SIZE $SIZE ",
        "with a structure":
            "BODYSTRUCTURE " + "(" * 40 + '"TEXT" "a)b" NIL' + ")" * 40 + " UID $UID $SECTION<0> $HEADER",
        "in two responses": "UID $UID RFC822.SIZE $SIZE)\r\n* $SEQ FETCH ($SECTION<0> $HEADER",
        "in literal8": f"UID $UID {SECTION}<0> ~{{$LENGTH}}\r\n$TEXT RFC822.SIZE $SIZE",
        "in LITERAL+": f"UID $UID {SECTION}<0> {{$LENGTH+}}\r\n$TEXT RFC822.SIZE $SIZE",
    }
    boxes = {
        "codes as usual": "",
        "without UIDNEXT": "* $EXISTS EXISTS\r\n* OK [UIDVALIDITY 7] v\r\n$TAG OK done\r\n",
        "codes at the end": "* $EXISTS EXISTS\r\n$TAG OK [UIDVALIDITY 7] [UIDNEXT $NEXT] [READ-ONLY] done\r\n",
        "codes in lower case": "* OK [uidnext $NEXT]\r\n* ok [uidvalidity 7]\r\n* $EXISTS exists\r\n$TAG ok\r\n",
        "without EXISTS": "* OK [UIDVALIDITY 7] v\r\n* OK [UIDNEXT $NEXT] n\r\n$TAG OK done\r\n",
    }
    framings = {
        "CRLF": lambda text: text, "bare LF": lambda text: text.replace(")\r\n", ")\n"),
        "blank lines": lambda text: "\r\n \r\n" + text + "\r\n", "blanks at ends": lambda text: text.replace(
            ")\r\n", ") \t \r\n"),
        "a blank line after the literal": lambda text: text.replace("$HEADER)", "$HEADER\r\n)"),
        "news in between": lambda text: f"* 9 EXISTS\r\n* 2 FETCH (FLAGS ())\r\n{text}* 3 EXISTS\r\n* 1 RECENT\r\n",
    }
    for (shape, items), (box, opened), (framing, framed) in product(
            shapes.items(), boxes.items(), framings.items()):
        text = framed(f"* $SEQ FETCH ({items})\r\n")
        answers = {"fetch": text, **({"examine": opened} if opened else {})}
        if framing == "news in between" and box != "codes as usual":
            continue  # enough of them
        yield Transcript(f"FETCH {shape}, {box}, {framing}", _THREE, answers)


@cache
def corpus() -> tuple[Transcript, ...]:
    """All of them, each with a name of its own."""
    files = [one for path in sorted(Path(__file__).parent.glob("*.imap"))
             for one in read(path.read_text(encoding="utf-8"))]
    found = (*files, *combined())
    assert len({one.name for one in found}) == len(found)
    return found
