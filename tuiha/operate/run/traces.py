"""Sending an operation's spans to a collector, by OpenTelemetry's SDK (extra `otel`). Only where it is configured.

The SDK is imported when an operation has ended and not before: a trace never delays a step.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

from tuiha import __version__
from tuiha.config.pace import TracesSettings
from tuiha.config.secrets import resolve
from tuiha.model.operations.trace import SpanFacts

PATH = "/v1/traces"
MISSING = "the package is missing: pip install 'tuiha[otel]'"
_NANO = 1_000_000_000


class TracesNotSent(Exception):
    """The collector does not have the spans. The text is for people."""


class SpanExporter(Protocol):
    """As much of OpenTelemetry's exporters as is used."""

    def export(self, spans: Any) -> Any:
        """Send; the result says whether that went well."""

    def shutdown(self) -> None:
        """Close."""


def send(
    settings: TracesSettings, base: Path, facts: Iterable[SpanFacts], exporter: SpanExporter | None = None
) -> None:
    """Send the spans. Blocks for at most the configured time. Raises TracesNotSent, ConfigError.

    `exporter`: another one than the collector's, for tests.
    """
    try:
        from opentelemetry.sdk.trace.export import SpanExportResult
    except ImportError:
        raise TracesNotSent(MISSING) from None
    chosen = exporter or _collector(settings, base)
    try:
        result = chosen.export([_span(one) for one in facts])
    except Exception as error:  # noqa: BLE001 - whatever an exporter raises, the operation has ended well without it
        raise TracesNotSent(f"{settings.address}: {type(error).__name__}") from None
    finally:
        chosen.shutdown()
    if result is not SpanExportResult.SUCCESS:
        raise TracesNotSent(f"{settings.address} did not accept the spans within {settings.seconds:g} s")


def _collector(settings: TracesSettings, base: Path) -> SpanExporter:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError:
        raise TracesNotSent(MISSING) from None
    headers = {} if settings.token is None else {"Authorization": f"Bearer {resolve(settings.token, base)}"}
    ca = None if settings.ca is None else str(base / settings.ca.expanduser())
    made: SpanExporter = OTLPSpanExporter(endpoint=settings.address + PATH, headers=headers, certificate_file=ca,
                                          timeout=settings.seconds)
    return made


def _span(facts: SpanFacts) -> Any:
    """OpenTelemetry's own span, ended."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

    def context(span: int) -> SpanContext:
        return SpanContext(facts.trace, span, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))

    return ReadableSpan(
        name=facts.name,
        context=context(facts.id),
        parent=None if facts.parent is None else context(facts.parent),
        resource=Resource({"service.name": "tuiha", "service.version": __version__}),
        attributes=dict(facts.attributes),
        kind=SpanKind.INTERNAL,
        status=Status(StatusCode.ERROR, facts.fault) if facts.fault else Status(StatusCode.OK),
        start_time=int(facts.begin * _NANO),
        end_time=int(facts.end * _NANO),
    )
