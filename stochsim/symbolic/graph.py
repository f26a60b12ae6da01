"""Expression graphs: hash-consed nodes, built by constructors that never change a rounding.

A node is an operation on earlier nodes. Equal expressions are one object, so shared sub-expressions
cost nothing and identity is equality. The constructors fold constants and drop neutral elements
(``e + 0``, ``1 * e``, ``0 * e``), and do nothing else: no reassociation, no distribution, so what runs
is the arithmetic that the user wrote. (``0 * e`` is taken as 0 even where ``e`` could be infinite.)
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from weakref import WeakValueDictionary

UNARY: dict[str, Callable[[float], float]] = {
    "neg": operator.neg,
    "sqrt": math.sqrt,
    "exp": math.exp,
    "log": math.log,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "sinh": math.sinh,
    "cosh": math.cosh,
    "tanh": math.tanh,
    "expm1": math.expm1,
    "log1p": math.log1p,
    "arctan": math.atan,
    "arcsinh": math.asinh,
    "abs": abs,
    "sign": lambda v: math.nan if v != v else float((v > 0) - (v < 0)),
    "floor": lambda v: float(math.floor(v)),
}
BINARY: dict[str, Callable[[float, float], float]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "pow": operator.pow,
    "min": min,
    "max": max,
}
COMPARE: dict[str, Callable[[float, float], bool]] = {
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "eq": operator.eq,
    "ne": operator.ne,
}
LOGICAL = ("and", "or", "not")


class Node:
    """One operation of an expression graph; create nodes through the constructors below."""

    __slots__ = ("__weakref__", "args", "op", "serial", "value")

    op: str
    args: tuple[Node, ...]
    value: Any
    serial: int

    def __init__(self, op: str, args: tuple[Node, ...], value: Any, serial: int) -> None:
        self.op, self.args, self.value, self.serial = op, args, value, serial

    @property
    def is_const(self) -> bool:
        return self.op == "const"

    def equals(self, number: float) -> bool:
        return self.op == "const" and self.value == number

    def __repr__(self) -> str:
        return to_text(self)


_TABLE: WeakValueDictionary[tuple[Any, ...], Node] = WeakValueDictionary()
_COUNT = 0


def make(op: str, args: tuple[Node, ...] = (), value: Any = None) -> Node:
    """The one node with this operation, these arguments and this value."""
    global _COUNT
    key = (op, tuple(a.serial for a in args), _value_key(value))
    node = _TABLE.get(key)
    if node is None:
        _COUNT += 1
        node = Node(op, args, value, _COUNT)
        _TABLE[key] = node
    return node


def _value_key(value: Any) -> Any:
    # -0.0 == 0.0 and nan != nan: floats are told apart by their exact text
    return value.hex() if isinstance(value, float) else value


def const(value: float) -> Node:
    return make("const", (), float(value))


def var(name: str) -> Node:
    """A named input: ``x0``, ``t``, ``h``, ``p.sigma``, ``dW1``."""
    return make("var", (), name)


ZERO = const(0.0)
ONE = const(1.0)
_KEEP = (ZERO, ONE)


def _fold(function: Callable[..., float], *values: float) -> Node | None:
    try:
        result = function(*values)
    except (ArithmeticError, ValueError):
        return None  # left to run time, where it becomes inf or nan as in NumPy
    return const(result) if isinstance(result, (float, int)) else None


def unary(op: str, a: Node) -> Node:
    if op == "neg" and a.op == "neg":
        return a.args[0]
    if a.is_const and op in ("neg", "sqrt", "abs", "sign", "floor"):
        folded = _fold(UNARY[op], a.value)  # only what IEEE rounds correctly: the same bits at run time
        if folded is not None:
            return folded
    return make(op, (a,))


def add(a: Node, b: Node) -> Node:
    if a.equals(0.0):
        return b
    if b.equals(0.0):
        return a
    return _binary("add", a, b)


def sub(a: Node, b: Node) -> Node:
    if b.equals(0.0):
        return a
    if a.equals(0.0):
        return unary("neg", b)
    if a is b:
        return ZERO
    return _binary("sub", a, b)


def mul(a: Node, b: Node) -> Node:
    if a.equals(0.0) or b.equals(0.0):
        return ZERO
    if a.equals(1.0):
        return b
    if b.equals(1.0):
        return a
    if a.equals(-1.0):
        return unary("neg", b)
    if b.equals(-1.0):
        return unary("neg", a)
    return _binary("mul", a, b)


def div(a: Node, b: Node) -> Node:
    if b.equals(1.0):
        return a
    if a.equals(0.0):
        return ZERO
    return _binary("div", a, b)


def power(a: Node, b: Node) -> Node:
    """``a ** b``; small integer powers become products, half-integer ones square roots."""
    if b.is_const:
        exponent = b.value
        if exponent == 0.0:
            return ONE
        if exponent == 1.0:
            return a
        if exponent == 0.5:
            return unary("sqrt", a)
        if abs(exponent) <= 64 and exponent == int(exponent):
            product = _repeated(a, abs(int(exponent)))
            return product if exponent > 0 else div(ONE, product)
        if exponent == 1.5:
            return mul(a, unary("sqrt", a))
    return make("pow", (a, b))


def _repeated(a: Node, n: int) -> Node:
    result: Node | None = None
    while n:
        if n & 1:
            result = a if result is None else mul(result, a)
        n >>= 1
        if n:
            a = mul(a, a)
    assert result is not None
    return result


def _binary(op: str, a: Node, b: Node) -> Node:
    if a.is_const and b.is_const:
        folded = _fold(BINARY[op], a.value, b.value)
        if folded is not None:
            return folded
    return make(op, (a, b))


def binary(op: str, a: Node, b: Node) -> Node:
    builder = {"add": add, "sub": sub, "mul": mul, "div": div, "pow": power}.get(op)
    if builder:
        return builder(a, b)
    if op in COMPARE:
        return compare(op, a, b)
    return logical(op, a, b) if op in LOGICAL else make(op, (a, b))


def compare(op: str, a: Node, b: Node) -> Node:
    """1.0 or 0.0 for constants, which stand for true and false in `logical` and `where`."""
    if a.is_const and b.is_const:
        return const(COMPARE[op](a.value, b.value))
    return make(op, (a, b))


def _truth(a: Node) -> Node:
    # a number counts as true where it is not 0, as in NumPy
    return a if a.op in COMPARE or a.op in LOGICAL else compare("ne", a, ZERO)


def logical(op: str, *args: Node) -> Node:
    """``and``, ``or``, ``not`` of conditions."""
    truths = [_truth(a) for a in args]
    known = [bool(a.value) for a in truths if a.is_const]
    open_ = [a for a in truths if not a.is_const]
    if op == "not":
        return make("not", tuple(open_)) if open_ else const(not known[0])
    decided = op == "or"  # the value of one argument that settles the result
    if not open_ or decided in known:
        return const(decided if decided in known else not decided)
    return open_[0] if len(open_) == 1 else make(op, tuple(open_))


def where(condition: Node, a: Node, b: Node, *, kink: bool = False) -> Node:
    """``a`` where the condition holds, else ``b``; ``kink`` marks the derivative of a kinked function."""
    condition = _truth(condition)
    if condition.is_const:
        return a if condition.value else b
    return a if a is b else make("where", (condition, a, b), "kink" if kink else None)


def solved(spec: Any, args: tuple[Node, ...], index: int) -> Node:
    """Component ``index`` of the solution of an implicit equation (see ``symbolic.implicit``)."""
    return make("item", (make("solve", args, spec),), index)


def extern(function: Any, args: tuple[Node, ...], index: int) -> Node:
    """Output ``index`` of an opaque array function, which only the array executor can run."""
    return make("item", (make("extern", args, function),), index)


def function(name: str, args: tuple[Node, ...], orders: tuple[int, ...] | None = None) -> Node:
    """A smooth function without a formula (for display), differentiated ``orders[k]`` times in argument k."""
    return make("function", args, (name, orders or (0,) * len(args)))


def total(nodes: Iterable[Node]) -> Node:
    """Left-to-right sum."""
    result = ZERO
    for node in nodes:
        result = add(result, node)
    return result


def walk(outputs: Iterable[Node]) -> Iterator[Node]:
    """Every node that the outputs need, arguments before users, each once; no recursion limit."""
    seen: set[int] = set()
    for output in outputs:
        stack: list[tuple[Node, bool]] = [(output, False)]
        while stack:
            node, ready = stack.pop()
            if ready:
                yield node
            elif node.serial not in seen:
                seen.add(node.serial)
                stack.append((node, True))
                stack.extend((a, False) for a in reversed(node.args))


def variables(outputs: Iterable[Node]) -> set[str]:
    """Names of the inputs that the outputs depend on."""
    return {node.value for node in walk(outputs) if node.op == "var"}


def rebuild(node: Node, args: tuple[Node, ...]) -> Node:
    """The same operation on other arguments."""
    if all(a is b for a, b in zip(node.args, args, strict=True)):
        return node
    if node.op in BINARY:
        return binary(node.op, *args)
    if node.op in UNARY:
        return unary(node.op, *args)
    if node.op == "where":
        return where(*args, kink=node.value == "kink")
    if node.op in COMPARE:
        return compare(node.op, *args)
    if node.op in LOGICAL:
        return logical(node.op, *args)
    return make(node.op, args, node.value)


def substitute(outputs: Iterable[Node], replacement: dict[str, Node]) -> list[Node]:
    """The outputs with inputs replaced by expressions, shared work done once."""
    outputs = list(outputs)
    done: dict[int, Node] = {}
    for node in walk(outputs):
        if node.op == "var":
            done[node.serial] = replacement.get(node.value, node)
        else:
            done[node.serial] = rebuild(node, tuple(done[a.serial] for a in node.args))
    return [done[o.serial] for o in outputs]


_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "**"} | {
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "eq": "==",
    "ne": "!=",
}


def to_text(node: Node) -> str:
    """Readable one-line form, for errors and ``repr``."""
    if node.op == "const":
        return f"{node.value:g}"
    if node.op == "var":
        return str(node.value)
    parts = [to_text(a) for a in node.args]
    if node.op in _INFIX:
        return f"({parts[0]} {_INFIX[node.op]} {parts[1]})"
    if node.op == "neg":
        return f"(-{parts[0]})"
    return f"{node.op}({', '.join(parts)})"
