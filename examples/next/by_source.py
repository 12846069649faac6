"""Where in a corpus a model is above the cheats: dF and dCL source by source. Run by hand.

    OMP_NUM_THREADS=1 python examples/next/by_source.py runs/RUN [RUN …] --data docs=docs.safetensors

dF is the cosine less that of `filter`, which is fit on all of the corpus, dCL the R@5 unseen less that of `copy-last`;
intervals from 1,000 resamples of the source's articles. results/by-source/NAME.json has them.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from bench import named

from lvmcore import Corpus, Evaluation, Lab, LvmError, to_json
from lvmcore.evaluation.statistics import Statistics
from lvmcore.files import write_whole

RESULTS = Path(__file__).parent / "results" / "by-source"
SPLITS = ("val", "ood")
COMPARED = {"dF": ("filter", "cosine"), "dCL": ("copy-last", "B/unseen/r5")}
RESAMPLES = 1_000


def by_source(corpus: Corpus, own: Evaluation, cheats: dict[str, Evaluation]) -> list[dict[str, Any]]:
    """Of each source of VAL and of OOD: articles, windows, dF and dCL with their intervals."""
    sources, found = np.array(corpus.info.sources), []
    for split in SPLITS:
        articles = own.windows[split].articles.numpy()
        for source in dict.fromkeys(sources[articles].tolist()):
            inside = sources[articles] == source
            columns = {
                name: (own.columns[split][column] - cheats[cheat].columns[split][column])[inside]
                for name, (cheat, column) in COMPARED.items()
            }
            statistics = Statistics(columns, articles[inside], RESAMPLES)
            differences = {name: attrs.asdict(statistics.difference(name)) for name in COMPARED}
            counts = {"articles": statistics.articles, "windows": int(inside.sum())}
            found.append({"split": split, "source": source, **counts, **differences})
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument(
        "--data", required=True, type=named, metavar="NAME[=FILE]", help="a corpus, and what it is called"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    (name, data), lab = asked.data, Lab()
    try:
        corpus = lab.corpus(data)
        if not corpus.info.sources:
            raise LvmError("the corpus does not say where its articles come from", where=corpus.where)
        cheats = {cheat: lab.evaluate(cheat, corpus) for cheat, _ in COMPARED.values()}
        kept = []
        for which in asked.runs:
            run = lab.run(which)
            settings = {key: run.record["variant"][key] for key in ("arch", "loss", "epochs")}
            kept.append({**settings, "seed": run.record["seed"], "date": run.record["started"][:10]})
            kept[-1]["sources"] = by_source(corpus, lab.evaluate(run, corpus), cheats)
    except LvmError as problem:
        print(problem, file=sys.stderr)
        return problem.exit_status
    write_whole(asked.results / f"{name}.json", to_json(kept) + "\n", parents=True)
    print(json.dumps(kept, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
