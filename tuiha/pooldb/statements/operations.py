"""The history of operations that operators ran."""

from __future__ import annotations

NEWEST_OPERATIONS = """
SELECT id, kind, target, state, who, reason, started_at, ended_at, journal::text AS journal
  FROM operation ORDER BY id DESC LIMIT $1
"""

KEEP_OPERATION = "SELECT link, total FROM keep_operation($1)"

# Of a database whose schema is of the version before.
KEEP_OPERATION_BEFORE = """
INSERT INTO operation (id, kind, target, state, who, reason, started_at, ended_at, journal)
SELECT made ->> 'id', made ->> 'kind', made ->> 'target', made ->> 'state', made ->> 'who', made ->> 'reason',
       to_timestamp((made ->> 'started_at')::float8), to_timestamp((made ->> 'ended_at')::float8), made -> 'journal'
  FROM (SELECT $1::jsonb AS made) AS given
ON CONFLICT (id) DO UPDATE SET state = excluded.state, ended_at = excluded.ended_at, journal = excluded.journal
"""

# The events as `keep_operation` (schema/0009_history.sql) seals them, from their rows as they are now.
LINKS = """
SELECT r.number, r.content, r.events::text AS events, r.events_digest, r.digest,
       (SELECT encode(sha256(convert_to(coalesce(string_agg(
                   jsonb_build_array(e.id, extract(epoch FROM e.at)::text, e.severity, e.subject, e.text)::text,
                   chr(10) ORDER BY e.id), ''), 'UTF8')), 'hex')
          FROM event e WHERE e.id >= lower(r.events) AND e.id < upper(r.events) AND e.id <@ r.events) AS events_now
  FROM operation_record r WHERE r.number > $1 ORDER BY r.number LIMIT $2
"""

OPERATIONS_AFTER = """
SELECT id, kind, target, state, who, reason, extract(epoch FROM started_at)::float8 AS started_at,
       extract(epoch FROM ended_at)::float8 AS ended_at, journal::text AS journal
  FROM operation WHERE id > $1 ORDER BY id LIMIT $2
"""
