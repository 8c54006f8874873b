"""The commands that make calls, for people without make too."""

from __future__ import annotations

import contextlib
import functools
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click
from click.core import ParameterSource

from course_utils.tools import lessons
from course_utils.tools.doctor import PROJECT, folder_of_lessons, is_checkout

NOTEBOOKS = folder_of_lessons()
BUILD = PROJECT / "build"


@click.group()
@click.help_option("-h", "--help")
def commands() -> None:
    """Run, check and read the course. `doctor` says whether this machine can."""


def _folder(name: str, default: Path, text: str) -> Callable[[Any], Any]:
    kind = click.Path(path_type=Path, file_okay=False)
    return click.option(name, type=kind, default=default, show_default=default.name + "/", help=text)


def _csv(name: str, text: str) -> Callable[[Any], Any]:
    kind = click.Path(path_type=Path, dir_okay=False, exists=True)
    return click.option(name, type=kind, metavar="CSV", help=text)


def _notebooks() -> Callable[[Any], Any]:
    return _folder("--notebooks", NOTEBOOKS, "Folder of the lessons.")


def _build() -> Callable[[Any], Any]:
    return _folder("--build", BUILD, "Folder for everything made.")


def _profile() -> Callable[[Any], Any]:
    return click.option("--profile", default="standard", show_default=True, help="smoke, standard or full.")


@commands.command()
@click.argument("only", nargs=-1, metavar="[LESSON]...")
@_notebooks()
@_build()
@_profile()
@click.option("--seed", type=click.IntRange(min=0), help="SEED of every lesson.")
@click.option("--device", help="DEVICE of every lesson: cpu, cuda, mps.")
@click.option(
    "-p",
    "--parameter",
    "extra",
    nargs=2,
    multiple=True,
    metavar="NAME VALUE",
    help="Another parameter, of the kind of its default.",
)
@click.option(
    "--workers", type=click.IntRange(min=1), default=2, show_default=True, help="Lessons at a time."
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Run on the Dask cluster of this scheduler (tcp://host:8786), which says how many at a time.",
)
@click.option("--bar/--no-bar", default=None, help="A progress bar; by default where there is a terminal.")
@click.option("--pages/--no-pages", default=True, help="Each executed lesson as an HTML page, too.")
@click.option(
    "--all/--changed",
    "every",
    default=None,
    help="All, or what changed since it passed; by default all in CI and where lessons are named.",
)
def run(
    only: tuple[str, ...],
    notebooks: Path,
    build: Path,
    profile: str,
    seed: int | None,
    device: str | None,
    extra: tuple[tuple[str, str], ...],
    workers: int,
    scheduler: str | None,
    bar: bool | None,
    pages: bool,
    every: bool | None,
) -> None:
    """Execute lessons ("05", "05_topic"; all by default) and write the report.

    Exit status: 0 all passed, 1 a lesson or a claim failed, 2 nothing was run, 130 interrupted.
    """
    from course_utils.tools.report import report as write_report
    from course_utils.tools.running import fingerprints
    from course_utils.tools.running import run as runner

    parameters = _parameters(extra, {"PROFILE": profile, "SEED": seed, "DEVICE": device})
    profile = parameters["PROFILE"]
    with _exits(interrupted="finished lessons and their records are in place", broken="the run broke off"):
        changed = not (every if every is not None else bool(only) or fingerprints.everything())
        results = runner.run(
            notebooks, build, parameters=parameters, only=only, workers=workers, bar=bar, changed=changed,
            scheduler=scheduler,
        )  # fmt: skip
    failed = [result for result in results if result.state == "failed"]
    for result in failed:
        click.echo(f"\nfailed: {result.lesson}\n{result.error}")
    click.echo(f"\n{len(results) - len(failed)} of {len(results)} lessons passed at {profile}")
    try:
        page = write_report(build, profile=profile, pages=pages)
    except OSError as problem:
        raise click.ClickException(f"the report could not be written: {problem}") from None
    click.echo(f"report:  {page}\nlessons: make lab (without make: python -m course_utils lab)")
    raise SystemExit(1 if failed else 0)


@commands.command()
@_build()
@_profile()
def report(build: Path, profile: str) -> None:
    """Write the report again from the records of the last run."""
    from course_utils.tools.report import report as write_report

    try:
        click.echo(write_report(build, profile=profile))
    except OSError as problem:  # nothing was run, or the page cannot be written
        raise click.ClickException(str(problem)) from None


@commands.command()
@click.argument("records", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--against", type=click.Path(path_type=Path, file_okay=False), help="Records of an earlier run."
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="A file for the table, too.")
@click.option(
    "--record",
    "keep",
    is_flag=True,
    help="Keep them as the ledger that ships with the course. Prints its file.",
)
def ledger(records: Path, against: Path | None, out: Path | None, keep: bool) -> None:
    """The claims in RECORDS, nearest to their bounds first, beside those of an earlier run."""
    from course_utils import claim_records, recorded
    from course_utils._files import write_whole
    from course_utils.tools import ledger as claims
    from course_utils.tools import lessons

    if keep:
        try:
            click.echo(claims.record(records, recorded.FOLDER))
        except (ValueError, OSError) as problem:
            raise click.ClickException(f"nothing was recorded: {problem}") from None
        kept = recorded.newest("claims", recorded.FOLDER)
        if kept and (old := claims.stale(claim_records.by_id(kept.rows), lessons.find(NOTEBOOKS))):
            click.echo(f"show other numbers: execute them again, with `notebooks {' '.join(old)}`", err=True)
        return
    warn = functools.partial(click.echo, err=True)
    now = claim_records.by_id(claim_records.read(records, left_out=warn))
    if not now:
        raise click.ClickException(f"no claims-NN.json in {records}")
    before = None
    if against and against.is_dir():
        before = claim_records.by_id(claim_records.read(against, left_out=warn))
    table = claims.markdown(claims.compare(now, before))
    click.echo(table)
    if out:
        write_whole(out, table)


@commands.command()
def doctor() -> None:
    """Check Python, packages, kernel, memory, disk, GPU, port, write access."""
    raise AssertionError("course_utils.__main__ answers `doctor` before click is imported")


@commands.command()
@_notebooks()
@_folder("--workspace", PROJECT / "workspace", "Folder of your copies.")
@click.option("--copy-only", is_flag=True, help="Do not open JupyterLab.")
@click.option("--browser/--no-browser", default=True, help="Open a browser, or only print the address.")
@click.option(
    "--fresh", multiple=True, metavar="LESSON", help="A copy of this lesson as published, beside yours, too."
)
@click.option("--allow-root", is_flag=True, help="Open JupyterLab as root, too, as in a container.")
def lab(
    notebooks: Path, workspace: Path, copy_only: bool, browser: bool, fresh: tuple[str, ...], allow_root: bool
) -> None:
    """Copy the lessons to your workspace, never over your changes, and open JupyterLab there."""
    from course_utils.tools import lab as laboratory

    try:
        lessons.find(notebooks, fresh)
        lines = laboratory.hand_out(notebooks, workspace)
        made = laboratory.put_fresh(notebooks, workspace, fresh) if fresh else []
        first = made[0] if made else laboratory.to_open(notebooks, workspace)
    except lessons.LessonError as problem:
        raise click.ClickException(f"nothing was copied: {problem}") from None
    except OSError as problem:
        raise click.ClickException(f"not all could be copied; yours are as they were: {problem}") from None
    for line in [*lines, *(f"{path.name}: as published; yours is as it was" for path in made)]:
        click.echo(line)
    if copy_only:
        return
    if laboratory.is_root() and not allow_root:
        raise click.ClickException(
            "you are root, and who reaches JupyterLab could do anything here. In a container of your own: "
            "make lab ALLOW_ROOT=1 (without make: python -m course_utils lab --allow-root)"
        )
    raise SystemExit(laboratory.open_lab(workspace, first=first, browser=browser, allow_root=allow_root))


@commands.command()
@click.argument("only", nargs=-1, metavar="[LESSON]...")
@_notebooks()
@click.option(
    "--workers", type=click.IntRange(min=1), default=2, show_default=True, help="Lessons at a time."
)
def notebooks(only: tuple[str, ...], notebooks: Path, workers: int) -> None:
    """Execute lessons again in place, at standard, with normalised outputs."""
    from course_utils.tools import in_place

    as_before = "the lessons are as they were"
    with _exits(interrupted=as_before, broken=f"it broke off; {as_before}"):
        failed = in_place.execute(notebooks, only=only, workers=workers)
    for lesson, error in failed.items():
        click.echo(f"\nleft as it was: {lesson}\n{error}")
    raise SystemExit(1 if failed else 0)


@commands.command()
@_notebooks()
@_build()
@click.option("--strict/--no-strict", default=True, help="Whether a warning is an error.")
def site(notebooks: Path, build: Path, strict: bool) -> None:
    """Make the course's site in build/site/, from the committed outputs; it needs no network."""
    _need_checkout()
    try:
        from course_utils.tools.site import build as builder

        status = builder.make(notebooks, build, strict=strict)
    except lessons.LessonError as problem:
        raise click.ClickException(str(problem)) from None
    except ModuleNotFoundError as problem:
        raise click.ClickException(
            f"{problem}: python -m pip install --no-deps -r requirements.lock"
        ) from None
    click.echo(
        build / "site" / "index.html" if status == 0 else "the site was built with warnings, see above"
    )
    raise SystemExit(status)


@commands.command("explored")
@_notebooks()
@_build()
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1), help="Processes.")
def draw_states(notebooks: Path, build: Path, workers: int) -> None:
    """Draw every state of the sliders that no script of the site computes, into build/explored/.

    What stands there already is not drawn again. `site` shows what it finds.
    """
    from course_utils.tools.site import build as builder
    from course_utils.tools.site.explored import FOLDER
    from course_utils.tools.site.lesson_page import LIVE

    _need_checkout()
    computed = {path.stem for path in (PROJECT / "docs" / LIVE).glob("*.js")}
    drawn = builder.draw_states(lessons.find(notebooks), build, computed=computed, workers=workers)
    folder = build / FOLDER
    size = sum(path.stat().st_size for path in folder.rglob("*.webp")) / 1e6
    click.echo(f"{drawn} states drawn; {folder} holds {size:.1f} MB")


@commands.command("new-lesson")
@click.argument("name", metavar="NN_TOPIC")
def new_lesson(name: str) -> None:
    """Make a lesson that passes every rule: notebook, exercises, figures, their test, the README's line."""
    from course_utils.tools.template import lesson

    _need_checkout()
    try:
        for path in lesson.new_lesson(name, PROJECT):
            click.echo(path)
    except lessons.LessonError as problem:
        raise click.ClickException(f"nothing was written: {problem}") from None


@commands.command("new-course")
@click.argument("folder", metavar="PATH", type=click.Path(path_type=Path))
def new_course(folder: Path) -> None:
    """Make a course of one lesson in a new folder, with all that runs and checks this one."""
    from course_utils.tools.template import course

    _need_checkout()
    try:
        course.new_course(folder, PROJECT)
    except lessons.LessonError as problem:
        raise click.ClickException(f"nothing was written: {problem}") from None
    click.echo(f"{folder}: a course of one lesson. Next: cd {folder} && make test")


@commands.command()
@click.argument("only", nargs=-1, metavar="[LESSON]...")
@_notebooks()
@_build()
@click.option("--pdf/--no-pdf", default=False, help="PDFs too, printed by Chromium.")
@click.option("--guide", is_flag=True, help="Only write the tables of docs/instructor.md again.")
def editions(only: tuple[str, ...], notebooks: Path, build: Path, pdf: bool, guide: bool) -> None:
    """Answer key, hand-outs and slides in build/editions/, with a zip for each; nothing is executed."""
    from course_utils.tools.editions import build as builder
    from course_utils.tools.editions import instructor
    from course_utils.tools.editions.pdf import PdfError

    _need_checkout()
    try:
        if guide:
            click.echo(instructor.write(PROJECT / "docs" / "instructor.md", notebooks))
        else:
            builder.make(notebooks, build, only=only, printed=pdf, say=click.echo)
    except (ValueError, PdfError) as problem:  # a LessonError, or a plan out of form
        raise click.ClickException(str(problem)) from None


@commands.command()
@click.argument("only", nargs=-1, metavar="[LESSON]...")
@_notebooks()
@click.option("--write", is_flag=True, help="Write them, to five, into the title's cell of these lessons.")
def minutes(only: tuple[str, ...], notebooks: Path, write: bool) -> None:
    """What a lesson takes: prose, code, figures, exercises and the run, beside what its title says."""
    from course_utils.tools.editions import minutes as counted
    from course_utils.tools.lesson import Lesson

    try:
        paths = lessons.find(notebooks, only)
        for path in paths if write else []:
            counted.quote(path)
        click.echo(counted.table([Lesson(path) for path in paths]))
    except (lessons.LessonError, ValueError) as problem:
        raise click.ClickException(str(problem)) from None


@commands.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), default=BUILD / "grades.csv",
    show_default="build/grades.csv", help="The CSV file to write.",
)  # fmt: skip
@click.option("--minutes", type=click.FloatRange(min=0.1), default=5.0, show_default=True, help="A notebook.")
@click.option(
    "--gigabytes", type=click.FloatRange(min=0.2), default=2.0, show_default=True, help="Its memory."
)
@_csv("--names", "`path or a part of it,student`: who handed in what, where names do not tell.")
@_csv("--weights", "`exercise,points`; by default each counts 1.")
@_csv("--roster", "A gradebook that Canvas exported, or a grading worksheet of Moodle, to be filled.")
@click.option("--assignment", default="", help="The roster's column to fill.")
@click.option(
    "--solutions", is_flag=True, help="Show solutions on the pages of students: after the deadline."
)
@click.option("--anew", is_flag=True, help="Run every notebook, also those whose verdicts are kept.")
@click.option("--unsafe", is_flag=True, help="Grade even where notebooks cannot be shut off from your files.")
def grade(
    folder: Path,
    out: Path,
    minutes: float,
    gigabytes: float,
    names: Path | None,
    weights: Path | None,
    roster: Path | None,
    assignment: str,
    solutions: bool,
    anew: bool,
    unsafe: bool,
) -> None:
    """Grade the notebooks submitted in FOLDER, or a zip: one row per student and exercise, with the
    diagnosis.

    Beside the table go students.csv, files for an LMS, feedback/ with a page for each student, overview.html.
    Called again after an interruption, it goes on where it was. Each notebook runs in a process of its own,
    with limits.
    Exit status: 0 all graded, 1 some notebook could not be, 2 there is none, 130 interrupted.
    """
    from course_utils.tools.grading import grade as grader
    from course_utils.tools.grading import isolation, outputs, process, rows, scores

    click.echo(isolation.isolation())
    if isolation.way() is None:
        click.echo(f"Take care: {isolation.NEED}.", err=True)
        if not unsafe:
            raise SystemExit(2)
    limits = process.Limits(notebook=60 * minutes, memory=int(1e9 * gigabytes))
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        points = scores.read_weights(weights) if weights else None
        grades = grader.grade(folder, out, limits=limits, said=names, anew=anew, say=click.echo)
        lines = outputs.write(
            grades, out.parent, weights=points, roster=roster, assignment=assignment, solutions=solutions
        )
        for line in (*rows.tally(grades.rows), out, *lines):
            click.echo(line)
    except lessons.LessonError as problem:
        click.echo(problem, err=True)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        click.echo(f"interrupted; what was graded is in {out}, and kept for the next call", err=True)
        raise SystemExit(130) from None
    raise SystemExit(0 if grades.complete else 1)


def _need_checkout() -> None:
    """Refuse a command that reads or writes more of the course than its package."""
    if not is_checkout(PROJECT):
        raise click.ClickException(f"need a checkout of the course, got {PROJECT}; run this in a checkout")


def _parameters(extra: Sequence[tuple[str, str]], options: dict[str, Any]) -> dict[str, Any]:
    """What `-p NAME VALUE` and the options say. Where an option stands at its default, `-p` counts.

    Raises: UsageError for a name that is given twice.
    """
    source = click.get_current_context().get_parameter_source
    typed = {name for name in options if source(name.lower()) is not ParameterSource.DEFAULT}
    names = [*(name for name, _ in extra), *typed]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise click.UsageError(f"need each parameter once, got {', '.join(twice)} more often")
    return {name: value for name, value in options.items() if value is not None} | dict(extra)


@contextlib.contextmanager
def _exits(*, interrupted: str, broken: str) -> Iterator[None]:
    """End the command where the block does not: 2 where nothing was run, 130 interrupted, 1 broken off.

    Args:
        interrupted: what an interrupt leaves. broken: what an OSError (a full disk) means.
    """
    _interruptible()
    try:
        yield
    except lessons.LessonError as problem:
        click.echo(f"nothing was run:\n{problem}", err=True)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        click.echo(f"interrupted; {interrupted}", err=True)
        raise SystemExit(130) from None
    except OSError as problem:
        raise click.ClickException(f"{broken}: {problem}") from None


def _interruptible() -> None:
    """A polite end and a closed terminal count as Ctrl-C; `nohup` keeps its sense."""
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) != signal.SIG_IGN:
            signal.signal(getattr(signal, name), _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
