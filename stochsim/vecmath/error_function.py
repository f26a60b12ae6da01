"""erf by two minimax polynomials: erf(x)/x - 1 in x^2 for |x| < 1, and -log erfc(|x|) beyond."""

from __future__ import annotations

from stochsim.vecmath._jit import scalar
from stochsim.vecmath._llvm import copysign, fma, horner
from stochsim.vecmath.exponentials import exp

# relative errors of erf: 2^-56.9 and 2^-54.8
_SMALL = (
    -7.779115061519013e-10, 1.3710793708016748e-08, -1.620627124450056e-07, 1.6447126109943598e-06,
    -1.4924711867230146e-05, 0.00012055293554712727, -0.0008548325928588985, 0.005223977606103721,
    -0.026866170643109723, 0.11283791670944174, -0.3761263890318352, 0.12837916709551256,
)  # fmt: skip
_LARGE = (
    -1.770573808518619e-11, 6.518666585978499e-10, -1.090417809776883e-08, 1.0822926960130506e-07,
    -6.878110244376951e-07, 2.673308380876267e-06, -3.6124243945826533e-06, -2.799239880516256e-05,
    0.00023063129371876792, -0.0009199080339524397, 0.0020987214045229225, -0.0005840047090619263,
    -0.018865431855467178, 0.10263767696992263, 0.6366675681938136, 1.1283687147218713, 1.063314471607869e-06,
)  # fmt: skip


@scalar
def erf(x: float) -> float:
    """Return the error function (2/sqrt(pi)) times the integral of e^(-s^2) from 0 to x, within 1.5 ulp."""
    y = abs(x)
    small = fma(y, horner(y * y, _SMALL), y)
    large = 1.0 - exp(-horner(6.0 if y > 6.0 else y, _LARGE))
    return copysign(small if y < 1.0 else large, x)
