"""Every sentence for people, in tables by codes. Pure: no code decides on a sentence."""
