"""What Python has and the language has not: what to call it, and what is written in its place."""

import ast

from cellgen.ir import REMAINDER, WRITTEN, transposed


def foreign(node) -> str:
    """What a part of Python is called that the language has not."""
    match node:
        case ast.BinOp(op=ast.BitXor()):
            return "`^`"
        case ast.BinOp(op=op):
            signs = {
                ast.FloorDiv: "//",
                ast.Mod: "%",
                ast.LShift: "<<",
                ast.RShift: ">>",
                ast.BitOr: "|",
                ast.BitAnd: "&",
            }
            return f"`{signs[type(op)]}`"
        case ast.Call(func=ast.Attribute() as called):
            return f"`{ast.unparse(called)}`" if len(ast.unparse(called)) <= 40 else "a call of an attribute"
        case ast.Call():
            return "a call of anything but a name"
        case ast.Lambda():
            return "`lambda`"
        case ast.JoinedStr():
            return "a text"
        case ast.BoolOp():
            return "`and` or `or` in a value"
        case ast.UnaryOp(op=op):
            return {ast.Not: "`not` in a value", ast.Invert: "`~`", ast.UAdd: "a leading `+`"}[type(op)]
    words = {
        ast.List: "a list",
        ast.Tuple: "a tuple",
        ast.Dict: "a dict",
        ast.Set: "a set",
        ast.Subscript: "an index on a value",
        ast.NamedExpr: "`:=`",
        ast.Await: "`await`",
        ast.Yield: "`yield`",
        ast.YieldFrom: "`yield`",
        ast.Starred: "`*`",
        ast.ListComp: "a comprehension",
        ast.SetComp: "a comprehension",
        ast.DictComp: "a comprehension",
        ast.GeneratorExp: "a comprehension",
    }
    return words.get(type(node), "this")


def instead(node) -> str:
    """What is written in its place."""
    match node:
        case ast.BinOp(left=left, op=ast.BitXor(), right=right):
            while isinstance(left, ast.BinOp):  # what stands beside it: `^` binds less than the others
                left = left.right
            while isinstance(right, ast.BinOp):
                right = right.left
            if isinstance(right, ast.Name) and right.id == "T":
                return transposed(left.id if isinstance(left, ast.Name) else "W")
            return "a power is `**`"
        case ast.BinOp(op=ast.Mod()):
            return REMAINDER
        case ast.Call(func=ast.Attribute(attr=name)):
            return (
                f"write `{name}(...)`"
                if name in WRITTEN
                else "a function is called by its bare name, as in `tanh(x)`; `cellgen check` runs no Python"
            )
        case ast.UnaryOp(op=ast.UAdd()):
            return "leave it away"
        case ast.Subscript():
            return "only a state has `[t-1]`; a part of a labelled axis is `.label`"
        case ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
            return "`and`, `or`, `not` stand in tests: `a if use_bias and proj else b`"
    return "equations have names, numbers, `+ - * / @ **`, calls, `.label`, `[t-1]` and `a if option else b`"
