"""The command line: ``stochsim validate | order | list | explain | report | doctor | cache``."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stochsim._version import __version__
from stochsim.errors import ParameterError, StochsimError

if TYPE_CHECKING:
    from stochsim.orders.estimate import OrderEstimate
    from stochsim.report.rows import Row, RunFacts
    from stochsim.sde import SDE
    from stochsim.validating.task import Task

__all__ = ["main"]

CONTRADICTED, INTERRUPTED = 1, 130


class Refusal(click.ClickException):
    """A sentence on standard error, and exit status 2."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        """Write the sentence."""
        click.echo(f"stochsim: {self.format_message()}", file=file, err=file is None)


class Commands(click.Group):
    """A group whose commands end with a sentence when stochsim refuses something."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except StochsimError as error:
            raise Refusal(str(error)) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="stochsim")
def main() -> None:
    """Simulate stochastic processes, and measure whether schemes converge as their authors claim."""


model_options = (
    click.option("--calculus", type=click.Choice(["ito", "stratonovich"]), help="Convert the model first."),
    click.option("-p", "--param", "params", multiple=True, metavar="NAME=NUMBER", help="Change a parameter."),
)


def with_model_options(command: Any) -> Any:
    """Add the options that change a model before it is used."""
    for option in reversed(model_options):
        command = option(command)
    return command


def chosen_model(text: str, calculus: str | None, params: Sequence[str]) -> SDE:
    """The named model with its parameters changed, in the calculus asked for."""
    from stochsim.named import find_model

    sde = find_model(text)
    changes = dict(_assignment(p) for p in params)
    sde = sde.with_params(**changes) if changes else sde
    return {None: sde.to_ito if sde.calculus == "ito" else sde.to_stratonovich, "ito": sde.to_ito,
            "stratonovich": sde.to_stratonovich}[calculus]()  # fmt: skip


def _assignment(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError:
        raise ParameterError(f"--param is {text!r}; give NAME=NUMBER, as in mu=0.5") from None


# --- validate ----------------------------------------------------------------------------------------------


@main.command()
@click.option("--family", help="Only this family: sde, mcmc or diffusion.")
@click.option("--quick", is_flag=True, help="A subset that takes half a minute and compiles no kernels.")
@click.option("--html", type=click.Path(path_type=Path), metavar="DIR", help="Folder for the report and its rows.")
@click.option("--seed", default=0, show_default=True, help="Of every measurement.")
@click.option("--threads", type=int, help="Processes that measure side by side; default one a core.")
@click.option("--only", metavar="PATTERN", help="Only rows whose kind/scheme/problem holds this (may have *).")
@click.pass_context
def validate(
    ctx: click.Context,
    family: str | None,
    quick: bool,
    html: Path | None,
    seed: int,
    threads: int | None,
    only: str | None,
) -> None:
    """Measure what every scheme and sampler claims, and plant bugs to test the tests.

    Exit status: 0 when nothing contradicts a declared order, 1 when something does, 2 for a wrong call,
    130 when interrupted (the report then holds what was done).
    """
    from stochsim import _request as request

    options = {"family": family, "quick": quick, "seed": seed, "only": only}
    processes = request.thread_count(threads)
    tasks = _planned(family, quick, only, seed)
    rows, reason = _measure_all(tasks, processes, html, options | {"threads": processes})
    if reason:
        ctx.exit(INTERRUPTED)
    ctx.exit(CONTRADICTED if any(r.contradicts or r.failed for r in rows) else 0)


def _planned(family: str | None, quick: bool, only: str | None, seed: int) -> list[Task]:
    from stochsim import validation_claims as published
    from stochsim.validating.plan import plan
    from stochsim.validating.task import Task

    tasks = plan(family, quick=quick, only=only, seed=seed)
    folder = published.validation_folder()
    for name, file, claim in published.claims_of(folder, family) if folder else ():
        task = Task("claim", claim.name, str(file), "check", seed, quick=quick, family=name)
        if (claim.quick or not quick) and (only is None or task.matches(only)):
            tasks.append(task)
    if not tasks:
        raise ParameterError(f"--only {only!r} leaves nothing to measure; give a part of kind/scheme/problem")
    return tasks


def _measure_all(
    tasks: Sequence[Task], processes: int, html: Path | None, options: dict[str, Any]
) -> tuple[list[Row], str]:
    """Every row, printed and saved as it comes; and why the run ended early, if it did."""
    from dataclasses import replace

    from stochsim.doctor import facts
    from stochsim.report import RunFacts, Store, tables, write_page

    begin, reason = time.perf_counter(), ""
    rows: list[Row] = []
    run = RunFacts(
        started=time.strftime("%Y-%m-%d %H:%M"), options=options, machine=facts(),
        planned=sum(len(t.schemes) for t in tasks),
    )  # fmt: skip
    with ExitStack() as stack:
        store = stack.enter_context(Store(html)) if html else None
        if store:
            store.add(run)
        click.echo(tables.header())
        try:
            for row, planned in _rows(tasks, processes, run.planned):
                rows.append(row)
                run = replace(run, planned=planned)
                if store:
                    store.add(row)
        except KeyboardInterrupt:
            reason = f"interrupted after {len(rows)} of {run.planned} rows"
        except RuntimeError as error:
            reason = str(error)
        run = _ended(run, rows, time.perf_counter() - begin, reason)
        if store:
            store.add(run)
    _print_end(run, rows)
    if html:
        click.echo(f"report: {write_page(html, run, rows)}")
    return rows, reason


def _rows(tasks: Sequence[Task], processes: int, planned: int) -> Iterator[tuple[Row, int]]:
    """Rows as they finish, each printed, and how many are now expected; with a bar on a terminal."""
    from tqdm import tqdm

    from stochsim.report import tables
    from stochsim.validating.run import run

    with tqdm(total=planned, unit="row", leave=False, disable=not sys.stderr.isatty()) as bar:
        for done in run(tasks, processes):
            planned += len(done.rows) - len(done.task.schemes)  # a certificate has several rows
            bar.total = planned
            for row in done.rows:
                with bar.external_write_mode(file=sys.stdout):
                    click.echo(tables.line(row))
                bar.update()
                yield row, planned


def _ended(run: RunFacts, rows: Sequence[Row], seconds: float, reason: str) -> RunFacts:
    from dataclasses import replace

    compiled = sum(getattr(row, "compiled", 0) for row in rows)
    return replace(run, seconds=seconds, compiled=compiled, interrupted=reason)


def _print_end(run: RunFacts, rows: Sequence[Row]) -> None:
    from stochsim.report import tables

    click.echo("")
    for sentence in tables.summary(rows):
        click.echo(sentence)
    click.echo(f"{len(rows)} of {run.planned} rows in {run.seconds:.0f} s, {run.compiled} functions compiled")
    if run.interrupted:
        click.echo(f"stochsim: {run.interrupted}", err=True)


@main.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("build/validation"))
def report(folder: Path) -> None:
    """Make the report again from the rows that validate left in FOLDER (after a run that was killed, say)."""
    from stochsim.report import read_run, write_page

    run, rows = read_run(folder)
    if not run.seconds:
        run = _ended(run, rows, 0.0, f"the run did not end by itself: {len(rows)} of {run.planned} rows")
    click.echo(f"report: {write_page(folder if folder.is_dir() else folder.parent, run, rows)}")


# --- order -------------------------------------------------------------------------------------------------


@main.command()
@click.argument("model")
@click.option("--scheme", "scheme_name", required=True, help="A scheme by name, or FILE.py:NAME.")
@click.option("--kind", type=click.Choice(["strong", "weak", "both"]), default="strong", show_default=True)
@click.option("--t-end", default=1.0, show_default=True, help="End time; it begins at 0.")
@click.option("--seed", default=0, show_default=True)
@click.option("--half-width", type=float, help="Of the strong order's interval to aim for.")
@click.option("--threads", type=int, help="Default one a core.")
@click.option("--plot", "picture", type=click.Path(path_type=Path), help="Errors against steps: .svg, .png or .pdf.")
@with_model_options
@click.pass_context
def order(
    ctx: click.Context,
    model: str,
    scheme_name: str,
    kind: str,
    t_end: float,
    seed: int,
    half_width: float | None,
    threads: int | None,
    picture: Path | None,
    calculus: str | None,
    params: Sequence[str],
) -> None:
    """Measure the order of a scheme on MODEL: a built-in name, or an SDE in a file of yours, FILE.py:NAME.

    Exit status 1 when the measured order contradicts the declared one.
    """
    from stochsim.named import find_scheme
    from stochsim.orders import strong_order, weak_order

    if not 0.0 < t_end < math.inf:
        raise ParameterError(f"--t-end is {t_end:g}; give a positive number")
    sde, scheme = chosen_model(model, calculus, params), find_scheme(scheme_name)
    estimates: list[OrderEstimate] = []
    if kind in ("strong", "both"):
        estimates.append(strong_order(sde, scheme, t_end=t_end, seed=seed, half_width=half_width, threads=threads))
        click.echo(_long_text(estimates[-1]))
    if kind in ("weak", "both"):
        estimates.append(weak_order(sde, scheme, t_end=t_end, seed=seed, threads=threads))
        click.echo(_long_text(estimates[-1]))
    if picture is not None:
        click.echo(f"figure: {_draw(estimates, picture)}")
    ctx.exit(CONTRADICTED if any(e.verdict in ("wrong limit", "lower than declared") for e in estimates) else 0)


def _long_text(estimate: OrderEstimate) -> str:
    errors = zip(estimate.h, estimate.errors, strict=True)
    lines = [f"  h = {h:<12.6g} error {e:.4e}" for h, e in errors if math.isfinite(e)]
    limit = [] if estimate.limit is None else [f"  limit: {estimate.limit}"]
    return "\n".join([str(estimate), *limit, *lines])


def _draw(estimates: Sequence[OrderEstimate], picture: Path) -> Path:
    import matplotlib

    matplotlib.use("Agg")  # a file is asked for, whatever display there is
    from stochsim import plot

    axes = plot.order(estimates)
    figure = axes.get_figure(root=True)
    assert figure is not None
    try:
        figure.savefig(picture)
    except (OSError, ValueError) as error:
        raise ParameterError(f"{picture} cannot be written ({error}); give a .svg, .png or .pdf file") from None
    return picture


# --- explain and list -----------------------------------------------------------------------------------------


@main.command()
@click.argument("model")
@click.option("--scheme", "scheme_name", help="A scheme by name, or FILE.py:NAME.")
@click.option("--latex", is_flag=True, help="Formulas as LaTeX.")
@click.option("--kernel", is_flag=True, help="The generated kernel too.")
@with_model_options
def explain(
    model: str, scheme_name: str | None, latex: bool, kernel: bool, calculus: str | None, params: Sequence[str]
) -> None:
    """Write out MODEL, and the scheme as it reads for that model."""
    from stochsim.listing import model_text, scheme_text
    from stochsim.named import find_scheme

    sde = chosen_model(model, calculus, params)
    click.echo(model_text(sde, latex))
    if scheme_name is None:
        if kernel:
            raise ParameterError("--kernel needs a scheme; give --scheme")
        return
    scheme = find_scheme(scheme_name)
    click.echo("\n" + scheme_text(scheme, sde, latex))
    if kernel:
        from stochsim.codegen.kernels import advance_text
        from stochsim.steps import step_program

        click.echo("\n" + advance_text(step_program(sde, scheme)))


@main.command("list")
@click.argument("what", type=click.Choice(["schemes", "models", "samplers", "densities"]), required=False)
@click.option("--markdown", is_flag=True, help="Tables for documentation: of schemes, or of samplers.")
@click.option("--rows", type=click.Path(path_type=Path), help="Rows of a validation, for the measured orders.")
def list_(what: str | None, markdown: bool, rows: Path | None) -> None:
    """List schemes, models, samplers and densities, as their records describe them."""
    from stochsim import listing

    if markdown:
        click.echo(_markdown(what, rows))
        return
    lists = {
        "schemes": listing.scheme_list, "models": listing.model_list, "samplers": listing.sampler_list,
        "densities": listing.density_list,
    }  # fmt: skip
    chosen = lists.values() if what is None else [lists[what]]
    click.echo("\n\n".join(text() for text in chosen))


def _markdown(what: str | None, folder: Path | None) -> str:
    from stochsim import report

    rows = report.read_run(folder)[1] if folder else ()
    if what == "samplers":
        return f"{report.mcmc_table(rows)}\n\n{report.diffusion_table(rows)}"
    if what in (None, "schemes"):
        return report.method_table(rows)
    raise ParameterError(f"--markdown of {what} is unknown; give schemes or samplers")


# --- doctor and cache -------------------------------------------------------------------------------------


@main.command()
def doctor() -> None:
    """Versions, threads, vector width, kernel cache and GPU of this machine."""
    from stochsim.doctor import facts

    for name, value in facts().items():
        click.echo(f"{name:13} {value}")


@main.command("cache")
@click.argument("action", type=click.Choice(["clear"]), required=False)
def cache_(action: str | None) -> None:
    """Where compiled kernels are kept, and how many; `clear` removes them."""
    from stochsim.codegen import cache
    from stochsim.doctor import cache_text

    if action == "clear":
        click.echo(f"{cache.clear()} kernels removed from {cache.folder()}")
        return
    click.echo(cache_text())
