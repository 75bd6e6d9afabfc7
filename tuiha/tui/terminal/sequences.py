"""From characters to keys: every sequence that a terminal may send is one unit, and what is not understood is nothing.

A terminal writes keys, answers and reports into one stream. Parts of a report that nobody knows must never be taken for
keys: they would act. So sequences are delimited by the rules of ECMA-48 before anything is made of them.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

from textual import constants, events, messages
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual._keyboard_protocol import FUNCTIONAL_KEYS
from textual._xterm_parser import XTermParser
from textual.keys import Keys as Names
from textual.message import Message

_ESC, _BEL = "\x1b", "\x07"
_STRINGS = "]PX^_"  # OSC, DCS, SOS, PM, APC: until ST
_LONGEST = 64  # characters of a sequence that is understood
_LONGEST_PASTE = 64 * 1024  # characters that are kept of one
_SILENCE = 1.0  # seconds after which a sequence that was begun is given up
_PASTE, _PASTED = "\x1b[200~", "\x1b[201~"
_KITTY = re.compile(r"\x1b\[([\d:]{0,24})(?:;([\d:]{0,12}))?(?:;([\d:]{0,32}))?([u~ABCDEFHPQRS])")
_SYNCHRONIZED = re.compile(r"\x1b\[\?2026;[1-4]\$y")
_RELEASED = "3"  # of kitty's event types: 1 pressed, 2 repeated, 3 released
_SURROGATES = range(0xD800, 0xE000)


class Keys:
    """Takes what the terminal sent, in any pieces, and gives keys, pasted texts and the answers that are asked for.

    An esc that came together with the next key is both keys: what they do must not depend on how fast the link is.
    Terminals send alt and a key in the same way, and Textual takes some for what alt writes on a Mac; no key here has
    alt.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._table = XTermParser()
        self._begun = ""  # a sequence that is not complete
        self._long = False  # it is longer than any that is understood
        self._paste: list[str] | None = None
        self._until: float | None = None  # when what was begun is given up

    @property
    def waiting(self) -> bool:
        """Whether time alone may decide what was begun."""
        return self._until is not None

    def feed(self, text: str) -> Iterator[Message]:
        """What comes of these characters."""
        for character in text:
            yield from self._pasting(character) if self._paste is not None else self._next(character)
        if text:
            self._until = self._now() + self._patience() if self._begun and self._paste is None else None

    def tick(self) -> Iterator[Message]:
        """What comes of the time that has passed."""
        if self._until is not None and self._now() >= self._until:
            yield from self.end()

    def end(self) -> Iterator[Message]:
        """Nothing more comes that belongs to what was begun: an esc is a key, and so is one that stands behind it."""
        begun, self._begun, self._long, self._until = self._begun, "", False, None
        if begun and len(begun) <= 2:
            yield events.Key("escape", _ESC)
            for character in begun[1:]:
                yield from self._key(character)

    def _patience(self) -> float:
        return constants.ESCAPE_DELAY if len(self._begun) <= 2 else _SILENCE

    def _next(self, character: str) -> Iterator[Message]:
        if not self._begun:
            if character == _ESC:
                self._begun = _ESC
            else:
                yield from self._key(character)
        elif self._begun == _ESC:
            yield from self._second(character)
        elif self._begun[1] in _STRINGS:
            yield from self._in_string(character)
        else:
            yield from self._in_sequence(character)

    def _second(self, character: str) -> Iterator[Message]:
        if character == _ESC:
            yield events.Key("escape", _ESC)
        elif character in _STRINGS or character in "[O":
            self._begun += character
        else:
            self._begun = ""
            yield events.Key("escape", _ESC)
            yield from self._key(character)

    def _in_string(self, character: str) -> Iterator[Message]:
        """An answer as a text; none is asked for. It ends with ST, or BEL, or where another sequence begins."""
        if self._begun[-1] == _ESC and character != "\\":
            self._begun = _ESC
            yield from self._second(character)
        elif character == _BEL or self._begun[-1] == _ESC:
            self._begun = ""
        else:
            self._begun = self._begun[:2] + character  # what it says does not matter

    def _in_sequence(self, character: str) -> Iterator[Message]:
        if character == _ESC:  # it was cut off by another one
            begun, self._begun, self._long = self._begun, _ESC, False
            if len(begun) == 2:  # esc and a key, by hand
                yield events.Key("escape", _ESC)
                yield from self._key(begun[1])
            return
        whole = self._begun + character
        if whole in ANSI_SEQUENCES_KEYS or self._ends(character):
            long, self._begun, self._long = self._long, "", False
            if not long:
                yield from self._understood(whole)
        elif not " " <= character <= "~":  # no sequence goes on like this; what came of it is nothing
            self._begun, self._long = "", False
        elif len(whole) > _LONGEST:
            self._long = True
        else:
            self._begun = whole

    def _ends(self, character: str) -> bool:
        """Whether this character is the last of the sequence that was begun. ESC [ [ begins Linux's F1 to F5."""
        if self._begun == "\x1b[":
            return "@" <= character <= "~" and character != "["
        if self._begun[1] == "O":
            return not character.isdigit()
        return "@" <= character <= "~"

    def _understood(self, sequence: str) -> Iterator[Message]:
        if sequence == _PASTE:
            self._paste = []
        elif _SYNCHRONIZED.fullmatch(sequence):
            yield messages.TerminalSupportsSynchronizedOutput()
        elif _KITTY.fullmatch(sequence):
            plain = pressed(sequence)
            if plain is not None:
                yield from self._key(plain)
        elif sequence in ANSI_SEQUENCES_KEYS:
            yield from self._key(sequence)

    def _pasting(self, character: str) -> Iterator[Message]:
        """Everything up to the mark is text, whatever is in it."""
        paste = self._paste or []
        self._begun = (self._begun + character)[-len(_PASTED):]
        if self._begun == _PASTED:
            text = "".join(paste)[: 1 - len(_PASTED)] if len(paste) < _LONGEST_PASTE else "".join(paste)
            self._paste, self._begun = None, ""
            yield events.Paste(text.replace("\x00", ""))
        elif len(paste) < _LONGEST_PASTE:
            paste.append(character)
            self._paste = paste

    def _key(self, sequence: str) -> Iterator[Message]:
        """The keys of one character or one sequence of Textual's table."""
        try:
            found = list(self._table._sequence_to_key_events(sequence))
        except (ValueError, OverflowError):
            return
        yield from (key for key in found if key.key != Names.Ignore)


def pressed(sequence: str) -> str | None:
    """A sequence of kitty's keyboard protocol without its event type; None for a key that was released, and for codes
    that no character has.
    """
    match = _KITTY.fullmatch(sequence)
    if match is None:
        return None
    code, modifiers, text, last = match.groups(default="")
    bits, _, event = modifiers.partition(":")
    if event == _RELEASED or not (event in ("", "1", "2") and (not bits or 1 <= int(bits) <= 256)):
        return None
    first = code.partition(":")[0]
    texts = [part for part in text.split(":") if part]
    if not _is_character(first or "1") or not all(_is_character(part) and _is_text(int(part)) for part in texts):
        return None
    if last != "u" and f"{first or '1'}{last}" not in FUNCTIONAL_KEYS:
        return None  # a report that looks like a key: where the cursor is, for instance
    if not modifiers and not text:
        return f"\x1b[{first}{last}"
    return f"\x1b[{first};{bits}{f';{text}' if text else ''}{last}"


def _is_text(code: int) -> bool:
    return code >= 32 and not 127 <= code < 160


def _is_character(code: str) -> bool:
    return code.isdecimal() and len(code) <= 7 and int(code) <= 0x10FFFF and int(code) not in _SURROGATES
