"""Signs in SymPy expressions: odd roots, which graphs write with s = where(a < 0, -1, 1), read as sign and size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stochsim.symbolic import graph as g
from stochsim.symbolic.graph import Node


def read(node: Node, done: Mapping[int, Any], almost_everywhere: bool) -> Any:
    """S a as |a|, s (s a)^c as sign(a) |a|^c; where only a = 0 makes a difference, s as sign(a); else None."""
    import sympy

    if almost_everywhere and node.op == "where" and _is_sign(node, node.args[0].args[0]):
        return sympy.sign(done[node.args[0].args[0].serial])
    if node.op != "mul" or node.args[0].op != "where":
        return None
    s, a = node.args
    if _is_sign(s, a):
        return sympy.Abs(done[a.serial])
    if a.op == "pow" and a.args[0].op == "mul" and a.args[0].args[0] is s and _is_sign(s, a.args[0].args[1]):
        return sympy.sign(done[a.args[0].args[1].serial]) * done[a.serial]
    return None


def _is_sign(s: Node, a: Node) -> bool:
    below = s.op == "where" and s.args[0] is g.compare("lt", a, g.ZERO)
    return below and [v.value for v in s.args[1:]] == [-1.0, 1.0]


def tidied(expression: Any, almost_everywhere: bool) -> Any:
    """Even powers of signs taken away where a size |a|^c stands beside them, or everywhere but at a = 0."""
    import sympy

    if not expression.has(sympy.sign):
        return expression
    if almost_everywhere:
        expression = expression.replace(_is_sign_of_odd_power, lambda e: sympy.sign(e.args[0].base))
        expression = expression.replace(_is_power_of_sign, lambda e: e.base if e.exp % 2 else sympy.S.One)
    return expression.replace(lambda e: e.is_Mul, _tidied_product)


def _is_sign_of_odd_power(e: Any) -> bool:
    import sympy

    return bool(e.func is sympy.sign and e.args[0].is_Pow and e.args[0].exp.is_odd)


def _is_power_of_sign(e: Any) -> bool:
    import sympy

    return bool(e.is_Pow and e.base.func is sympy.sign and e.exp.is_Integer)


def _tidied_product(product: Any) -> Any:
    import sympy

    factors = list(product.args)
    sizes = [f.args[0] if f.func is sympy.Abs else f.base.args[0] for f in factors if _is_size(f)]
    for a in sizes:
        factors = [1 if _is_power_of_sign(f) and f.base.args[0] == a and not f.exp % 2 else f for f in factors]
        if sympy.Abs(a) in factors and sympy.sign(a) in factors:
            factors.remove(sympy.Abs(a))
            factors[factors.index(sympy.sign(a))] = a
    return product.func(*factors)


def _is_size(factor: Any) -> bool:
    import sympy

    if factor.func is sympy.Abs:
        return True
    return bool(factor.is_Pow and factor.base.func is sympy.Abs and factor.exp.is_positive)
