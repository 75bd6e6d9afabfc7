from __future__ import annotations

import base64
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuiha.server.devices.history import SyncKey, make_key, read_key
from tuiha.server.devices.passwords import Remembered, hash_password, verify_password

BIG = st.integers(0, 2**62)


@given(BIG, BIG)
def test_a_key_is_read_back_by_its_own_device_only(device: int, seq: int) -> None:
    key = make_key(device, seq)
    assert read_key(key, device) == seq
    assert read_key(key, device + 1) is None


@given(st.text(max_size=60))
def test_any_other_text_is_no_key(text: str) -> None:
    assert read_key(text, 1) is None


@given(BIG, st.integers(0, 40), st.characters(codec="ascii"))
def test_a_damaged_key_is_no_key(seq: int, position: int, letter: str) -> None:
    key = make_key(5, seq)
    damaged = key[:position] + letter + key[position + 1 :]
    if damaged != key:
        assert read_key(damaged, 5) in (None, seq)  # base64 has several spellings of its last letter


def test_a_password_fits_its_hash_and_no_other() -> None:
    stored = hash_password("correct horse", 4)
    assert "correct" not in stored
    assert verify_password("correct horse", stored)
    assert not verify_password("correct horsf", stored)
    assert not verify_password("correct horse", "nonsense")
    assert hash_password("correct horse", 4) != stored, "salted"


def test_what_is_remembered_ends_with_the_stored_hash_and_holds_no_password() -> None:
    remembered = Remembered()
    remembered.keep("anna", "secret", "hash1")
    assert remembered.knows("anna", "secret", "hash1")
    assert not remembered.knows("anna", "other", "hash1")
    assert not remembered.knows("anna", "secret", "hash2")
    assert "secret" not in repr(remembered)


@pytest.mark.parametrize("inside", ["1.7." + "9" * 5000 + ".0", "1.7.9.0" + "0" * 200, "1." + "7" * 5000 + ".1.0"])
def test_a_key_that_no_server_made_is_unknown_however_long(inside: str) -> None:
    """Found by the fuzz: Python reads no number of more than 4,300 digits."""
    assert read_key(base64.urlsafe_b64encode(inside.encode()).decode().rstrip("="), 7) is None


@given(BIG, BIG, st.lists(st.tuples(BIG, BIG), max_size=6).map(tuple))
def test_a_key_with_joined_histories_is_read_back(device: int, seq: int, joined: tuple[tuple[int, int], ...]) -> None:
    key = SyncKey(device, seq, joined)
    assert SyncKey.of(key.text()) == key
    assert len(key.text()) <= 400
    assert read_key(key.text(), device) == (None if joined else seq)


@pytest.mark.parametrize("inside", [
    "2.7.1", "1.7.1.1-1", "2.7.1.1-1.1-1.1-1.1-1.1-1.1-1.1-1", "3.7.1", "2.7.1.-1", "1.07.1"])
def test_a_joined_key_that_no_server_made_is_unknown(inside: str) -> None:
    whole = f"{inside}.{zlib.crc32(inside.encode()):08x}"
    assert SyncKey.of(base64.urlsafe_b64encode(whole.encode()).decode().rstrip("=")) is None


def test_the_longest_key_is_known() -> None:
    largest = 2**63 - 1
    assert read_key(make_key(largest, largest), largest) == largest
