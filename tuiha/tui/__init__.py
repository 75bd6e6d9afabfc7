"""The dashboard. It draws what the watcher found and decides nothing.

`draw` holds pure functions from facts to lines and does not import textual; `widgets`, `screens` and
`terminal` put those lines on a terminal.
"""
