"""The pool server: `tuiha serve NAME`."""
