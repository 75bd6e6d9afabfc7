"""One name for one mailbox: the spelling under which a user is kept, by the rule of the configuration. Pure.

Phones write a capital first and a blank last, some people write the whole address, and mail servers take all of these
for one mailbox. The mapping is that of RFC 8265 (UsernameCaseMapped): full-width and half-width letters become
ordinary ones, then capitals become small letters, then the text is composed (NFC). Capitals fold as `str.lower` does:
"ANNA" and "Anna" are "anna", and "ÄNNA" is "änna". The Turkish "İ" stays another letter than "i", and "ß" than "ss".
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

LONGEST = 256  # characters; a longer text is nobody's name, and is left as it is


@dataclass(frozen=True, slots=True)
class NameRule:
    """Which spellings are one user (`users.names` of the configuration)."""

    lower: bool = True  # capitals and small letters are the same
    strip: bool = True  # what cannot be seen around a name is not part of it
    domain: str | None = None  # "anna" and "anna@DOMAIN" are the same
    with_domain: bool = False  # the one name is "anna@DOMAIN"; else it is "anna"

    @property
    def words(self) -> str:
        """The rule for people, the same text for the same rule."""
        domain = f"{'with' if self.with_domain else 'without'} @{_domain(self)}" if self.domain is not None else ""
        said = "small letters" * self.lower, "blanks stripped" * self.strip, domain
        return ", ".join(filter(None, said)) or "as they are written"


DEFAULT = NameRule()


def canonical(name: str, rule: NameRule = DEFAULT) -> str:
    """The one spelling of a name; that of the result is the result.

    It may be empty, and longer than what it was made of. More than LONGEST characters come back as they are.
    """
    if len(name) > LONGEST:
        return name
    plain = _stripped(_ordinary(name)) if rule.strip else _ordinary(name)
    if rule.lower:
        plain = _lowered(plain)
    return plain if rule.domain is None else _at_home(plain, rule)


def canonical_pattern(pattern: str, rule: NameRule = DEFAULT) -> str:
    """A beginning of a name, or a pattern with * and ?, as the names are written that it shall find."""
    if len(pattern) > LONGEST:
        return pattern
    plain = _stripped(_ordinary(pattern)) if rule.strip else _ordinary(pattern)
    if rule.lower:
        plain = _lowered(plain)
    if rule.domain is None or rule.with_domain:
        return plain
    local, at, begun = plain.rpartition("@")  # of a domain that is being typed, its beginning
    return local if at and local and "@" not in local and _domain(rule).startswith(begun.lower()) else plain


def _ordinary(text: str) -> str:
    """Composed, and with letters of ordinary width (RFC 8265, 3.3.2)."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", "".join(map(_of_ordinary_width, text)))


def _of_ordinary_width(letter: str) -> str:
    kind, _, code = unicodedata.decomposition(letter).partition(" ")
    return chr(int(code, 16)) if kind in ("<wide>", "<narrow>") else letter


def _lowered(text: str) -> str:
    return text.lower() if text.isascii() else unicodedata.normalize("NFC", text.lower())


def _stripped(text: str) -> str:
    first, last = 0, len(text)
    while first < last and _unseen(text[first]):
        first += 1
    while last > first and _unseen(text[last - 1]):
        last -= 1
    return text[first:last]


def _unseen(letter: str) -> bool:
    """Blanks of every kind, control characters, and what only steers how text is shown (zero width, direction)."""
    category = unicodedata.category(letter)
    return category[0] == "Z" or category in ("Cc", "Cf")


def _at_home(name: str, rule: NameRule) -> str:
    """With the pool's own domain, or without it. Another domain stays, and so does what is no address."""
    local, at, domain = name.rpartition("@")
    if not at:
        return f"{name}@{_domain(rule)}" if rule.with_domain and name else name
    local = _stripped(local) if rule.strip else local
    if not local or "@" in local or domain.lower() != _domain(rule):
        return name
    return f"{local}@{_domain(rule)}" if rule.with_domain else local


def _domain(rule: NameRule) -> str:
    """The domain as it is compared and written: capitals never matter in one (RFC 4343)."""
    return _lowered(_ordinary(rule.domain or ""))

