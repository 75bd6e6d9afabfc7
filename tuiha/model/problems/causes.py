"""Why a target could not be asked, as a code."""

from __future__ import annotations

from enum import StrEnum


class Cause(StrEnum):
    """Why a target could not be asked."""

    REFUSED = "refused"  # its host answers, and nothing listens there
    SILENT = "silent"  # no answer in time: it hangs, or something between drops what is sent
    NAME = "name"  # its host's name means no address
    ROUTE = "route"  # there is no way to its host
    LOST = "lost"  # the connection was made, and ended
    SOCKET = "socket"  # there is no such Unix socket, or it may not be used
    EXPIRED = "expired"  # its certificate has
    EARLY = "early"  # its certificate is not valid yet
    UNTRUSTED = "untrusted"  # its certificate is signed by somebody who is not trusted here
    OTHER_NAME = "other name"  # its certificate is somebody else's
    CLIENT = "client certificate"  # it wants another one of ours, or one at all
    NO_TLS = "no tls"  # it speaks plain text only
    PASSWORD = "password"
    UNPROVEN = "unproven"  # it does not prove that it knows the role's password: trust, or another program
    ACCESS = "access"  # pg_hba.conf does not let the role in from here
    NO_LOGIN = "no login"  # the role may not log in anywhere
    NO_DATABASE = "no database"
    RIGHT = "right"  # the role may not connect, or not read what it must
    FULL = "full"  # no connection slot is left
    ROLE_FULL = "role full"  # nor one of the role's own
    DATABASE_FULL = "database full"
    NO_STANDBY = "no standby"  # a secondary that was set not to answer
    STARTING = "starting"
    STOPPING = "stopping"
    LOCKED = "locked"
    POOLER = "pooler"  # something between takes what is not for it, or drops what sessions ask for
    SESSION = "session"  # what was set for the role is in the way
    TOKEN = "token"
    OTHER_NODE = "other node"  # another server, or one of another pool, answers
    MISSING = "missing"
    DAMAGED = "damaged"
    FORBIDDEN = "forbidden"  # this user may not read it, or the store refuses this log-in
    OTHER = "other"
