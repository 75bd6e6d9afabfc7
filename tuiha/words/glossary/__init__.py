"""The glossary: tables that explain each word tuiha uses, keyed by its codes. `tuiha.words.explain` reads them."""
