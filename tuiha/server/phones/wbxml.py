"""WBXML as ActiveSync uses it (MS-ASWBXML; WAP-192-WBXML), both ways, within limits.

Of WBXML it uses tags, code pages, inline strings and opaque data. Attributes, entities, string tables, extensions and
processing instructions do not occur (MS-ASWBXML, section 2.1.1), so a document that has one of them is refused.
The decoder reads each byte once, and keeps a bounded number of elements: a document costs as much as its length.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from tuiha.server.phones.pages import TAGS, TOKENS

DEPTH = 24  # elements within each other; the deepest request of MS-ASCMD has about ten
ELEMENTS = 20_000
_VERSIONS = (0x01, 0x02, 0x03)
_UTF8 = 0x6A
_HEADER = bytes((0x03, 0x01, _UTF8, 0x00))  # version 1.3, no public identifier, UTF-8, no string table
_SWITCH_PAGE, _END, _STR_I, _OPAQUE = 0x00, 0x01, 0x03, 0xC3
_CONTENT, _ATTRIBUTES, _TOKEN = 0x40, 0x80, 0x3F
_LONGEST_NUMBER = 5  # bytes

Content: TypeAlias = "str | bytes | tuple[Element, ...]"


class WbxmlError(Exception):
    """A document that is not WBXML as ActiveSync uses it, or that passes a limit."""


@dataclass(frozen=True, slots=True)
class Element:
    """An element by its tag, `AirSync:Sync` for instance, and its content: elements, a text, or opaque bytes.

    A tag without a name on this server's code pages is written as page and token, `4:0x06` for instance.
    """

    tag: str
    content: Content = ()

    @property
    def children(self) -> tuple[Element, ...]:
        """The elements in it; none when it has a text."""
        return self.content if isinstance(self.content, tuple) else ()

    @property
    def text(self) -> str:
        """Its text; empty when it has elements. Opaque bytes count as text where they are UTF-8."""
        if isinstance(self.content, bytes):
            return self.content.decode("utf-8", "replace")
        return self.content if isinstance(self.content, str) else ""

    def all(self, tag: str) -> Iterator[Element]:
        """Its children with this tag."""
        return (one for one in self.children if one.tag == tag)

    def first(self, *path: str) -> Element | None:
        """The first element below it by the tags on the way; None when there is none."""
        found: Element | None = self
        for tag in path:
            found = None if found is None else next(found.all(tag), None)
        return found

    def value(self, *path: str) -> str | None:
        """The text of `first`, without blanks around it; None when there is no such element."""
        found = self.first(*path)
        return None if found is None else found.text.strip()


def element(tag: str, *content: Element | str | int | bytes | None) -> Element:
    """An element of children, or of one text, number or opaque value. None among the children is left out."""
    if len(content) == 1 and isinstance(content[0], (str, int, bytes)):
        return Element(tag, content[0] if isinstance(content[0], bytes) else str(content[0]))
    return Element(tag, tuple(one for one in content if isinstance(one, Element)))


def encode(root: Element) -> bytes:
    """The document of an element. Raises KeyError for a tag that has no token, ValueError for a text with a NUL."""
    out, page = bytearray(_HEADER), 0
    todo: list[Element | None] = [root]
    while todo:
        one = todo.pop()
        if one is None:
            out.append(_END)
            continue
        number, token = TOKENS[one.tag]
        if number != page:
            out += bytes((_SWITCH_PAGE, number))
            page = number
        if one.content in ((), ""):
            out.append(token)
            continue
        out.append(token | _CONTENT)
        todo.append(None)
        if isinstance(one.content, tuple):
            todo.extend(reversed(one.content))
        else:
            out += _literal(one.content)
    return bytes(out)


def _literal(content: str | bytes) -> bytes:
    if isinstance(content, bytes):
        return bytes((_OPAQUE,)) + _number(len(content)) + content
    coded = content.encode("utf-8", "replace")
    if 0 in coded:
        raise ValueError("WBXML has no NUL in a text")
    return bytes((_STR_I,)) + coded + b"\0"


def _number(value: int) -> bytes:
    """A mb_u_int32: seven bits in each byte, the highest first, all but the last with the top bit set."""
    found = bytearray((value & 0x7F,))
    while value := value >> 7:
        found.append(value & 0x7F | 0x80)
    return bytes(reversed(found))


def decode(document: bytes) -> Element:
    """The element in a document. Raises WbxmlError."""
    reader = _Reader(document)
    reader.header()
    return reader.body()


@dataclass(slots=True)
class _Open:
    """An element whose end has not come yet."""

    tag: str
    children: list[Element]
    text: list[str]
    opaque: bytes | None = None

    def closed(self) -> Element:
        """The element. Raises WbxmlError for one that has a text and elements: ActiveSync has none."""
        if (len(self.children) > 0) + (len(self.text) > 0) + (self.opaque is not None) > 1:
            raise WbxmlError("an element has a text beside something else")
        if self.children:
            return Element(self.tag, tuple(self.children))
        if self.opaque is not None:
            return Element(self.tag, self.opaque)
        return Element(self.tag, "".join(self.text) or ())


class _Reader:
    """Reads a document from its first byte to its last."""

    def __init__(self, document: bytes) -> None:
        self._bytes = document
        self._at = 0

    def header(self) -> None:
        """Version, public identifier, charset, and an empty string table."""
        if self._byte() not in _VERSIONS:
            raise WbxmlError("not a version of WBXML")
        if self._read_number() == 0:
            raise WbxmlError("the public identifier is in a string table")
        if self._read_number() != _UTF8:
            raise WbxmlError("not UTF-8")
        if self._read_number():
            raise WbxmlError("a string table")

    def body(self) -> Element:
        """The one element of the document."""
        page, elements = 0, 0
        open_: list[_Open] = []
        root: Element | None = None
        while root is None:
            byte = self._byte()
            if byte == _SWITCH_PAGE:
                page = self._byte()
            elif byte == _END:
                if not open_:
                    raise WbxmlError("an end without a beginning")
                root = _within(open_, open_.pop().closed())
            elif byte in (_STR_I, _OPAQUE):
                if not open_:
                    raise WbxmlError("a text outside of elements")
                self._read_content(byte, open_[-1])
            else:
                elements += 1
                tag = _tag(page, byte)
                if elements > ELEMENTS or len(open_) >= DEPTH:
                    raise WbxmlError("more elements than a request of ActiveSync has")
                if byte & _CONTENT:
                    open_.append(_Open(tag, [], []))
                else:
                    root = _within(open_, Element(tag))
        if self._at != len(self._bytes):
            raise WbxmlError("something follows the document")
        return root

    def _read_content(self, kind: int, of: _Open) -> None:
        if kind == _STR_I:
            of.text.append(self._read_text())
        elif of.opaque is not None:
            raise WbxmlError("two opaque values in one element")
        else:
            of.opaque = self._read_opaque()

    def _byte(self) -> int:
        if self._at >= len(self._bytes):
            raise WbxmlError("the document ends too early")
        self._at += 1
        return self._bytes[self._at - 1]

    def _read_number(self) -> int:
        found = 0
        for _ in range(_LONGEST_NUMBER):
            byte = self._byte()
            found = found << 7 | byte & 0x7F
            if not byte & 0x80:
                return found
        raise WbxmlError("a number of more than 32 bits")

    def _read_text(self) -> str:
        end = self._bytes.find(b"\0", self._at)
        if end < 0:
            raise WbxmlError("a text without its end")
        found = self._bytes[self._at:end]
        self._at = end + 1
        try:
            return found.decode("utf-8")
        except UnicodeDecodeError:
            raise WbxmlError("a text that is not UTF-8") from None

    def _read_opaque(self) -> bytes:
        length = self._read_number()
        if length > len(self._bytes) - self._at:
            raise WbxmlError("opaque data longer than the document")
        self._at += length
        return self._bytes[self._at - length:self._at]


def _within(open_: list[_Open], done: Element) -> Element | None:
    """Put an element into the one around it; the element itself when none is around it."""
    if not open_:
        return done
    open_[-1].children.append(done)
    return None


def _tag(page: int, byte: int) -> str:
    if byte & _ATTRIBUTES or byte & _TOKEN < 0x05:
        raise WbxmlError("a token that ActiveSync does not use")
    token = byte & _TOKEN
    return TAGS.get((page, token), f"{page}:{token:#04x}")


def plain(text: str) -> str:
    """A text without the characters that XML does not have: a mail may hold any of them."""
    return "".join(one if _of_xml(one) else " " for one in text)


def _of_xml(one: str) -> bool:
    return one in "\t\n\r" or "\x20" <= one <= "\ud7ff" or "\ue000" <= one <= "\ufffd" or one > "\uffff"
