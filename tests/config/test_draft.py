"""Whatever was found, the configuration that is written from it loads, and holds what was found."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.words.rules import broken
from tuiha.config.draft.document import draft, scalar
from tuiha.config.draft.names import NodeNames, is_name
from tuiha.config.load import ConfigError, ConfigProblem, load
from tuiha.config.settings import Pool
from tuiha.model.survey.facts import (
    FoundDatabase,
    FoundHaproxy,
    FoundMail,
    FoundPair,
    FoundServer,
    FoundSprayer,
    Part,
    Remark,
    RemarkCode,
    Survey,
)
from tuiha.words.survey.comments import CHANGE, CHANGES, HEAD, KEYS, MISSING, SECTIONS
from tuiha.words.survey.remarks import _TEXTS, said

TEXTS = st.one_of(
    st.text(max_size=20), st.text(min_size=60, max_size=80),
    st.sampled_from(["s1", "db1", "yes", "null", "1e3", "0x1F", "a: b", "- x", "#x", "'", '"', "*a", "&a", "{", "%",
                     "web@1", "..", "-", "ä", "a b", "~", "!!str", "tuiha"]))
PRINTABLE = TEXTS.map(lambda text: "".join(filter(str.isprintable, text)))  # what the readers pass on
HOSTS = st.sampled_from(["db1.example.org", "db2.example.org", "127.0.0.1", "::1", "2001:db8::1", "10.0.0.1", "s1",
                         "localhost", "mail.example.org"])
PORTS = st.integers(1, 65535)
REMARKS = st.lists(st.builds(Remark, st.sampled_from(Part), st.sampled_from(RemarkCode), PRINTABLE, PRINTABLE),
                   max_size=4).map(tuple)
SOCKETS = st.one_of(st.none(), st.just("unix:/run/haproxy/admin.sock"), st.just("tcp:127.0.0.1:9999"),
                    st.just("tcp:spray1.example.org:9443"), st.just("unix:/run/a b/#'x"))
SPRAYERS = st.builds(FoundSprayer, PRINTABLE, st.none() | HOSTS, st.none() | PORTS, SOCKETS,
                     st.none() | st.just("tcp:spray1.example.org:9444"), st.booleans(), st.none() | PRINTABLE,
                     st.none() | PRINTABLE, st.none() | PRINTABLE)
HAPROXY = st.builds(FoundHaproxy, st.lists(SPRAYERS, max_size=3).map(tuple),
                    st.lists(st.builds(FoundServer, PRINTABLE, HOSTS, PORTS, st.booleans()), max_size=4).map(tuple),
                    REMARKS)
RESTS = st.none() | st.sampled_from(["https://db1.example.org:8008", "http://127.0.0.1:8008", "http://10.0.0.1:8008"])
PAIRS = st.builds(FoundPair, st.lists(st.builds(
    FoundDatabase, HOSTS | st.just(""), PORTS, st.none() | PRINTABLE, st.none() | st.booleans(),
    st.none() | PRINTABLE, st.none() | PRINTABLE, RESTS), max_size=2).map(tuple),
    st.booleans(), st.none() | PRINTABLE.filter(bool), st.none() | PRINTABLE | st.just("7574021387012345678"),
    st.just("tuiha"), st.booleans(), REMARKS)
MAIL = st.lists(st.builds(FoundMail, PRINTABLE, HOSTS, PORTS, st.sampled_from([None, "tls", "starttls"]),
                          st.sampled_from([None, "Dovecot"]), st.none() | st.booleans(), st.booleans(), REMARKS),
                max_size=3).map(tuple)
SURVEYS = st.builds(Survey, st.just("west"), st.none() | HAPROXY, st.none() | PAIRS, MAIL,
                    st.none() | st.just("/etc/tuiha/ca's file.crt"))


def written(survey: Survey, folder: Path) -> tuple[Pool, str]:
    file = folder / "pool.yaml"
    text = draft(survey).text
    file.write_text(text)
    return load(file), text


@settings(max_examples=400, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(survey=SURVEYS)
def test_whatever_was_found_the_file_loads(tmp_path: Path, survey: Survey) -> None:
    pool, text = written(survey, tmp_path)
    haproxy = survey.haproxy or FoundHaproxy()
    addresses = {(server.host, server.port) for server in haproxy.servers}
    assert len(pool.servers) == len(addresses)
    assert len(pool.sprayers) == sum(one.socket is not None for one in haproxy.sprayers)
    assert sum(len(cluster.servers) for cluster in pool.mail) == len(survey.mail)
    assert all(line.isprintable() for line in text.split("\n"))


@settings(max_examples=200, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(survey=SURVEYS)
def test_sections_that_were_not_found_load_without_the_sign_in_front(tmp_path: Path, survey: Survey) -> None:
    _, text = written(survey, tmp_path)
    file = tmp_path / "whole.yaml"
    file.write_text(re.sub(r"(?m)^#(servers|sprayers|mail):(.*\n)((?:#.*\n)*)", lambda found: re.sub(
        r"(?m)^#", "", found[0]), text))
    wrong: tuple[ConfigProblem, ...] = ()
    try:
        pool = load(file)
    except ConfigError as error:  # an example's name may be another node's
        wrong = error.problems
    else:
        assert pool.servers
        assert pool.sprayers
        assert pool.mail
    assert [str(one) for one in wrong if one.remedy != "every node needs a name of its own"] == []


def test_an_empty_survey_marks_what_must_be_changed(tmp_path: Path) -> None:
    pool, text = written(Survey("west"), tmp_path)
    assert [node.address for node in pool.database.nodes] == ["db1.example.org:5432", "db2.example.org:5432"]
    assert text.count(f"# {CHANGE}: ") == 2
    assert (pool.servers, pool.sprayers, pool.mail) == ([], [], [])


def test_names_are_mapped_and_told() -> None:
    names = NodeNames()
    assert [names.take(Part.SERVERS, name, "s") for name in ("s1", "s1", "web@1", "web@1", "@@", "x" * 70)] == [
        "s1", "s1-2", "web-1", "web-1-2", "s", "x" * 63]
    assert [(remark.code, remark.subject) for remark in names.remarks] == [
        (RemarkCode.NAME_TAKEN, "s1"), (RemarkCode.RENAMED, "web@1"), (RemarkCode.RENAMED, "web@1"),
        (RemarkCode.RENAMED, "@@"), (RemarkCode.RENAMED, "x" * 70)]
    assert names.guess("s1", "db1") == "s1-3"
    assert names.guess("a b", "db1") == "db1"


@given(text=st.text(max_size=30))
@settings(max_examples=500, deadline=None, derandomize=True)
def test_a_text_is_itself_in_yaml(text: str) -> None:
    if text.isprintable():
        assert yaml.safe_load(f"key: {scalar(text)}  # comment") == {"key": text}
    else:
        with pytest.raises(ValueError):
            scalar(text)


@pytest.mark.parametrize(("text", "known"), [("s1", True), ("s1\n", False), ("", False), ("-a", False)])
def test_a_name(text: str, known: bool) -> None:
    assert is_name(text) is known


def test_every_remark_has_sentences_that_are_short() -> None:
    assert set(_TEXTS) == set(RemarkCode)
    for code in RemarkCode:
        text = said(Remark(Part.DATABASE, code, "S", "D"))
        assert "{" not in text
        assert text[0].isupper() or text.startswith("tuiha ")
        assert list(broken(text)) == []


@pytest.mark.parametrize("texts", [SECTIONS, MISSING, KEYS, CHANGES, {0: HEAD}])
def test_comments_keep_the_rules_of_language(texts: Mapping[object, str]) -> None:
    assert [found for text in texts.values() for found in broken(text)] == []
