"""Why users have no mail, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tuiha.model.problems.mail_trouble import Trouble


@dataclass(frozen=True, slots=True)
class Explained:
    """A reason in words."""

    what: str  # a few words, behind "without mail: "
    then: str  # what to do now, one sentence


_SAID: Mapping[str, Explained] = {
    Trouble.LOGIN: Explained("log-in refused", "At the mail server, check that these users exist and are enabled, and "
                             "that the pool's monitor may act for them."),
    Trouble.NO_SUCH_USER: Explained("no such user", "If the mail server removed them, disable or forget them here: "
                                    "`tuiha users disable NAME`."),
    Trouble.MAILBOX: Explained("mailbox cannot be opened", "At the mail server, check these mailboxes for a lock, "
                               "wrong rights or a damaged index."),
    Trouble.NO_ANSWER: Explained("mail server does not answer", "Check the mail server's listener, its connection "
                                 "limits, and the part of it that serves these users."),
    Trouble.ENDS: Explained("connections keep ending", "Read the mail server's log, and check firewalls in "
                            "between. Quiet connections may need a shorter `idle:`."),
    Trouble.READING: Explained("messages cannot be read", "Read the mail server's log for these mailboxes."),
    Trouble.DATABASE: Explained("the database refuses the changes", "Read the pool server's log. `tuiha check` "
                                "names what the database lacks."),
    Trouble.NO_SERVER: Explained("no mail server in service", "Put a mail server of the cluster in service again: "
                                 "`tuiha plan return-mail NAME`."),
    Trouble.NOT_CONFIGURED: Explained("cluster not configured", "Name the cluster at `mail:` in the configuration of "
                                      "every pool server, or move the users to another cluster."),
    Trouble.FAULT: Explained("a fault in tuiha", "The pool server's log has the details. Please report it."),
}


UNTOLD = Explained("the mail servers do not report new mail (IDLE)", "Check how the mail servers' sessions are "
                   "notified: inotify limits, or a shared store.")


def explained(reason: str) -> Explained:
    """A reason in words; one that a newer server names stays as it is."""
    return _SAID.get(reason) or Explained(reason, "Read the pool server's log.")
