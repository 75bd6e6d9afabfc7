"""Recordings: every snapshot of a pool in one small file, so that yesterday's incident can be looked at again."""
