"""Say in a few words how a device is: its labels, its twin, how long ago something was."""

from halocline.fleet import Device, ReportState, Twin


def labels_said(device: Device) -> str:
    """A device's labels, as they are written."""
    return " ".join(f"{name}={value}" for name, value in sorted(device.labels.items()))


def asked_said(device: Device) -> str:
    """The labels that a pending device asks for."""
    return " ".join(f"{name}={value}" for name, value in sorted(device.asked.items()))


def twin_said(twin: Twin) -> str:
    """Whether the device does what is desired of it."""
    desired, reported = twin.desired.generation, twin.reported
    if reported is None:
        return "nothing reported" if desired == 0 else f"{desired} wanted"
    if reported.generation < desired:
        return f"{desired} wanted, {reported.generation} reported"
    if reported.state is ReportState.REFUSED:
        return f"{desired} refused: {reported.reason}"
    return f"{desired} applied" if desired else "as its file says"


def duration_said(value_s: float) -> str:
    """A duration by its largest unit: 40 s, 12 min, 3 h, 9 d."""
    for unit_s, unit in ((86_400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if value_s >= 2 * unit_s:
            return f"{value_s / unit_s:.0f} {unit}"
    return f"{max(value_s, 0):.0f} s"
