"""`faceloom evaluate`: run a swap workflow on pairs of pictures, and judge what it makes."""

from __future__ import annotations

import csv
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from .graph import WorkflowError

# Torch takes seconds to import: only those who evaluate wait for it.
if TYPE_CHECKING:
    from torch import Tensor

    from ..models.roles import Role
    from ..training.evaluate import Judges, Score
    from .execute import Runner
    from .graph import Graph

MEASURES = {
    "to_source": "cos(result, source)",
    "to_target": "cos(result, target)",
    "between": "cos(source, target)",
    "landmarks": "landmark error, of the distance of the target's outer eye corners",
}
"""Fields of a `Score`, and how the table calls them."""


def add_evaluate_parser(
    commands: Any, common: ArgumentParser, place: ArgumentParser, workflow: Path
) -> None:
    """Add `evaluate` to the command line."""
    parser: ArgumentParser = commands.add_parser(
        "evaluate",
        parents=[common, place],
        help="measure how well a workflow swaps faces",
        description="Run a swap workflow on pairs of pictures and judge the results. OUT gets "
        "sheet.png (source, target and result, and below them the cosines to source and target "
        "and the landmark error in percent) and pairs.csv.",
    )
    parser.add_argument(
        "--workflow",
        type=Path,
        default=workflow,
        help="has Load Image nodes titled Source and Target, and saves the result "
        f"(default: {workflow.name})",
    )
    parser.add_argument(
        "--pairs",
        type=Path,
        nargs="+",
        required=True,
        metavar="PATH",
        help="pictures, to swap each with each; or a folder of them, or one of `faceloom train`; "
        "or a .txt with source, tab, target on each line",
    )
    parser.add_argument("--most", type=int, default=40, help="how many pairs (default: 40)")
    parser.add_argument("--seed", type=int, default=0, help="which pairs, where there are more")
    for role in ("encoder", "landmarker", "detector"):
        names = ["--judge"] if role == "encoder" else [f"--{role}"]
        parser.add_argument(
            *names,
            dest=role,
            type=Path,
            metavar="FILE",
            help=f"weights of the {role} that judges (default: built-in)",
        )
    parser.add_argument(
        "-i",
        metavar="NODE.INPUT=VALUE",
        dest="inputs",
        action="append",
        default=[],
        help="set a value of the workflow, as for `faceloom run` (may repeat)",
    )
    parser.add_argument("-o", dest="output", type=Path, required=True, metavar="OUT")
    parser.set_defaults(command=evaluate_command)


def evaluate_command(args: Namespace) -> None:
    """Swap and judge all pairs; print the table, and write the sheet and the list."""
    from ..training.contact_sheet import contact_sheet
    from ..training.evaluate import choose_pairs
    from .cli import make_folder, make_session, node_classes
    from .execute import Runner
    from .images import write_png
    from .overrides import override
    from .workflow import read_workflow

    pairs = choose_pairs(args.pairs, args.most, args.seed)
    judges = _load_judges(args)
    make_folder(args.output)
    scores, failures, columns = [], [], []
    with TemporaryDirectory() as folder:
        runner = Runner(node_classes(), make_session(args, Path(folder)))
        graph = read_workflow(args.workflow, runner.specs)
        for assignment in args.inputs:
            override(graph, runner.specs, assignment)
        for pair in tqdm(pairs, desc="swap", disable=None):
            try:
                score, column = judge_pair(runner, graph, judges, *pair)
            except ValueError as error:  # no face, or a workflow that stops at this pair
                failures.append((*pair, str(error)))
                continue
            scores.append((*pair, score))
            columns.append(column)
    for source, target, reason in failures:
        print(f"faceloom: {source.name} onto {target.name}: {reason}", file=sys.stderr)
    if not scores:
        raise WorkflowError(f"none of {len(pairs)} pairs could be judged: {failures[0][2]}")
    _write_list(args.output / "pairs.csv", scores, failures)
    write_png(args.output / "sheet.png", contact_sheet(columns).movedim(0, -1), {})
    for line in table([score for *_, score in scores], len(failures)):
        print(line)


def judge_pair(
    runner: Runner, graph: Graph, judges: Judges, source: Path, target: Path
) -> tuple[Score, Tensor]:
    """Swap one pair, and judge it.

    Args:
        runner: runs the workflow.
        graph: the workflow; its pictures are changed in place.
        judges: see `training.evaluate`.
        source: picture of the face to take.
        target: picture of the face to replace.

    Returns:
        The score, and the pair's column [3, H, W] of the contact sheet.

    Raises:
        ValueError: the workflow cannot run, or a picture shows no face.
    """
    from ..training.contact_sheet import column, view

    result = swap(runner, graph, source, target)
    frames = [_read(path).to(runner.session.device) for path in (source, target, result)]
    score, seen = judges.score(*frames)
    # The result is shown in the target's place, so that a face that moved shows.
    views = [view(frames[i], seen[min(i, 1)].faces) for i in range(3)]
    numbers = f"{score.to_source:.2f} {score.to_target:.2f} {100 * score.landmarks:.1f}"
    return score, column(views, numbers)


def swap(runner: Runner, graph: Graph, source: Path, target: Path) -> Path:
    """Run the workflow on two pictures: the path of the first picture that it saves.

    Raises:
        ValueError: the workflow cannot run, lacks Source or Target, or saves no picture.
    """
    from .overrides import find_node

    for title, picture in (("Source", source), ("Target", target)):
        find_node(graph, title).set("image", str(picture))
    for entry in runner.run(graph).images:
        if entry["type"] == "output":
            return Path(entry["path"])
    raise WorkflowError("the workflow saved no picture")


def table(scores: list[Score], failures: int) -> Iterator[str]:
    """Sum scores up as a Markdown table: means with their 95 % confidence intervals."""
    import torch

    from ..training.evaluate import bootstrap

    yield f"{len(scores)} pairs judged, {failures} not.\n"
    yield "| | mean | 95 % confidence |\n|---|---|---|"
    for field, name in MEASURES.items():
        values = bootstrap(torch.tensor([getattr(score, field) for score in scores]))
        if field == "landmarks":
            mean, low, high = (f"{100 * value:.2f} %" for value in values)
        else:
            mean, low, high = (f"{value:.3f}" for value in values)
        yield f"| {name} | {mean} | {low} to {high} |"


def _load_judges(args: Namespace) -> Judges:
    import torch

    from .. import models
    from ..host.session import best_device
    from ..training.evaluate import Judges

    device = torch.device(args.device) if args.device else best_device()

    def load(role: Role) -> Any:
        model = models.load(getattr(args, role) or models.built_in(role), role)
        model.network.to(device)
        return model

    return Judges(load("detector"), load("encoder"), load("landmarker"))


def _read(path: Path) -> Tensor:
    """A picture's first frame [1, 3, H, W]."""
    from .images import read_image

    return read_image(path)[0][:1, ..., :3].movedim(-1, 1)


def _write_list(
    path: Path,
    scores: list[tuple[Path, Path, Score]],
    failures: list[tuple[Path, Path, str]],
) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["source", "target", *MEASURES, "failure"])
        for source, target, score in scores:
            values = [f"{getattr(score, field):.4f}" for field in MEASURES]
            out.writerow([source, target, *values, ""])
        for source, target, reason in failures:
            out.writerow([source, target, *[""] * len(MEASURES), reason])
