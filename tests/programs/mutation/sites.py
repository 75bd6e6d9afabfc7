"""Where a fault can be put into a module, and the module's code with it.

A mutant is one small change of one expression or statement. Left alone are texts (strings and f-strings), annotations,
decorators, default values, logging, and class bodies outside functions.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Change = tuple[str, ast.AST]  # what it is for people, and the node that takes the place

_COMPARED: Mapping[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
}
_COMPUTED: Mapping[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
}
_CALLED = {"min": "max", "max": "min", "any": "all", "all": "any"}


def _compare(node: ast.Compare) -> Iterator[ast.AST]:
    for place, operator in enumerate(node.ops):
        for other in _COMPARED[type(operator)]:
            changed = copy.deepcopy(node)
            changed.ops[place] = other()
            yield changed


def _bool_op(node: ast.BoolOp) -> Iterator[ast.AST]:
    yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    for place in range(len(node.values)):
        rest = [value for number, value in enumerate(node.values) if number != place]
        yield rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)


def _unary(node: ast.UnaryOp) -> Iterator[ast.AST]:
    if isinstance(node.op, ast.Not | ast.USub):
        yield node.operand


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _bin_op(node: ast.BinOp) -> Iterator[ast.AST]:
    if type(node.op) in _COMPUTED and not _is_text(node.left) and not _is_text(node.right):
        yield ast.BinOp(node.left, _COMPUTED[type(node.op)](), node.right)


def _constant(node: ast.Constant) -> Iterator[ast.AST]:
    if isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node.value, int | float):
        yield ast.Constant(node.value + 1)


def _if(node: ast.If | ast.While | ast.IfExp) -> Iterator[ast.AST]:
    changed = copy.copy(node)
    changed.test = ast.UnaryOp(ast.Not(), node.test)
    yield changed


def _return(node: ast.Return) -> Iterator[ast.AST]:
    if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
        yield ast.Return(ast.Constant(None))


def _nothing(_: ast.stmt) -> Iterator[ast.AST]:
    yield ast.Pass()


def _expression(node: ast.Expr) -> Iterator[ast.AST]:
    logging = ast.unparse(node).startswith("log.")
    if not isinstance(node.value, ast.Constant | ast.Yield | ast.YieldFrom) and not logging:
        yield ast.Pass()


def _assign(node: ast.Assign) -> Iterator[ast.AST]:
    if all(isinstance(target, ast.Attribute | ast.Subscript) for target in node.targets):
        yield ast.Pass()


def _augmented(node: ast.AugAssign) -> Iterator[ast.AST]:
    if type(node.op) in _COMPUTED and not _is_text(node.value):
        yield ast.AugAssign(node.target, _COMPUTED[type(node.op)](), node.value)
        yield ast.Pass()


def _comprehension(node: ast.comprehension) -> Iterator[ast.AST]:
    for place in range(len(node.ifs)):
        yield ast.comprehension(node.target, node.iter, node.ifs[:place] + node.ifs[place + 1:], node.is_async)


def _call(node: ast.Call) -> Iterator[ast.AST]:
    if isinstance(node.func, ast.Name) and node.func.id in _CALLED:
        yield ast.Call(ast.Name(_CALLED[node.func.id], ast.Load()), node.args, node.keywords)


def _continue(_: ast.Continue) -> Iterator[ast.AST]:
    yield ast.Break()


_CHANGES: Mapping[type[ast.AST], Callable[[Any], Iterator[ast.AST]]] = {
    ast.Compare: _compare, ast.BoolOp: _bool_op, ast.UnaryOp: _unary, ast.BinOp: _bin_op, ast.Constant: _constant,
    ast.If: _if, ast.While: _if, ast.IfExp: _if, ast.Return: _return, ast.Raise: _nothing, ast.Expr: _expression,
    ast.Assign: _assign, ast.AugAssign: _augmented, ast.comprehension: _comprehension, ast.Call: _call,
    ast.Continue: _continue, ast.Delete: _nothing,
}

_LEFT_ALONE = {"annotation", "returns", "decorator_list", "defaults", "kw_defaults", "bases", "type_params"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one module."""

    path: str
    line: int
    function: str  # qualified name of the function or method at the top; "" in the module itself
    before: str
    after: str
    tree: ast.Module
    statement: ast.stmt | None  # the changed statement of the module, outside functions

    @property
    def key(self) -> str:
        """A name that stays while the code around it stays."""
        return f"{self.path}:{self.line} {self.function}: {self.before}  ->  {self.after}"


def mutants(path: str, source: str) -> Iterator[Mutant]:
    """Every mutant of a module, in the order of its lines."""
    places = sorted(_places(ast.parse(source), "", ()), key=lambda each: (each[0], each[1]))
    for line, number, way, function in places:
        tree = ast.parse(source)
        parent, field, index = _found(tree, way)
        node = _get(parent, field, index)
        changes = list(_CHANGES[type(node)](node))
        changed = ast.copy_location(copy.deepcopy(changes[number]), node)
        before, after = _short(node), _short(changed)
        _set(parent, field, index, changed)
        ast.fix_missing_locations(tree)
        top = tree.body[way[0][1] or 0]
        yield Mutant(path, line, function, before, after, tree, None if function else top)


Step = tuple[str, int | None]  # field of a node, and the place in it when it is a list


def _places(node: ast.AST, function: str, way: tuple[Step, ...]) -> Iterator[tuple[int, int, tuple[Step, ...], str]]:
    """(line, number of the change, way to the node, function)."""
    inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    if way and type(node) in _CHANGES and not function.endswith(_CLASS):
        for number, _ in enumerate(_CHANGES[type(node)](node)):
            yield _line(node), number, way, function
    if isinstance(node, ast.JoinedStr):
        return
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return
    for field, value in ast.iter_fields(node):
        if field in _LEFT_ALONE:
            continue
        for index, child in enumerate(value) if isinstance(value, list) else ((None, value),):
            if isinstance(child, ast.AST):
                yield from _places(child, _inner(node, child, function) if inside or not way else function,
                                   (*way, (field, index)))


_CLASS = "<class>"  # in the body of a class, outside its methods


def _inner(node: ast.AST, child: ast.AST, function: str) -> str:
    """The function that a child of a module, class or function belongs to."""
    if isinstance(node, ast.Module):
        return _named(child) or (f"{child.name}.{_CLASS}" if isinstance(child, ast.ClassDef) else "")
    if function.endswith(_CLASS):
        return function.removesuffix(_CLASS) + _named(child) if _named(child) else function
    return function


def _named(node: ast.AST) -> str:
    """The name of a function; "" when it is none."""
    return node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else ""


def _line(node: ast.AST) -> int:
    return int(getattr(node, "lineno", 0) or getattr(getattr(node, "target", None), "lineno", 0))


def _found(tree: ast.AST, way: tuple[Step, ...]) -> tuple[ast.AST, str, int | None]:
    node = tree
    for field, index in way[:-1]:
        node = _get(node, field, index)
    return node, *way[-1]


def _get(node: ast.AST, field: str, index: int | None) -> ast.AST:
    value = getattr(node, field)
    found: ast.AST = value if index is None else value[index]
    return found


def _set(node: ast.AST, field: str, index: int | None, new: ast.AST) -> None:
    if index is None:
        setattr(node, field, new)
    else:
        getattr(node, field)[index] = new


def _short(node: ast.AST) -> str:
    """One line of a node: of an `if` its condition only."""
    if isinstance(node, ast.If | ast.While):
        return f"{'if' if isinstance(node, ast.If) else 'while'} {ast.unparse(node.test)}"
    if isinstance(node, ast.comprehension):
        return f"for ...{''.join(f' if {ast.unparse(one)}' for one in node.ifs)}"
    return " ".join(ast.unparse(node).split())[:150]
