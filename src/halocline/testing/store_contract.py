"""What every Store of a hub promises, as tests: subclass `StoreContract` in a test module with a fixture.

class TestMyStore(StoreContract):
    @pytest.fixture
    def store(self):  # an empty one
        with closing(MyStore()) as store:
            yield store
"""

import threading
from collections.abc import Callable

import msgspec

from halocline.decide import audit_chain
from halocline.errors import HaloclineError
from halocline.fleet import (
    AuditEntry,
    Certificate,
    CertificateState,
    Desired,
    Device,
    DeviceState,
    Facts,
    Invite,
    ModelSettings,
    Person,
    Reported,
    ReportState,
    Role,
    Settings,
    Token,
    Twin,
)
from halocline.hub.store import Store


def device(name: str = "a", **also: object) -> Device:
    """A device whose id and key follow from its name."""
    known = Device(
        id=f"dev-{name * 16}",
        key=f"sha256:{name * 64}",
        state=DeviceState.ENROLLED,
        created_s=1.5,
        labels={"type": "cam", "region": "eu"},
        facts=Facts(serial="S-1", machine="aarch64 Linux", agent="1.2.3"),
    )
    return msgspec.structs.replace(known, **also)


def certificate(serial: str = "0a", of: str = "a", **also: object) -> Certificate:
    """A certificate of the device with that name."""
    known = Certificate(serial=serial, device=f"dev-{of * 16}", not_before_s=1.0, not_after_s=2.0)
    return msgspec.structs.replace(known, **also)


def entry(action: str = "device.revoke", **details: object) -> AuditEntry:
    """An audit entry."""
    return AuditEntry(at_s=1.25, actor="person:ann", action=action, object="dev-1", details=details)


def raised(call: Callable[[], object], kind: type[Exception]) -> bool:
    """Whether the call raised that; anything else that it raises is passed on."""
    try:
        call()
    except kind:
        return True
    return False


class StoreContract:
    """What every store promises."""

    def test_what_was_put_is_found_as_it_was(self, store: Store) -> None:
        """Devices, certificates, invites, people and tokens come back equal."""
        one = device(code="ABC-DEF", seen_s=3.25, boot=7, cloned_s=9.0, replaces="dev-" + "b" * 16)
        paper = certificate(state=CertificateState.SUPERSEDED, superseded_s=4.0)
        invited = Invite(
            digest="sha256:1",
            created_s=1.0,
            expires_s=2.0,
            uses=3,
            used=1,
            labels={"a": "b"},
            serials=frozenset({"x", "y"}),
            by="ann",
        )
        ann = Person(name="ann", role=Role.INSTALLER, site="north")
        token = Token(
            digest="sha256:2",
            person="ann",
            created_s=1.0,
            expires_s=2.0,
            actions=("device.see", "device.accept"),
            labels={"region": "eu"},
        )
        with store.change() as tx:
            tx.put_device(one)
            assert tx.device(one.id) == one
            tx.put_certificate(paper)
            tx.put_invite(invited)
            tx.put_person(ann)
            tx.put_token(token)
        with store.look() as tx:
            assert tx.device(one.id) == tx.device_by_key(one.key) == one
            assert tx.certificate("0a") == paper
            assert tx.invite("sha256:1") == invited
            assert (tx.person("ann"), tx.people(), tx.token("sha256:2")) == (ann, [ann], token)
            assert tx.twin(one.id) == Twin()

    def test_one_root_is_known_the_newest(self, store: Store) -> None:
        """Devices trust one newest root, whatever was there before."""
        with store.change() as tx:
            assert tx.root() is None
            for root in ("sha256:1", "sha256:2", "sha256:2"):
                tx.put_root(root)
        with store.look() as tx:
            assert tx.root() == "sha256:2"

    def test_what_is_not_there_is_none_or_a_key_error(self, store: Store) -> None:
        """Nothing is made up."""
        with store.look() as tx:
            found = [tx.device("dev-x"), tx.device_by_key("k"), tx.certificate("1")]
            assert [*found, tx.invite("d"), tx.person("p"), tx.token("t")] == [None] * 6
            assert [tx.certificates("dev-x"), tx.devices(), tx.people(), tx.audit()] == [[]] * 4
            assert raised(lambda: tx.twin("dev-x"), KeyError)

    def test_putting_again_replaces_and_keeps_the_twin(self, store: Store) -> None:
        """Labels that are gone are gone; the desired state stays."""
        with store.change() as tx:
            tx.put_device(device())
            assert tx.put_desired(device().id, Desired(generation=1))
            tx.put_device(device(labels={"type": "mic"}, state=DeviceState.REVOKED))
        with store.look() as tx:
            assert tx.device(device().id) == device(labels={"type": "mic"}, state=DeviceState.REVOKED)
            assert tx.twin(device().id).desired.generation == 1

    def test_devices_are_found_by_labels_and_by_silence(self, store: Store) -> None:
        """All labels must fit; a device never heard of is silent."""
        a, b = device("a", seen_s=10.0), device("b", labels={"type": "mic", "region": "eu"}, seen_s=20.0)
        c = device("c", labels={})
        with store.change() as tx:
            for each in (c, b, a):
                tx.put_device(each)
        with store.look() as tx:
            assert tx.devices() == [a, b, c]
            assert tx.devices(labels={"region": "eu"}) == [a, b]
            assert tx.devices(labels={"region": "eu", "type": "mic"}) == [b]
            assert tx.devices(labels={"region": "mic"}) == []
            assert tx.devices(silent_since_s=10.0) == [a, c]
            assert tx.devices(labels={"type": "mic"}, silent_since_s=5.0) == []

    def test_devices_come_page_by_page_by_id_with_their_twins_and_are_counted(self, store: Store) -> None:
        """So a large fleet is listed a part at a time, whole and in one order."""
        made = [device(name, labels={"odd": str(at % 2)}) for at, name in enumerate("abcdefg")]
        waiting = msgspec.structs.replace(made[3], state=DeviceState.PENDING)
        with store.change() as tx:
            for each in reversed([*made[:3], waiting, *made[4:]]):
                tx.put_device(each)
            tx.put_desired(made[1].id, Desired(generation=1))
        ids = [each.id for each in made]
        with store.look() as tx:
            paged, after = [], ""
            while page := tx.devices(after=after, limit=3):
                assert len(page) <= 3
                paged += [each.id for each in page]
                after = page[-1].id
            assert paged == ids
            assert tx.devices(states=[DeviceState.PENDING]) == [waiting]
            odd = tx.devices(labels={"odd": "1"}, states=[DeviceState.ENROLLED], after=ids[1], limit=1)
            assert odd == [made[5]]
            assert tx.count_devices() == {DeviceState.ENROLLED: 6, DeviceState.PENDING: 1}
            assert tx.count_devices(labels={"odd": "0"}) == {DeviceState.ENROLLED: 4}
            twins = tx.twins([ids[1], ids[2], "dev-x"])
            assert twins == {ids[1]: tx.twin(ids[1]), ids[2]: tx.twin(ids[2])}

    def test_a_contact_never_goes_back(self, store: Store) -> None:
        """Neither the time nor the boot counter."""
        with store.change() as tx:
            tx.put_device(device())
            tx.touch(device().id, seen_s=5.0, boot=2)
            tx.touch(device().id, seen_s=4.0, boot=1)
            tx.touch("dev-" + "z" * 16, seen_s=4.0, boot=1)
        with store.look() as tx:
            assert tx.device(device().id) == device(seen_s=5.0, boot=2)

    def test_a_key_belongs_to_one_device(self, store: Store) -> None:
        """A second device with it is refused, and nothing of that change stays."""
        with store.change() as tx:
            tx.put_device(device("a"))

        def twice() -> None:
            with store.change() as tx:
                tx.put_device(device("c"))
                tx.put_device(device("b", key=device("a").key))

        assert raised(twice, HaloclineError)
        with store.look() as tx:
            assert tx.devices() == [device("a")]

    def test_certificates_come_oldest_first(self, store: Store) -> None:
        """In the order in which they were first put, whatever became of them."""
        with store.change() as tx:
            tx.put_device(device())
            tx.put_device(device("b"))
            for serial in ("0c", "0a", "0b"):
                tx.put_certificate(certificate(serial))
            tx.put_certificate(certificate("0d", of="b"))
            tx.put_certificate(certificate("0c", state=CertificateState.CURRENT))
        with store.look() as tx:
            assert [each.serial for each in tx.certificates(device().id)] == ["0c", "0a", "0b"]
            assert tx.certificates(device().id)[0].state is CertificateState.CURRENT

    def test_only_superseded_certificates_that_have_ended_are_forgotten(self, store: Store) -> None:
        """Of that device, and no other."""
        old = CertificateState.SUPERSEDED
        with store.change() as tx:
            tx.put_device(device())
            tx.put_device(device("b"))
            tx.put_certificate(certificate("01", state=old, not_after_s=9.0))
            tx.put_certificate(certificate("02", state=old, not_after_s=10.0))
            tx.put_certificate(certificate("03", state=CertificateState.CURRENT, not_after_s=9.0))
            tx.put_certificate(certificate("04", not_after_s=9.0))
            tx.put_certificate(certificate("05", of="b", state=old, not_after_s=9.0))
            tx.forget_certificates(device().id, ended_before_s=10.0)
        with store.look() as tx:
            assert [each.serial for each in tx.certificates(device().id)] == ["02", "03", "04"]
            assert [each.serial for each in tx.certificates(device("b").id)] == ["05"]

    def test_a_desired_state_follows_the_one_before_or_is_not_set(self, store: Store) -> None:
        """The generation fences two who change at once."""
        wanted = Settings(models={"m": ModelSettings(threshold=0.5)}, poll_s=30.0)
        reported = Reported(generation=1, state=ReportState.REFUSED, reason="no such model", boot=3, at_s=2.0)
        with store.change() as tx:
            tx.put_device(device())
            assert tx.put_desired(device().id, Desired(generation=1, settings=wanted))
            assert not tx.put_desired(device().id, Desired(generation=1))
            assert not tx.put_desired(device().id, Desired(generation=3))
            assert not tx.put_desired("dev-" + "z" * 16, Desired(generation=1))
            tx.put_reported(device().id, reported)
        with store.look() as tx:
            assert tx.twin(device().id) == Twin(
                desired=Desired(generation=1, settings=wanted), reported=reported
            )

    def test_generations_are_told_of_many_devices_at_once(self, store: Store) -> None:
        """Also of more than one statement can name."""
        with store.change() as tx:
            for name in ("a", "b"):
                tx.put_device(device(name))
            tx.put_desired(device("b").id, Desired(generation=1))
        unknown = [f"dev-{number:016}" for number in range(3000)]
        with store.look() as tx:
            told = tx.generations([device("a").id, *unknown, device("b").id])
        assert told == {device("a").id: 0, device("b").id: 1}

    def test_a_change_that_raises_leaves_nothing(self, store: Store) -> None:
        """Rows and audit entries go together."""

        def half_way() -> None:
            with store.change() as tx:
                tx.put_device(device())
                tx.append(entry())
                raise RuntimeError("half-way")

        assert raised(half_way, RuntimeError)
        with store.look() as tx:
            assert (tx.devices(), tx.audit()) == ([], [])

    def test_looking_writes_nothing(self, store: Store) -> None:
        """What is put while looking is undone."""
        with store.look() as tx:
            tx.put_person(Person(name="eve", role=Role.ADMIN))
        with store.look() as tx:
            assert tx.people() == []

    def test_a_persons_tokens_are_theirs_alone_and_the_one_that_ends_first_is_first(
        self, store: Store
    ) -> None:
        """And of nobody there are none."""
        with store.change() as tx:
            for name in ("ann", "bob"):
                tx.put_person(Person(name=name, role=Role.VIEWER))
            for digest, person, expires_s in (("c", "ann", 9.0), ("a", "ann", 3.0), ("b", "bob", 1.0)):
                tx.put_token(Token(digest=digest, person=person, created_s=0.0, expires_s=expires_s))
        with store.look() as tx:
            assert [token.digest for token in tx.tokens("ann")] == ["a", "c"]
            assert tx.tokens("nobody") == []

    def test_a_person_who_is_removed_has_no_token_left(self, store: Store) -> None:
        """And a token can be removed alone."""
        with store.change() as tx:
            for name in ("ann", "bob"):
                tx.put_person(Person(name=name, role=Role.VIEWER))
                tx.put_token(Token(digest=name, person=name, created_s=1.0, expires_s=2.0))
            tx.remove_person("ann")
            tx.remove_token("bob")
        with store.look() as tx:
            assert [each.name for each in tx.people()] == ["bob"]
            assert (tx.token("ann"), tx.token("bob")) == (None, None)

    def test_audit_entries_form_a_chain_that_holds(self, store: Store) -> None:
        """Numbers count from 1, each link covers the one before, and details come back as they were."""
        with store.change() as tx:
            heads = [tx.append(entry(f"device.{at}", at=at, names=["x"], part=0.1)) for at in range(5)]
        with store.look() as tx:
            links = tx.audit()
            assert links == heads
            assert [each.number for each in links] == [1, 2, 3, 4, 5]
            assert audit_chain.faults(links) == []
            assert tx.audit(after=3) == links[3:]
            assert tx.audit(limit=2) == links[:2]
            assert tx.audit(chain=links[0].chain) == links
            assert tx.audit(chain="another") == []
            assert tx.newest_link(links[0].chain) == links[-1]
            assert tx.newest_link("another") is None
        assert list(store.chains()) == [links[0].chain]

    def test_changes_of_many_threads_are_one_after_the_other(self, store: Store) -> None:
        """A counter that each reads and writes loses no step, and the audit chain does not fork."""
        with store.change() as tx:
            tx.put_invite(Invite(digest="d", created_s=0.0, expires_s=1.0, uses=1000))
        errors: list[Exception] = []

        def use() -> None:
            try:
                for _ in range(10):
                    with store.change() as tx:
                        invite = tx.invite("d")
                        assert invite is not None
                        tx.put_invite(msgspec.structs.replace(invite, used=invite.used + 1))
                        tx.append(entry())
            except Exception as error:
                errors.append(error)

        threads = [threading.Thread(target=use) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        with store.look() as tx:
            invite = tx.invite("d")
            assert invite is not None
            assert invite.used == 40
            assert audit_chain.faults(tx.audit()) == []
            assert len(tx.audit()) == 40
