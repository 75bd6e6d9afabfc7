"""The dashboard. It draws what the watcher found and decides nothing.

`draw` holds pure functions from facts to lines and does not import textual; `kit`, `views`, `operations` and
`terminal` put those lines on a terminal.
"""

from __future__ import annotations

import os

# Textual gathers what changed for so long before it draws. Here something changes with a key or a look and at no other
# time: gathering would only delay it. To be set before Textual is imported; whoever has set it knows why.
os.environ.setdefault("TEXTUAL_FPS", "250")
