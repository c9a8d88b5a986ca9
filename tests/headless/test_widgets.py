import pytest

from faceloom.headless.widgets import read_widgets

EXPECTED = {"text": "hi", "seed": 7, "mode": "hard", "keep": False, "scale": 0.5}


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(["hi", 7, "randomize", "hard", False, 0.5], id="saved by the editor"),
        pytest.param(["hi", 7, "hard", False, 0.5], id="written by hand, without the control"),
        pytest.param(["hi", 7, "fixed", "hard", False, 0.5, "more"], id="saved with more widgets"),
        pytest.param(
            {"text": "hi", "seed": 7, "mode": "hard", "keep": False, "scale": 0.5, "x": 1},
            id="dictionary",
        ),
    ],
)
def test_values_get_their_names(specs, values):
    assert read_widgets(specs["Settings"], values)[0] == EXPECTED


@pytest.mark.parametrize("values", [None, [], {}])
def test_absent_values_are_the_defaults(specs, values):
    expected = {"text": "", "seed": 0, "mode": "soft", "keep": True, "scale": 1.0}
    assert read_widgets(specs["Settings"], values)[0] == expected


def test_required_widgets_come_before_optional_ones(specs):
    # The schema says extra (optional), a (a socket only), b.
    assert read_widgets(specs["Add"], [5, 6])[0] == {"b": 5, "extra": 6}


@pytest.mark.parametrize("values", [["a.png", "red", "image"], ["a.png", "red"]])
def test_upload_button_is_no_input(specs, values):
    expected = {"image": "a.png", "channel": "red"}
    assert read_widgets(specs["LoadImageMask"], values)[0] == expected


def test_cells_lead_back_to_the_file(specs):
    values = ["hi", 7, "randomize", "hard", False, 0.5]
    container, key = read_widgets(specs["Settings"], values)[1]["mode"]
    container[key] = "soft"
    assert values == ["hi", 7, "randomize", "soft", False, 0.5]
