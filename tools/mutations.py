"""The changes that mutate.py makes to a module, each as a place and the text that replaces it."""

import ast
from collections import namedtuple

Mutation = namedtuple("Mutation", "line start end kind old new")
"""A change of the bytes ``start`` to ``end`` of a module; ``old`` and ``new`` are its code."""

_OTHER = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}


def mutations(source):
    """Return the mutations of a module, by place."""
    lines = source.encode("utf-8").splitlines(True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    found = set()
    for node in _code(ast.parse(source)):
        for kind, old, new in _changes(node):
            start = starts[old.lineno - 1] + old.col_offset
            end = starts[old.end_lineno - 1] + old.end_col_offset
            found.add(Mutation(old.lineno, start, end, kind, ast.unparse(old), new))
    return sorted(found)


def mutated(source, mutation):
    """Return the source with a mutation."""
    data = source.encode("utf-8")
    # As many lines as before: coverage knows the tests by line.
    gap = b"\\\n" * data[mutation.start : mutation.end].count(b"\n")
    new = mutation.new.encode("utf-8") + b" " * bool(gap) + gap
    return (data[: mutation.start] + new + data[mutation.end :]).decode("utf-8")


def runs_at_import(source, line):
    """Return whether a line is in no function."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    return not any(
        isinstance(node, functions) and node.lineno <= line <= node.end_lineno
        for node in ast.walk(ast.parse(source))
    )


def statement_of(source, line):
    """Return the first line of the statement that a line is in."""
    statements = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.stmt)]
    return max(node.lineno for node in statements if node.lineno <= line <= node.end_lineno)


def _code(node):
    """Yield the nodes that run: neither docstrings nor annotations."""
    if isinstance(node, ast.JoinedStr):  # Python 3.11 knows no places in it
        return
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns"):
            continue
        for child in value if isinstance(value, list) else [value]:
            is_docstring = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
            if isinstance(child, ast.AST) and not is_docstring:
                yield from _code(child)


def _changes(node):
    """Yield the kind, the node that changes and its new text, of each change of a node."""
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            for other in _OTHER[type(operator)]:
                ops = node.ops[:place] + [other()] + node.ops[place + 1 :]
                new = ast.Compare(node.left, ops, node.comparators)
                yield "comparison", node, "(%s)" % ast.unparse(new)
    elif isinstance(node, ast.BoolOp):
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield "and, or", node, "(%s)" % ast.unparse(ast.BoolOp(other, node.values))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "not", node, "(%s)" % ast.unparse(node.operand)
    elif isinstance(node, (ast.If, ast.While, ast.IfExp)):
        if not isinstance(node.test, (ast.Compare, ast.UnaryOp, ast.Constant)):
            yield "not", node.test, "(not (%s))" % ast.unparse(node.test)
    elif isinstance(node, ast.Constant):
        yield from _other_constants(node)
    elif isinstance(node, ast.Return):
        # As a condition, None is the same as False.
        if node.value is not None and ast.unparse(node.value) not in ("None", "False"):
            yield "return", node, "return None"
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield "call", node, "pass"
    elif isinstance(node, ast.Call):
        yield from _swapped(node)
    elif isinstance(node, ast.ExceptHandler) and node.type is not None:
        yield from _fewer_classes(node.type)
    elif isinstance(node, (ast.Break, ast.Continue)):
        yield "loop", node, "continue" if isinstance(node, ast.Break) else "break"


def _other_constants(node):
    """Yield what a number, a truth value or a string that is no message becomes."""
    value = node.value
    if isinstance(value, bool):
        yield "constant", node, str(not value)
    elif isinstance(value, (int, float)):
        for new in (value + 1, value - 1):
            yield "constant", node, "(%r)" % new
    elif isinstance(value, (str, bytes)) and len(value.split()) < 2:  # else it is a message
        tail = "X" if isinstance(value, str) else b"X"
        yield "string", node, repr(value + tail)


def _swapped(node):
    """Yield a call with its first two arguments swapped."""
    arguments = node.args
    if len(arguments) > 1 and not any(isinstance(one, ast.Starred) for one in arguments[:2]):
        if ast.dump(arguments[0]) != ast.dump(arguments[1]):
            swapped = [arguments[1], arguments[0]] + arguments[2:]
            yield "arguments", node, ast.unparse(ast.Call(node.func, swapped, node.keywords))


def _fewer_classes(caught):
    """Yield what an except clause catches, less one class."""
    if not isinstance(caught, ast.Tuple):
        yield "except", caught, "()"
        return
    for gone in caught.elts:
        rest = [ast.unparse(one) for one in caught.elts if one is not gone]
        yield "except", caught, "(%s)" % "".join(name + ", " for name in rest)
