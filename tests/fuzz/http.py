"""Fuzz of a running pool server, from its own OpenAPI document."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Flaky
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Err
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.fuzz.finding import Finding, _Wrong

PATIENCE = 30.0  # seconds for an answer of a busy machine; `wait` is cut below
_CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
_LET_GO = ("hold", "withdraw")  # what would make all that follows wait, or go elsewhere
_METHODS = ("DELETE", "PATCH", "POST", "TRACE", "OPTIONS", "PROPFIND")


@dataclass
class Figures:
    """What was asked, and what came."""

    statuses: Counter[int] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    @property
    def requests(self) -> int:
        """How many were answered."""
        return sum(self.statuses.values())


class Attack:
    """One server, and the credentials that open its interfaces."""

    def __init__(self, address: str, user: tuple[str, str], operator: str) -> None:
        self.address = address
        self.figures = Figures()
        self._session = requests.Session()
        self._session.trust_env = False
        basic = requests.auth._basic_auth_str(*user)
        self._credentials = {"/v1": basic, "/control": f"Bearer {operator}"}

    def run(self, examples: int) -> Figures:
        """Ask every operation of the document, with what fits it and with what does not."""
        try:
            schema = schemathesis.openapi.from_url(f"{self.address}/openapi.json")
            for found in schema.get_all_operations():
                if isinstance(found, Err):
                    raise found.err()
                for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                    self._operation(found.ok(), mode, examples)
            self._methods(schema.raw_schema["paths"])
        finally:
            self._session.close()
        return self.figures

    def _operation(self, operation: Any, mode: GenerationMode, examples: int) -> None:
        where = f"{operation.method.upper()} {operation.path} ({mode.value})"

        @settings(max_examples=examples, deadline=None, database=None, derandomize=True, print_blob=False,
                  report_multiple_bugs=False, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
        @given(operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            self._ask(case)

        try:
            ask()
        except (_Wrong, Flaky) as wrong:
            self.figures.findings.append(Finding(where, str(wrong)[:600]))
        except Exception as error:
            if "Unsatisfiable" not in type(error).__name__:  # nothing of the operation can be wrong
                raise

    def _ask(self, case: Any) -> None:
        proven = [value for top, value in self._credentials.items() if case.path.startswith(top)]
        headers = {"Authorization": proven[0]} if proven else {}
        if isinstance(case.query, dict) and "wait" in case.query:
            case.query["wait"] = _short(case.query["wait"])
        try:
            response = case.call(base_url=self.address, session=self._session, headers=headers, timeout=PATIENCE)
        except requests.Timeout:
            raise _Wrong(f"no answer in {PATIENCE:g} s: {case.body!r:.200}") from None
        except requests.ConnectionError as error:
            raise _Wrong(f"the connection was cut: {error!r:.200}") from None
        except (requests.RequestException, ValueError):  # what requests itself does not send
            return
        if any(f"/control/{word}" == case.path for word in _LET_GO):
            for undo in ("release", "accept"):
                self._session.post(f"{self.address}/control/{undo}", headers=headers, timeout=PATIENCE)
        self._judge(case, response)

    def _judge(self, case: Any, response: Any) -> None:
        self.figures.statuses[response.status_code] += 1
        if response.status_code >= 500 and not (response.status_code == 503 and "retry-after" in response.headers):
            raise _Wrong(f"{response.status_code} for {case.path_parameters} {case.query} {case.body!r:.200}")
        if b"Traceback" in response.content:
            raise _Wrong(f"a traceback for {case.body!r:.200}")
        if response.status_code in (408, 429, 431, 503):
            return
        try:
            case.validate_response(response, checks=_CHECKS, excluded_checks=[not_a_server_error])
        except (Exception, BaseExceptionGroup) as wrong:
            told = "; ".join(f"{one!s:.250}" for one in getattr(wrong, "exceptions", (wrong,)))
            raise _Wrong(f"{told} for {case.path_parameters} {case.query} {case.body!r:.100}") from wrong

    def _methods(self, paths: dict[str, Any]) -> None:
        """Methods that a path does not have."""
        for path, offered in paths.items():
            for method in _METHODS:
                if method.lower() in offered:
                    continue
                url = self.address + path.replace("{device}", "phone").replace("{server}", "mail1")
                status = self._session.request(method, url, timeout=PATIENCE).status_code
                self.figures.statuses[status] += 1
                if status not in (405, 400, 401):
                    self.figures.findings.append(Finding(f"{method} {path}", f"{status}, and 405 was expected"))


def _short(wait: Any) -> Any:
    try:
        return min(float(wait), 0.05) if float(wait) <= 55 else wait
    except (TypeError, ValueError):
        return wait
