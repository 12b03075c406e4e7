"""halocline device set: change what is wanted of a device, or of all that have a label."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from halocline.cli.at_hub import Several
from halocline.cli.output import Json, print_json
from halocline.errors import Misconfigured, Rejected

if TYPE_CHECKING:
    from halocline.wire.people import DeviceReply


def set(  # noqa: A001 - named as its command
    device: str | None = None,
    /,
    *,
    label: Several = None,
    model: str | None = None,
    threshold: float | None = None,
    deadline_s: float | None = None,
    poll_s: float | None = None,
    long_poll: str | None = None,
    unset: Annotated[list[str] | None, Parameter(negative="")] = None,
    force: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    reason: str = "",
    hub: str | None = None,
    json: Json = False,
) -> int:
    """Change what is wanted of a device; it takes it up when it looks next, or refuses with a reason.

    Examples
    --------
    halocline device set dev-abcdefghij234567 --model edge --threshold 0.9
    halocline device set --label region=eu --long-poll 30s

    Parameters
    ----------
    device
        Its id, as device list shows it.
    label
        Instead of one device, all that have joined and have this KEY=VALUE now; may be given again.
    model
        The model, by the name under which the device serves it.
    threshold
        Answers below this confidence go up, 0 to 1.
    deadline_s
        Seconds that the cloud may take.
    poll_s
        How often the device looks for changes, in seconds.
    long_poll
        How long the device waits at the hub for a change, as in 30s, instead of looking at intervals; a hub
        without room lets it look at intervals. 0s: not at all.
    unset
        A model whose settings are taken back: it is as the device's file says again. May be given again.
    force
        Set it also for a model that the device does not serve yet.
    reason
        Why, for the audit log.
    hub
        Another hub than the one signed in to last: its name or URL.
    json
        Print one JSON object on stdout and nothing else.
    """
    from halocline.cli.at_hub import device_in, labels_in, name_in, open_hub, plain, print_device
    from halocline.cli.durations import read_duration
    from halocline.fleet import ModelSettings, Settings

    if (device is None) == (not label):
        raise Misconfigured("HAL-102", "say of which device, or of all that have a --label KEY=VALUE")
    labels = labels_in(label)
    for_model = threshold is not None or deadline_s is not None
    if for_model != (model is not None):
        raise Misconfigured(
            "HAL-102", "--threshold and --deadline-s are of one model: give --model with them"
        )
    long_poll_s = None if long_poll is None else read_duration("--long-poll", long_poll)
    if not for_model and poll_s is None and long_poll_s is None and not unset:
        raise Misconfigured(
            "HAL-102", "nothing to change: give --threshold, --deadline-s, --poll-s, --long-poll or --unset"
        )
    if threshold is not None and not 0 <= threshold <= 1:
        meant = f". Did you mean {threshold / 100:g}?" if 1 < threshold <= 100 else ""
        raise Rejected("HAL-101", f"--threshold must be in [0, 1], got {threshold:g}{meant}")
    wanted = ModelSettings(threshold=threshold, deadline_s=deadline_s)
    models = {} if model is None else {name_in("model", model): wanted}
    settings = Settings(models=models, poll_s=poll_s, long_poll_s=long_poll_s)
    with open_hub(hub) as opened:
        if device is not None:
            ids = [device_in(device)]
        else:
            found = opened.devices(labels=labels, states=["enrolled"])
            ids = [each.device.id for each in found]
        told = [opened.set(each, settings, unset=unset or (), force=force, reason=reason) for each in ids]
    if device is None:
        _tell_all(told, json=json)
    elif json:
        print_json(plain(told[0]))
    else:
        print_device(told[0])
    return 0


def _tell_all(told: "Sequence[DeviceReply]", *, json: bool) -> None:
    from halocline.cli.at_hub import plain

    if json:
        print_json({"devices": [plain(each) for each in told]})
    elif not told:
        print("no device that has joined has these labels; nothing is changed")
    else:
        print(f"{len(told)} device{'' if len(told) == 1 else 's'} will take it up when they look next")
