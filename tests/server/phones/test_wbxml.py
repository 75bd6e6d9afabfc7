"""The WBXML codec: both ways, within limits, and as two independent readers see it."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tuiha.server.phones.pages import TAGS, TOKENS
from tuiha.server.phones.wbxml import DEPTH, ELEMENTS, Element, WbxmlError, decode, element, encode, plain

HEADER = b"\x03\x01\x6a\x00"
_texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=40)
_tags = st.sampled_from(sorted(TOKENS))
_leaves = st.builds(Element, _tags, st.one_of(st.just(()), _texts, st.binary(min_size=1, max_size=200)))
_elements = st.recursive(
    _leaves, lambda within: st.builds(Element, _tags, st.lists(within, min_size=1, max_size=5).map(tuple)),
    max_leaves=30)


@given(_elements)
def test_an_element_is_read_as_it_was_written(one: Element) -> None:
    assert decode(encode(one)) == one


@given(st.binary(max_size=400))
@example(b"")
@example(HEADER)
def test_any_bytes_are_read_or_refused(document: bytes) -> None:
    """Nothing but WbxmlError comes out, after a header as well."""
    for one in (document, HEADER + document):
        with suppress(WbxmlError):
            assert isinstance(decode(one), Element)


@given(_elements, st.data())
def test_a_cut_document_is_refused(one: Element, data: st.DataObject) -> None:
    document = encode(one)
    with pytest.raises(WbxmlError):
        decode(document[:data.draw(st.integers(0, len(document) - 1))])


@settings(max_examples=300)
@given(_elements, st.data())
def test_a_changed_byte_makes_no_other_failure(one: Element, data: st.DataObject) -> None:
    document = bytearray(encode(one))
    document[data.draw(st.integers(0, len(document) - 1))] = data.draw(st.integers(0, 255))
    with suppress(WbxmlError):
        decode(bytes(document))


@pytest.mark.parametrize("body", [
    b"\x45" * DEPTH + b"\x45" + b"\x01" * (DEPTH + 1),  # too deep
    b"\x45" + b"\x06" * ELEMENTS + b"\x01",  # too many
    b"\x45\x03endless",  # no end of the text
    b"\x45\xc3\x8f\xff\xff\xff\x7f\x01",  # 4 GB of opaque data
    b"\x45\xc3\xff\xff\xff\xff\xff\xff\x01",  # a number without an end
    b"\x45\x03\xff\xfe\x00\x01",  # not UTF-8
    b"\xc5\x01\x01",  # attributes
    b"\x45\x83\x00\x01",  # the string table
    b"\x45\x02\x20\x01",  # an entity
    b"\x45\x04\x00\x01",  # a literal
    b"\x01", b"\x03a\x00", b"\x05\x05",
    b"\x45\x03a\x00\x06\x01",  # text and an element
])
def test_a_hostile_document_is_refused(body: bytes) -> None:
    with pytest.raises(WbxmlError):
        decode(HEADER + body)


@pytest.mark.parametrize("header", [
    b"\x03\x01\x6a\x05abcd\0", b"\x03\x00\x00\x6a\x00", b"\x07\x01\x6a\x00", b"\x03\x01\x04\x00"])
def test_other_headers_are_refused(header: bytes) -> None:
    with pytest.raises(WbxmlError):
        decode(header + b"\x05")


def test_as_deep_as_the_limit() -> None:
    assert decode(HEADER + b"\x45" * DEPTH + b"\x01" * DEPTH).tag == "AirSync:Sync"


def test_unknown_tokens_are_read_over() -> None:
    """A calendar's element in a request of mail: kept under its numbers, and never written."""
    found = decode(HEADER + b"\x45\x00\x04\x46\x03x\x00\x01\x01")
    assert found.children[0].tag == "4:0x06"
    with pytest.raises(KeyError):
        encode(found)


def test_finding_things() -> None:
    one = element("Ping:Ping", element("Ping:HeartbeatInterval", 480), None,
                  element("Ping:Folders", element("Ping:Folder", element("Ping:Id", " 1 "))))
    assert one.value("Ping:HeartbeatInterval") == "480"
    assert one.value("Ping:Folders", "Ping:Folder", "Ping:Id") == "1"
    assert one.value("Ping:MaxFolders") is None
    assert element("Ping:Id", b"1").text == "1"


def test_texts_of_mails_become_texts_of_xml() -> None:
    assert plain("a\x01b\ud800c\ufffed\U0001f600\t") == "a b c d\U0001f600\t"
    with pytest.raises(ValueError, match="NUL"):
        encode(Element("Email:Subject", "a\0b"))


def test_no_tag_stands_for_two_tokens() -> None:
    assert len(TAGS) == len(TOKENS)


def test_the_tokens_are_those_of_an_independent_client() -> None:
    codepages = pytest.importorskip("pyactivesync._codepages", reason="pyactivesync is not installed")
    ours = {place: tag.partition(":")[2] for place, tag in TAGS.items()}
    for page, tags in codepages.CODEPAGES.items():
        number = codepages.PAGE_INDEX[page]
        for name, token in tags.items():
            if (number, token) in ours:
                assert ours[number, token].lower() == name.lower(), page


# What libwbxml calls otherwise, beside capitals. It numbers the tokens alike.
LIBWBXML = {
    "Email:ReplyTo": "Reply-To", "Email:Status": "FlagStatus",
    "Settings:RightsManagementInformation": "ihsManagementInformation",
    **{f"Email:{name}": f"Recurrence_{name}" for name in (
        "Type", "Until", "Occurrences", "Interval", "DayOfWeek", "DayOfMonth", "WeekOfMonth", "MonthOfYear")},
}


@pytest.mark.skipif(shutil.which("wbxml2xml") is None, reason="wbxml2xml (libwbxml2-utils) is not installed")
def test_the_names_are_those_of_libwbxml(tmp_path: Path) -> None:
    """Each page is written in a document of its own, and wbxml2xml gives its names. It does not know page 25 yet."""
    pages: dict[int, list[str]] = {}
    for tag, (page, _) in TOKENS.items():
        pages.setdefault(page, []).append(tag)
    del pages[25]
    for tags in pages.values():
        document = encode(element("AirSync:Sync", element("AirSync:Commands", *(Element(tag, "x") for tag in tags))))
        names = [one.tag.rpartition("}")[2].lower() for one in read_by_libwbxml(document, tmp_path)[0]]
        assert names == [LIBWBXML.get(tag, tag.partition(":")[2]).lower() for tag in tags]


def read_by_libwbxml(document: bytes, folder: Path) -> ElementTree.Element:
    """The XML that wbxml2xml makes of a document."""
    (folder / "in.wbxml").write_bytes(document)
    done = subprocess.run(["wbxml2xml", "-l", "ACTIVESYNC", "-o", folder / "out.xml", folder / "in.wbxml"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return ElementTree.fromstring((folder / "out.xml").read_text())
