"""A share of the latest rows forgets what was long ago."""

from halocline.decide.latest import WINDOW_ROWS, Latest, counted


def test_the_share_is_that_of_the_latest_rows():
    latest = Latest()
    assert (latest.share, latest.window_rows) == (None, 0)
    for _ in range(WINDOW_ROWS):
        latest = counted(latest, 1, 1)
    for _ in range(WINDOW_ROWS + 1):
        latest = counted(latest, 1, 0)
    assert (latest.share, latest.window_true) == (0.0, 0)
    assert WINDOW_ROWS // 2 <= latest.window_rows <= WINDOW_ROWS
