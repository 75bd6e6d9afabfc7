"""What an IMAP server says before anybody has logged in."""

from __future__ import annotations

import ssl

from tuiha.config.tls import is_loopback
from tuiha.drivers.mail.client import ImapClient, ImapError, ImapGone, Security
from tuiha.drivers.mail.wire import ImapFailure
from tuiha.model.survey.facts import FoundMail, Part, Remark, RemarkCode, joined
from tuiha.model.survey.pair import CERTIFICATE

SECONDS = 3.0  # for one attempt
TLS_PORT, STARTTLS_PORT = 993, 143


async def survey_mail(cluster: str, host: str, port: int, context: ssl.SSLContext) -> FoundMail:
    """A mail server, by TLS, STARTTLS, or plain text on this machine. What fails is a remark."""
    where, error = joined(host, port), "no answer"
    for security in _ways(host, port):
        try:
            return await _greeted(FoundMail(cluster, host, port, security), security, context)
        except ImapFailure as failure:
            if isinstance(failure, ImapGone) and failure.cause in CERTIFICATE:
                return await _unverified(FoundMail(cluster, host, port, security), security, str(failure))
            error = str(failure)
    remark = Remark(Part.MAIL, RemarkCode.UNREAD_MAIL, where, error)
    plain = None if is_loopback(host) else await _plain(host, port)
    return FoundMail(cluster, host, port, remarks=(plain or remark,))


def _ways(host: str, port: int) -> tuple[Security, ...]:
    ways: tuple[Security, ...] = ("starttls", "tls") if port == STARTTLS_PORT else ("tls", "starttls")
    return (*ways, "plain") if is_loopback(host) else ways


async def _greeted(found: FoundMail, security: Security, context: ssl.SSLContext) -> FoundMail:
    client = await ImapClient.connect(found.host, found.port, security, context, SECONDS)
    try:
        product = "Dovecot" if "dovecot" in client.greeting.lower() else None
        return FoundMail(found.cluster, found.host, found.port, security, product,
                         "AUTH=PLAIN" in client.capabilities)
    finally:
        client.close()


async def _unverified(found: FoundMail, security: Security, why: str) -> FoundMail:
    """A server whose certificate is not accepted, looked at all the same: it is told nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    remark = Remark(Part.MAIL, RemarkCode.UNTRUSTED, joined(found.host, found.port), why)
    try:
        seen = await _greeted(found, security, context)
    except ImapFailure:
        seen = found
    return FoundMail(found.cluster, found.host, found.port, security, seen.product, seen.offers_plain, True, (remark,))


async def _plain(host: str, port: int) -> Remark | None:
    """Whether a server of another machine speaks plain text alone, which tuiha does not accept."""
    try:
        client = await ImapClient.connect(host, port, "plain", None, SECONDS)
    except (ImapError, ImapGone):
        return None
    client.close()
    return Remark(Part.MAIL, RemarkCode.PLAIN_MAIL, joined(host, port))
