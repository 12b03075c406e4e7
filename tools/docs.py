"""Write the pages of docs/reference from the code they describe; with --check, say which are stale."""

import ast
import inspect
import io
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import redirect_stdout
from itertools import pairwise
from pathlib import Path

from halocline import Outbox
from halocline.catalogue import CATALOGUE
from halocline.cli.app import ALIASES, COMMANDS, run
from halocline.decide.condition import FIELDS, MAX_DEPTH, MAX_LENGTH
from halocline.metrics import METRICS
from halocline.records import Reason
from halocline.sync import Ledger, Loss
from halocline.wire.keys import Key
from halocline.wire.rules_file import KIND_KEYS, QUOTA_KEYS, RULE_KEYS, THIN_KEYS, example

RULES_INTRO = (
    "Which samples a device sends, in TOML: one `[[rule]]` for each reason to send one. A sample that "
    "several rules want travels once, with the names of all of them, the most urgent priority, and a "
    "value in [0, 1]: where room is short, the least valuable goes first. The most urgent rule with "
    "room pays for it. No budget is exceeded in any hour or day, wherever that begins; up to 2 % of it "
    "stays unused for that. `uncertainty` and `novelty` are paced: a tenth of a budget may go at once, "
    "then only what is more valuable until time has passed. A rule with a budget of its own is paced by "
    "that one; those without share the budget of all, which goes to the samples that are worth most to "
    "all rules. `event`, `periodic` and `spot_check` are not paced."
)
CONDITIONS = (
    "`when` compares the names below with text in quotes, numbers, `true`, `false` and each other by "
    "`==`, `!=`, `<`, `<=`, `>`, `>=`, `in [a, b]` and `not in [a, b]`, and joins that by `and`, `or`, `not` "
    f"and parentheses. It has {MAX_LENGTH} characters at most, nested {MAX_DEPTH} deep at most. Where a "
    "sample has no such value, or metadata is of another type than it is compared with, the comparison "
    "has no answer; a rule whose condition has none wants nothing, and how often that was so is "
    "counted."
)
REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"
FAMILIES = {
    "1": "Settings and wrong use",
    "2": "Models",
    "3": "Inputs",
    "4": "The cloud and the link",
    "5": "Serving",
    "6": "Tuning and policies",
    "7": "The hub, its doors, and devices that join",
    "8": "What leaves a device, and how it arrives",
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


def rules() -> str:
    """The page of the rules of selection."""
    parts = [RULES_INTRO, "## Every rule", keys(RULE_KEYS)]
    for kind, own in KIND_KEYS.items():
        parts += [f'## kind = "{kind}"', keys(own)]
    parts += ["## `[total]`", "All rules together.", keys(QUOTA_KEYS)]
    parts += ["## `[thin]`", "Near-duplicates: frames of one scene, from one source.", keys(THIN_KEYS)]
    fields = [
        (f"`{name}`", str(field.kind), field.about, ", ".join(field.choices))
        for name, field in FIELDS.items()
    ]
    parts += ["## Conditions", CONDITIONS, table(("name", "type", "what it is", "can be"), fields)]
    parts += ["## The rules that hold by default", f"```toml\n{example()}```"]
    return page("Rules", "src/halocline/wire/rules_file.py", parts)


def keys(known: Mapping[str, Key]) -> str:
    """The table of the keys of one part of a file."""
    rows = [(f"`{name}`", key.unit, key.span, key.about.rstrip(":")) for name, key in known.items()]
    return table(("key", "unit", "range", "what it is"), rows)


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
    "rules.md": rules,
}

if __name__ == "__main__":
    main()
