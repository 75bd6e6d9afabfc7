"""The mail monitor: one IMAP connection for each user bound to this server; new messages become sync history."""

from tuiha.server.mail.cluster import Bound, Cluster, Credentials, MailServer, Superseded
from tuiha.server.mail.counts import MailServerFigures, MonitorFigures
from tuiha.server.mail.monitor import Monitor
from tuiha.server.mail.pace import Pace

__all__ = [
    "Bound",
    "Cluster",
    "Credentials",
    "MailServer",
    "MailServerFigures",
    "Monitor",
    "MonitorFigures",
    "Pace",
    "Superseded",
]
