"""Every sentence for people about problems, states, verdicts and events, in tables by their codes. Pure.

No code decides on a sentence: facts are in the model.
"""
