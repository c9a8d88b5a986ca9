"""Encode, Mix, Match, Compare, Save and Load Identity, with an encoder that knows hues."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from faceloom.faces import Identity
from faceloom.faces.identity_file import REACTOR_SPACE
from faceloom.host.identities import find_identity, identity_folders
from faceloom.nodes import (
    CompareIdentities,
    EncodeIdentity,
    LoadIdentity,
    MatchIdentity,
    MixIdentities,
    SaveIdentity,
)

from .conftest import BOXES, HEIGHT, WIDTH, align

EACH, MEAN = EncodeIdentity.GET_SCHEMA().inputs[1].options


@pytest.fixture
def dyed(world, image):
    """Frame 0 shows red and green, frame 1 nobody, frame 2 blue and red."""
    frames = image.clone()
    frames[0:1] = world.dye(image[0:1], ["red", "green"])
    frames[2:3] = world.dye(image[2:3], ["blue", "red"])
    return frames


@pytest.fixture
def person(world, encoder):
    """The identity of people of some hues, each from a picture of their own."""

    def make(*hues):
        parts = []
        for hue in hues:
            picture = world.dye(world.picture(70, 60, [(10, 6, 50, 58)]), [hue])
            (part, count) = EncodeIdentity.execute(
                encoder, EACH, image=picture, faces=world.faces(picture)
            ).args
            assert count == 1
            parts.append(part)
        return Identity.cat(parts)

    return make


# ---- Encode Identity ----


def test_each_face_of_frames_is_encoded(encoder, dyed, faces):
    identity, count = EncodeIdentity.execute(encoder, EACH, image=dyed, faces=faces).args
    assert count == len(identity) == 4
    assert (identity.encoder, identity.sha256) == ("fake", "fa" * 32)
    assert identity.reference is None
    cosine = torch.nn.functional.normalize(identity.embedding, dim=1)
    cosine = cosine @ cosine.mT
    assert cosine[0, 3] > 0.99
    assert cosine[0, 1] < 0.5


def test_crops_are_encoded_as_they_look_and_travel_along(encoder, dyed, faces):
    crops = align(dyed, faces)
    red = replace(crops, image=crops.image * torch.tensor([1, 0.1, 0.1]).view(3, 1, 1))
    identity, count = EncodeIdentity.execute(encoder, EACH, crops=red).args
    assert count == 4
    assert identity.reference is red
    assert (identity.embedding[:, 0] > 0).all()


def test_long_batches_are_encoded_in_pieces(encoder, world):
    picture = world.picture(40, 44, [(4, 4, 36, 36)], frames=19)
    faces = world.faces(picture)
    identity, _ = EncodeIdentity.execute(encoder, EACH, image=picture, faces=faces).args
    calls = encoder.use().calls
    assert max(calls) < sum(calls) == len(identity) == 19


def test_mean_of_pictures_of_one_person(encoder, world):
    picture = world.dye(world.picture(70, 60, [(10, 6, 50, 58)], frames=3), ["red"])
    crops = align(picture, world.faces(picture))
    every, _ = EncodeIdentity.execute(encoder, EACH, crops=crops).args
    mean, count = EncodeIdentity.execute(encoder, MEAN, crops=crops).args
    assert count == len(mean) == len(mean.reference) == 1
    torch.testing.assert_close(mean.embedding[0], every.embedding.mean(0), atol=1e-3, rtol=1e-2)


@pytest.mark.parametrize("combine", [EACH, MEAN])
def test_no_face_gives_an_empty_identity(encoder, combine, image, no_faces, no_crops):
    for inputs in ({"image": image, "faces": no_faces}, {"crops": no_crops}):
        identity, count = EncodeIdentity.execute(encoder, combine, **inputs).args
        assert count == len(identity) == 0
        assert identity.encoder == "fake"
    nobody = {"image": image[:0], "faces": replace(no_faces, frames=0)}
    assert EncodeIdentity.execute(encoder, combine, **nobody)[1] == 0


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ((), "no faces at all"),
        (("image",), "got image"),
        (("faces",), "got faces"),
        (("crops", "image"), "got crops and image"),
        (("crops", "image", "faces"), "got crops and image and faces"),
    ],
)
def test_wrong_inputs_are_told_what_to_connect(encoder, image, faces, crops, names, text):
    given = {"image": image, "faces": faces, "crops": crops}
    with pytest.raises(ValueError, match=f"^Encode Identity: .*{text}.*Connect crops from"):
        EncodeIdentity.execute(encoder, EACH, **{name: given[name] for name in names})


def test_faces_of_another_picture_are_refused(encoder, image, faces):
    with pytest.raises(ValueError, match="Encode Identity: image holds 2 frames"):
        EncodeIdentity.execute(encoder, EACH, image=image[:2], faces=faces)


# ---- Mix Identities, Compare Identities ----


def test_mixture_moves_from_one_to_the_other(person):
    red, blue = person("red"), person("blue")
    alike = []
    for weight in (0.0, 0.25, 0.75, 1.0):
        (mixed,) = MixIdentities.execute(red, blue, weight).args
        alike.append(CompareIdentities.execute(mixed, red)[0])
    assert alike == sorted(alike, reverse=True)
    assert alike[0] > 0.999
    assert alike[3] == pytest.approx(CompareIdentities.execute(blue, red)[0], abs=1e-5)


def test_two_spaces_neither_mix_nor_compare(person):
    other = replace(person("red"), encoder="other")
    with pytest.raises(ValueError, match=r"^Mix Identities: .*'fake' and of 'other'"):
        MixIdentities.execute(person("red"), other, 0.5)
    with pytest.raises(ValueError, match=r"^Compare Identities: .*'fake' and of 'other'"):
        CompareIdentities.execute(person("red"), other)


def test_nobody_neither_mixes_nor_compares(person):
    one = person("red")
    with pytest.raises(ValueError, match=r"^Mix Identities: .*no face was found"):
        MixIdentities.execute(one, one[:0], 0.5)
    for pair in ((one, one[:0]), (one[:0], one)):
        with pytest.raises(ValueError, match=r"^Compare Identities: .*no face was found"):
            CompareIdentities.execute(*pair)


def test_comparison_gives_a_number_and_words(person):
    similarity, text = CompareIdentities.execute(person("red"), person("red")).args
    assert isinstance(similarity, float)
    assert similarity == pytest.approx(1, abs=1e-4)
    assert text == "1.00: the same person"
    assert CompareIdentities.execute(person("red"), person("blue"))[1].endswith("different people")


def test_of_several_the_most_alike_pair_counts(person):
    similarity, text = CompareIdentities.execute(
        person("red", "blue"), person("green", "green", "blue")
    ).args
    assert similarity > 0.99
    assert text.endswith("same person (number 1 of identity_a and number 2 of identity_b)")


# ---- Match Identity ----


def match(image, faces, encoder, reference, threshold=0.9, one_to_one=True):
    args = MatchIdentity.execute(image, faces, encoder, reference, threshold, one_to_one).args
    matched, rest, text = args
    assert len(matched) + len(rest) == len(faces)
    assert matched.frames == rest.frames == faces.frames
    assert len(text.splitlines()) == (1 + len(faces) if len(faces) else 1)
    return matched, rest, text


LEFT, RIGHT = BOXES[0][0], BOXES[1][0]


def places(faces):
    return list(zip(faces.frame.tolist(), faces.box[:, 0].tolist(), strict=True))


def test_only_the_person_of_the_reference_is_matched(dyed, faces, encoder, person):
    matched, rest, text = match(dyed, faces, encoder, person("red"))
    assert places(matched) == [(0, LEFT), (2, RIGHT)]
    assert places(rest) == [(0, RIGHT), (2, LEFT)]
    assert matched.landmarks is not None
    assert matched.track.tolist() == [0, 0]
    assert rest.track.tolist() == [-1, -1]
    first, *lines = text.splitlines()
    assert first == "2 of 4 faces match"
    assert lines[0].startswith("frame 0, face 0: is reference 0 (1.0")
    assert lines[1].startswith("frame 0, face 1: is nobody, most like reference 0 (")


def test_faces_come_in_the_order_of_the_references_and_carry_their_number(
    dyed, faces, encoder, person
):
    matched, rest, _ = match(dyed, faces, encoder, person("green", "red"))
    assert places(matched) == [(0, RIGHT), (0, LEFT), (2, RIGHT)]
    assert matched.track.tolist() == [0, 1, 1]
    assert places(rest) == [(2, LEFT)]


def test_one_to_one_gives_a_reference_one_face_a_frame(world, image, faces, encoder, person):
    twins = world.dye(image, ["red", "red"])
    twins[1] = 0.3
    matched, _, _ = match(twins, faces, encoder, person("red"))
    assert matched.frame.tolist() == [0, 2]
    matched, rest, _ = match(twins, faces, encoder, person("red"), one_to_one=False)
    assert places(matched) == places(faces)
    assert len(rest) == 0


def test_the_threshold_counts(dyed, faces, encoder, person):
    assert len(match(dyed, faces, encoder, person("red"), 1.0)[0]) == 0
    assert len(match(dyed, faces, encoder, person("red"), -1.0, one_to_one=False)[0]) == 4


def test_no_face_matches_nobody_even_of_an_empty_reference(image, no_faces, encoder, person):
    for reference in (person("red"), person("red")[:0]):
        matched, rest, text = match(image, no_faces, encoder, reference)
        assert len(matched) == len(rest) == 0
        assert text == "no faces"


def test_an_empty_reference_is_said_plainly(dyed, faces, encoder, person):
    with pytest.raises(ValueError, match=r"^Match Identity: the reference is empty, .*no face"):
        match(dyed, faces, encoder, person("red")[:0])


def test_a_reference_of_another_space_is_refused_even_without_faces(
    dyed, faces, no_faces, encoder, person
):
    reference = replace(person("red"), encoder="other")
    for given in (faces, no_faces):
        with pytest.raises(ValueError, match=r"^Match Identity: .*'other' and of 'fake'"):
            match(dyed, given, encoder, reference)


def test_matched_faces_can_be_cut_out(dyed, faces, encoder, person):
    matched, rest, _ = match(dyed, faces, encoder, person("red"))
    assert len(align(dyed, matched)) == len(align(dyed, rest)) == 2
    assert dyed.shape == (3, HEIGHT, WIDTH, 3)


# ---- Save Identity, Load Identity ----


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("space", ["fake", REACTOR_SPACE])
def test_saved_identity_is_listed_and_loads(space):
    identity = Identity(torch.randn(1, 512), space, sha256="12" * 32)
    (saved,) = SaveIdentity.execute(identity, "../lena", False).args
    assert saved == {"fake": "faceloom/", REACTOR_SPACE: "reactor/"}[space] + "lena.safetensors"
    assert saved in LoadIdentity.GET_SCHEMA().inputs[0].options
    assert LoadIdentity.validate_inputs(saved) is True
    (loaded,) = LoadIdentity.execute(saved).args
    assert torch.equal(loaded.embedding, identity.embedding)
    assert (loaded.encoder, loaded.sha256) == (space, "12" * 32)
    assert ("embedding" in load_file(find_identity(saved))) == (space == REACTOR_SPACE)


def test_saving_twice_keeps_both_unless_told_to_overwrite(person):
    names = [SaveIdentity.execute(person("red"), "lena", False)[0] for _ in range(2)]
    assert names == ["faceloom/lena.safetensors", "faceloom/lena_2.safetensors"]
    before = LoadIdentity.fingerprint_inputs(names[0])
    assert SaveIdentity.execute(person("blue"), "lena", True)[0] == names[0]
    assert LoadIdentity.fingerprint_inputs(names[0]) != before
    assert torch.equal(LoadIdentity.execute(names[0])[0].embedding, person("blue").embedding)


def test_what_cannot_be_saved_is_said_by_name(person):
    for identity, name, text in (
        (person("red", "blue"), "lena", "one identity, got 2"),
        (person("red")[:0], "lena", "one identity, got 0"),
        (person("red"), "../", "wanted one like lena"),
    ):
        with pytest.raises(ValueError, match=f"^Save Identity: .*{text}"):
            SaveIdentity.execute(identity, name, False)
    assert not any(
        folder.exists() and any(folder.iterdir()) for folder in identity_folders().values()
    )


def test_what_cannot_be_loaded_is_said_by_name():
    (folder := identity_folders()["reactor"]).mkdir(parents=True)
    (folder / "page.safetensors").write_bytes(b"<html>")
    save_file({"weight": torch.ones(2)}, folder / "net.safetensors")
    for name, text in (
        ("reactor/page.safetensors", "not a readable .safetensors"),
        ("reactor/net.safetensors", "holds no identity"),
        ("none", "names no saved identity"),
        ("../secret.safetensors", "names no saved identity"),
    ):
        with pytest.raises(ValueError, match=f"^Load Identity: .*{text}"):
            LoadIdentity.execute(name)
    with pytest.raises(FileNotFoundError, match="reactor/lena"):
        LoadIdentity.execute("reactor/lena.safetensors")
    assert "reactor/lena" in LoadIdentity.validate_inputs("reactor/lena.safetensors")
    assert LoadIdentity.fingerprint_inputs("none") == "missing"
