"""The `faceloom` command."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from shutil import move
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tqdm import tqdm

from ..training.cli import add_train_parser
from ..training.report import add_measure_parser
from .evaluate import add_evaluate_parser
from .graph import WorkflowError, describe

if TYPE_CHECKING:  # Torch takes seconds to import, and `faceloom --help` does not need it.
    from ..host.node_api import io
    from ..host.session import Session
    from .execute import Run, Runner
    from .graph import Graph, Node

SWAP_WORKFLOW = Path(__file__).parents[1] / "workflows" / "swap_faces.json"
FAILURE, INTERRUPTED = 1, 130
EXAMPLES = """\
examples:
  faceloom swap me.png crowd.jpg -o swapped.png
  faceloom run workflow.json -i Source.image=me.png -i "Blend Faces.opacity=0.8" -o results
  faceloom run workflow.json --server http://127.0.0.1:8188
  faceloom models get det_10g
"""
BAR = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}]"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: its arguments; None for the process's own.

    Returns:
        The exit code: 0, 1 for what cannot be read or fails, 130 for an interrupt.

    Raises:
        SystemExit: with code 2, for a command line that cannot be parsed.
    """
    args = build_parser().parse_args(argv)
    try:
        args.command(args)
        return 0
    except KeyboardInterrupt:
        print("faceloom: interrupted", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        if args.debug:
            raise
        print(f"faceloom: {describe(error)}", file=sys.stderr)
        return FAILURE


def build_parser() -> ArgumentParser:
    """Describe the command line."""
    parser = ArgumentParser(
        "faceloom",
        description="Swap faces with ComfyUI workflows, without ComfyUI.",
        epilog=EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    common = ArgumentParser(add_help=False)
    common.add_argument("--debug", action="store_true", help="show the stack trace of an error")
    folders = ArgumentParser(add_help=False)
    folders.add_argument(
        "--models",
        metavar="DIR",
        type=Path,
        action="append",
        default=[],
        help="folder of model weights, searched before the usual ones (may repeat)",
    )
    place = ArgumentParser(add_help=False, parents=[folders])
    place.add_argument("--device", help="cpu, cuda, cuda:1, mps (default: the GPU, if any)")

    run = commands.add_parser("run", parents=[common, place], help="run a workflow")
    run.add_argument("workflow", type=Path, help="JSON saved from ComfyUI, or its API export")
    run.add_argument(
        "-i",
        metavar="NODE.INPUT=VALUE",
        dest="inputs",
        action="append",
        default=[],
        help="set a value, such as Source.image=me.png; NODE is a node's title, type or id, and an "
        "error lists what there is (may repeat)",
    )
    run.add_argument(
        "-o",
        metavar="DIR",
        dest="output",
        type=Path,
        default=Path("output"),
        help="folder for the pictures (default: output)",
    )
    run.add_argument(
        "--server",
        metavar="URL",
        help="let this running ComfyUI do the work, with its own models and device",
    )
    run.set_defaults(command=run_command)

    swap = commands.add_parser("swap", parents=[common, place], help="swap a face into a picture")
    swap.add_argument("source", type=Path, help="picture of the face to take")
    swap.add_argument("target", type=Path, help="picture whose faces to replace")
    swap.add_argument(
        "-o", metavar="OUT.png", dest="output", type=Path, required=True, help="the new picture"
    )
    swap.set_defaults(command=swap_command)

    nodes = commands.add_parser("nodes", parents=[common], help="list the nodes with their sockets")
    nodes.set_defaults(command=nodes_command)

    models = commands.add_parser(
        "models", parents=[common, folders], help="list weights with their licences, or fetch some"
    )
    models.set_defaults(command=models_command, device="cpu")
    get = models.add_subparsers(metavar="get NAME").add_parser(
        "get", parents=[common, folders], help="fetch one by its name in the list"
    )
    get.add_argument("name", metavar="NAME")
    get.add_argument("--to", metavar="DIR", type=Path, help="folder to put it into")
    get.set_defaults(command=get_command)
    add_train_parser(commands, common)
    add_measure_parser(commands, common)
    add_evaluate_parser(commands, common, place, SWAP_WORKFLOW)
    return parser


def run_command(args: Namespace) -> None:
    """Run a workflow here or on a server, and print the paths of the pictures."""
    if args.server:
        if args.models or args.device:
            raise ValueError("--models and --device have no effect with --server; leave them out")
        from .server import run_on_server

        paths, notes = run_on_server(args.server, args.workflow, args.inputs, args.output)
        _print_notes(notes)
        for path in paths:
            print(path)
        return
    from .overrides import override
    from .workflow import read_workflow

    make_folder(args.output)
    runner = make_runner(make_session(args, args.output))
    graph = read_workflow(args.workflow, runner.specs)
    for assignment in args.inputs:
        override(graph, runner.specs, assignment)
    for entry in run_graph(runner, graph).images:
        print(entry["path"])


def swap_command(args: Namespace) -> None:
    """Run the shipped workflow on two pictures, and print the path of the result."""
    from .overrides import find_node
    from .workflow import read_workflow

    if args.output.suffix.lower() != ".png":
        raise ValueError(f"-o {args.output}: the result is a PNG; let the name end in .png")
    make_folder(args.output.parent)
    with TemporaryDirectory() as folder:
        runner = make_runner(make_session(args, Path(folder)))
        graph = read_workflow(SWAP_WORKFLOW, runner.specs)
        for title, picture in (("Source", args.source), ("Target", args.target)):
            if not picture.is_file():
                raise ValueError(f"there is no picture {picture}")
            find_node(graph, title).set("image", str(picture))
        images = run_graph(runner, graph).images
        made = [Path(entry["path"]) for entry in images if entry["type"] == "output"]
        if not made:
            raise WorkflowError(f"{SWAP_WORKFLOW} saved no picture")
        for path, output in zip(made, _number(args.output, len(made)), strict=True):
            move(path, output)
            print(output)


def nodes_command(args: Namespace) -> None:
    """Print the nodes."""
    from ..host.session import Session
    from .listing import list_nodes

    print(list_nodes(make_runner(Session()).specs.values()))


def models_command(args: Namespace) -> None:
    """Print which weights are there, and which can be fetched."""
    from ..host.session import using
    from .models import list_models

    with using(make_session(args, Path())):
        print(list_models())


def get_command(args: Namespace) -> None:
    """Fetch weights, and print their path."""
    from ..host.session import using
    from .models import get_model

    with show_bar(args.name) as report:
        session = replace(make_session(args, Path()), report=report)
        with using(session):
            path = get_model(args.name, args.to)
    print(path)


def node_classes() -> list[type[io.ComfyNode]]:
    """List all nodes: FaceLoom's and the few of ComfyUI's own."""
    from ..nodes import NODES
    from .core_nodes import CORE_NODES

    return [*NODES, *CORE_NODES]


def make_folder(folder: Path) -> None:
    """Make the folder for the result before any work goes into it.

    Raises:
        ValueError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"-o: {folder} cannot be a folder ({error.strerror}); choose another"
        ) from error


def make_session(args: Namespace, output_dir: Path) -> Session:
    """Turn the command line's folders and device into a session.

    Raises:
        ValueError: there is no such folder or device.
    """
    import torch

    from ..host.session import Session, best_device

    for folder in args.models:
        if not folder.is_dir():
            raise ValueError(f"--models {folder}: there is no such folder")
    try:
        device = torch.device(args.device) if args.device else best_device()
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = describe(error)
        raise ValueError(f"--device {args.device}: {reason}; --device cpu always works") from error
    return Session(device=device, model_folders=tuple(args.models), output_dir=output_dir)


def make_runner(session: Session) -> Runner:
    """Make a runner with all nodes that shows progress."""
    from .execute import Runner

    return Runner(node_classes(), session, show_progress)


@contextmanager
def show_progress(node: Node) -> Iterator[Callable[[int, int], None]]:
    """Show one node's progress bar, on a terminal; a node that reports nothing is one step."""
    with show_bar(node.label) as report:
        yield report


@contextmanager
def show_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar, on a terminal; what reports nothing is one step."""
    with tqdm(total=1, desc=label, disable=None, dynamic_ncols=True, bar_format=BAR) as bar:

        def report(done: int, total: int) -> None:
            bar.total = total
            bar.n = done
            bar.refresh()

        yield report
        if bar.n == 0:
            bar.update(bar.total)


def run_graph(runner: Runner, graph: Graph) -> Run:
    """Run, and say on stderr what was left out."""
    run = runner.run(graph)
    _print_notes(run.notes)
    return run


def _print_notes(notes: Iterable[str]) -> None:
    for note in notes:
        print(f"faceloom: {note}", file=sys.stderr)


def _number(path: Path, count: int) -> list[Path]:
    """Name several results of an animated target after the one name that was given."""
    if count == 1:
        return [path]
    return [path.with_stem(f"{path.stem}_{index + 1:05}") for index in range(count)]
