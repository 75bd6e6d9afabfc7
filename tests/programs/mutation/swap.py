"""Puts a mutant into a module that is loaded: the code of one function, or one value of the module, is replaced."""

from __future__ import annotations

import ast
import importlib
import sys
from types import CodeType, FunctionType, ModuleType
from typing import Any

from tests.programs.mutation.sites import Mutant


class NoSuchFunction(Exception):
    """The mutant's function is not there under its name."""


def module_of(path: str) -> ModuleType:
    """The module of a file, by its path from the project's root."""
    return importlib.import_module(path.removesuffix(".py").replace("/", "."))


def put_in(mutant: Mutant) -> None:
    """Replace the code for this process. Raises NoSuchFunction."""
    module = module_of(mutant.path)
    if mutant.statement is not None:
        _values(module, mutant.statement)
        return
    whole = compile(mutant.tree, module.__file__ or mutant.path, "exec")
    code = _code(whole, mutant.function, mutant.line)
    for function in _functions(module, mutant.function):
        if function.__code__.co_firstlineno == code.co_firstlineno:
            function.__code__ = code
            return
    raise NoSuchFunction(mutant.key)


def _values(module: ModuleType, statement: ast.stmt) -> None:
    """Run one statement of the module again, and hand what it names on to all who imported the old value."""
    space = dict(module.__dict__)
    exec(compile(ast.Module([statement], []), module.__file__ or "", "exec"), space)
    for name, new in space.items():
        old = module.__dict__.get(name)
        if new is old or name == "__builtins__":
            continue
        for other in list(sys.modules.values()):
            if isinstance(other, ModuleType) and other.__dict__.get(name) is old and name in other.__dict__:
                setattr(other, name, new)


def _code(whole: CodeType, function: str, line: int) -> CodeType:
    """The code of a function by its qualified name; of several with one name that with the line."""
    found: list[CodeType] = []

    def look(code: CodeType) -> None:
        for one in code.co_consts:
            if isinstance(one, CodeType):
                if one.co_qualname == function:
                    found.append(one)
                look(one)

    look(whole)
    before = [one for one in found if one.co_firstlineno <= line]
    if not before:
        raise NoSuchFunction(function)
    return max(before, key=lambda one: one.co_firstlineno)


def _functions(module: ModuleType, name: str) -> list[FunctionType]:
    """The functions behind a qualified name: a property has several, a decorator hides one."""
    found: Any = module
    for step in name.split("."):
        found = vars(found).get(step)
        if found is None:
            raise NoSuchFunction(name)
    functions: list[FunctionType] = []
    parts: tuple[Any, ...] = (found.fget, found.fset) if isinstance(found, property) else (found,)
    for part in parts:
        plain = getattr(part, "__func__", part)
        plain = getattr(plain, "func", plain)  # of a cached property
        while hasattr(plain, "__wrapped__"):
            plain = plain.__wrapped__
        if isinstance(plain, FunctionType):
            functions.append(plain)
    return functions
