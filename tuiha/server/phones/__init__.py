"""Phones: what Exchange ActiveSync needs. So far its WBXML, both ways."""
