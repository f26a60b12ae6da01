"""What a figure says is checked on the drawn artists: slopes, bars, labels that touch nothing, refusals."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from itertools import combinations, pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from matplotlib import pyplot as plt

from stochsim import plot
from stochsim._figure import EXACT, label_right
from stochsim.errors import ParameterError
from stochsim.plot import _equations

H = 2.0 ** -np.arange(3, 12)
TIME = np.linspace(0.0, 1.0, 33)


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def estimate(scheme="milstein", order=1.0, declared=1.0, constant=0.3, relative_se=0.02, **changes):
    errors = constant * H**order
    fields = {
        "kind": "strong", "h": H, "errors": errors, "errors_se": relative_se * errors, "order": order,
        "half_width": 0.02, "declared": declared, "problem": "geometric Brownian motion", "scheme": scheme,
        "n_paths": 4096,
    }  # fmt: skip
    return SimpleNamespace(**{**fields, **changes})


def region(amplification):
    lh, mu2h = np.linspace(-3.0, 0.5, 141), np.linspace(0.0, 3.0, 121)
    values = amplification(lh[None, :], mu2h[:, None])
    return SimpleNamespace(lh=lh, mu2h=mu2h, amplification=values, scheme="euler_maruyama")


def dashed(ax):
    return [line for line in ax.lines if line.get_linestyle() == "--"]


def boxes(ax):
    """Drawn extents of the labels and the title, in pixels."""
    ax.figure.canvas.draw()
    titles = [text for text in (ax.title, ax._left_title) if text.get_text()]
    return [text.get_window_extent() for text in [*ax.texts, *titles]]


def overlapping(ax):
    return [
        pair for pair in combinations(boxes(ax), 2) if pair[0].shrunk(0.98, 0.9).overlaps(pair[1].shrunk(0.98, 0.9))
    ]


@pytest.mark.parametrize("declared", [0.5, 1.0, 1.5])
def test_dashed_line_has_the_declared_slope_and_meets_the_finest_point(declared):
    drawn = estimate(order=0.7, declared=declared)
    (line,) = dashed(plot.order(drawn))
    h, errors = line.get_data()
    assert np.polyfit(np.log(h), np.log(errors), 1)[0] == pytest.approx(declared)
    assert (h[0], errors[0]) == (drawn.h[-1], drawn.errors[-1])


def test_an_exact_scheme_is_labelled_by_its_verdict():
    ax = plot.order(estimate("exact", order=np.nan, errors=np.full(9, 1e-16), verdict="exact"))
    assert ax.texts[0].get_text() == "exact\nexact"


def test_an_undeclared_order_gets_no_theory():
    ax = plot.order(estimate(declared=None))
    assert dashed(ax) == []
    assert "theory" not in ax.texts[0].get_text()


@pytest.mark.parametrize("relative_se", [0.02, 0.5, 3.0])
def test_bars_are_95_percent_in_the_logarithm_and_stay_positive(relative_se):
    drawn = estimate(relative_se=relative_se)
    ax = plot.order(drawn)
    (segments,) = [c for c in ax.collections if hasattr(c, "get_segments")]
    ends = np.array([segment[:, 1] for segment in segments.get_segments()])[::-1]
    assert np.all(ends > 0)
    half = 1.959964 * relative_se
    np.testing.assert_allclose(np.log(ends / drawn.errors[:, None]), [[-half, half]] * 9, rtol=1e-5)


@pytest.mark.parametrize(
    ("half_width", "text"),
    [
        (0.02, "0.51 ± 0.02\n(theory 0.5)"),
        (0.0, "0.51 (±0)\n(theory 0.5)"),
        (0.001, "0.510 ± 0.001\n(theory 0.5)"),
        (0.0004, "0.510 (±4e-4)\n(theory 0.5)"),
        (3e-6, "0.51000 (±3e-6)\n(theory 0.5)"),
    ],
)
def test_label_says_order_interval_and_theory(half_width, text):
    ax = plot.order(estimate("euler_maruyama", order=0.51, declared=0.5, half_width=half_width))
    assert ax.texts[0].get_text() == f"euler_maruyama\n{text}"


@pytest.mark.parametrize("n_schemes", [1, 2, 4, 7, 12])
@pytest.mark.parametrize("spread", [0.0, 0.5])
def test_labels_touch_neither_each_other_nor_the_title_and_stay_in_the_figure(n_schemes, spread):
    ax = plot.order([estimate(f"scheme_{i}", constant=0.3 + spread * i) for i in range(n_schemes)])
    assert overlapping(ax) == []
    figure = ax.figure.bbox
    assert all(figure.x0 <= box.x0 and box.x1 <= figure.x1 and box.y1 <= figure.y1 for box in boxes(ax))


def test_labels_at_the_heights_of_equal_curves_would_touch():
    """The negative control of the test above: without moving them apart the labels do overlap."""
    ax = plot.order(estimate())
    label_right(ax, [(H[0], 0.3 * H[0])], [("another", EXACT)])
    assert overlapping(ax)


def test_schemes_differ_in_colour_and_marker():
    ax = plot.order([estimate(f"scheme_{i}") for i in range(12)])
    looks = {(line.get_color(), line.get_marker()) for line in ax.lines if line.get_marker() not in ("None", "_")}
    assert len(looks) == 12


def test_steps_are_labelled_with_powers_of_two():
    ax = plot.order(estimate())
    ax.figure.canvas.draw()
    labels = [label.get_text() for label in ax.get_xticklabels()]
    assert labels
    assert all(re.fullmatch("2⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]+", label) for label in labels)
    assert all(re.fullmatch("10⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]+", label.get_text()) for label in ax.get_yticklabels())
    assert _equations._power(10, 2e-3, 0) == "0.002"  # a tick of the user's own that is no power


def test_no_figure_needs_the_mathematics_of_matplotlib():
    # laying out a formula takes ten times as long as text; a report has hundreds of labels
    ax = plot.order([estimate(), estimate(kind="weak")])
    ax.figure.canvas.draw()
    texts = [*ax.get_xticklabels(), *ax.get_yticklabels(), *ax.texts, ax.title, ax.xaxis.label, ax.yaxis.label]
    assert not any("$" in text.get_text() for text in texts)


def test_title_names_problem_kind_and_sample():
    assert plot.order(estimate()).get_title("left") == "geometric Brownian motion: strong order, 4,096 paths"
    assert plot.order([estimate(), estimate(kind="weak")]).get_ylabel() == "strong and weak error"
    weak = estimate(kind="weak", n_paths=0, errors_se=None)
    assert plot.order(weak).get_title("left") == "geometric Brownian motion: weak order"


def test_levels_without_a_positive_error_are_left_out():
    drawn = estimate()
    drawn.errors[[0, -1]] = np.nan, 0.0
    (line,) = dashed(plot.order(drawn))
    assert list(line.get_xdata()) == list(H[1:-1][::-1])


def test_an_estimate_whose_errors_are_all_zero_is_refused():
    with pytest.raises(ParameterError, match="no positive error"):
        plot.order(estimate(errors=np.zeros(9)))


@pytest.mark.parametrize("draw", [plot.order, plot.stability])
def test_an_empty_list_is_refused(draw):
    with pytest.raises(ParameterError, match="empty list"):
        draw([])


def test_stability_boundaries_of_euler_and_of_the_equation():
    """For Euler-Maruyama E|R|² = (1 + λh)² + μ²h; the equation is stable left of 2λ + μ² = 0."""
    ax = plot.stability(region(lambda lh, mu2h: (1 + lh) ** 2 + mu2h))
    (exact,) = [line for line in ax.lines if line.get_color() == EXACT]
    lh, mu2h = exact.get_data()
    np.testing.assert_array_equal(2 * np.array(lh) + np.array(mu2h), 0.0)
    boundary = ax.collections[-1].get_paths()[0].vertices
    assert len(boundary) > 50
    np.testing.assert_allclose((1 + boundary[:, 0]) ** 2 + boundary[:, 1], 1.0, atol=1e-3)


def test_a_transposed_amplification_is_refused():
    wrong = region(lambda lh, mu2h: (1 + lh) ** 2 + mu2h)
    wrong.amplification = wrong.amplification.T
    with pytest.raises(ParameterError, match=r"shape \(141, 121\); give \(121, 141\)"):
        plot.stability(wrong)


def simulated(**variables):
    return xr.Dataset(variables, coords={"time": TIME}, attrs={"scheme": "milstein"})


def walk(*shape):
    return np.random.default_rng(1).standard_normal(shape).cumsum(-1)


def test_paths_draws_the_first_paths_of_each_component():
    values = walk(50, 2, 33)
    data = simulated(x=(("path", "component", "time"), values)).assign_coords(component=["price", "variance"])
    ax = plot.paths(data, n=5)
    np.testing.assert_array_equal([line.get_ydata() for line in ax.lines], values[:5].swapaxes(0, 1).reshape(10, 33))
    assert [text.get_text() for text in sorted(ax.texts, key=lambda text: text.get_text())] == [
        "price",
        "variance",
    ]
    assert ax.get_title("left") == "milstein, 5 of 50 paths"


def test_paths_names_unnamed_components_and_variables():
    unnamed = plot.paths(simulated(x=(("path", "time", "component"), walk(3, 33, 2))))
    assert {text.get_text() for text in unnamed.texts} == {"x[0]", "x[1]"}
    variables = plot.paths(simulated(v=(("path", "time"), walk(3, 33)), s=(("path", "time"), walk(3, 33))))
    assert {text.get_text() for text in variables.texts} == {"v", "s"}
    single = plot.paths(simulated(x=(("path", "time"), walk(3, 33))))
    assert single.get_ylabel() == "x"


def test_few_paths_are_drawn_as_strongly_as_there_are_few_of_them():
    few = simulated(x=(("path", "time"), walk(3, 33)))
    assert plot.paths(few, n=500).lines[0].get_alpha() == plot.paths(few, n=3).lines[0].get_alpha() == 1.0
    many = simulated(x=(("path", "time"), walk(40, 33)))
    assert plot.paths(many, n=10).lines[0].get_alpha() == 0.5


def title_box(ax):
    ax.figure.canvas.draw()
    return ax._left_title.get_window_extent()


def test_titles_of_axes_side_by_side_do_not_touch():
    data = simulated(x=(("path", "time"), walk(2000, 33))).assign_attrs(scheme="drift_implicit_euler")
    _, axes = plt.subplots(1, 3, figsize=(9, 3))
    for ax in axes:
        plot.paths(data, ax=ax)
    assert all(title_box(left).x1 < title_box(right).x0 for left, right in pairwise(axes))
    axes[0].set_title("drift_implicit_euler, 20 of 2,000 paths", loc="left")  # in one line they would
    assert title_box(axes[0]).x1 > title_box(axes[1]).x0


def test_paths_refuses_what_has_no_curve_over_time():
    with pytest.raises(ParameterError, match='save="all"'):
        plot.paths(simulated(x=("path", walk(3))))
    with pytest.raises(ParameterError, match=r"dataset\.isel\(mu=0\)"):
        plot.paths(simulated(x=(("mu", "path", "time"), walk(2, 3, 33))))
    with pytest.raises(ParameterError, match="n = 0"):
        plot.paths(simulated(x=(("path", "time"), walk(3, 33))), n=0)


def test_density_has_area_one_and_the_exact_density_on_top():
    ax = plot.density(walk(1000), lambda x: np.full_like(x, 0.25), bins=20)
    (stairs,) = [patch for patch in ax.patches if hasattr(patch, "get_data")]
    data = stairs.get_data()
    assert np.sum(data.values * np.diff(data.edges)) == pytest.approx(1.0)
    (exact,) = [line for line in ax.lines if line.get_color() == EXACT]
    assert set(exact.get_ydata()) == {0.25}


def test_density_refuses_values_that_are_not_finite():
    with pytest.raises(ParameterError, match="1 of 3 values are not finite"):
        plot.density([0.0, np.nan, 1.0])
    with pytest.raises(ParameterError, match="0 of 0"):
        plot.density([])


def test_figures_are_drawn_on_the_axes_given():
    _, (left, right) = plt.subplots(1, 2)
    assert plot.order(estimate(), ax=left) is left
    assert plot.density(walk(100), ax=right) is right
    assert len(plt.get_fignums()) == 1


def test_the_style_ends_with_the_figure():
    before = dict(plt.rcParams)
    plot.order(estimate())
    assert dict(plt.rcParams) == before


def test_svg_is_one_element_the_same_each_time_and_closes_the_figure():
    first, second = (plot.to_svg(plot.order(estimate()), 'orders of "milstein" & others') for _ in range(2))
    assert first == second
    assert plt.get_fignums() == []
    root = ET.fromstring(first)
    assert root.tag.endswith("svg")
    assert root.get("aria-label") == 'orders of "milstein" & others'
    assert 'href="http' not in first


def test_importing_the_figures_does_not_import_matplotlib():
    code = "import stochsim.plot, sys; print('matplotlib' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
