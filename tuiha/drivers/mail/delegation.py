"""Log in with one secret and be at any user's mailbox: the two ways that mail servers know."""

from __future__ import annotations

from tuiha.drivers.mail.client import ImapClient, ImapError


async def log_in_for(client: ImapClient, name: str, user: str, password: str, separator: str | None = None) -> None:
    """Log `user` in to act for the user `name`. Raises ImapError on refusal.

    `separator` None: SASL PLAIN with `name` as the authorization identity. Else as a master user: `name`, the
    separator and `user` are sent as one name (Dovecot's auth_master_user_separator).
    """
    if separator is None:
        await client.authenticate_plain(name, user, password)
        return
    if separator in name:  # the server would cut at the first one: another user's mailbox would open
        raise ImapError(f"a name with '{separator}' in it cannot be monitored: there the master user's begins", "NO")
    await client.login(f"{name}{separator}{user}", password)
