"""Over any stretch of calls, no more goes up than the budget says, and never less than it could."""

from hypothesis import given
from hypothesis import strategies as st

from halocline.decide.allowance import EscalationBudget, full, seen, take

BURSTS = st.floats(1, 30)
CALLS = st.lists(st.tuples(st.integers(1, 60), st.floats(0, 1)), max_size=40)


@given(share=st.floats(0, 1), burst=BURSTS, calls=CALLS)
def test_over_any_stretch_of_rows_at_most_the_share_and_the_burst_go_up(share, burst, calls):
    budget = EscalationBudget(share=share, burst=burst)
    allowance = full(budget, 0.0)
    went = []
    for rows, part in calls:
        allowance = seen(budget, allowance, rows, 0.0)
        granted, allowance = take(allowance, int(rows * part))
        assert 0 <= granted <= int(rows * part)
        went.append((rows, granted))
    for start in range(len(went)):
        rows = up = 0
        for more_rows, more_up in went[start:]:
            rows, up = rows + more_rows, up + more_up
            assert up <= share * rows + burst + 1e-6


@given(
    per_minute=st.floats(0, 600),
    burst=BURSTS,
    calls=st.lists(st.tuples(st.floats(0, 120), st.integers(1, 60)), max_size=40),
)
def test_over_any_stretch_of_time_at_most_the_rate_and_the_burst_go_up(per_minute, burst, calls):
    budget = EscalationBudget(per_minute=per_minute, burst=burst)
    now_s = 0.0
    allowance = full(budget, now_s)
    went = []
    for pause_s, rows in calls:
        now_s += pause_s
        allowance = seen(budget, allowance, rows, now_s)
        granted, allowance = take(allowance, rows)
        went.append((now_s, granted))
    for start, (began_s, _) in enumerate(went):
        up = 0
        for at_s, granted in went[start:]:
            up += granted
            assert up <= per_minute * (at_s - began_s) / 60 + burst + 1e-6


@given(share=st.floats(0.01, 1), rows=st.integers(1, 3000))
def test_a_budget_by_share_is_used_to_the_full_where_every_row_wants_up(share, rows):
    budget = EscalationBudget(share=share, burst=1)
    for size in (1, rows):
        allowance, up = full(budget, 0.0), 0
        for _ in range(rows // size):
            allowance = seen(budget, allowance, size, 0.0)
            granted, allowance = take(allowance, size)
            up += granted
        assert up >= share * rows - 1 or up == rows
