"""The command line: what it prints, how it ends, and that a user never sees a traceback. Nothing is compiled."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import stochsim
from stochsim import diffusion, mcmc, models
from stochsim.cli import main
from stochsim.codegen import cache
from stochsim.report import read_run
from stochsim.schemes import REGISTRY
from stochsim.schemes.record import scheme
from stochsim.validating import equations
from stochsim.validating.task import Task

ROOT = Path(__file__).resolve().parent.parent
MODEL = '''
import numpy as np
import stochsim as ss

gbm = ss.SDE(
    drift=lambda x, t, p: p.mu * x, diffusion=lambda x, t, p: p.sigma * x, params={"mu": 0.5, "sigma": 0.8}, x0=1.0,
    exact=lambda x0, t, W, p: x0 * np.exp((p.mu - p.sigma**2 / 2) * t + p.sigma * W), name="gbm",
)
number = 3.0

def well():
    return ss.SDE(drift=lambda x, t, p: x - x**3, diffusion=lambda x, t, p: 0.7 * x, x0=0.5, name="well")

def shifted(by):
    return gbm

def wrong():
    return 3

@ss.schemes.scheme(strong_order=1.0, weak_order=1.0)
def boastful(sde, x, t, h, dW):
    """Euler's method with a claim that is not its own."""
    return x + sde.drift(x, t) * h + sde.diffusion(x, t) @ dW
'''


@pytest.fixture(autouse=True)
def no_kernel_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCHSIM_THREADS", "1")
    load = cache.load

    def without_kernels(text: str, *, quiet: bool = False) -> Any:
        is_kernel = "def coupled(" in text or "def advance(" in text
        assert not is_kernel or cache.is_cached(text), "a kernel would be compiled"
        return load(text, quiet=quiet)

    monkeypatch.setattr(cache, "load", without_kernels)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my_model.py"
    path.write_text(MODEL)
    return path


def call(*arguments: Any) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def refused(*arguments: Any) -> str:
    """The sentence of a refusal, which must be one line, without a traceback, with exit status 2."""
    result = call(*arguments)
    assert result.exit_code == 2, result.output
    (sentence,) = result.stderr.strip().splitlines()
    assert sentence.startswith("stochsim: ")
    assert "Traceback" not in result.output
    return sentence


# --- order ---------------------------------------------------------------------------------------------------


def test_order_measures_a_model_of_the_users_own(file: Path) -> None:
    result = call("order", f"{file}:gbm", "--scheme", "milstein", "--half-width", 0.2)
    assert result.exit_code == 0, result.output
    assert "Strong order of milstein on gbm: " in result.output
    assert "1 declared" in result.output
    assert "exact on the same Brownian path" in result.output
    assert "h = 0.125" in result.output


def test_order_without_a_closed_form_compares_neighbouring_steps(file: Path) -> None:
    result = call("order", f"{file}:well", "--scheme", "euler_maruyama", "--half-width", 0.2)
    assert result.exit_code == 0, result.output
    assert "By differences against neighbouring step sizes" in result.output


def test_order_of_both_kinds_with_a_figure(file: Path, tmp_path: Path) -> None:
    picture = tmp_path / "order.svg"
    result = call(
        "order", f"{file}:gbm", "--scheme", "milstein", "--kind", "both", "--half-width", 0.2, "--plot", picture
    )
    assert result.exit_code == 0, result.output
    assert "Strong order of milstein" in result.output
    assert "Weak order of milstein" in result.output
    assert picture.read_text().rstrip().endswith("</svg>")


def test_order_ends_with_status_1_when_the_claim_is_refuted(file: Path) -> None:
    """The negative control of a scheme of the user's own: Euler's method does not have order 1."""
    result = call("order", f"{file}:gbm", "--scheme", f"{file}:boastful", "--half-width", 0.2)
    assert result.exit_code == 1, result.output
    assert "lower than declared" in result.output


def test_order_of_a_file_with_one_sde_needs_no_name(file: Path) -> None:
    assert call("order", file, "--scheme", "euler_maruyama", "--kind", "weak").exit_code == 0


def test_order_of_a_built_in_model_with_other_parameters_in_the_other_calculus() -> None:
    arguments = ("--kind", "weak", "-p", "mu=0.3", "--calculus", "stratonovich", "--scheme", "stratonovich_heun")
    result = call("order", "geometric_brownian_motion", *arguments)
    assert result.exit_code == 0, result.output
    assert "confirmed" in result.output


def test_a_figure_that_cannot_be_written_is_refused(file: Path, tmp_path: Path) -> None:
    arguments = ("order", f"{file}:gbm", "--scheme", "milstein", "--kind", "weak", "--plot")
    assert "give a .svg, .png or .pdf file" in refused(*arguments, tmp_path / "order.xyz")
    assert "cannot be written" in refused(*arguments, tmp_path / "nowhere" / "order.svg")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("sde", "has no 'sde'; its SDEs are gbm; functions without arguments: well, wrong"),
        ("gbn", "has no 'gbn' (did you mean gbm?)"),
        ("number", "is a float; give an SDE, or a function without arguments that returns one"),
        ("shifted", "is a function with arguments"),
        ("wrong", "wrong() of"),
    ],
)
def test_a_name_that_is_no_sde_is_refused_with_what_the_file_holds(file: Path, name: str, sentence: str) -> None:
    assert sentence in refused("order", f"{file}:{name}", "--scheme", "milstein")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x = (", "cannot be run (line 1): SyntaxError"),
        ("import numpy\n\nx = nmpy.exp(1)\n", "cannot be run (line 3): NameError: name 'nmpy' is not defined"),
        ("import stochsim as ss\ns = ss.SDE(drift=1, diffusion=2)\n", "drift is 1; give a function of (x, t, p)"),
        ("", "it holds no SDE"),
    ],
)
def test_a_file_that_does_not_run_is_refused_with_its_line(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "broken.py"
    path.write_text(text)
    assert sentence in refused("order", f"{path}:sde", "--scheme", "milstein")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("geometric_brownian_motion", "--scheme", "milstien"), "did you mean milstein?"),
        (("geometric_brownian", "--scheme", "milstein"), "did you mean geometric_brownian_motion?"),
        (("nowhere.py:sde", "--scheme", "milstein"), "nowhere.py does not exist"),
        (("heisenberg", "--scheme", "milstein"), "milstein needs commutative noise, this SDE has general noise; use"),
        (("kubo_oscillator", "--scheme", "milstein"), "is for Itô equations, this SDE is Stratonovich"),
        (("cox_ingersoll_ross", "--scheme", "euler_maruyama"), "known exactly in law only"),
        (
            ("geometric_brownian_motion", "--scheme", "milstein", "--t-end", "-1"),
            "--t-end is -1; give a positive number",
        ),
        (("geometric_brownian_motion", "--scheme", "milstein", "-p", "nu=1"), "unknown parameter 'nu'"),
        (("geometric_brownian_motion", "--scheme", "milstein", "-p", "mu=x"), "give NAME=NUMBER"),
        (("geometric_brownian_motion", "--scheme", "milstein", "--threads", "0"), "threads"),
    ],
)
def test_bad_input_is_one_sentence_that_says_what_to_do(arguments: tuple[str, ...], sentence: str) -> None:
    assert sentence in refused("order", *arguments)


def test_a_scheme_that_a_file_does_not_hold_is_refused(file: Path) -> None:
    assert "its schemes are boastful" in refused("order", f"{file}:gbm", "--scheme", f"{file}:mine")


# --- explain, list, doctor, cache ----------------------------------------------------------------------------


def test_explain_writes_out_the_model_and_the_scheme() -> None:
    result = call("explain", "geometric_brownian_motion", "--scheme", "milstein")
    assert result.exit_code == 0, result.output
    for text in (
        "dx = mu*x dt + sigma*x dW",
        "noise: scalar",
        "strong order 1",
        "Milstein 1975",
        "x_next = x + mu*x*h",
    ):
        assert text in result.output


def test_explain_writes_latex_and_the_kernel() -> None:
    assert r"\mathrm{d}x = \mu x" in call("explain", "geometric_brownian_motion", "--latex").output
    result = call("explain", "geometric_brownian_motion", "--scheme", "euler_maruyama", "--kernel")
    assert "def advance(" in result.output
    assert "--kernel needs a scheme" in refused("explain", "geometric_brownian_motion", "--kernel")


@pytest.mark.parametrize("name", sorted(models.REGISTRY))
def test_every_model_can_be_explained_with_every_scheme_that_fits(name: str) -> None:
    for record in REGISTRY.values():
        sde = models.REGISTRY[name].default
        sde = sde.to_ito() if record.calculus == "ito" else sde.to_stratonovich()
        if not record.is_exact and record.fits(sde.formula()):
            result = call("explain", name, "--calculus", record.calculus, "--scheme", record.name)
            assert result.exit_code == 0, result.output
            assert "_next" in result.output


def test_list_has_every_scheme_and_model() -> None:
    text = call("list").output
    assert all(name in text for name in (*REGISTRY, *models.REGISTRY))
    assert "heisenberg" not in call("list", "schemes").output
    assert "stratonovich_heun" not in call("list", "models").output
    assert "| `milstein` | Itô | commutative | 1 |" in call("list", "schemes", "--markdown").output


def test_list_has_every_sampler_and_density() -> None:
    text = call("list").output
    assert all(f"\n{name} " in text for name in (*mcmc.REGISTRY, *diffusion.REGISTRY))
    assert all(name in call("list", "densities").output for name in ("Gaussian", "Funnel", "from_log_prob"))
    assert "milstein" not in call("list", "samplers").output
    tables = call("list", "samplers", "--markdown").output
    assert "| `BAOAB` | 2 | position |" in tables
    assert "| `ddim` |" in tables
    assert "give schemes or samplers" in refused("list", "models", "--markdown")


def test_doctor_says_what_the_machine_has() -> None:
    text = call("doctor").output
    for name in ("stochsim", "Python", "processor", "vectors", "numpy", "numba", "GPU", "CuPy", "nvcc", "kernel cache"):
        assert name in text


def test_cache_is_shown_and_cleared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCHSIM_CACHE_DIR", str(tmp_path))
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels" / f"k_1{cache.SUFFIX}").write_text("a kernel")
    assert f"{tmp_path}, 1 kernels" in call("cache").output
    assert "1 kernels removed" in call("cache", "clear").output
    assert "0 kernels" in call("cache").output


def test_version_and_help() -> None:
    assert call("--version").output.strip().endswith(stochsim.__version__)
    text = call("--help").output
    assert all(name in text for name in ("validate", "order", "explain", "list", "report", "doctor", "cache"))


def test_the_command_line_starts_without_heavy_imports() -> None:
    code = "import stochsim.cli, sys; print(*[m for m in ('numba', 'sympy', 'scipy', 'xarray') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert result.stdout.split() == []


# --- validate ------------------------------------------------------------------------------------------------


def test_validate_prints_rows_and_writes_them_with_the_report(tmp_path: Path) -> None:
    result = call("validate", "--quick", "--only", "weak/*/ornstein", "--html", tmp_path / "out")
    assert result.exit_code == 0, result.output
    facts, rows = read_run(tmp_path / "out")
    assert len(rows) == facts.planned == 8
    assert facts.seconds > 0
    assert "weak, moments       euler_maruyama        ornstein_uhlenbeck" in result.output
    assert "8 of 8 rows" in result.output
    assert "ornstein_uhlenbeck" in (tmp_path / "out" / "index.html").read_text()


def test_validate_measures_strong_orders_stability_and_mutants(tmp_path: Path) -> None:
    result = call("validate", "--quick", "--only", "/milstein/[gl]", "--html", tmp_path)
    assert result.exit_code == 0, result.output
    kinds = {row.kind for row in read_run(tmp_path)[1]}
    assert kinds == {"strong", "weak", "mutants", "stability"}
    assert "0 not caught" in result.output


def test_validate_measures_samplers_of_both_families(tmp_path: Path) -> None:
    result = call("validate", "--quick", "--only", "/[Bd][Ad][Oi][Am]*", "--html", tmp_path)
    assert result.exit_code == 0, result.output
    facts, rows = read_run(tmp_path)
    assert len(rows) == facts.planned
    assert {row.family for row in rows} == {"mcmc", "diffusion"}
    page = (tmp_path / "index.html").read_text()
    assert "Markov-chain samplers" in page
    assert "Diffusion samplers" in page


def test_validate_ends_with_status_1_when_a_sampler_claims_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control for samplers: the Euler method of Langevin's equation, said to be of order 2."""

    class Boastful(mcmc.REGISTRY["ULA"]):  # type: ignore[misc, name-defined]
        claims = mcmc.Claims("nobody", bias_order=2, exact_gaussian=("position",), strong_order=1)

    monkeypatch.setitem(mcmc.REGISTRY, "Boastful", Boastful)
    result = call("validate", "--quick", "--family", "mcmc", "--only", "/Boastful/")
    assert result.exit_code == 1, result.output
    assert "CONTRADICTS: bias / Boastful / Gaussian" in result.output
    assert "CONTRADICTS: bias / Boastful / quartic well" in result.output
    assert "CONTRADICTS: exact / Boastful / Gaussian" in result.output
    assert "strong, moments     Boastful" in result.output


def test_validate_ends_with_status_1_when_a_declared_order_is_refuted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control of the whole job: Milstein's scheme without its correction, still declared 1."""

    @scheme(strong_order=1.0, weak_order=1.0, noise="commutative", name="forgetful")
    def forgetful(sde: Any, x: Any, t: Any, h: Any, dW: Any) -> Any:
        return x + sde.drift(x, t) * h + sde.diffusion(x, t) @ dW

    monkeypatch.setitem(REGISTRY, "forgetful", forgetful)
    result = call("validate", "--quick", "--only", "strong/forgetful/geometric")
    assert result.exit_code == 1, result.output
    assert "CONTRADICTS: strong / forgetful / geometric_brownian_motion" in result.output


def test_validate_that_breaks_ends_with_status_1_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(equations.MEASURES, "strong", lambda task: 1 / 0)
    result = call("validate", "--quick", "--only", "/milstein/ornstein")
    assert result.exit_code == 1, result.output
    assert "failed: strong" in result.output
    assert "weak, moments" in result.output


def test_an_interrupted_run_prints_and_reports_what_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(task: Task) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setitem(equations.MEASURES, "stability", interrupted)
    result = call("validate", "--quick", "--only", "*/euler_heun/*linear test*", "--html", tmp_path / "none")
    assert result.exit_code == 130, result.output
    assert "interrupted after 0 of 1 rows" in result.stderr
    assert "This run ended early" in (tmp_path / "none" / "index.html").read_text()
    pattern = "*/euler_heun/[lo]*"  # two weak and strong rows come first
    result = call("validate", "--quick", "--only", pattern, "--html", tmp_path / "some")
    assert result.exit_code == 130, result.output
    assert len(read_run(tmp_path / "some")[1]) == 3


def test_report_is_made_again_from_the_rows(tmp_path: Path) -> None:
    call("validate", "--quick", "--only", "weak/milstein/geometric", "--html", tmp_path)
    page, rows = tmp_path / "index.html", tmp_path / "rows.jsonl"
    page.unlink()
    lines = rows.read_text().splitlines(keepends=True)
    rows.write_text("".join(lines[:-1]))  # as if it had been killed before it ended
    result = call("report", tmp_path)
    assert result.exit_code == 0, result.output
    assert "the run did not end by itself: 1 of 1 rows" in page.read_text()
    assert "does not exist" in refused("report", tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--family", "sdes"), "family is 'sdes'; give one of sde"),
        (("--only", "nothing of the kind"), "leaves nothing to measure"),
        (("--threads", "0"), "threads"),
    ],
)
def test_validate_refuses_a_wrong_call(arguments: tuple[str, ...], sentence: str) -> None:
    assert sentence in refused("validate", *arguments)


def test_validate_refuses_a_folder_that_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    assert "cannot be written" in refused("validate", "--only", "stability", "--html", tmp_path / "taken")


def test_an_unknown_option_is_a_usage_error() -> None:
    assert call("validate", "--fast").exit_code == 2
