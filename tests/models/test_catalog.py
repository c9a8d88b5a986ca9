from __future__ import annotations

import re
from collections import Counter
from urllib.parse import urlsplit

import pytest

from faceloom.host.folders import SUFFIXES
from faceloom.models import LOADER_NODES, CheckpointError
from faceloom.models.catalog import catalog, entries_of, find_entry, megabytes, parse

ENTRIES = catalog()
ROW = {
    "name": "net",
    "role": "detector",
    "file": "net.onnx",
    "what": "a net",
    "size": 4,
    "sha256": "0" * 64,
    "address": "https://example.org/net.onnx",
    "licence": "MIT",
    "commercial": True,
    "project": "https://example.org",
}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_entry_is_complete(entry):
    # FFHQ's StyleGAN2 is no node's: trainings begin with it.
    assert entry.role in {*LOADER_NODES, "generator"}
    assert entry.what
    assert entry.licence
    assert isinstance(entry.commercial, bool)
    assert entry.sha256 is None or re.fullmatch("[0-9a-f]{64}", entry.sha256)
    assert entry.size is None or entry.size > 10_000
    for path in (entry.file, *entry.kept_in):
        assert path.endswith(SUFFIXES)
        assert not path.startswith("/")
    for address in filter(None, (entry.address, entry.project)):
        parts = urlsplit(address)
        assert (parts.scheme, parts.query) == ("https", "")
    # A branch may move on, and then the hash is wrong.
    assert "/main/" not in str(entry.address)
    assert "/master/" not in str(entry.address)


def test_names_and_files_are_unique():
    for key in ("name", "file"):
        counts = Counter(getattr(entry, key).lower() for entry in ENTRIES)
        assert max(counts.values()) == 1
    # A label ends at the bracket, where `nodes.choices` cuts it off.
    assert not any("(" in entry.file for entry in ENTRIES)


def test_a_file_on_disk_is_one_entry_by_name_and_size():
    sized = [(name, entry.size) for entry in ENTRIES if entry.size for name in entry.names]
    assert len(set(sized)) == len(sized)


def test_every_role_has_something_to_fetch():
    # Nobody has published weights of HEAR-Net; FSGAN's are handed out without a hash.
    lacking = {"refiner", "reenactor", "inpainter", "blender"}
    assert {entry.role for entry in ENTRIES if entry.address} == {*LOADER_NODES} - lacking


def test_the_public_files_at_hand_are_those_of_the_catalogue(shared_weights):
    # SHA-256 of ../shared/weights/SHA256SUMS
    sums = dict(
        line.split()[::-1] for line in (shared_weights / "SHA256SUMS").read_text().splitlines()
    )
    known = [entry for entry in ENTRIES if entry.file in sums]
    assert {entry.name for entry in known} == {"yunet_n", "scrfd_500m", "fsanet_var"}
    for entry in known:
        assert entry.sha256 == sums[entry.file]
        assert entry.size == (shared_weights / entry.file).stat().st_size


def test_entries_are_found_by_name_and_by_file():
    assert find_entry("DET_10G") is find_entry("det_10g.onnx")
    with pytest.raises(CheckpointError, match=r"'net' is not in the catalogue; it knows .*det_10g"):
        find_entry("net")


def test_files_of_other_packs_are_recognised():
    (entry,) = entries_of("antelopev2\\SCRFD_10g_bnkps.onnx", 16923827)
    assert entry.name == "det_10g"
    assert entries_of("det_10g.onnx", 5) == ()
    assert entries_of("det_10g.onnx") == (entry,)
    # The same name, two networks: the size tells them apart.
    assert {e.name for e in entries_of("glintr100.onnx")} == {"glintr100", "auraface"}
    assert [e.name for e in entries_of("glintr100.onnx", 260694151)] == ["auraface"]


@pytest.mark.parametrize(
    ("change", "message"),
    [({"sha256": None}, "no SHA-256"), ({"colour": 1}, "colour"), ({"role": ...}, "role")],
)
def test_bad_rows_are_named(change, message):
    row = {key: value for key, value in (ROW | change).items() if value is not ...}
    with pytest.raises(ValueError, match=f"Catalogue entry 'net'.*{message}"):
        parse([row])
    assert parse([ROW])[0].names == {"net.onnx"}


def test_sizes_are_written_for_people():
    assert megabytes(16923827) == "16.9 MB"
    assert megabytes(None) == "size unknown"
