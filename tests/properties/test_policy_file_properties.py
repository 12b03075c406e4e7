"""Any policy that can be made can be written, and reads back the same."""

import tempfile
import tomllib
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from halocline.decide.allowance import EscalationBudget
from halocline.decide.gate import Policy, Score
from halocline.decide.promise import Promise
from halocline.wire.policy_file import PolicyFile, read_policy, write_policy
from halocline.wire.toml import literal

SHARES = st.floats(0, 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
BUDGETS = st.builds(EscalationBudget, share=SHARES, burst=st.floats(1, 1e6))


@given(
    policy=st.builds(
        lambda **fields: Policy(**fields),
        threshold=SHARES,
        score=st.sampled_from(list(Score)),
        temperature=st.floats(0.01, 100),
        class_thresholds=st.dictionaries(st.integers(0, 10_000), SHARES, max_size=4),
        budget=st.none() | BUDGETS,
        share=st.none() | SHARES,
    ),
    promise=st.builds(
        Promise,
        scope=st.sampled_from(["rows", "groups", "share", "none"]),
        reason=TEXTS,
        max_loss=SHARES,
        alpha=SHARES,
        rows=st.integers(0, 2**40),
        groups=st.none() | st.integers(0, 2**40),
        class_floors=st.dictionaries(st.integers(0, 100), SHARES, max_size=3),
    ),
    cloud=TEXTS,
)
def test_a_policy_reads_back_as_it_was_written(policy, promise, cloud):
    file = PolicyFile(policy=policy, promise=promise, edge_digest="sha256:ab", cloud=cloud)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "policy.toml"
        write_policy(path, file)
        assert read_policy(path) == file


@given(
    value=TEXTS | st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False) | st.lists(TEXTS)
)
def test_every_literal_reads_back(value):
    assert tomllib.loads(f"key = {literal(value)}")["key"] == value
