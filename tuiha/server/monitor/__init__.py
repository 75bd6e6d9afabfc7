"""The mail monitor: one IMAP connection for each user bound to this server; new messages become sync history."""

from tuiha.server.monitor.bound import Bound, Superseded
from tuiha.server.monitor.cluster import Cluster, Credentials, MailServer
from tuiha.server.monitor.figures import MailServerFigures, MonitorFigures
from tuiha.server.monitor.monitor import Monitor
from tuiha.server.monitor.pace import Pace

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
