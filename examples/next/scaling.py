"""How much more text would help: `next-text` on growing parts of a corpus's training articles. Resumable; run by hand.

    OMP_NUM_THREADS=1 python examples/next/scaling.py --data novels=novels.safetensors

A part holds the first of the training articles in an order of their own, so that a smaller one lies within a larger.
VAL and OOD stay what they are. Each is trained with cosine alone and with `rank` at 0.3 beside it, for so many epochs
that it sees as many windows as the whole does in 15, but for at most 120. results/scaling/NAME.json has the points.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from bench import named

from lvmcore import Corpus, Lab, LvmError, save_corpus, to_json
from lvmcore.files import write_whole

RESULTS = Path(__file__).parent / "results" / "scaling"
PARTS = (1 / 64, 1 / 16, 1 / 4, 1.0)
LOSSES = ("cos", "cos+rank:0.3")
EPOCHS, MOST = 15, 120
EVALUATED = 10_000
"""At most so many windows a split, evenly spaced, are evaluated."""


def part_of(corpus: Corpus, share: float, target: Path) -> None:
    """Write a corpus with a share of another's training articles, and all of its others."""
    training = np.flatnonzero(corpus.splits.numpy() == 0)
    order = np.random.default_rng(0).permutation(training)
    kept = np.sort([*order[: max(2, round(share * len(order)))], *np.flatnonzero(corpus.splits.numpy() != 0)])
    starts = corpus.starts.numpy()
    lengths = np.diff(starts)[kept]
    blocks: Iterator[np.ndarray] = (corpus.vectors[int(starts[i]) : int(starts[i + 1])].numpy() for i in kept)
    info = attrs.evolve(corpus.info, titles=(), sources=(), digest="", texts_digest="")
    save_corpus(target, blocks, np.concatenate([[0], lengths.cumsum()]), corpus.splits.numpy()[kept], info)


def measured(part: Path, share: float, loss: str) -> dict[str, Any]:
    """Train on a part, and evaluate: differences to the cheats."""
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(folder, progress=False)
        epochs = min(MOST, round(EPOCHS / share))
        run = lab.train("next-text", data=str(part), loss=loss, epochs=epochs, evaluate=False)
        document = lab.evaluate(run, gates="causal", max_windows=EVALUATED).document
        found = {
            split: {
                "cosine": document["splits"][split]["cosine"],
                "dF": document["differences"][split]["filter"]["A.cosine"],
                "dCL": document["differences"][split]["copy-last"]["B.unseen.r5"],
            }
            for split in ("val", "ood")
        }
        record = lab.run(run).record
    return {
        "share": share,
        "loss": loss,
        "windows": record["windows"]["train"],
        "epochs": epochs,
        "best": record["best"]["epoch"],
        **found,
        "seconds": round(record["seconds"], 1),
        "date": record["started"][:10],
        "versions": record["versions"],
        "processor": record["machine"]["processor"],
    }


def told(point: dict[str, Any]) -> str:
    gain, ranks = point["val"]["dF"]["value"], point["val"]["dCL"]["value"]
    return f"{point['windows']:,} windows, {point['loss']}: dF {gain:+.4f}, dCL {100 * ranks:+.1f}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", required=True, type=named, metavar="NAME[=FILE]", help="a corpus, and what it is called"
    )
    parser.add_argument("--parts", type=float, nargs="+", default=PARTS, help="shares of the training articles")
    parser.add_argument("--losses", nargs="+", default=LOSSES, metavar="EXPR", help="what each part is trained with")
    parser.add_argument("--results", type=Path, default=RESULTS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    name, data = asked.data
    file = asked.results / f"{name}.json"
    points: list[dict[str, Any]] = json.loads(file.read_text("utf-8")) if file.is_file() else []
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        corpus = Lab().corpus(data)
        for share in asked.parts:
            done = {point["loss"] for point in points if point["share"] == share}
            if missing := [loss for loss in asked.losses if loss not in done]:
                with tempfile.TemporaryDirectory() as folder:
                    part_of(corpus, share, part := Path(folder, "part.safetensors"))
                    for loss in missing:
                        points.append(measured(part, share, loss))
                        write_whole(file, to_json(points) + "\n")
                        print(f"{name}: {told(points[-1])}", flush=True)
    except LvmError as problem:
        print(problem, file=sys.stderr)
        return problem.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
