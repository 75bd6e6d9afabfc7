"""Which spellings are one user, and that the one name stays what it is."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuiha.model.users.names import LONGEST, NameRule, canonical, canonical_pattern

HOME = NameRule(domain="Example.org")
FULL = NameRule(domain="example.org", with_domain=True)

rules = st.builds(
    NameRule, st.booleans(), st.booleans(), st.sampled_from([None, "example.org", "ÄXAMPLE.org"]), st.booleans()
).filter(lambda rule: rule.domain is not None or not rule.with_domain)
# Names as people and attackers write them: letters of every kind, marks, blanks, domains, and pieces that look alike.
pieces = st.sampled_from([
    "anna", "ANNA", "ÄNNA", "A\u0308", "\uff21\uff4e", "\u0130", "\u0301", " ", "\u00a0", "\u200b", "\t", "@", "\uff20",
    "@example.org", "@EXAMPLE.ORG", "@äxample.org", "Σ", "ß", "\u212b", "*", "?", ".", "\ufb2c", "\uff76\uff9e",
])
texts = st.lists(pieces | st.characters(), max_size=12).map("".join)


@pytest.mark.parametrize(("written", "rule", "expected"), [
    ("Anna", NameRule(), "anna"), ("ANNA", NameRule(), "anna"), ("anna ", NameRule(), "anna"),
    ("\tanna\u00a0\u3000", NameRule(), "anna"), ("\ufeffanna\u200b", NameRule(), "anna"),
    ("anna maria", NameRule(), "anna maria"), ("ÄNNA", NameRule(), "änna"), ("A\u0308NNA", NameRule(), "änna"),
    ("ａｎｎａ", NameRule(), "anna"), ("ＡＮＮＡ", NameRule(), "anna"), ("ΝΙΚΟΣ", NameRule(), "νικος"),
    ("\u0130pek", NameRule(), "i\u0307pek"), ("IPEK", NameRule(), "ipek"), ("Straße", NameRule(), "straße"),
    ("anna@Example.org", NameRule(), "anna@example.org"), (" \t", NameRule(), ""),
    ("Anna", NameRule(lower=False), "Anna"), ("A\u0308", NameRule(lower=False), "Ä"),
    (" anna", NameRule(strip=False), " anna"),
    ("Anna@EXAMPLE.ORG", HOME, "anna"), ("anna＠example.org", HOME, "anna"), ("anna @example.org", HOME, "anna"),
    ("anna@other.org", HOME, "anna@other.org"), ("anna@sub.example.org", HOME, "anna@sub.example.org"),
    ("@example.org", HOME, "@example.org"), ("a@b@example.org", HOME, "a@b@example.org"),
    ("Anna", FULL, "anna@example.org"), ("anna@EXAMPLE.org", FULL, "anna@example.org"), ("", FULL, ""),
    ("anna@other.org", FULL, "anna@other.org"),
    ("ANNA@EXAMPLE.ORG", NameRule(lower=False, domain="example.org"), "ANNA"),
])
def test_one_name(written: str, rule: NameRule, expected: str) -> None:
    assert canonical(written, rule) == expected
    assert canonical(expected, rule) == expected


@given(texts, rules)
def test_the_one_name_is_its_own(text: str, rule: NameRule) -> None:
    once = canonical(text, rule)
    assert canonical(once, rule) == once
    assert unicodedata.is_normalized("NFC", once)
    assert len(once) <= 3 * len(text) + 1 + len(rule.domain or "")


def test_every_letter_of_unicode_is_settled_at_once() -> None:
    letters = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    for letter in letters:
        once = canonical(f"a{letter}b")
        assert canonical(once) == once, hex(ord(letter))


def test_what_is_too_long_is_left_alone() -> None:
    text = "Ä\u0301" * LONGEST
    assert canonical(text) == text
    assert canonical_pattern(text) == text


@pytest.mark.parametrize(("written", "rule", "expected"), [
    ("AN", NameRule(), "an"), ("A*N?", NameRule(), "a*n?"), (" Ä*", NameRule(), "ä*"),
    ("Anna", NameRule(lower=False), "Anna"),
    ("anna@exa", HOME, "anna"), ("An*@Example.org", HOME, "an*"), ("anna@other", HOME, "anna@other"),
    ("anna@", HOME, "anna"), ("anna@exa", FULL, "anna@exa"), ("@example", HOME, "@example"), ("", HOME, ""),
])
def test_patterns_find_what_is_kept(written: str, rule: NameRule, expected: str) -> None:
    assert canonical_pattern(written, rule) == expected


@given(texts, rules)
def test_a_name_is_found_by_every_spelling_of_it(text: str, rule: NameRule) -> None:
    name = canonical(text, rule)
    if rule.domain is None and not set("*?") & set(text):
        assert name.startswith(canonical_pattern(text, rule))
