"""Write the pages of docs/reference from the code they describe; with --check, say which are stale."""

import ast
import inspect
import io
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout
from itertools import pairwise
from pathlib import Path

from halocline import Outbox
from halocline.catalogue import CATALOGUE
from halocline.cli.app import ALIASES, COMMANDS, run
from halocline.metrics import METRICS
from halocline.records import Reason
from halocline.sync import Ledger, Loss

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"
FAMILIES = {
    "1": "Settings and wrong use",
    "2": "Models",
    "3": "Inputs",
    "4": "The cloud and the link",
    "5": "Serving",
    "6": "Tuning and policies",
    "7": "The hub, its doors, and devices that join",
    "8": "What travels from devices to the hub",
}


def main() -> None:
    """Write every page, or compare every page with what would be written."""
    pages = {name: make() for name, make in PAGES.items()}
    if "--check" not in sys.argv[1:]:
        REFERENCE.mkdir(parents=True, exist_ok=True)
        for name, text in pages.items():
            (REFERENCE / name).write_text(text, encoding="utf-8")
        return
    stale = [name for name, text in pages.items() if not is_current(REFERENCE / name, text)]
    if stale:
        sys.exit(f"stale in docs/reference: {', '.join(stale)}. Try: make docs")


def is_current(path: Path, text: str) -> bool:
    """True where the page exists and says exactly this."""
    return path.is_file() and path.read_text(encoding="utf-8") == text


def errors() -> str:
    """The page of error codes."""
    intro = (
        "Every error that people see ends in a code. What a code means does not change, and one that "
        "falls out of use is not given to another error."
    )
    parts = [intro]
    family = ""
    for code, entry in sorted(CATALOGUE.items()):
        if code[4] != family:
            family = code[4]
            parts.append(f"## {FAMILIES[family]}")
        parts.append(f"### {code}\n\n**{entry.title}.** {entry.meaning}\n\nWhat to try: {entry.fix}")
    return page("Errors", "src/halocline/catalogue.py", parts)


def reasons() -> str:
    """The page of the reasons that a reply can carry."""
    told = told_of(Reason)
    rows = [(f"`{reason.value}`", told[reason.name], "yes" if reason.degraded else "") for reason in Reason]
    intro = (
        "`reply.reason` says why a reply is what it is. Replies, outcomes and metrics share this one list. "
        "A degraded reply holds the edge answer because an escalation was wanted and failed."
    )
    parts = [intro, table(("reason", "what happened", "degraded"), rows)]
    return page("Reasons", "src/halocline/records.py", parts)


def metrics() -> str:
    """The page of the metrics."""
    rows = [
        (f"`{metric.name}`", metric.kind, metric.unit, ", ".join(metric.labels), metric.help)
        for metric in METRICS
    ]
    intro = "What `/metrics` tells, in the text format of Prometheus. Times are seconds, sizes bytes."
    parts = [intro, table(("metric", "kind", "unit", "labels", "what it tells"), rows)]
    return page("Metrics", "src/halocline/metrics.py", parts)


def commands() -> str:
    """The page of the commands: what `--help` says of each."""
    short = {command: f"Short: `halocline {name}`.\n\n" for name, command in ALIASES.items()}
    told = [
        f"## halocline {command}\n\n{short.get(command, '')}```text\n{help_of(command)}\n```"
        for command in COMMANDS
    ]
    return page("Commands", "src/halocline/cli", ["What `--help` says of each.", *told])


def help_of(command: str) -> str:
    """What a terminal of 110 columns without colours shows for `--help`."""
    os.environ.pop("FORCE_COLOR", None)
    os.environ.update(COLUMNS="110", NO_COLOR="1", TERM="dumb")
    with redirect_stdout(io.StringIO()) as said:
        run([*command.split(), "--help"])
    return "\n".join(line.rstrip() for line in said.getvalue().strip().splitlines())


def page(title: str, source: str, parts: Iterable[str]) -> str:
    """A page under its title, which says where it comes from."""
    head = f"<!-- Made by `make docs` from {source}. Change it there. -->"
    return "\n\n".join([head, f"# {title}", *parts]) + "\n"


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def outbox() -> str:
    """The page of the outbox: its methods, its ledger, and why records are lost."""
    names = ("put", "take", "passed", "acknowledge", "refuse", "ledger", "close")
    calls = [f"## Outbox{signature(Outbox.__init__)}\n\n{inspect.getdoc(Outbox)}"]
    calls += [
        f"### {name}{signature(getattr(Outbox, name))}\n\n{inspect.getdoc(getattr(Outbox, name))}"
        for name in names
    ]
    told = told_of(Loss)
    losses = [(f"`{loss.value}`", told[loss.name]) for loss in Loss]
    said = told_of(Ledger)
    ledger = [(f"`{name}`", said.get(name, "")) for name in Ledger.__struct_fields__]
    parts = [
        *calls,
        "## Ledger\n\n`accepted == arrived + expired + sum(evicted.values()) + queued`, at every moment: "
        "`closes` says so.\n\n" + table(("field", "what it holds"), ledger),
        "## Losses\n\n" + table(("reason", "what happened"), losses),
    ]
    return page("Outbox", "src/halocline/adapters/outbox and src/halocline/sync.py", parts)


def signature(call: Callable[..., object]) -> str:
    """The names of what a call takes, as one would write them."""
    parameters = [each for each in inspect.signature(call).parameters.values() if each.name != "self"]
    return str(inspect.Signature([each.replace(annotation=inspect.Parameter.empty) for each in parameters]))


def told_of(kind: type) -> dict[str, str]:
    """What the string under each member of a class says of that member."""
    tree = ast.parse(Path(str(inspect.getfile(kind))).read_text(encoding="utf-8"))
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    told = {}
    for member, text in pairwise(classes[kind.__name__].body):
        match member, text:
            case ast.Assign(targets=[ast.Name(id=name)]), ast.Expr(value=ast.Constant(value=str(words))):
                told[name] = " ".join(words.split())
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                told[name] = " ".join(words.split())
    return told


PAGES: dict[str, Callable[[], str]] = {
    "errors.md": errors,
    "reasons.md": reasons,
    "metrics.md": metrics,
    "outbox.md": outbox,
    "commands.md": commands,
}

if __name__ == "__main__":
    main()
