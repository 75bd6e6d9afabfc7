"""The commands, one module each: HELP, configure(parser) and run(arguments) -> exit code.

They are imported when they run, and import heavy packages inside `run`, so that help is there at once.
"""
